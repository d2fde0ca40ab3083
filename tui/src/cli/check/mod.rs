//! What came of scenarios, as a report.

pub(crate) mod junit;

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use whodunit_core::scenario::Finding;
use whodunit_core::text::shown;

use super::exit::{CliError, Exit};
use super::show::REJECTED;
use super::style::Token;
use super::terminal::Terminal;
use crate::text::counted;

/// A scenario, and what came of it.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The file, as it was named.
    pub(crate) file: String,
    /// Its name; empty where the file is no scenario.
    pub(crate) name: String,
    /// What came of it.
    pub(crate) verdict: Verdict,
    /// How long the answer took.
    pub(crate) took: Duration,
}

/// What came of a scenario.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything is as expected.
    Passed,
    /// Something is otherwise.
    Failed(Vec<Finding>),
    /// It could not be asked.
    NotAsked {
        /// Why.
        error: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The file is no scenario.
    NoScenario(String),
}

impl Verdict {
    pub(crate) fn of(findings: Vec<Finding>) -> Self {
        if findings.is_empty() {
            Self::Passed
        } else {
            Self::Failed(findings)
        }
    }

    pub(crate) fn not_asked(error: &CliError) -> Self {
        Self::NotAsked {
            error: error.to_string(),
            hint: error.hint(),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::NotAsked { .. } => "not_asked",
            Self::NoScenario(_) => "no_scenario",
        }
    }
}

/// How many ended how.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Counts {
    passed: usize,
    failed: usize,
    not_asked: usize,
    no_scenario: usize,
}

fn count(checked: &[Checked]) -> Counts {
    let mut counts = Counts::default();
    for one in checked {
        *match one.verdict {
            Verdict::Passed => &mut counts.passed,
            Verdict::Failed(_) => &mut counts.failed,
            Verdict::NotAsked { .. } => &mut counts.not_asked,
            Verdict::NoScenario(_) => &mut counts.no_scenario,
        } += 1;
    }
    counts
}

/// Prints the report; how it ends.
pub(crate) fn report(checked: &[Checked], terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let counts = count(checked);
    if terminal.form.json {
        document(checked, counts, terminal)?;
    } else {
        for one in checked {
            print(one, terminal)?;
        }
        terminal.line(summary(counts))?;
    }
    Ok(if counts.no_scenario > 0 {
        Exit::Usage
    } else if counts.failed + counts.not_asked > 0 {
        Exit::No
    } else {
        Exit::Ok
    })
}

fn document(
    checked: &[Checked],
    counts: Counts,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let scenarios: Vec<_> = checked
        .iter()
        .map(|one| {
            let (findings, error, hint) = match &one.verdict {
                Verdict::Passed => (None, None, None),
                Verdict::Failed(findings) => (Some(findings), None, None),
                Verdict::NotAsked { error, hint } => (None, Some(error), hint.as_ref()),
                Verdict::NoScenario(error) => (None, Some(error), None),
            };
            json!({
                "file": one.file,
                "name": one.name,
                "verdict": one.verdict.word(),
                "findings": findings.map_or(&[][..], Vec::as_slice),
                "error": error,
                "hint": hint,
            })
        })
        .collect();
    terminal.document(&json!({"scenarios": scenarios, "counts": counts}))
}

fn print(one: &Checked, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let file = shown(&one.file);
    let name = shown(&one.name);
    let head = |mark: &str, token: Token, said: String| {
        let mark = terminal.paint(token, mark);
        let place = terminal.paint(Token::Muted, &format!("  {file}"));
        format!("{mark} {said}{place}")
    };
    match &one.verdict {
        Verdict::Passed => terminal.line(head("✓", Token::Added, name.into_owned())),
        Verdict::Failed(findings) => {
            terminal.line(head(REJECTED, Token::Rejected, name.into_owned()))?;
            for finding in findings {
                terminal.line(format!("    {}", shown(&finding.place)))?;
                let (expected, actual) = (shown(&finding.expected), shown(&finding.actual));
                terminal
                    .line(terminal.paint(Token::Removed, &format!("      expected  {expected}")))?;
                terminal
                    .line(terminal.paint(Token::Added, &format!("      is        {actual}")))?;
            }
            Ok(())
        }
        Verdict::NotAsked { error, hint } => {
            terminal.line(head("!", Token::Error, format!("{name}: could not be run")))?;
            terminal.line(format!("    {}", shown(error)))?;
            match hint {
                Some(hint) => terminal.line(format!("    hint: {}", shown(hint))),
                None => Ok(()),
            }
        }
        Verdict::NoScenario(error) => {
            terminal.line(head("!", Token::Error, "not a scenario".to_owned()))?;
            terminal.line(format!("    {}", shown(error)))
        }
    }
}

fn summary(counts: Counts) -> String {
    let all = counts.passed + counts.failed + counts.not_asked + counts.no_scenario;
    let mut text = format!(
        "{}: {} passed",
        counted(all as u64, "scenario"),
        counts.passed
    );
    for (count, what) in [
        (counts.failed, "failed"),
        (counts.not_asked, "could not be run"),
        (counts.no_scenario, "not a scenario"),
    ] {
        if count > 0 {
            text = format!("{text}, {count} {what}");
        }
    }
    text
}
