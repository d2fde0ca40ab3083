//! Long runs of the daemon, as they go: a bar on standard error, and a sentence when they end.
//!
//! Owns how a run is watched. Never starts or ends one: whoever stops watching leaves it running.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use whodunit_core::api::pipeline::{RunOut, RunStatus};

use super::exit::{CliError, Exit};
use super::style::Token;
use super::terminal::Terminal;
use crate::client::ClientError;
use crate::humanize::{duration, sentence};
use crate::text::counted;

/// How often a run is looked at.
pub(crate) const EVERY: Duration = Duration::from_millis(250);

/// How the watching ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Watched {
    /// The run has ended so.
    Ended(RunOut),
    /// Somebody pressed Ctrl-C; the run goes on.
    Left(RunOut),
}

/// Looks at a run again and again until it has ended, or until `left` comes.
pub(crate) async fn watch<F, Fut>(
    first: RunOut,
    bar: &ProgressBar,
    every: Duration,
    left: impl Future<Output = ()>,
    mut look: F,
) -> Result<Watched, ClientError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<RunOut>, ClientError>>,
{
    let mut run = first;
    let mut left = std::pin::pin!(left);
    while run.status == RunStatus::Running {
        show(bar, &run);
        tokio::select! {
            biased;
            () = &mut left => return Ok(Watched::Left(run)),
            () = tokio::time::sleep(every) => {}
        }
        // A daemon that started anew goes on with a rebuild under another number: what it says now counts.
        if let Some(now) = look().await? {
            run = now;
        }
    }
    Ok(Watched::Ended(run))
}

/// Ctrl-C. Where it cannot be listened to, it never comes this way and ends the program as usual.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A bar for a run, if standard error is a terminal.
pub(crate) fn bar(terminal: &Terminal<'_>, what: &str) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {bar:24} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(1)
        .with_style(style)
        .with_prefix(what.to_owned())
}

/// Moves the bar to where the run is.
pub(crate) fn show(bar: &ProgressBar, run: &RunOut) {
    bar.set_length(run.total.max(1));
    bar.set_position(run.done.min(run.total));
    bar.set_message(sentence(run));
}

/// How a run ended, or that it goes on: the answer of the command that watched it.
pub(crate) fn report(
    terminal: &mut Terminal<'_>,
    watched: &Watched,
    what: &str,
    cancel: &str,
) -> Result<Exit, CliError> {
    let run = match watched {
        Watched::Ended(run) | Watched::Left(run) => run,
    };
    if terminal.form.json {
        terminal.document(run)?;
    }
    if matches!(watched, Watched::Left(_)) {
        terminal.note(format!("the {} continues; `{cancel}` cancels it", run.kind))?;
        return Ok(Exit::Ok);
    }
    if !terminal.form.json {
        let (token, text) = ended(run, what);
        let line = terminal.paint(token, &text);
        terminal.line(line)?;
    }
    Ok(match run.status {
        RunStatus::Completed | RunStatus::Running => Exit::Ok,
        RunStatus::Cancelled | RunStatus::Failed => Exit::No,
    })
}

/// How a run stands, in a sentence.
fn ended(run: &RunOut, what: &str) -> (Token, String) {
    let seconds = run
        .ended_at
        .map(|at| seconds(at.as_micros() - run.started_at.as_micros()));
    let took = seconds.map_or_else(String::new, |seconds| format!(" in {}", duration(seconds)));
    let jobs = if run.kind == "backfill" {
        format!(", {} made", counted(run.jobs, "job"))
    } else {
        String::new()
    };
    let events = format!("{}{took}{jobs}", counted(run.done, "event"));
    match run.status {
        RunStatus::Running => (
            Token::Plain,
            format!("{what}: under way, {}", sentence(run)),
        ),
        RunStatus::Completed => (Token::Added, format!("{what}: done, {events}")),
        RunStatus::Cancelled => (Token::Changed, format!("{what}: cancelled after {events}")),
        RunStatus::Failed => {
            let why = run
                .error
                .as_deref()
                .unwrap_or("the daemon does not say why");
            let why = whodunit_core::text::shown(why);
            (
                Token::Error,
                format!("{what}: failed after {events}: {why}"),
            )
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration for people")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pipeline::run;

    #[tokio::test]
    async fn a_run_is_watched_until_it_ends() {
        let mut looks = vec![
            None,
            Some(run("rebuild", "users", RunStatus::Completed)),
            Some(run("rebuild", "users", RunStatus::Running)),
        ];
        let look = || std::future::ready(Ok(looks.pop().unwrap()));
        let first = run("rebuild", "users", RunStatus::Running);
        let bar = ProgressBar::hidden();
        let never = std::future::pending();
        let watched = watch(first, &bar, Duration::ZERO, never, look).await;
        let Watched::Ended(run) = watched.unwrap() else {
            panic!("nobody left")
        };
        assert_eq!(run.status, RunStatus::Completed);
        assert_eq!(looks, [None], "nobody looks at a run that has ended");
    }

    #[tokio::test]
    async fn leaving_leaves_it_running() {
        let first = run("rebuild", "users", RunStatus::Running);
        let look = || std::future::ready(Err(unreachable()));
        let left = std::future::ready(());
        let watched = watch(first.clone(), &ProgressBar::hidden(), EVERY, left, look).await;
        assert_eq!(watched.unwrap(), Watched::Left(first.clone()));
        let look = || std::future::ready(Err(unreachable()));
        let never = std::future::pending();
        let failed = watch(first, &ProgressBar::hidden(), Duration::ZERO, never, look).await;
        assert!(failed.is_err(), "a daemon that is gone is an error");
    }

    fn unreachable() -> ClientError {
        ClientError::Unreachable {
            url: "http://127.0.0.1:1".to_owned(),
            cause: "gone".to_owned(),
        }
    }
}
