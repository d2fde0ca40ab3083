//! `--watch`: the same answer again and again, until interrupted.
//!
//! Owns when it is asked again and how it is shown: on a terminal in place of the one before, else when it is another than before.

use std::time::Duration;

use clap::Args;

use super::exit::{CliError, Exit};
use super::style::Token;
use super::terminal::Terminal;

/// Seconds between two answers when nothing else is said.
const EVERY: &str = "2";
/// To the upper left corner, and everything from there on is gone.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Whether to watch, and how often.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct WatchArgs {
    /// Repeat every so many seconds (2 by default), until interrupted
    #[arg(long, short, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = EVERY, value_parser = seconds)]
    pub(crate) watch: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("must be a number of seconds from 0.1 to 86400".to_owned()),
    }
}

/// Asks once, or again and again.
pub(crate) async fn run(
    args: WatchArgs,
    terminal: &mut Terminal<'_>,
    ask: impl AsyncFn(&mut Terminal<'_>) -> Result<Exit, CliError>,
) -> Result<Exit, CliError> {
    let Some(every) = args.watch else {
        return ask(terminal).await;
    };
    let mut ended = std::pin::pin!(tokio::signal::ctrl_c());
    let mut before = None;
    loop {
        let exit = once(every, &mut before, terminal, &ask).await?;
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = &mut ended => return Ok(exit),
        }
    }
}

/// One answer. That the daemon is not there now is one too; what will not change ends the watch.
async fn once(
    every: Duration,
    before: &mut Option<(Vec<u8>, Vec<u8>)>,
    terminal: &mut Terminal<'_>,
    ask: &impl AsyncFn(&mut Terminal<'_>) -> Result<Exit, CliError>,
) -> Result<Exit, CliError> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut inner = terminal.another(&mut out, &mut err);
    let exit = match ask(&mut inner).await {
        Ok(exit) => exit,
        Err(CliError::Client(error)) if error.is_transient() && before.is_some() => {
            let error = CliError::Client(error);
            inner.error(&error)?;
            error.exit()
        }
        Err(error) => return Err(error),
    };
    let answer = (out, err);
    let is_terminal = terminal.form.width.is_some() && !terminal.form.json;
    if is_terminal {
        let zone = terminal.form.zone;
        let head = format!(
            "every {} s, last {}; Ctrl-C ends",
            every.as_secs_f64(),
            zone.exact(crate::runtime::now())
        );
        terminal.bytes(CLEAR.as_bytes())?;
        terminal.line(terminal.paint(Token::Muted, &head))?;
    }
    if is_terminal || before.as_ref() != Some(&answer) {
        terminal.bytes(&answer.0)?;
        terminal.flush()?;
        terminal.error_bytes(&answer.1)?;
    }
    *before = Some(answer);
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::cli::terminal::Form;
    use crate::client::ClientError;

    async fn answers(form: Form, answers: &[Result<&'static str, bool>]) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(form, &mut out, &mut err);
        let asked = AtomicUsize::new(0);
        let ask = async |terminal: &mut Terminal<'_>| {
            let answer = answers[asked.fetch_add(1, Ordering::Relaxed)];
            match answer {
                Ok(text) => terminal.line(text).map(|()| Exit::Ok),
                Err(_) => Err(CliError::Client(ClientError::Timeout {
                    url: "u".to_owned(),
                    seconds: 1,
                })),
            }
        };
        let mut before = None;
        for _ in answers {
            once(Duration::from_secs(2), &mut before, &mut terminal, &ask)
                .await
                .unwrap();
        }
        (
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    #[tokio::test]
    async fn an_answer_is_written_again_only_when_it_is_another() {
        let all = [Ok("a"), Ok("a"), Ok("b"), Err(true), Ok("b")];
        let (out, err) = answers(Form::default(), &all).await;
        assert_eq!(out, "a\nb\nb\n");
        assert!(
            err.contains("no answer from u"),
            "a daemon that is away is told: {err}"
        );
        let form = Form {
            width: Some(80),
            ..Form::default()
        };
        let (out, _) = answers(form, &[Ok("a"), Ok("a")]).await;
        assert_eq!(
            out.matches(CLEAR).count(),
            2,
            "on a terminal each takes the place of the last"
        );
        assert!(out.contains("Ctrl-C ends"), "{out}");
    }

    #[test]
    fn seconds_are_a_sensible_number() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "x", "inf", "NaN", "1e9"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
