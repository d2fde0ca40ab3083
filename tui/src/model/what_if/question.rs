//! The question that a what-if begins with: what of the event at hand would have been otherwise.

use crate::client::Subject;
use crate::text::counted;

/// What is to be done to the row at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// It had not happened.
    Drop,
    /// It had been otherwise.
    Edit,
    /// A command had come there.
    Add,
    /// Its command came now.
    Now,
}

/// An open question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) subject: Subject,
    /// Changes of the what-if of this stream that was left, if there is one.
    pub(crate) left: Option<usize>,
    pub(crate) selected: usize,
}

/// A way to begin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    /// The key that chooses it.
    pub(crate) key: &'static str,
    pub(crate) what: String,
    /// `None`: nothing is changed yet, or the one that was left goes on.
    pub(crate) want: Option<Want>,
}

impl Question {
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let choice = |key, what: &str, want| Choice {
            key,
            what: what.to_owned(),
            want,
        };
        let (dropped, edited) = match &self.subject {
            Subject::Event(_) => (
                "it had not happened",
                "it had been different: its data, actor, reason or time",
            ),
            Subject::Decision(_) => (
                "this command had not been given",
                "it had been another one: its payload, actor, reason or time",
            ),
        };
        let mut out = vec![
            choice("x", dropped, Some(Want::Drop)),
            choice("e", edited, Some(Want::Edit)),
            choice("a", "a command had come here", Some(Want::Add)),
            choice("n", "this command came now", Some(Want::Now)),
        ];
        let rest = match self.left {
            None | Some(0) => "both worlds side by side, nothing changed yet".to_owned(),
            Some(n) => format!(
                "continue the what-if of this stream: {}",
                counted(n as u64, "change")
            ),
        };
        out.push(Choice {
            key: "w",
            what: rest,
            want: None,
        });
        out
    }
}
