//! Judging an answer: what is otherwise than the scenario expects.

use serde::Serialize;
use serde_json::Value;

use super::{Expected, Scenario, When};
use crate::api::what_if::{Action, StepKind, StepOutcome, WhatIfOut, WhatIfStep};
use crate::counted::counted;
use crate::ids::Revision;
use crate::model::Models;
use crate::pointer::Pointer;
use crate::predicate::{Predicate, Scope, Truth};
use crate::same::same;
use crate::text::shown;

/// Something that is otherwise than expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: a step, a field, a condition.
    pub place: String,
    /// What was expected.
    pub expected: String,
    /// What is.
    pub actual: String,
}

impl Finding {
    fn new(
        place: impl Into<String>,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        Self {
            place: place.into(),
            expected: expected.into(),
            actual: actual.into(),
        }
    }
}

/// Whether a step of an answer is one of `do`, not of the recorded history or of an edit to it.
pub fn is_step(step: &WhatIfStep) -> bool {
    match step.kind {
        StepKind::Command | StepKind::Event => !step.edited,
        StepKind::Recorded | StepKind::Redecided => false,
    }
}

impl Scenario {
    /// What is otherwise than expected: of the steps first, then of the end. `out` must list every step of `do`, whatever else it
    /// lists.
    pub fn judge(&self, out: &WhatIfOut) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.judge_steps(out, &mut findings);
        self.judge_end(out, &mut findings);
        findings
    }

    fn judge_steps(&self, out: &WhatIfOut, findings: &mut Vec<Finding>) {
        let mut steps = out.steps.iter().filter(|step| is_step(step));
        let actions = self.when.iter().enumerate();
        for (place, when) in actions {
            let When::Action { action, expected } = when else {
                continue;
            };
            let place = format!("when[{}] {}", place + 1, shown(type_of(action)));
            match steps.next() {
                Some(step) => judge_step(&place, expected, step, findings),
                None => findings.push(Finding::new(place, "an answer", "there is none")),
            }
        }
    }

    fn judge_end(&self, out: &WhatIfOut, findings: &mut Vec<Finding>) {
        let then = &self.then;
        let hidden = Hidden::of(out);
        for (path, value) in &then.state {
            let actual = match path.lookup(&out.state) {
                _ if hidden.touches(path) => Some(HIDDEN.to_owned()),
                Some(actual) if same(actual, value) => None,
                Some(actual) => Some(text(actual)),
                None => Some("it is not there".to_owned()),
            };
            if let Some(actual) = actual {
                findings.push(Finding::new(path.to_string(), text(value), actual));
            }
        }
        for path in &then.absent {
            if let Some(actual) = path.lookup(&out.state) {
                let actual = if hidden.touches(path) {
                    HIDDEN.to_owned()
                } else {
                    text(actual)
                };
                findings.push(Finding::new(path.to_string(), "it is not there", actual));
            }
        }
        for predicate in &then.holds {
            if let Some(actual) = judge_condition(predicate, out) {
                findings.push(Finding::new(predicate.text(), "it holds", actual));
            }
        }
        if let Some(expected) = &then.differs {
            judge_differences(expected, out, findings);
        }
        if let Some(expected) = then.revision
            && expected != out.revision
        {
            let (expected, actual) = (expected.to_string(), out.revision.to_string());
            findings.push(Finding::new("revision", expected, actual));
        }
        if let Some(expected) = &then.flips {
            judge_flips(expected, out, findings);
        }
        if let Some(expected) = then.first_divergence
            && expected != out.first_divergence
        {
            let said = |revision: Option<Revision>| {
                revision.map_or_else(|| "none".to_owned(), |revision| revision.to_string())
            };
            findings.push(Finding::new(
                "first_divergence",
                said(expected),
                said(out.first_divergence),
            ));
        }
    }
}

/// Flips that are expected and are not there, and those that are there and are not expected.
fn judge_flips(expected: &[String], out: &WhatIfOut, findings: &mut Vec<Finding>) {
    let Some(mut actual) = super::write::flips(out) else {
        let actual = match &out.redecided {
            None => "no rules were asked".to_owned(),
            Some(again) => format!("more of them than are named: {} more", again.flips_left_out),
        };
        let expected = counted(expected.len(), "command");
        findings.push(Finding::new("flips", expected, actual));
        return;
    };
    for flip in expected {
        match actual.iter().position(|is| is == flip) {
            Some(place) => {
                actual.remove(place);
            }
            None => findings.push(Finding::new("flips", shown(flip), "it does not flip")),
        }
    }
    for flip in actual {
        findings.push(Finding::new("flips", "no other flip", shown(&flip)));
    }
}

