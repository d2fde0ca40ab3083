//! Marks on the time axis: one for each event and refused command of a short history, with what it was and by whom.
//!
//! Owns when a history is short enough for that. Marks stand at the cells in which a click finds them.

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use whodunit_core::api::browse::DensityOut;
use whodunit_core::sentence::deed;

use super::scrubber::cell_of;
use crate::model::App;
use crate::model::stream::{Row, StreamScreen};
use crate::text::{cut, safe, width};
use crate::theme::{Glyph, Theme, Token};

/// So many cells of the axis for each mark at least; with less, the axis shows how dense they are.
const CELLS_PER_MARK: usize = 3;
/// Blanks between two labels.
const GAP: usize = 2;

/// Something that happened, at its cell.
struct Mark {
    cell: usize,
    /// Where it stands in the history.
    index: usize,
    is_refused: bool,
    what: String,
    who: String,
}

/// All that happened, if it is loaded and there is room for it.
fn marks(stream: &StreamScreen, density: &DensityOut, cells: usize) -> Option<Vec<Mark>> {
    let rows = stream.rows();
    if rows < 2 || rows * CELLS_PER_MARK > cells || stream.more_decisions {
        return None;
    }
    let category = stream.stream.category();
    (1..rows)
        .map(|index| {
            let row = stream.row_at(index);
            let (at, is_refused, what, who) = match row {
                Row::Revision(revision) => {
                    let event = &stream.steps.get(&revision)?.event;
                    (
                        event.recorded_at,
                        false,
                        event_words(&event.event_type, category),
                        &event.actor,
                    )
                }
                Row::Rejected(index) => {
                    let decision = stream.rejected(index)?;
                    let what = safe(&decision.command_type).into_owned();
                    (decision.decided_at, true, what, &decision.actor)
                }
            };
            Some(Mark {
                cell: cell_of(density, at, cells),
                index,
                is_refused,
                what,
                who: safe(who.as_deref().unwrap_or_default()).into_owned(),
            })
        })
        .collect()
}

/// `deleted`, `changed email`, or the type where it does not say what was done.
fn event_words(event_type: &str, category: &str) -> String {
    match deed(event_type, category) {
        Some(deed) => {
            let verb = deed.verb.to_lowercase();
            let words = match deed.object {
                Some(object) => format!("{verb} {object}"),
                None => verb,
            };
            safe(&words).into_owned()
        }
        None => safe(event_type).into_owned(),
    }
}

/// The line of marks and the line of their labels; `None` where the history is too long for them.
pub(super) fn lines(
    app: &App,
    stream: &StreamScreen,
    density: &DensityOut,
    cells: usize,
) -> Option<[Line<'static>; 2]> {
    let marks = marks(stream, density, cells)?;
    let here = stream.index_of(stream.cursor);
    let held = stream.held.filter(|(moment, _)| app.as_of == Some(*moment));
    let held = held.map(|(moment, _)| cell_of(density, moment, cells));
    let theme = app.theme;
    let marked = mark_line(theme, &marks, (here, held), cells);
    Some([marked, label_line(theme, &marks, here, cells)])
}

fn mark_line(
    theme: Theme,
    marks: &[Mark],
    (here, held): (usize, Option<usize>),
    cells: usize,
) -> Line<'static> {
    let (past, future, bar) = if theme.ascii {
        ("-", ".", "|")
    } else {
        ("─", "┄", "┆")
    };
    let cursor = marks.iter().find(|mark| mark.index == here);
    let reached = cursor.map_or(0, |mark| mark.cell);
    let spans = (0..cells).map(|cell| {
        let mut at = marks.iter().filter(|mark| mark.cell == cell);
        let is_here = cursor.is_some_and(|mark| mark.cell == cell);
        let Some(first) = at.next() else {
            return match (held == Some(cell), cell <= reached) {
                (true, _) => Span::styled(bar, theme.style(Token::Accent)),
                (false, true) => Span::styled(past, theme.style(Token::Muted)),
                (false, false) => Span::styled(future, theme.style(Token::Future)),
            };
        };
        let (count, is_refused) = at.fold((1, first.is_refused), |(n, refused), mark| {
            (n + 1, refused && mark.is_refused)
        });
        let text = match count {
            1 if is_refused => theme.glyph(Glyph::Rejected).to_owned(),
            1 => theme.glyph(Glyph::Live).to_owned(),
            2..=9 => count.to_string(),
            _ => "+".to_owned(),
        };
        let style = match (is_here, is_refused) {
            (true, _) => theme.style(Token::Accent).add_modifier(Modifier::REVERSED),
            (false, true) => theme.style(Token::Rejected),
            (false, false) => theme.style(Token::Plain),
        };
        Span::styled(text, style)
    });
    Line::from(spans.collect::<Vec<_>>())
}

/// Labels below their marks while they fit: the one at the cursor first, then from left to right.
fn label_line(theme: Theme, marks: &[Mark], here: usize, cells: usize) -> Line<'static> {
    let mut order: Vec<&Mark> = marks.iter().collect();
    order.sort_by_key(|mark| (mark.index != here, mark.index));
    let mut placed: Vec<(usize, String, bool)> = Vec::new();
    for mark in order {
        let whole = format!("{} {}", mark.what, mark.who);
        let place = place(&placed, mark.cell, width(whole.trim_end()), cells)
            .map(|at| (at, whole.trim_end().to_owned()))
            .or_else(|| {
                let at = place(&placed, mark.cell, width(&mark.what), cells)?;
                Some((at, mark.what.clone()))
            });
        if let Some((at, text)) = place {
            placed.push((at, text, mark.index == here));
        }
    }
    placed.sort_by_key(|(at, ..)| *at);
    let mut spans = Vec::new();
    let mut used = 0;
    for (at, text, is_here) in placed {
        spans.push(Span::raw(" ".repeat(at.saturating_sub(used))));
        used = at + width(&text);
        let token = if is_here { Token::Accent } else { Token::Muted };
        spans.push(Span::styled(
            cut(&text, cells.saturating_sub(at)),
            theme.style(token),
        ));
    }
    Line::from(spans)
}

/// Where a label of so many cells goes: from its mark on, or ending at it; `None` where others are in the way.
fn place(
    placed: &[(usize, String, bool)],
    cell: usize,
    label: usize,
    cells: usize,
) -> Option<usize> {
    let is_free = |at: &usize| {
        at + label <= cells
            && placed.iter().all(|(other, text, _)| {
                at + label + GAP <= *other || other + width(text) + GAP <= *at
            })
    };
    let left = (cell + 1).checked_sub(label);
    std::iter::once(cell).chain(left).find(is_free)
}
