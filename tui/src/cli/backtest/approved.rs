//! Approved changes of a back-test: a file of those that were looked at and are meant.

use crate::text::clause;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use serde::Deserialize;
use whodunit_core::api::backtest::{BacktestChange, BacktestEnd, BacktestKind};

use super::super::exit::CliError;
use super::super::files::read_text;
use super::super::show::number;
use super::super::terminal::Terminal;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The rules that the changes were found under.
    rules_hash: String,
    #[serde(default)]
    change: Vec<Change>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// The command's id.
    command: Option<String>,
    /// The position of a raw event.
    position: Option<u64>,
    kind: BacktestKind,
    /// The rule that refuses it now, or that refused it.
    rule: Option<String>,
}

impl Change {
    fn of(change: &BacktestChange) -> Self {
        let position = change.position.filter(|_| change.command_id.is_none());
        Self {
            command: change.command_id.clone(),
            position: position.map(|position| position.0),
            kind: change.kind,
            rule: change.because().map(str::to_owned),
        }
    }
}

/// Approved changes, and which of them came.
#[derive(Debug)]
pub(crate) struct Approved {
    rules_hash: String,
    changes: HashMap<Change, bool>,
}

impl Approved {
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let text = read_text(path)?;
        let file: File = toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            CliError::usage(
                format!("{}:{line}: {}", path.display(), error.message()),
                "`--save-approved FILE` writes such a file",
            )
        })?;
        let changes = file.change.into_iter().map(|change| (change, false));
        Ok(Self {
            rules_hash: file.rules_hash,
            changes: changes.collect(),
        })
    }

    /// Whether a change is approved.
    pub(crate) fn takes(&mut self, change: &BacktestChange) -> bool {
        match self.changes.get_mut(&Change::of(change)) {
            Some(came) => {
                *came = true;
                true
            }
            None => false,
        }
    }

    /// How they compare.
    pub(crate) fn came_to(&self, unapproved: u64, end: &BacktestEnd) -> CameTo {
        let came = self.changes.values().filter(|came| **came).count() as u64;
        let stale = self.changes.len() as u64 - came;
        let mut warnings = Vec::new();
        if stale > 0 {
            let stale = clause(stale, "approved change", "does");
            warnings.push(format!("{stale} not happen any more"));
        }
        if self.rules_hash != end.rules_hash {
            let (was, is) = (&self.rules_hash, &end.rules_hash);
            warnings.push(format!(
                "they were approved under other rules ({was}, not {is})"
            ));
        }
        CameTo {
            approved: came,
            unapproved,
            warnings,
        }
    }

    /// Says how they compare.
    pub(super) fn report(
        &self,
        unapproved: u64,
        end: &BacktestEnd,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), CliError> {
        let came_to = self.came_to(unapproved, end);
        terminal.note(came_to.to_string())?;
        came_to
            .warnings
            .into_iter()
            .try_for_each(|warning| terminal.warn(warning))
    }
}

/// How the changes of a back-test compare with those that are approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CameTo {
    pub(crate) approved: u64,
    pub(crate) unapproved: u64,
    pub(crate) warnings: Vec<String>,
}

impl std::fmt::Display for CameTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (approved, unapproved) = (number(self.approved), number(self.unapproved));
        write!(f, "{approved} approved, {unapproved} not approved")
    }
}

/// Writes changes as approved ones into a new file.
pub(super) fn save(
    path: &Path,
    end: &BacktestEnd,
    changes: &[BacktestChange],
) -> Result<(), CliError> {
    let mut text = format!(
        "# Approved changes of a back-test: `whodunit backtest RULES --approved THIS_FILE` fails on any other.\nrules_hash = {}\n",
        quoted(&end.rules_hash)
    );
    for change in changes {
        let (actor, at) = (change.actor.as_deref().unwrap_or("-"), change.decided_at);
        let told = format!(
            "{} {} by {actor} at {at}",
            change.command_type, change.stream
        );
        let key = Change::of(change);
        let kind = crate::json::value(&key.kind).unwrap_or_default();
        let _ = write!(
            text,
            "\n# {}\n[[change]]\n",
            whodunit_core::text::shown(&told)
        );
        if let Some(command) = &key.command {
            let _ = writeln!(text, "command = {}", quoted(command));
        }
        if let Some(position) = key.position {
            let _ = writeln!(text, "position = {position}");
        }
        let _ = writeln!(text, "kind = {}", quoted(kind.as_str().unwrap_or_default()));
        if let Some(rule) = &key.rule {
            let _ = writeln!(text, "rule = {}", quoted(rule));
        }
    }
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    // JSON's escapes are TOML's as well; one character more has to be escaped.
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(kind: &str, rule: &str) -> BacktestChange {
        serde_json::from_value(json!({
            "kind": kind, "decision": 4, "position": null, "base_revision": 3, "command_id": "c-\"4\"", "stream": "user-1", "type": "DeleteUser",
            "actor": "job:\u{1b}x", "decided_at": "2025-03-24T15:47:23Z", "was": null, "was_events": [], "outcome": "rejected",
            "rule": rule, "message": null, "events": [], "in_range": true,
        }))
        .unwrap()
    }

    fn end(rules_hash: &str) -> BacktestEnd {
        let counts = json!({"same": 0, "accepted_to_refused": 0, "refused_to_accepted": 0, "changed": 0, "not_issued": 0, "frozen": 0});
        serde_json::from_value(json!({
            "answer": "", "model": "users", "rules_hash": rules_hash, "rules_in_use": "b", "same_rules": false, "position": 9,
            "looked_at": 4, "counts": counts, "outside": counts, "raw_refused": 0, "raw_frozen": 0, "by_rule": [], "by_actor": [],
            "by_type": [], "by_day": [], "frozen": [], "streams_changed": 0, "without_reactions": 0, "recorded_under_others": 0,
            "run": {"kind": "backtest", "id": 1, "of": "users", "status": "completed", "done": 4, "total": 4, "jobs": 0,
                "events_per_second": 0.0, "seconds_left": null, "started_at": "2025-03-24T15:47:23Z", "ended_at": null, "error": null},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_saved_is_approved_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("approved.toml");
        let known = change("accepted_to_refused", "job.may_not");
        save(&path, &end("a"), std::slice::from_ref(&known)).unwrap();
        assert!(
            save(&path, &end("a"), &[]).is_err(),
            "it is not overwritten"
        );
        let mut approved = Approved::read(&path).unwrap();
        assert!(approved.takes(&known));
        assert!(!approved.takes(&change("accepted_to_refused", "another.rule")));
        assert!(!approved.takes(&change("not_issued", "job.may_not")));
        std::fs::write(&path, "rules_hash = \"a\"\n[[change]]\nkind = \"flip\"\n").unwrap();
        let error = Approved::read(&path).unwrap_err().to_string();
        assert!(error.contains(":3:") && error.contains("flip"), "{error}");
    }
}
