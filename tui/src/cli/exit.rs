//! Exit codes and errors of the commands.
//!
//! Owns how an error becomes a code and a text with a hint. Never prints.

use std::borrow::Cow;
use std::io;

use serde_json::{Value, json};
use whodunit_core::api::problem::{Code, Problem};

use crate::client::ClientError;

/// How a command ends, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Yes, or done.
    Ok = 0,
    /// No: a rejected command, a failed check, a finding.
    No = 1,
    /// The command line, or a value in it, does not fit.
    Usage = 2,
    /// There is no such thing, or nothing yet at that point.
    NotFound = 3,
    /// The log is not as the caller believed.
    Conflict = 4,
    /// No daemon, or none that can answer now.
    Unreachable = 5,
    /// The daemon or this program failed.
    Internal = 6,
}

impl Exit {
    /// The code for the shell.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The daemon said no, or was not there.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Something in the command line does not fit.
    #[error("{message}")]
    Usage {
        /// What does not fit.
        message: String,
        /// What to write instead.
        hint: String,
    },
    /// There is no such thing.
    #[error("{message}")]
    NotThere {
        /// What there is not.
        message: String,
        /// Where to look for it.
        hint: Cow<'static, str>,
    },
    /// Another error, where it is likely what was meant instead.
    #[error("{error}")]
    Meant {
        /// The error.
        error: Box<CliError>,
        /// What was meant.
        meant: String,
    },
    /// A name is not known to the log.
    #[error("{message}")]
    UnknownName {
        /// Which one.
        message: String,
        /// What may have been meant.
        hint: String,
    },
    /// A file could not be read or written.
    #[error("{place}: {}", without_number(error))]
    File {
        /// Which one.
        place: String,
        /// Why.
        error: io::Error,
    },
    /// Standard output or error could not be written.
    #[error("cannot write: {}", without_number(.0))]
    Output(#[from] io::Error),
    /// What was found does not allow it.
    #[error("{message}")]
    Refused {
        /// What was found.
        message: String,
        /// What to do about it.
        hint: &'static str,
        /// How the command ends.
        exit: Exit,
    },
    /// The daemon inside this program, or its screens, failed.
    #[error("{message}")]
    Daemon {
        /// What failed.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

/// What the system says of an error, without its number for it.
fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

impl CliError {
    /// An error in the command line.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The error with what was meant, where that can be told.
    pub(crate) fn meant(error: Self, meant: Option<String>) -> Self {
        match meant {
            Some(meant) => Self::Meant {
                error: Box::new(error),
                meant,
            },
            None => error,
        }
    }

    /// A failure of the daemon inside this program. What follows `hint:` on a line of its own is what to do about it.
    pub fn daemon(said: impl Into<String>) -> Self {
        let said = said.into();
        let (message, hint) = match said.split_once("\nhint: ") {
            Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
            None => (said, None),
        };
        Self::Daemon { message, hint }
    }

    /// The exit code it leads to.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Meant { error, .. } => error.exit(),
            Self::Usage { .. } => Exit::Usage,
            Self::NotThere { .. } | Self::UnknownName { .. } => Exit::NotFound,
            Self::Refused { exit, .. } => *exit,
            Self::File { error, .. } if error.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::File { .. } | Self::Output(_) | Self::Daemon { .. } => Exit::Internal,
            Self::Client(error) => match error {
                ClientError::BadUrl { .. } | ClientError::ReadOnlyContext { .. } => Exit::Usage,
                ClientError::Unreachable { .. }
                | ClientError::Timeout { .. }
                | ClientError::BadReply { .. } => Exit::Unreachable,
                ClientError::Source(_) => Exit::Internal,
                ClientError::Problem(problem) => of_code(problem.code),
            },
        }
    }

    /// Whether the reader of our output went away, which is its right.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Client(ClientError::Problem(problem)) => {
                // What the daemon knows was meant is said as it is.
                let meant = problem.hint.clone();
                let meant = meant.filter(|hint| hint.starts_with("did you mean"));
                meant
                    .or_else(|| own_hint(problem).map(str::to_owned))
                    .or_else(|| problem.hint.clone())
            }
            Self::Client(error) => error.hint(),
            Self::Meant { meant, .. } => Some(meant.clone()),
            Self::Usage { hint, .. } | Self::UnknownName { hint, .. } => Some(hint.clone()),
            Self::NotThere { hint, .. } => Some(hint.clone().into_owned()),
            Self::Refused { hint, .. } => Some((*hint).to_owned()),
            Self::Daemon { hint, .. } => hint.clone(),
            Self::File { .. } | Self::Output(_) => None,
        }
    }

    /// The rule that refused a command.
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Client(ClientError::Problem(problem)) => problem.rule.as_deref(),
            Self::Meant { error, .. } => error.rule(),
            _ => None,
        }
    }

    /// The problem document for `--json`: the daemon's own, or one of the same shape.
    pub fn document(&self) -> Value {
        if let Self::Meant { error, meant } = self {
            let mut document = error.document();
            document["hint"] = Value::String(meant.clone());
            return document;
        }
        if let Self::Client(ClientError::Problem(problem)) = self
            && let Ok(value) = crate::json::value(problem)
        {
            return value;
        }
        let code = match self.exit() {
            Exit::Usage => "usage",
            Exit::NotFound => "not_found",
            Exit::Unreachable => "unreachable",
            Exit::Conflict => "conflict",
            Exit::No => "damaged",
            Exit::Ok | Exit::Internal => "internal",
        };
        let mut document = json!({
            "type": format!("urn:whodunit:problem:{code}"),
            "code": code,
            "detail": self.to_string(),
        });
        if let (Some(hint), Value::Object(fields)) = (self.hint(), &mut document) {
            fields.insert("hint".to_owned(), Value::String(hint));
        }
        document
    }
}

