//! `whodunit import`: records from a file or standard input into the log.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::{AsyncRead, AsyncReadExt};
use whodunit_core::api::write::ImportReport;
use whodunit_core::mapping::Mapping;
use whodunit_core::transfer::format::{SNIFFED_BYTES, foreign};

use super::exit::{CliError, Exit};
use super::import_report::{exit, print};
use super::terminal::Terminal;
use crate::client::{Client, ImportQuery};

/// Bytes sent at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Mappings that come with the program, by name.
const BUILT_IN: [(&str, &str); 1] =
    [("cloudtrail", include_str!("../../mappings/cloudtrail.toml"))];

/// Arguments of `whodunit import`.
#[derive(Debug, Args)]
#[command(after_help = "Importing the same file twice adds nothing.

Examples:
  whodunit import backup.ndjson                       what `whodunit export` wrote
  whodunit import cloudtrail.ndjson --mapping cloudtrail
  whodunit import shop.ndjson --mapping shop.toml --dry-run
  zcat log.gz | whodunit import - --mapping shop.toml")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, as its caller writes it"
)]
pub(crate) struct ImportArgs {
    /// One JSON record per line; `-` for standard input
    file: PathBuf,
    /// How records become events: a mapping file (TOML), or the name of one that comes with whodunit (`cloudtrail`)
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Import nothing, only show what would be imported
    #[arg(long)]
    dry_run: bool,
    /// Stop at the first bad record
    #[arg(long)]
    strict: bool,
    /// Give events that cannot keep their revision the next one; the original stays in their metadata
    #[arg(long)]
    renumber: bool,
    /// Import a redacted export into a log that holds other history, which is then labelled a redacted copy
    #[arg(long)]
    allow_redacted: bool,
}

/// Runs it.
pub(crate) async fn run(
    args: &ImportArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let query = ImportQuery {
        strict: args.strict,
        renumber: args.renumber,
        allow_redacted: args.allow_redacted,
        dry_run: args.dry_run,
        mapping: args.mapping.as_deref().map(mapping).transpose()?,
    };
    let report = if args.file.as_os_str() == "-" {
        let bar = spinner(terminal);
        send(client, &query, tokio::io::stdin(), bar).await?
    } else {
        let (file, bytes) = open(&args.file).await?;
        check_format(&args.file).await?;
        let bar = byte_bar(terminal, bytes);
        send(client, &query, file, bar).await?
    };
    print(&report, terminal)?;
    Ok(exit(&report))
}

/// A mapping's text: of a file, or of one that is built in. Checked here, so that a mistake is found before anything is
/// sent.
pub(crate) fn mapping(path: &Path) -> Result<String, CliError> {
    let built_in = path
        .to_str()
        .and_then(|name| BUILT_IN.iter().find(|(known, _)| *known == name));
    let text = match built_in {
        Some((_, text)) if !path.exists() => (*text).to_owned(),
        _ => super::files::read_text(path)?,
    };
    match Mapping::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(CliError::usage(
            format!("`{}`: {error}", path.display()),
            "docs/MAPPING.md says how a mapping file is written",
        )),
    }
}

async fn open(path: &Path) -> Result<(tokio::fs::File, u64), CliError> {
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let metadata = file.metadata().await.map_err(failed)?;
    if metadata.is_dir() {
        return Err(CliError::usage(
            format!("`{}` is a folder", path.display()),
            "name a file with one JSON record per line",
        ));
    }
    Ok((file, metadata.len()))
}

/// Refuses a file of another format before anything is sent, with the words that the daemon would have for it.
pub(crate) async fn check_format(path: &Path) -> Result<(), CliError> {
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut first = Vec::new();
    let mut reader = file.take(SNIFFED_BYTES as u64);
    reader.read_to_end(&mut first).await.map_err(failed)?;
    match foreign(&first, first.len() < SNIFFED_BYTES) {
        None => Ok(()),
        Some(said) => {
            let place = path.display();
            Err(CliError::usage(
                format!("`{place}`: {said}"),
                "nothing was imported",
            ))
        }
    }
}

/// Sends what the reader brings, and shows how far it is.
pub(crate) async fn send<R>(
    client: &Client,
    query: &ImportQuery,
    reader: R,
    bar: ProgressBar,
) -> Result<ImportReport, CliError>
where
    R: AsyncRead + Unpin + Send + 'static,
{
    let progress = bar.clone();
    let pieces = stream::try_unfold((reader, progress), |(mut reader, progress)| async move {
        let mut piece = vec![0; PIECE_BYTES];
        let read = reader.read(&mut piece).await?;
        if read == 0 {
            return Ok::<_, io::Error>(None);
        }
        piece.truncate(read);
        progress.inc(read as u64);
        Ok(Some((piece, (reader, progress))))
    });
    let report = client.import(query, pieces).await;
    bar.finish_and_clear();
    Ok(report?)
}

fn byte_bar(terminal: &Terminal<'_>, bytes: u64) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let template = "importing {bar:30} {bytes}/{total_bytes}  {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}

fn spinner(terminal: &Terminal<'_>) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("importing {spinner} {bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_mappings_fit() {
        for (name, _) in BUILT_IN {
            assert!(mapping(Path::new(name)).is_ok(), "{name}");
        }
        let error = mapping(Path::new("no/such.toml")).unwrap_err();
        assert_eq!(error.exit(), Exit::NotFound);
    }
}