const HIDDEN: &str = "it is a secret, which an answer does not show";

fn type_of(action: &Action) -> &str {
    match action {
        Action::Command(command) => &command.command_type,
        Action::Event(event) => &event.event_type,
    }
}

fn text(value: &Value) -> String {
    value.to_string()
}

/// What an answer does not show.
struct Hidden(Vec<Pointer>);

impl Hidden {
    fn of(out: &WhatIfOut) -> Self {
        Self(out.redacted.iter().flat_map(|path| path.parse()).collect())
    }

    fn touches(&self, path: &Pointer) -> bool {
        self.0
            .iter()
            .any(|hidden| hidden.covers(path) || path.covers(hidden))
    }
}

fn word(outcome: StepOutcome) -> String {
    let word = serde_json::to_value(outcome).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

/// How a step ended, with the rule and the reason.
fn ended(step: &WhatIfStep) -> String {
    let mut text = word(step.outcome);
    if let Some(rule) = &step.rule {
        text = format!("{text} by {}", shown(rule));
    }
    if let Some(message) = &step.message {
        text = format!("{text}: {}", shown(message));
    }
    text
}

fn judge_step(place: &str, expected: &Expected, step: &WhatIfStep, findings: &mut Vec<Finding>) {
    let outcome = match (expected.outcome, &expected.rule) {
        (Some(outcome), _) => Some(outcome),
        (None, Some(_)) => Some(StepOutcome::Rejected),
        (None, None) => None,
    };
    let wrong_rule = expected.rule.is_some() && expected.rule != step.rule;
    match outcome {
        Some(outcome) if outcome != step.outcome || wrong_rule => {
            let rule = expected
                .rule
                .as_ref()
                .map_or_else(String::new, |rule| format!(" by {}", shown(rule)));
            let wanted = format!("{}{rule}", word(outcome));
            findings.push(Finding::new(place, wanted, ended(step)));
        }
        // What was not expected to fail and fails makes all that is said of the end worthless.
        None if matches!(step.outcome, StepOutcome::Failed | StepOutcome::Unknown) => {
            findings.push(Finding::new(place, "an outcome", ended(step)));
        }
        _ => {}
    }
    if let Some(events) = &expected.events {
        let actual: Vec<&str> = step
            .events
            .iter()
            .map(|event| event.event_type.as_str())
            .collect();
        if *events != actual {
            findings.push(Finding::new(
                format!("{place}: events"),
                list(events.iter().map(String::as_str)),
                list(actual.into_iter()),
            ));
        }
    }
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<_> = items.map(shown).collect();
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join(", ")
    }
}

/// What a condition says of the end, unless it holds.
fn judge_condition(predicate: &Predicate, out: &WhatIfOut) -> Option<String> {
    // The state comes without its secrets: no model has any to hide.
    let models = Models::default();
    let scope = Scope::new(models.merge(), &out.state);
    match predicate.evaluate(&scope) {
        Ok(Truth::True) => None,
        Ok(Truth::False) => Some("it does not hold".to_owned()),
        Ok(Truth::Undefined(undefined)) => Some(predicate.describe(undefined)),
        Err(error) => Some(error.to_string()),
    }
}

/// Compares the paths of the difference to what was: none may be missing, none may be more.
fn judge_differences(expected: &[Pointer], out: &WhatIfOut, findings: &mut Vec<Finding>) {
    let actual: Vec<Pointer> = out
        .diff
        .iter()
        .flat_map(|entry| entry.path.parse())
        .collect();
    for path in expected {
        if !actual.iter().any(|other| path.covers(other)) {
            findings.push(Finding::new(
                path.to_string(),
                "it differs from what was",
                "it is the same",
            ));
        }
    }
    for (path, entry) in actual.iter().zip(&out.diff) {
        if !expected.iter().any(|other| other.covers(path)) {
            let side =
                |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), text);
            findings.push(Finding::new(
                path.to_string(),
                "it is the same as it was",
                format!("{} became {}", side(&entry.before), side(&entry.after)),
            ));
        }
    }
}
