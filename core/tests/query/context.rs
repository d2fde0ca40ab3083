//! A log as the context of a query line: everything by looking at all of it.

use std::convert::Infallible;

use whodunit_core::event::Event;
use whodunit_core::fold::fold;
use whodunit_core::ids::StreamName;
use whodunit_core::model::Model;
use whodunit_core::predicate::{Predicate, Scope};
use whodunit_core::query::{Answer, Context, Neighbour, Subject, Towards, Within};

/// The log as a context: everything by looking at all of it.
pub(crate) struct Log<'a> {
    pub(crate) events: &'a [Event],
    pub(crate) model: Model,
}

impl Log<'_> {
    fn beside(&self, of: &Event, within: Within) -> Vec<&Event> {
        let mut found: Vec<&Event> = match within {
            Within::Stream => self
                .events
                .iter()
                .filter(|e| e.stream == of.stream)
                .collect(),
            Within::Correlation => self
                .events
                .iter()
                .filter(|e| {
                    e.position == of.position
                        || e.correlation_id.is_some() && e.correlation_id == of.correlation_id
                })
                .collect(),
        };
        match within {
            Within::Stream => found.sort_by_key(|e| e.revision),
            Within::Correlation => found.sort_by_key(|e| (e.recorded_at, e.position)),
        }
        found
    }
}

impl Context for Log<'_> {
    type Error = Infallible;

    fn model(&self, _: &StreamName) -> Model {
        self.model.clone()
    }

    fn condition(&mut self, predicate: &Predicate, at: Subject<'_>) -> Result<Answer, Infallible> {
        let Subject::Event(event) = at else {
            panic!("only events are asked about")
        };
        let up_to = |last: u64| {
            let own = self
                .events
                .iter()
                .filter(|e| e.stream == event.stream && e.revision.0 <= last);
            fold(&self.model, own).state
        };
        let (before, state) = (up_to(event.revision.0 - 1), up_to(event.revision.0));
        let scope = Scope::new(&self.model, &state)
            .with_event(Some(event))
            .with_before(Some(&before));
        Ok(Answer::of_condition(predicate.evaluate(&scope)))
    }

    fn neighbour(
        &mut self,
        of: Subject<'_>,
        within: Within,
        towards: Towards,
        steps: u64,
    ) -> Result<Neighbour, Infallible> {
        let Subject::Event(event) = of else {
            panic!("only events are asked about")
        };
        let beside = self.beside(event, within);
        let own = beside
            .iter()
            .position(|e| e.position == event.position)
            .unwrap();
        let steps = usize::try_from(steps).unwrap();
        let index = match towards {
            Towards::Before => own.checked_sub(steps),
            Towards::After => Some(own + steps),
        };
        let found = index.and_then(|index| beside.get(index));
        Ok(found.map_or(Neighbour::End, |event| {
            Neighbour::Event(Box::new((*event).clone()))
        }))
    }

    fn is_in_time_order(&mut self, of: Subject<'_>, within: Within) -> Result<bool, Infallible> {
        let Subject::Event(event) = of else {
            panic!("only events are asked about")
        };
        let beside = self.beside(event, within);
        Ok(beside.is_sorted_by_key(|e| e.recorded_at))
    }
}
