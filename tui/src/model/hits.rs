//! What stands where on the screen: the table that a click, or a turn of the wheel, is looked up in.
//!
//! Made by the view, anew with each frame; what was drawn last lies on top.

use std::cell::{Cell, RefCell};

use ratatui::layout::{Position, Rect};
use whodunit_core::time::Timestamp;

/// A part of a screen that has rows of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The list of the screen: streams, events, matches, nodes.
    List,
    /// The state of a stream.
    State,
    /// Other streams that differ in a what-if.
    Streams,
    Projections,
    Handlers,
    Jobs,
    /// A choice in a box over the screen.
    Box,
}

/// What a place stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Hit {
    Row(Part, usize),
    /// A part, beside its rows.
    Part(Part),
    /// A key that the bottom line hints at.
    Key(&'static str),
    /// A moment on a time axis.
    Time(Timestamp),
}

/// The table of the frame on screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hits {
    frame: RefCell<Vec<(Rect, Hit)>>,
    /// Where the pointer was pressed last.
    pressed: Cell<Option<Hit>>,
}

impl Hits {
    /// A new frame begins.
    pub(crate) fn clear(&self) {
        self.frame.borrow_mut().clear();
    }

    pub(crate) fn add(&self, area: Rect, hit: Hit) {
        self.frame.borrow_mut().push((area, hit));
    }

    /// Rows of one line each, from the first in sight on.
    pub(crate) fn rows(&self, area: Rect, part: Part, first: usize, len: usize) {
        self.add(area, Hit::Part(part));
        let lines = area.top()..area.bottom();
        for (y, index) in lines.zip(first..len) {
            self.line(area, y, Hit::Row(part, index));
        }
    }

    /// One line of an area.
    pub(crate) fn line(&self, area: Rect, y: u16, hit: Hit) {
        if (area.top()..area.bottom()).contains(&y) {
            self.add(Rect::new(area.x, y, area.width, 1), hit);
        }
    }

    /// What stands at a place where the pointer is pressed.
    pub(crate) fn press(&self, column: u16, row: u16) -> Option<Hit> {
        let hit = self.at(column, row);
        self.pressed.set(hit);
        hit
    }

    /// What stood where the pointer was pressed last.
    pub(crate) fn pressed(&self) -> Option<Hit> {
        self.pressed.get()
    }

    /// What stands at a place.
    pub(crate) fn at(&self, column: u16, row: u16) -> Option<Hit> {
        let place = Position::new(column, row);
        let all = self.frame.borrow();
        let mut upwards = all.iter().rev();
        let found = upwards.find(|(area, _)| area.contains(place))?;
        Some(found.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_last_lies_on_top() {
        let hits = Hits::default();
        hits.rows(Rect::new(0, 2, 10, 4), Part::List, 7, 9);
        assert_eq!(hits.at(3, 2), Some(Hit::Row(Part::List, 7)));
        assert_eq!(hits.at(3, 3), Some(Hit::Row(Part::List, 8)));
        assert_eq!(hits.at(3, 4), Some(Hit::Part(Part::List)));
        assert_eq!(hits.at(10, 2), None);
        hits.add(Rect::new(0, 0, 5, 5), Hit::Part(Part::Box));
        assert_eq!(hits.at(3, 3), Some(Hit::Part(Part::Box)));
        hits.clear();
        assert_eq!(hits.at(3, 3), None);
    }
}