/// What to do about a problem, said in commands where the daemon says it in requests.
fn own_hint(problem: &Problem) -> Option<&'static str> {
    match problem.code {
        Code::NoSuchStream => {
            Some("`whodunit streams PART` finds streams by part of their name or title")
        }
        Code::NoSuchDecision => {
            Some("`whodunit decisions` lists them, with the ids of their commands")
        }
        Code::NoSuchEvent => Some("`whodunit events --text PART` finds events by their text"),
        Code::NoSuchCorrelation => {
            Some("`whodunit events --correlation ID` lists the events of a correlation")
        }
        Code::NoSuchField => {
            Some("`whodunit blame STREAM` lists all fields, and which event set each")
        }
        Code::UnknownCommand => {
            Some("`whodunit models` lists models, `whodunit models CATEGORY` its commands")
        }
        Code::RevisionBeyondHead | Code::BeforeFirstEvent => {
            Some("`whodunit events STREAM` shows its revisions and their times")
        }
        Code::NoSuchJob => {
            Some("`whodunit outbox` lists jobs; completed ones leave the list after a while")
        }
        Code::NoSuchProjection => Some(
            "`whodunit projections` lists projections, `whodunit read-model` the read models they keep",
        ),
        Code::NoSuchHandler => {
            Some("`whodunit outbox` shows the handlers, `whodunit projections` the projections")
        }
        Code::NoSuchDocument => {
            Some("`whodunit read-model NAME --match PART` finds documents by their text")
        }
        Code::NoSuchRun => Some(
            "`whodunit projections` shows rebuilds and checks, `whodunit backfill` the backfills",
        ),
        Code::AlreadyRunning => Some(
            "`whodunit projections` and `whodunit backfill` show its progress; `--cancel` ends a rebuild or a backfill",
        ),
        Code::BadParameter if problem.field.as_deref() == Some("/all_history") => Some(
            "give `--from-position`, `--to-position`, `--since` or `--until`, or `--all-history` for the whole log",
        ),
        Code::BranchExists => {
            Some("choose another name; `whodunit branch create --replace` replaces a branch")
        }
        Code::NoSuchBranch => Some("`whodunit branch list` lists them"),
        Code::NotConfirmed => {
            Some("`whodunit backfill --dry-run` shows the plan, `--yes` starts it")
        }
        Code::NotFailed => {
            Some("`whodunit outbox --status failed` lists those that can be retried")
        }
        _ => None,
    }
}

