//! The log under a branch: whether it is the one that the branch was made on.
//!
//! Owns what is compared: the store's id, that the log reaches as far, and what the last event and decision there were; where the log
//! ends there still, its whole hash.

use std::collections::BTreeMap;

use whodunit_core::api::branch::LogStanding;
use whodunit_core::api::warning::{Warning, WarningCode};
use whodunit_core::branch::{Branch, LogPoint};
use whodunit_core::counted::counted;
use whodunit_core::model::Models;

use crate::store::chain::{Leaf, decision_leaf, event_leaf};
use crate::store::{Head, Store, StoreError, View};

fn hex(leaf: &Leaf) -> String {
    use std::fmt::Write as _;
    leaf.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What the log is up to a head.
fn hashes(view: &dyn View, head: Head) -> Result<(Option<String>, Option<String>), StoreError> {
    let event = view.event_at(head.position)?;
    let decision = view.decision(head.decision)?;
    Ok((
        event.map(|event| hex(&event_leaf(&event))),
        decision.map(|decision| hex(&decision_leaf(&decision))),
    ))
}

/// The end of the log, as a branch notes it.
pub(crate) fn log_point(store: &dyn Store, view: &dyn View) -> Result<LogPoint, StoreError> {
    let head = view.head();
    let (event_hash, decision_hash) = hashes(view, head)?;
    let stats = store.stats()?;
    Ok(LogPoint {
        store_id: store.id().to_string(),
        position: head.position,
        decision: head.decision,
        // The log may have grown since the view was taken.
        head_hash: (stats.head == head).then(|| stats.head_hash.to_string()),
        event_hash,
        decision_hash,
    })
}

/// How the log under a branch stands, and where it is another one, why.
pub(crate) fn standing(
    store: &dyn Store,
    view: &dyn View,
    branch: &Branch,
) -> Result<(LogStanding, Option<String>), StoreError> {
    let (log, here) = (&branch.log, store.id().to_string());
    let other = |why: String| Ok((LogStanding::Other, Some(why)));
    if log.store_id != here {
        return other(format!(
            "it was made on the log of store {}, and this is store {here}",
            log.store_id
        ));
    }
    let head = view.head();
    if head.position < log.position || head.decision < log.decision {
        return other(format!(
            "it was made when the log had {} and {}, but this log has {} and {}",
            counted(log.position.0, "event"),
            counted(log.decision, "decision"),
            head.position,
            head.decision
        ));
    }
    let there = Head {
        position: log.position,
        decision: log.decision,
    };
    let (event, decision) = hashes(view, there)?;
    if event != log.event_hash || decision != log.decision_hash {
        return other(format!(
            "what the log has at position {} and as decision {} is not what it had when the branch was made",
            log.position, log.decision
        ));
    }
    if head != there {
        return Ok((LogStanding::Grown, None));
    }
    let stats = store.stats()?;
    let is_other = stats.head == head
        && log
            .head_hash
            .as_ref()
            .is_some_and(|hash| *hash != stats.head_hash.to_string());
    if is_other {
        return other("the log's hash is not what it was when the branch was made".to_owned());
    }
    Ok((LogStanding::Same, None))
}

/// The rules in use, by the models' names.
pub(crate) fn rules(models: &Models) -> BTreeMap<String, String> {
    let all = models
        .all()
        .map(|model| (model.name().to_owned(), model.rules_hash().to_owned()));
    all.collect()
}

/// That a branch was made with other rules than those in use.
pub(crate) fn other_rules(models: &Models, branch: &Branch) -> Option<Warning> {
    let now = rules(models);
    let mut others: Vec<&str> = now
        .iter()
        .filter(|(name, hash)| branch.rules.get(*name) != Some(*hash))
        .map(|(name, _)| name.as_str())
        .collect();
    let gone = branch.rules.keys().filter(|own| !now.contains_key(*own));
    others.extend(gone.map(String::as_str));
    let detail = || {
        format!(
            "the branch was made under other rules ({}): a difference may come from the rules",
            others.join(", ")
        )
    };
    (!others.is_empty()).then(|| Warning::new(WarningCode::OtherRules, detail(), []))
}
