//! What becomes of each kind of fact, one test for each row of the table in `docs/WHAT_IF.md`; the counter-example; the reach.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::api::what_if::{
    Continuation, DecisionRef, DropCommandEdit, DropEdit, ReplaceCommandEdit, ReplaceEdit,
    StepOutcome, WhatIfStep,
};
use crate::command::Command;
use crate::event::NewEvent;
use crate::fold::Folded;
use crate::json::Json;
use crate::keys::NoHolders;
use crate::users::{self, Passwords};
use crate::what_if::{Scenario, evaluate};

/// A log that is told what happens, each thing a second after the one before.
struct Told {
    log: Log,
    second: usize,
}

impl Told {
    fn new(models: Models) -> Self {
        Self {
            log: Log::new(models),
            second: 0,
        }
    }

    /// Gives a prepared command; answers the rule that refuses it.
    fn give(
        &mut self,
        stream: &str,
        kind: &str,
        payload: Value,
        cause: Option<&str>,
    ) -> Option<String> {
        self.second += 1;
        let Value::Object(fields) = payload else {
            unreachable!("a payload is an object");
        };
        let command = Command {
            command_id: format!("c{}", self.second),
            stream: StreamName::new(stream).unwrap(),
            command_type: kind.to_owned(),
            payload: fields,
            actor: Some("someone".to_owned()),
            reason: Some("a reason".to_owned()),
            correlation_id: None,
            causation_id: cause.map(str::to_owned),
            issued_at: time(self.second),
        };
        let second = self.second;
        self.log.command(&command, &mut |_, index| {
            (format!("e{second}.{index}"), None)
        });
        match &self.log.decisions().last().unwrap().result {
            Outcome::Rejected { rule, .. } => Some(rule.clone()),
            Outcome::Accepted { .. } => None,
        }
    }

    fn raw(&mut self, stream: &str, kind: &str, data: Value, cause: Option<&str>) {
        self.second += 1;
        let mut event = NewEvent::new(kind, Json::from(data));
        event.event_id = Some(format!("r{}", self.second));
        event.causation_id = cause.map(str::to_owned);
        let stream = StreamName::new(stream).unwrap();
        assert!(self.log.raw(&stream, &event, time(self.second)));
    }

    fn what_if(&self, stream: &str, edits: &[Edit], causes: Causes) -> WhatIfOut {
        let stream = StreamName::new(stream).unwrap();
        let question = Question {
            causes,
            ..Question::edits(&stream, edits)
        };
        out(&self.log, &question)
    }
}

fn drop_event(revision: u64) -> Edit {
    Edit::Drop(DropEdit {
        revision: Revision(revision),
    })
}

fn drop_command(id: &str) -> Edit {
    Edit::DropCommand(DropCommandEdit {
        decision: DecisionRef::Command(id.to_owned()),
    })
}

/// The steps of a reply, each as type, outcome and change.
fn steps(out: &WhatIfOut) -> Vec<String> {
    let step = |step: &WhatIfStep| {
        let (outcome, change) = (json!(step.outcome), json!(step.change));
        format!(
            "{} {} {}",
            step.step_type,
            outcome.as_str().unwrap(),
            change.as_str().unwrap()
        )
    };
    out.steps.iter().map(step).collect()
}

#[test]
fn increment_if_odd_is_decided_again_and_not_folded_again() {
    let mut told = Told::new(models());
    told.give("box-1", "Open", json!({}), None);
    told.give("box-1", "Increment", json!({}), None);
    told.give("box-1", "IncrementIfOdd", json!({}), None);
    let decided = told.what_if("box-1", &[drop_event(2)], Causes::Follow);
    assert_eq!(decided.mode, Continuation::Redecide);
    assert_eq!(decided.state.get("n"), None, "0 is even: nothing is added");
    assert_eq!(decided.actual.state["n"], 2);
    let stream = StreamName::new("box-1").unwrap();
    let models = models();
    let model = models.for_stream(&stream);
    let events = told.log.stream_events(&stream);
    let folded = evaluate(&Scenario {
        model,
        stream: &stream,
        start: &Folded::start(model),
        start_at: time(0),
        events,
        base: WhatIfBase {
            revision: Revision(3),
            position: None,
            at: time(9),
            decision: None,
        },
        edits: &[drop_event(2)],
        actions: &[],
        continuation: Continuation::Refold,
        holders: &NoHolders,
        password_correct: None,
        steps: StepsWanted::CHANGED,
    });
    let folded = folded.unwrap();
    assert_eq!(folded.mode, Continuation::Refold);
    assert_eq!(folded.state["n"], 1, "the recorded event, as it was");
}

