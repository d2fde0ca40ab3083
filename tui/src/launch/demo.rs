//! `whodunit demo`: a made-up month of a user service, an incident in it, and the screens to find out.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use whodunit_daemon::builtin::BuiltIn;
use whodunit_daemon::clock::Ids;

use super::embedded::{Embedded, Mails, Plan, asked_to_end};
use super::play::{ScriptedIds, play};
use super::screens;
use super::story::{SEED_DEFAULT, Story, story};
use crate::cli::terminal::Terminal;
use crate::cli::{CliError, Exit};
use crate::text::counted;

/// Arguments of `whodunit demo`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Everything is made up, lives in a temporary folder, and is gone when you leave.

Examples:
  whodunit demo
  whodunit demo --no-tui --port 4780       keeps serving; then, elsewhere: whodunit streams sarah"
)]
pub(crate) struct DemoArgs {
    /// Play another month; the same number always plays the same one
    #[arg(long, default_value_t = SEED_DEFAULT)]
    seed: u64,
    /// No screens: print the address, and keep serving until interrupted
    #[arg(long)]
    no_tui: bool,
    /// The port to serve on; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Runs it.
pub(crate) async fn run(args: &DemoArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    // From here on a signal is no sudden end: the folder is removed and the daemon stopped first.
    let asked = asked_to_end();
    tokio::pin!(asked);
    let folder = tempfile::Builder::new()
        .prefix("whodunit-demo-")
        .tempdir()
        .map_err(|error| CliError::File {
            place: "a temporary folder".to_owned(),
            error,
        })?;
    let ids = Arc::new(ScriptedIds::default());
    let story = story(args.seed);
    let plan = Plan {
        thrown_away: true,
        models: vec![BuiltIn::Users],
        port: args.port,
        ids: Arc::clone(&ids) as Arc<dyn Ids>,
        mails: Mails::Folder {
            full: story.most_mail().cloned(),
        },
    };
    let embedded = Embedded::start(folder.path(), plan).await?;
    let result = tokio::select! {
        result = show(args, story, &embedded, &ids, terminal) => result,
        () = &mut asked => Ok(Exit::Ok),
    };
    embedded.stop().await?;
    drop(folder);
    result
}

async fn show(
    args: &DemoArgs,
    story: Story,
    embedded: &Embedded,
    ids: &Arc<ScriptedIds>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let sarah = story.sarah().map(ToString::to_string).unwrap_or_default();
    let bar = bar(terminal, story.scenes.len() as u64);
    let began = Instant::now();
    play(story, &embedded.daemon, ids, |_, _| bar.inc(1)).await?;
    bar.finish_and_clear();
    if !args.no_tui {
        return screens::of_demo(&embedded.client, terminal).await;
    }
    terminal.line(format!("listening on {}", embedded.client.url()))?;
    terminal.flush()?;
    let health = embedded.client.health().await?;
    terminal.note(format!(
        "{} and {} about {}, in {:.1} s",
        counted(health.head, "event"),
        counted(health.decisions, "decision"),
        counted(health.streams, "user"),
        began.elapsed().as_secs_f64()
    ))?;
    terminal.note(things_to_try(embedded.client.url(), &sarah))?;
    // Until the caller is asked to end.
    std::future::pending::<()>().await;
    Ok(Exit::Ok)
}

fn bar(terminal: &Terminal<'_>, scenes: u64) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let template = "playing a month of a user service {bar:30} {pos}/{len}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(scenes).with_style(style)
}

fn things_to_try(url: &str, sarah: &str) -> String {
    format!(
        "Sarah's account is missing. Who did it, when, and why? Elsewhere, try:

  export WHODUNIT_DAEMON={url}
  whodunit streams sarah
  whodunit events {sarah}
  whodunit state {sarah} --as-of 2025-03-24T15:47:00Z
  whodunit events --correlation fraud-scan-2025-03-20
  whodunit what-if {sarah} --at-revision 2 --command SuspendUser --reason fraud_detected
  whodunit what-if {sarah} --drop 3                  without the suspension: is she still deleted?

Ctrl-C ends it, and everything is gone."
    )
}
