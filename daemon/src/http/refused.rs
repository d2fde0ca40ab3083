//! Refused attempts to change the fields of a stream, up to a point of its history.

use whodunit_core::api::investigate::EventCause;
use whodunit_core::api::warning::{Warning, WarningCode};
use whodunit_core::api::why::RefusedAttempts;
use whodunit_core::blame::Refusals;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::pointer::Pointer;

use super::error::ApiError;
use crate::limits::{REFUSALS_BYTES_MAX, REFUSALS_MAX};
use crate::reading::decision_page;
use crate::store::{DecisionFilter, Direction, View};
use crate::time_travel::Point;

/// Refused commands of a stream.
pub(super) struct Refused {
    refusals: Refusals,
    until: Revision,
    cut: bool,
}

/// The refused commands of a stream that were decided by a point of its history, on this revision or an earlier one: the
/// newest, where there are many.
pub(super) fn refused(
    view: &dyn View,
    stream: &StreamName,
    (revision, point): (Revision, Point),
) -> Result<Refused, ApiError> {
    let filter = DecisionFilter {
        stream: Some(stream.clone()),
        rejected: Some(true),
        ..DecisionFilter::default()
    };
    let by_then = match point {
        Point::AsOf(at) => Some(at),
        Point::Head | Point::Revision(_) => None,
    };
    let (mut newest, mut from, mut cut) = (Vec::new(), None, false);
    let (mut looked_at, mut bytes) = (0, 0);
    loop {
        let page = decision_page(view, &filter, from, Direction::Backward, PAGE)?;
        looked_at += page.decisions.len();
        for decision in page.decisions {
            let is_late = by_then.is_some_and(|at| decision.decided_at > at);
            if decision.base_revision <= revision && !is_late {
                bytes += decision.payload.as_str().len();
                newest.push(decision);
            }
        }
        from = page.next;
        if from.is_none() {
            break;
        }
        if looked_at >= REFUSALS_MAX || bytes >= REFUSALS_BYTES_MAX {
            cut = true;
            break;
        }
    }
    let mut refusals = Refusals::default();
    newest
        .iter()
        .rev()
        .for_each(|decision| refusals.add(decision));
    Ok(Refused {
        refusals,
        until: revision.next(),
        cut,
    })
}

/// Decisions that are read at a time.
const PAGE: usize = 100;

impl Refused {
    /// That there are more than were looked at.
    pub(super) fn warning(&self) -> Option<Warning> {
        let detail = format!(
            "the stream has too many refused commands to check: attempts before the newest {REFUSALS_MAX} may be missing"
        );
        self.cut
            .then(|| Warning::new(WarningCode::RefusalsCut, detail, []))
    }

    /// Attempts to change a field since an event set it.
    pub(super) fn since(
        &self,
        path: &str,
        event: Option<&EventCause>,
        set_by: Revision,
    ) -> RefusedAttempts {
        let Ok(path) = path.parse::<Pointer>() else {
            return RefusedAttempts::default();
        };
        self.between(&path, event, (set_by, self.until))
    }

    /// Attempts to change a field from one revision to before another; `event` brought the value that it had.
    pub(super) fn between(
        &self,
        path: &Pointer,
        event: Option<&EventCause>,
        range: (Revision, Revision),
    ) -> RefusedAttempts {
        let set_by = event.and_then(|event| event.command_type.as_deref());
        self.refusals.of_field(path, set_by, range)
    }
}
