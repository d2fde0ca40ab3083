//! Ids of the events that an import has read recently.
//!
//! Owns a bounded memory. An export of ours names the events that tell a decision's place; older ones did not, but wrote
//! each decision right after its events, by their positions.

use std::collections::VecDeque;

use whodunit_core::ids::Position;

use crate::limits::IMPORT_EVENTS_REMEMBERED;

/// Positions in the file's own log, and the ids of the events there.
#[derive(Debug, Default)]
pub(super) struct RecentIds(VecDeque<(u64, String)>);

impl RecentIds {
    /// Notes an event of the file.
    pub(super) fn note(&mut self, position: Position, event_id: &str) {
        // The oldest one's memory is used again.
        let mut id = match self.0.pop_front() {
            Some((_, oldest)) if self.0.len() + 1 >= IMPORT_EVENTS_REMEMBERED => oldest,
            Some(oldest) => {
                self.0.push_front(oldest);
                String::new()
            }
            None => String::new(),
        };
        event_id.clone_into(&mut id);
        self.0.push_back((position.0, id));
    }

    /// The id of the event that stood at a position; the last one that the file has there.
    pub(super) fn at(&self, position: Position) -> Option<&str> {
        let mut latest = self.0.iter().rev();
        let found = latest.find(|(own, _)| *own == position.0);
        found.map(|(_, id)| id.as_str())
    }

    /// The ids of so many events in a row, the last of them at a position.
    pub(super) fn up_to(&self, last: Position, count: u32) -> Option<Vec<String>> {
        let first = (last.0 + 1).checked_sub(u64::from(count))?;
        (first..=last.0)
            .map(|position| self.at(Position(position)).map(str::to_owned))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_ids_are_known_by_their_positions() {
        let mut recent = RecentIds::default();
        let last = IMPORT_EVENTS_REMEMBERED as u64 + 5;
        for position in 1..=last {
            recent.note(Position(position), &format!("e{position}"));
        }
        assert_eq!(recent.at(Position(5)), None);
        assert_eq!(recent.at(Position(6)), Some("e6"));
        let ids = recent.up_to(Position(8), 2);
        assert_eq!(ids, Some(vec!["e7".to_owned(), "e8".to_owned()]));
        assert_eq!(recent.up_to(Position(6), 2), None);
        assert_eq!(recent.up_to(Position(last + 1), 1), None);
    }
}
