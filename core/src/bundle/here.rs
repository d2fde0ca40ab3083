//! Branches of an incident file over a log that has only what is in the file: positions and decisions are others there, revisions are not.

use std::collections::HashMap;

use super::Bundle;
use crate::api::what_if::{CommandPlace, DecisionRef, Edit};
use crate::branch::{Branch, Layer, LayerBase};
use crate::ids::{Position, StreamName};

impl Bundle {
    /// A branch, as the log has it that an import of the file makes.
    ///
    /// # Errors
    /// What of the branch is not in the file.
    pub fn branch_here(&self, branch: &Branch) -> Result<Branch, String> {
        let mut branch = branch.clone();
        for layer in &mut branch.layers {
            self.layer_here(layer)?;
        }
        branch.log.position = Position(self.events.len() as u64);
        branch.log.decision = self.decisions.len() as u64;
        Ok(branch)
    }

    fn layer_here(&self, layer: &mut Layer) -> Result<(), String> {
        if !self.has(&layer.stream) {
            return Err(format!("stream `{}` is not in the file", layer.stream));
        }
        let base = layer.base;
        let last = self
            .events
            .iter()
            .filter(|event| event.stream == layer.stream);
        if last.map(|event| event.revision).max() < Some(base.revision) {
            return Err(format!(
                "revision {} of `{}` is not in the file",
                base.revision, layer.stream
            ));
        }
        let before = |event: &&crate::event::Event| event.position <= base.position;
        layer.base = LayerBase {
            position: Position(self.events.iter().filter(before).count() as u64),
            before_decision: match base.before_decision {
                Some(sequence) => Some(self.decision_here(sequence)?),
                None => None,
            },
            after_decision: base.after_decision.map(|sequence| {
                let until = self.decisions.iter();
                until.filter(|own| own.sequence <= sequence).count() as u64
            }),
            ..base
        };
        let commands: HashMap<u64, &String> = self
            .decisions
            .iter()
            .map(|decision| (decision.sequence, &decision.command_id))
            .collect();
        let named = |decision: &mut DecisionRef| -> Result<(), String> {
            let DecisionRef::Sequence(sequence) = decision else {
                return Ok(());
            };
            let command = commands.get(sequence);
            let command = command.ok_or_else(|| not_there(*sequence))?;
            *decision = DecisionRef::Command((*command).clone());
            Ok(())
        };
        let placed = |place: &mut CommandPlace| match place {
            CommandPlace::Before(decision) | CommandPlace::After(decision) => named(decision),
            CommandPlace::AfterRevision(_) => Ok(()),
        };
        for edit in &mut layer.edits {
            match edit {
                Edit::DropCommand(edit) => named(&mut edit.decision)?,
                Edit::ReplaceCommand(edit) => named(&mut edit.decision)?,
                Edit::InsertCommand(edit) => placed(&mut edit.place)?,
                Edit::MoveCommand(edit) => {
                    named(&mut edit.decision)?;
                    placed(&mut edit.place)?;
                }
                Edit::Drop(_)
                | Edit::Replace(_)
                | Edit::Insert(_)
                | Edit::Change(_)
                | Edit::Move(_) => {}
            }
        }
        Ok(())
    }

    fn has(&self, stream: &StreamName) -> bool {
        self.events.iter().any(|event| event.stream == *stream)
    }

    fn decision_here(&self, sequence: u64) -> Result<u64, String> {
        let place = self.decisions.iter();
        let place = place.take_while(|own| own.sequence != sequence).count() as u64;
        if place == self.decisions.len() as u64 {
            return Err(not_there(sequence));
        }
        Ok(place + 1)
    }
}

fn not_there(sequence: u64) -> String {
    format!("decision {sequence} is not in the file")
}