#[test]
fn a_command_on_a_changed_state_is_decided_again() {
    let mut told = Told::new(models());
    told.give("box-1", "Open", json!({}), None);
    told.give("box-1", "Close", json!({}), None);
    let rule = told.give("box-1", "Increment", json!({}), None);
    assert_eq!(rule.as_deref(), Some("box.closed"));
    let out = told.what_if("box-1", &[drop_event(2)], Causes::Follow);
    assert_eq!(
        steps(&out),
        ["Close dropped dropped", "Increment accepted flip"]
    );
    let flip = &out.flips[0];
    assert_eq!(flip.was.rule.as_deref(), Some("box.closed"));
    assert_eq!((flip.outcome.as_str(), &flip.rule), ("accepted", &None));
    assert!(
        out.redecided
            .unwrap()
            .answer
            .starts_with("box-1: Increment by someone on ")
    );
}

#[test]
fn a_key_that_becomes_free_lets_another_stream_take_it_and_one_that_is_taken_does_not() {
    let mut told = Told::new(models());
    told.give("box-1", "Open", json!({}), None);
    told.give("box-2", "Open", json!({}), None);
    told.give("box-3", "Open", json!({}), None);
    told.give("box-1", "Take", json!({"key": "k"}), None);
    let rule = told.give("box-2", "Take", json!({"key": "k"}), None);
    assert_eq!(rule.as_deref(), Some("key.taken"));
    told.give("box-3", "Take", json!({"key": "l"}), None);
    let out = told.what_if("box-1", &[drop_event(2)], Causes::Follow);
    assert_eq!(steps(&out), ["Take dropped dropped", "Take accepted flip"]);
    let redecided = out.redecided.unwrap();
    assert_eq!((redecided.asked, redecided.later), (1, 2));
    assert_eq!(redecided.streams_untouched, 1, "box-3 takes another key");
    // The other way round: box-1 takes `l` in place of `k`.
    let replaced = Edit::Replace(ReplaceEdit {
        revision: Revision(2),
        data: Json::from(json!({"key": "l"})),
    });
    let out = told.what_if("box-1", &[replaced], Causes::Follow);
    assert_eq!(
        steps(&out),
        [
            "Take accepted edited",
            "Take accepted flip",
            "Take rejected flip"
        ]
    );
    assert_eq!(out.flips[1].rule.as_deref(), Some("key.taken"));
}

#[test]
fn a_command_or_event_whose_direct_cause_is_gone_is_not_issued_and_kept_where_causes_are() {
    let mut told = Told::new(models());
    told.give("box-1", "Open", json!({}), None);
    told.give("box-1", "Increment", json!({}), None);
    told.give("box-2", "Open", json!({}), Some("e2.0"));
    told.raw("box-3", "Poked", json!({}), Some("e3.0"));
    told.give("box-4", "Open", json!({}), Some("c3"));
    let out = told.what_if("box-1", &[drop_event(2)], Causes::Follow);
    assert_eq!(
        steps(&out),
        [
            "Increment dropped dropped",
            "Open not_issued not_issued",
            "Poked not_issued not_issued",
            "Open not_issued not_issued",
        ]
    );
    assert_eq!(out.redecided.unwrap().asked, 0);
    let out = told.what_if("box-1", &[drop_event(2)], Causes::Keep);
    assert_eq!(steps(&out), ["Increment dropped dropped"]);
}

