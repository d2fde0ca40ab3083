//! `whodunit verify`: whether the store holds exactly what was written, and what is wrong with it where it is not.

use indicatif::{ProgressBar, ProgressStyle};
use whodunit_core::api::verify::{Severity, VerifyFinding, VerifyLine, VerifyOut, VerifyProgress};

use super::exit::{CliError, Exit};
use super::show::number;
use super::style::Token;
use super::terminal::Terminal;
use crate::client::{Client, ClientError};
use crate::text::counted;

/// Asks a daemon to verify its store.
pub(crate) async fn run(
    quick: bool,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let mut lines = client.verify(quick).await?;
    let bar = bar(terminal);
    let mut end = None;
    let bad = |reason: String| ClientError::BadReply {
        url: client.url().to_owned(),
        reason,
    };
    while let Some(line) = lines.next().await? {
        match line {
            VerifyLine::Progress(progress) => show(&bar, &progress),
            VerifyLine::End(out) => end = Some(out),
            VerifyLine::Failed(failed) => {
                bar.finish_and_clear();
                return Err(bad(format!("it could not be finished: {}", failed.detail)).into());
            }
        }
    }
    bar.finish_and_clear();
    let out = end.ok_or_else(|| bad("its reply ended early".to_owned()))?;
    report(&out, terminal)
}

/// A bar for a verification, if standard error is a terminal.
pub(crate) fn bar(terminal: &Terminal<'_>) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let template = "verifying {bar:24} {percent}%  {msg}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(1).with_style(style)
}

/// Moves the bar to where the verification is.
pub(crate) fn show(bar: &ProgressBar, at: &VerifyProgress) {
    bar.set_length(at.total.max(1));
    bar.set_position(at.done.min(at.total));
    let found = match at.findings {
        0 => String::new(),
        found => format!(", {}", counted(found, "finding")),
    };
    bar.set_message(format!("{}{found}", at.phase));
}

/// Prints what it came to.
pub(crate) fn report(out: &VerifyOut, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let exit = if out.ok { Exit::Ok } else { Exit::No };
    if terminal.form.json {
        terminal.document(out)?;
        return Ok(exit);
    }
    for finding in &out.findings {
        print(finding, terminal)?;
    }
    let kept = out.findings.len() as u64;
    if out.findings_total > kept {
        let more = number(out.findings_total - kept);
        terminal.line(format!("and {more} more of these kinds:"))?;
        for count in &out.counts {
            terminal.line(format!("  {} {}", number(count.count), count.code))?;
        }
    }
    let (token, verdict) = match (out.ok, out.warnings) {
        (true, 0) => (
            Token::Added,
            "the store holds exactly what was written".to_owned(),
        ),
        (true, _) => (
            Token::Changed,
            "every answer is right, but there are warnings".to_owned(),
        ),
        (false, _) => (Token::Error, "the store is damaged".to_owned()),
    };
    terminal.line(terminal.paint(token, &verdict))?;
    terminal.line(terminal.paint(Token::Muted, &work(out)))?;
    if out.quick {
        terminal.note(
            "hint: only the ends and the counts were checked; without `--quick` everything is",
        )?;
    }
    Ok(exit)
}

fn print(finding: &VerifyFinding, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let (word, token) = match finding.severity {
        Severity::Error => ("error", Token::Error),
        Severity::Warning => ("warning", Token::Changed),
        Severity::Info => ("info", Token::Muted),
    };
    let text = |text: &str| whodunit_core::text::shown(text).into_owned();
    let head = format!("{word}[{}]", finding.code);
    let place = text(&finding.place.to_string());
    let detail = text(&finding.detail);
    terminal.line(format!(
        "{}: {place}: {detail}",
        terminal.paint(token, &head)
    ))?;
    let (meaning, hint) = (text(&finding.meaning), text(&finding.hint));
    terminal.line(terminal.paint(Token::Muted, &format!("  {meaning}")))?;
    terminal.line(terminal.paint(Token::Muted, &format!("  hint: {hint}")))
}

fn work(out: &VerifyOut) -> String {
    let n = number;
    let checked = &out.checked;
    let head = format!(
        "up to position {}, decision {}: {}, {}, {}",
        n(out.head),
        n(out.decisions),
        counted(out.errors, "error"),
        counted(out.warnings, "warning"),
        counted(out.infos, "note")
    );
    format!(
        "{head}\nchecked {}, {}, {}, {}, {}, {} ({} compared), {}, {}, {}, {}",
        counted(checked.events, "event"),
        counted(checked.decisions, "decision"),
        counted(checked.streams, "stream"),
        counted(checked.keys, "key"),
        counted(checked.jobs, "job"),
        counted(checked.snapshots, "snapshot"),
        n(checked.snapshots_compared),
        counted(checked.segments, "segment"),
        counted(checked.index_entries, "index entry"),
        counted(checked.frames, "frame"),
        counted(checked.pages, "page")
    )
}
