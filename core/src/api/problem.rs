//! Errors on the wire: RFC 9457 problem details with a stable code.

mod code;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::branch::BranchRead;
use super::pipeline::BackfillPlan;
use super::warning::Warning;
use crate::text::shown;

pub use code::Code;

/// Problem details (RFC 9457).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:whodunit:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short title of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// The stable code of the problem, for programs.
    pub code: Code,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The field or parameter that is wrong: a JSON Pointer into the body, or a parameter's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The rule that refused a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What was expected (a revision, for `wrong_revision`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What was found instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// The stream it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The revision it is about: the stream's head for a rejected command or a revision beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The id of the rejected command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    /// The plan of the backfill that was not confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<BackfillPlan>>,
    /// The branch that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Box<BranchRead>>,
    /// What the answer leaves out, as in the reply that it stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:whodunit:problem:{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code,
            hint: None,
            field: None,
            rule: None,
            expected: None,
            actual: None,
            stream: None,
            revision: None,
            command_id: None,
            plan: None,
            branch: None,
            warnings: Vec::new(),
        }
    }

    /// With what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the field or parameter that is wrong.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// With the stream it is about.
    pub fn stream(mut self, stream: impl fmt::Display) -> Self {
        self.stream = Some(stream.to_string());
        self
    }
}

/// Characters of a request's own words that a problem repeats.
pub const ECHO_CHARS_MAX: usize = 64;
/// Characters of a problem's text altogether.
const TEXT_CHARS_MAX: usize = 2_000;

/// A request's own word (a key, type, path, name) as a problem may repeat it: cut, and with nothing that acts on a
/// terminal. All problems say such words through here.
pub fn echo(word: &str) -> String {
    shown(&cut(word, ECHO_CHARS_MAX)).into_owned()
}

/// The beginning of a text, with a sign that it is not all.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

/// A text of ours with what it quotes (between backticks) cut as [`echo`] cuts it, and altogether no longer than our own
/// words are.
fn bounded(text: &str) -> String {
    let parts = text
        .split('`')
        .enumerate()
        .map(|(index, part)| match index % 2 {
            1 => cut(part, ECHO_CHARS_MAX),
            _ => part.to_owned(),
        });
    cut(&parts.collect::<Vec<_>>().join("`"), TEXT_CHARS_MAX)
}

impl Problem {
    /// The problem with nothing of the request in it that is longer than a problem repeats. Every problem goes out through
    /// here, whichever code wrote its texts.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.detail = bounded(&self.detail);
        self.hint = self.hint.map(|hint| bounded(&hint));
        // A pointer's steps are keys of the request.
        self.field = self.field.map(|field| {
            let steps = field.split('/').map(|step| cut(step, ECHO_CHARS_MAX));
            cut(&steps.collect::<Vec<_>>().join("/"), 4 * ECHO_CHARS_MAX)
        });
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_repeats_little_of_a_request() {
        let long = "x".repeat(1 << 20);
        for detail in [
            format!("there is no `{}` here", echo(&long)),
            format!("there is no `{long}` here"),
            format!("there is no {long} here"),
            format!("`{}`", "a`".repeat(1 << 19)),
        ] {
            let problem = Problem::new(Code::Malformed, detail)
                .hint(format!("not `{long}` but `{long}`"))
                .field(format!("/{long}/0/{}", "y/".repeat(1 << 19)));
            let text = serde_json::to_string(&problem.bounded()).unwrap();
            assert!(text.len() < 10_000, "{}", text.len());
        }
        assert_eq!(echo("\u{1b}[2J"), "␛[2J");
        let short = Problem::new(Code::Malformed, "`a` and `b`").field("/a/b");
        assert_eq!(short.clone().bounded(), short);
        let cut = Problem::new(Code::Malformed, format!("no `{long}` here")).bounded();
        assert_eq!(cut.detail, format!("no `{}…` here", "x".repeat(64)));
    }

    #[test]
    fn codes_print_as_on_the_wire() {
        assert_eq!(Code::NoSuchStream.to_string(), "no_such_stream");
        let problem = Problem::new(Code::WrongRevision, "x");
        assert_eq!(problem.kind, "urn:whodunit:problem:wrong_revision");
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    }
}