#[test]
fn a_raw_event_stays_as_it_was_recorded_unless_the_store_would_refuse_it() {
    let mut told = Told::new(models());
    told.give("box-1", "Open", json!({}), None);
    told.give("box-1", "Increment", json!({}), None);
    told.raw("box-1", "Incremented", json!({}), None);
    let out = told.what_if("box-1", &[drop_event(2)], Causes::Follow);
    assert_eq!(
        steps(&out),
        ["Increment dropped dropped", "Incremented applied frozen"]
    );
    assert_eq!(out.state["n"], 1);
    told.raw("box-2", "Taken", json!({"key": "k"}), None);
    let insert = Edit::Insert(crate::api::what_if::InsertEdit {
        after_revision: Revision(1),
        event_type: "Taken".to_owned(),
        data: Json::from(json!({"key": "k"})),
    });
    let out = told.what_if("box-1", &[insert], Causes::Follow);
    assert_eq!(steps(&out).last().unwrap(), "Taken rejected refused");
}

#[test]
fn an_edited_event_fixes_what_its_command_comes_to_and_an_edited_command_is_asked() {
    let mut told = Told::new(models());
    told.give("box-1", "Open", json!({}), None);
    told.give("box-1", "TakeTwo", json!({"key": "k", "other": "l"}), None);
    let out = told.what_if("box-1", &[drop_event(3)], Causes::Follow);
    assert_eq!(steps(&out), ["TakeTwo accepted edited"]);
    assert_eq!(
        out.state["keys"],
        json!(["k"]),
        "no rule would allow one alone"
    );
    let replaced = Edit::ReplaceCommand(ReplaceCommandEdit {
        decision: DecisionRef::Command("c2".to_owned()),
        command_type: Some("Take".to_owned()),
        payload: None,
        actor: None,
        reason: None,
        at: None,
        password_correct: None,
    });
    let out = told.what_if("box-1", &[replaced], Causes::Follow);
    assert_eq!(steps(&out), ["TakeTwo accepted changed"]);
    assert_eq!(out.state["keys"], json!(["k"]));
}

#[test]
fn a_stream_whose_state_is_as_recorded_again_is_left() {
    let mut told = Told::new(models());
    told.give("box-1", "Open", json!({}), None);
    told.give("box-1", "Close", json!({}), None);
    told.give("box-1", "Open", json!({}), None);
    for _ in 0..20 {
        told.give("box-1", "Increment", json!({}), None);
    }
    let out = told.what_if("box-1", &[drop_command("c2")], Causes::Follow);
    let redecided = out.redecided.as_ref().unwrap();
    // Opening what is open is refused; then both are open. The next event tells where the streams part.
    assert_eq!(
        steps(&out),
        [
            "Close dropped dropped",
            "Open rejected flip",
            "Increment accepted same"
        ]
    );
    assert_eq!((redecided.asked, redecided.later), (2, 21));
    assert_eq!(out.state, out.actual.state);
    assert_eq!(
        (out.revision, out.actual.revision),
        (Revision(21), Revision(23))
    );
    assert_eq!(out.first_divergence, Some(Revision(2)));
}

struct Plain;

impl Passwords for Plain {
    fn hash(&self, plaintext: &str) -> Result<String, String> {
        Ok(format!("hash of {plaintext}"))
    }

    fn verify(&self, plaintext: &str, hash: &str) -> Result<bool, String> {
        Ok(self.hash(plaintext)? == hash)
    }
}

/// Sarah: created, suspended by mistake, refused a change of email, deleted because of the suspension.
fn sarah() -> Told {
    let models = Models::new([users::model(Arc::new(Plain)).unwrap()]).unwrap();
    let mut told = Told::new(models);
    told.give(
        "user-sarah",
        "CreateUser",
        json!({"username": "sarah", "email": "s@example.com", "first_name": "S", "last_name": "K",
            "password_check": "ok", "password_hash": "hash of first-password"}),
        None,
    );
    told.give("user-sarah", "SuspendUser", json!({}), None);
    let rule = told.give(
        "user-sarah",
        "ChangeEmail",
        json!({"email": "s@example.org"}),
        None,
    );
    assert_eq!(rule.as_deref(), Some("user.suspended"));
    told.give("user-sarah", "DeleteUser", json!({}), Some("e2.0"));
    told
}