fn of_code(code: Code) -> Exit {
    match code.status() {
        422 => Exit::No,
        404 => Exit::NotFound,
        409 => Exit::Conflict,
        408 | 503 => Exit::Unreachable,
        400..=499 => Exit::Usage,
        _ => Exit::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: Code) -> Exit {
        CliError::from(ClientError::Problem(Box::new(Problem::new(code, "x")))).exit()
    }

    #[test]
    fn problems_become_exit_codes() {
        let cases = [
            (Code::Rejected, Exit::No),
            (Code::BadTime, Exit::Usage),
            (Code::UnknownCommand, Exit::Usage),
            (Code::TooLarge, Exit::Usage),
            (Code::ForeignHost, Exit::Usage),
            (Code::NoSuchStream, Exit::NotFound),
            (Code::RevisionBeyondHead, Exit::NotFound),
            (Code::BeforeFirstEvent, Exit::NotFound),
            (Code::WrongRevision, Exit::Conflict),
            (Code::KeyTaken, Exit::Conflict),
            (Code::NoSuchJob, Exit::NotFound),
            (Code::NoSuchDocument, Exit::NotFound),
            (Code::AlreadyRunning, Exit::Conflict),
            (Code::NotFailed, Exit::Conflict),
            (Code::Busy, Exit::Unreachable),
            (Code::Damaged, Exit::Internal),
        ];
        for (code, expected) in cases {
            assert_eq!(exit(code), expected, "{code}");
        }
    }

    #[test]
    fn how_a_model_is_asked_for_is_said_by_the_daemon() {
        for code in [Code::NoModel, Code::NoSuchModel] {
            let problem = Problem::new(code, "x").hint("start it with `--model users`");
            let hint = CliError::from(ClientError::Problem(Box::new(problem))).hint();
            assert_eq!(hint.as_deref(), Some("start it with `--model users`"));
        }
    }

    #[test]
    fn problems_of_the_pipeline_hint_at_commands() {
        for (code, command) in [
            (Code::NoSuchJob, "`whodunit outbox`"),
            (Code::NoSuchProjection, "`whodunit projections`"),
            (Code::NoSuchHandler, "`whodunit outbox`"),
            (
                Code::NoSuchDocument,
                "`whodunit read-model NAME --match PART`",
            ),
            (Code::NoSuchRun, "`whodunit backfill`"),
            (Code::AlreadyRunning, "`--cancel`"),
            (Code::NotFailed, "`whodunit outbox --status failed`"),
        ] {
            let problem = Problem::new(code, "x").hint("`GET /v1/outbox`");
            let hint = CliError::from(ClientError::Problem(Box::new(problem))).hint();
            assert!(
                hint.as_ref().is_some_and(|hint| hint.contains(command)),
                "{code}: {hint:?}"
            );
        }
    }

    #[test]
    fn an_error_without_a_problem_document_gets_one_of_the_same_shape() {
        let error = CliError::from(ClientError::Unreachable {
            url: "http://127.0.0.1:1".to_owned(),
            cause: "nothing listens there".to_owned(),
        });
        assert_eq!(error.exit(), Exit::Unreachable);
        let document = error.document();
        assert_eq!(document["code"], "unreachable");
        assert!(
            document["hint"]
                .as_str()
                .unwrap()
                .contains("whodunit serve")
        );
        let refused = CliError::daemon("cannot listen\nhint: elsewhere");
        assert_eq!(refused.to_string(), "cannot listen");
        assert_eq!(refused.hint().as_deref(), Some("elsewhere"));
        let missing = CliError::File {
            place: "x.toml".to_owned(),
            error: io::ErrorKind::NotFound.into(),
        };
        assert_eq!(missing.exit(), Exit::NotFound);
    }
}
