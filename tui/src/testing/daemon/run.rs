//! Long questions, answered at once: small answers that name what was asked.

use serde_json::{Map, json};
use whodunit_core::api::backtest::{
    BacktestChange, BacktestCounts, BacktestEnd, BacktestFrozen, BacktestGroup, BacktestKind,
};
use whodunit_core::api::inevitable::{
    CommandTried, InevitableEnd, InevitableIn, MomentOut, Necessity, NecessityOut, NotTried,
};
use whodunit_core::api::minimal::{MinimalEnd, MinimalIn, MinimalItem};
use whodunit_core::api::pipeline::RunStatus;
use whodunit_core::api::undo::{PlannedCommand, UndoEnd, UndoIn, UndoPlan, UndoneField};
use whodunit_core::ids::{Position, Revision};

use super::super::{pipeline, sarah};
use super::{Daemon, HEAD};
use crate::model::run::{Found, Of};

impl Daemon {
    pub(super) fn run(&self, of: &Of) -> Found {
        match of {
            Of::Inevitable(asked) => Found::Inevitable(Box::new(self.inevitable(asked))),
            Of::Minimal(asked) => Found::Minimal(Box::new(self.minimal(asked))),
            Of::Undo(asked) => Found::Undo(Box::new(undo(asked))),
            Of::Backtest(asked) => self.backtest(asked.line()),
        }
    }

    fn inevitable(&self, asked: &InevitableIn) -> InevitableEnd {
        let history = self.history(&asked.stream);
        let moments: Vec<MomentOut> = history
            .iter()
            .map(|event| {
                let avoiding = history.len() as u64 - event.revision.0;
                MomentOut {
                    revision: Revision(event.revision.0 - 1),
                    at: event.recorded_at,
                    tried: 9,
                    legal: 4,
                    avoiding,
                    unknown: u64::from(event.revision.0 == 1),
                    example: (avoiding > 0).then(|| CommandTried {
                        command_type: "ReactivateUser".to_owned(),
                        payload: Map::new(),
                    }),
                }
            })
            .collect();
        let commands = history.iter().map(|event| NecessityOut {
            decision: event.revision.0,
            command_id: event.event_id.clone(),
            stream: event.stream.clone(),
            command_type: event.event_type.clone(),
            actor: event.actor.clone(),
            reason: event.reason.clone(),
            decided_at: event.recorded_at,
            base_revision: Revision(event.revision.0 - 1),
            necessity: if event.revision.0 == 2 {
                Necessity::Masked
            } else {
                Necessity::Necessary
            },
            masked_by: (event.revision.0 == 2).then_some(3),
            responsibility: None,
        });
        let no_return = moments.iter().rfind(|moment| moment.avoiding > 0).cloned();
        InevitableEnd {
            answer: format!("3 commands of {} were necessary", asked.stream),
            stream: asked.stream.clone(),
            predicate: asked.predicate.clone(),
            revision: Revision(history.len() as u64),
            holds: true,
            commands: commands.collect(),
            dropped: 9,
            without_effect: 5,
            all_dropped: false,
            left_out: 12,
            all_pairs: false,
            moments,
            moments_left_out: 3,
            point_of_no_return: no_return,
            commands_tried: Vec::new(),
            not_tried: vec![NotTried {
                command_type: "ChangePassword".to_owned(),
                reason: "it takes a secret".to_owned(),
            }],
            runs: 41,
            asked: 200,
            run: pipeline::run("inevitable", "x", RunStatus::Completed),
        }
    }

    fn minimal(&self, asked: &MinimalIn) -> MinimalEnd {
        let history = self.history(&asked.stream);
        let kept = history.iter().skip(2).map(|event| MinimalItem {
            stream: event.stream.clone(),
            revision: Some(event.revision),
            position: Some(event.position),
            decision: None,
            item_type: event.event_type.clone(),
            actor: event.actor.clone(),
            reason: event.reason.clone(),
            at: event.recorded_at,
        });
        MinimalEnd {
            answer: format!("873 events to 2, in 41 re-folds, of {}", asked.stream),
            stream: asked.stream.clone(),
            predicate: asked.predicate.clone(),
            of: asked.of,
            holds: true,
            before: 873,
            kept: kept.collect(),
            tests: 41,
            all: false,
            run: pipeline::run("minimal", "x", RunStatus::Completed),
        }
    }

    fn backtest(&self, path: &str) -> Found {
        let counts = BacktestCounts {
            same: 200,
            accepted_to_refused: self.events.len() as u64,
            frozen: 2,
            ..BacktestCounts::default()
        };
        let group = |name: &str| {
            vec![BacktestGroup {
                name: name.to_owned(),
                counts,
            }]
        };
        let changes = self.events.iter().map(|event| BacktestChange {
            kind: BacktestKind::AcceptedToRefused,
            decision: Some(event.revision.0),
            position: Some(event.position),
            command_id: Some(event.event_id.clone()),
            stream: event.stream.clone(),
            base_revision: Revision(event.revision.0 - 1),
            command_type: event.event_type.clone(),
            actor: event.actor.clone(),
            decided_at: event.recorded_at,
            was: None,
            was_events: vec![event.event_type.clone()],
            outcome: "rejected".to_owned(),
            rule: Some("job.may_not".to_owned()),
            message: None,
            events: Vec::new(),
            in_range: true,
        });
        let end = BacktestEnd {
            answer: format!("{path}: 3 decisions would have been different"),
            model: "users".to_owned(),
            rules_hash: "a".to_owned(),
            rules_in_use: "b".to_owned(),
            same_rules: false,
            position: Position(HEAD),
            looked_at: 300,
            counts,
            outside: BacktestCounts::default(),
            raw_refused: 1,
            raw_frozen: 0,
            by_rule: group("job.may_not"),
            by_actor: group("job:inactive-cleanup"),
            by_type: group("DeleteUser"),
            by_day: group("2025-03-24"),
            frozen: vec![BacktestFrozen {
                reason: "only the check of its password is known".to_owned(),
                count: 2,
                first: 7,
            }],
            streams_changed: 3,
            without_reactions: 0,
            recorded_under_others: 4,
            redacted_copy: false,
            run: pipeline::run("backtest", "x", RunStatus::Completed),
        };
        Found::Backtest(Box::new(end), changes.collect(), None)
    }
}

fn undo(asked: &UndoIn) -> UndoEnd {
    let mut payload = Map::new();
    payload.insert("email".to_owned(), json!("sarah@example.com"));
    UndoEnd {
        answer: format!("2 commands bring it back: {}", asked.stream),
        stream: asked.stream.clone(),
        revision: Revision(4),
        to_revision: asked.to_revision,
        fields: vec![UndoneField {
            path: "/status".to_owned(),
            now: Some(json!("deleted")),
            wanted: Some(json!("active")),
        }],
        plan: (asked.stream == sarah()).then(|| UndoPlan {
            commands: vec![PlannedCommand {
                command_type: "ReactivateUser".to_owned(),
                payload,
            }],
        }),
        side_effects: Vec::new(),
        commands_tried: Vec::new(),
        attempts: 120,
        exhausted: false,
        steps: 3,
        run: pipeline::run("undo", "x", RunStatus::Completed),
    }
}