#[test]
fn without_the_suspension_the_change_goes_through_and_the_deletion_is_not_issued() {
    let out = sarah().what_if("user-sarah", &[drop_event(2)], Causes::Follow);
    assert_eq!(
        steps(&out),
        [
            "SuspendUser dropped dropped",
            "ChangeEmail accepted flip",
            "DeleteUser not_issued not_issued",
        ]
    );
    assert_eq!(
        (&out.state["status"], &out.state["email"]),
        (&json!("active"), &json!("s@example.org"))
    );
    assert_eq!(out.actual.state["status"], "deleted");
    assert_eq!(out.flips.len(), 2);
}

/// What was prepared is used again; what was not found out is unknown, and the command stays as it was recorded.
#[test]
fn a_prepared_result_is_used_again_and_an_unknown_one_freezes_its_command() {
    let mut told = sarah();
    let change = |told: &mut Told, current: &str, new: &str| {
        let payload = json!({"current_password_check": current, "new_password_check": new,
            "new_password_hash": (new == "ok").then_some("hash of second-password")});
        told.give("user-sarah", "ChangePassword", payload, None)
    };
    let mut early = Told::new(told.log.models.clone());
    early.give(
        "user-sarah",
        "CreateUser",
        json!({"username": "sarah", "email": "s@example.com", "first_name": "S", "last_name": "K",
            "password_check": "ok", "password_hash": "hash of first-password"}),
        None,
    );
    early.give("user-sarah", "ChangeName", json!({"last_name": "L"}), None);
    assert_eq!(change(&mut early, "correct", "ok"), None);
    let out = early.what_if("user-sarah", &[drop_event(2)], Causes::Follow);
    assert_eq!(steps(&out)[1], "ChangePassword accepted same");
    // She was deleted: nothing was compared.
    let rule = change(&mut told, "not_checked", "not_checked");
    assert_eq!(rule.as_deref(), Some("user.deleted"));
    let edits = [drop_event(2)];
    let out = told.what_if("user-sarah", &edits, Causes::Follow);
    assert_eq!(steps(&out)[3], "ChangePassword rejected frozen");
    let step = out.steps.last().unwrap();
    assert_eq!(step.outcome, StepOutcome::Rejected);
    assert_eq!(out.redecided.unwrap().counts.frozen, 1);
}

/// A command that no model knows cannot be decided again.
#[test]
fn a_command_of_a_category_without_a_model_stays_as_recorded() {
    let mut told = Told::new(models());
    told.give("box-1", "Open", json!({}), None);
    told.give("box-1", "Increment", json!({}), None);
    told.log.models = Models::default();
    let out = told.what_if("box-1", &[drop_event(1)], Causes::Follow);
    assert_eq!(
        steps(&out),
        ["Open dropped dropped", "Increment accepted frozen"]
    );
}

#[test]
fn a_change_is_followed_only_while_the_client_waits() {
    let mut told = sarah();
    let stream = StreamName::new("user-sarah").unwrap();
    let edits = [drop_event(2)];
    let question = Question::edits(&stream, &edits);
    let stop = Stop::new();
    stop.set();
    let models = told.log.models.clone();
    let following = following(&models, &question, &stop);
    let stopped = follow(&mut told.log, &following, &question.asked(), &mut |_| {});
    assert_eq!(stopped, Err(Failed::WhatIf(WhatIfError::Stopped(Stopped))));
}

/// Under a rule that is no more, the recorded command is asked by the rules there are, and the reply says so.
#[test]
fn commands_of_other_rules_are_counted() {
    let mut told = Told::new(models());
    told.give("box-1", "Open", json!({}), None);
    told.give("box-1", "Increment", json!({}), None);
    for entry in &mut told.log.entries {
        entry.decision.as_mut().unwrap().rules_hash = "another".to_owned();
    }
    let edit = Edit::Replace(ReplaceEdit {
        revision: Revision(1),
        data: Json::from(json!({"x": 1})),
    });
    let out = told.what_if("box-1", &[edit], Causes::Follow);
    assert_eq!(
        out.redecided.unwrap().other_rules,
        0,
        "its state is the same"
    );
    let out = told.what_if("box-1", &[drop_event(1)], Causes::Follow);
    assert_eq!(out.redecided.unwrap().other_rules, 1);
}
