//! Probes: what a predicate says of the states of a fold.

use crate::event::Event;
use crate::fold::Folded;
use crate::ids::Revision;
use crate::json::State;
use crate::model::Model;
use crate::predicate::{Before, Needs, Predicate, Scope, TooMuchWork, Truth};

/// A predicate along a fold: evaluated where an event may have changed what it says.
#[derive(Debug)]
pub struct Probe<'a> {
    model: &'a Model,
    predicate: &'a Predicate,
    so_far: Probed,
}

/// What a probe knows of a fold so far: with it another probe goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Probed {
    /// What it said last, and of which revision.
    last: Option<(Revision, Truth)>,
    evaluations: u64,
}

impl<'a> Probe<'a> {
    /// A predicate over states of this model.
    pub fn new(model: &'a Model, predicate: &'a Predicate) -> Self {
        Self::go_on(model, predicate, Probed::default())
    }

    /// A predicate along a fold that another probe went along with up to here.
    pub fn go_on(model: &'a Model, predicate: &'a Predicate, so_far: Probed) -> Self {
        Self {
            model,
            predicate,
            so_far,
        }
    }

    /// What it knows, for another one to go on with.
    pub fn so_far(&self) -> Probed {
        self.so_far
    }

    /// How often the predicate was evaluated.
    pub fn evaluations(&self) -> u64 {
        self.so_far.evaluations
    }

    /// What it says of a state that a fold begins with. The event that led to it and the state before it are given where the
    /// predicate needs them and there are such.
    ///
    /// # Errors
    /// When that would be too much work.
    pub fn start(
        &mut self,
        folded: &Folded,
        event: Option<&Event>,
        before: Option<&State>,
    ) -> Result<Truth, TooMuchWork> {
        self.evaluate(folded, event, before)
    }

    /// Moves a state past an event, and says what the predicate says of it.
    ///
    /// # Errors
    /// When that would be too much work.
    pub fn push(&mut self, folded: &mut Folded, event: &Event) -> Result<Truth, TooMuchWork> {
        let needs = self.predicate.needs();
        let before = needs.before.part(&folded.state);
        let told = match &needs.state_keys {
            Some(keys) if is_of_state_alone(needs) => {
                folded.push_and_tell_any(self.model, event, keys).1
            }
            _ => {
                folded.push(self.model, event);
                true
            }
        };
        match self.so_far.last {
            // What it asks about was not touched.
            Some((revision, truth)) if !told && revision.next() == event.revision => {
                self.so_far.last = Some((event.revision, truth));
                Ok(truth)
            }
            _ => self.evaluate(folded, Some(event), before.as_ref()),
        }
    }

    fn evaluate(
        &mut self,
        folded: &Folded,
        event: Option<&Event>,
        before: Option<&State>,
    ) -> Result<Truth, TooMuchWork> {
        let scope = Scope::new(self.model, &folded.state)
            .with_event(event)
            .with_before(before);
        let truth = self.predicate.evaluate(&scope)?;
        self.so_far.evaluations += 1;
        self.so_far.last = Some((folded.revision, truth));
        Ok(truth)
    }
}

fn is_of_state_alone(needs: &Needs) -> bool {
    needs.before == Before::Nothing && !needs.event && !needs.decision
}
