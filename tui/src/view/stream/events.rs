//! The history: a row for each event and each rejected command.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::api::time_travel::Step;
use whodunit_core::fold::EventEffect;
use whodunit_core::time::Timestamp;

use super::super::{failure, first_row, pane};
use super::rule;
use crate::model::App;
use crate::model::stream::{Row, StreamScreen};
use crate::text::{cut, fit, safe, width};
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

pub(super) fn draw(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let rejected = stream.rejected_count();
    let mut title = format!("events · {} of {}", stream.revision(), stream.head());
    if rejected > 0 {
        let more = if stream.more_decisions { "+" } else { "" };
        title = format!("{title} · {rejected}{more} rejected");
    }
    let block = pane(theme, &title, stream.pane == 0);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if let Some(why) = &stream.steps_failure
        && stream.steps.is_empty()
    {
        return failure(app, frame, inner, why);
    }
    let height = usize::from(inner.height);
    let here = stream.index_of(stream.cursor);
    let first = first_row(here, stream.rows(), height);
    let digits = width(&stream.head().to_string()).max(2);
    let shown = first..(first + height).min(stream.rows());
    let times = shown
        .clone()
        .filter_map(|index| time_of(stream, stream.row_at(index)));
    let pattern = app.zone.pattern(times, app.now);
    let types = shown
        .clone()
        .map(|index| width(&cells_of(app, stream, stream.row_at(index), pattern).what));
    let columns = types.max().unwrap_or(0);
    let lines: Vec<Line<'_>> = shown
        .map(|index| {
            event_row(
                app,
                stream,
                index,
                index == here,
                index > here,
                (digits, columns, pattern),
                usize::from(inner.width),
            )
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

/// What stands in a row of the history.
#[derive(Default)]
struct Cells {
    label: String,
    time: String,
    what: String,
    who: String,
    why: String,
    token: Option<Token>,
}

/// When the row of a history happened.
fn time_of(stream: &StreamScreen, row: Row) -> Option<Timestamp> {
    match row {
        Row::Revision(revision) => Some(stream.steps.get(&revision)?.event.recorded_at),
        Row::Rejected(index) => Some(stream.rejected(index)?.decided_at),
    }
}

fn cells_of(app: &App, stream: &StreamScreen, row: Row, pattern: Pattern) -> Cells {
    let theme = app.theme;
    let muted = |label: String, what: &str| Cells {
        label,
        what: what.to_owned(),
        token: Some(Token::Muted),
        ..Cells::default()
    };
    match row {
        Row::Revision(0) => muted("0".to_owned(), "(empty stream)"),
        Row::Revision(revision) => match stream.steps.get(&revision) {
            None => muted(revision.to_string(), "…"),
            Some(step) => event_cells(app, step, pattern),
        },
        Row::Rejected(index) => match stream.rejected(index) {
            None => Cells::default(),
            Some(decision) => Cells {
                label: theme.glyph(Glyph::Rejected).to_owned(),
                time: app.zone.show(decision.decided_at, pattern),
                what: safe(&decision.command_type).into_owned(),
                who: who(decision.actor.as_deref()),
                why: rule(decision).0,
                token: Some(Token::Rejected),
            },
        },
    }
}

fn event_cells(app: &App, step: &Step, pattern: Pattern) -> Cells {
    let event = &step.event;
    let refused = is_refused(step);
    let (note, token) = match &step.applied {
        EventEffect::Failed { .. } => (" !", Some(Token::Error)),
        EventEffect::Unknown => (" ?", None),
        EventEffect::Applied => ("", None),
    };
    Cells {
        label: if refused {
            app.theme.glyph(Glyph::Rejected).to_owned()
        } else {
            event.revision.to_string()
        },
        time: app.zone.show(event.recorded_at, pattern),
        what: format!("{}{note}", safe(&event.event_type)),
        who: who(event.actor.as_deref()),
        why: who(event.reason.as_deref()),
        token: token.or(refused.then_some(Token::Rejected)),
    }
}

fn event_row(
    app: &App,
    stream: &StreamScreen,
    index: usize,
    selected: bool,
    future: bool,
    (digits, columns, pattern): (usize, usize, Pattern),
    cells: usize,
) -> Line<'static> {
    let theme = app.theme;
    let row = stream.row_at(index);
    let cursor = if selected {
        theme.glyph(Glyph::Cursor)
    } else {
        " "
    };
    let marked = matches!(row, Row::Revision(revision) if stream.mark == Some(revision));
    let mark = if marked {
        theme.glyph(Glyph::Mark)
    } else {
        " "
    };
    let Cells {
        label,
        time,
        what,
        who,
        why,
        token,
    } = cells_of(app, stream, row, pattern);
    let time_cells = width(&app.zone.show(app.now, pattern));
    let label = format!(
        "{}{label}",
        " ".repeat(digits.saturating_sub(width(&label)))
    );
    // What, then who: the types get what they need, and no more than a half.
    let what_cells = columns.clamp(
        8,
        (cells.saturating_sub(digits + time_cells + 6) / 2).max(8),
    );
    // Where only the type stands, it has the whole row.
    let what = if who.is_empty() && why.is_empty() {
        what
    } else {
        fit(&what, what_cells)
    };
    let mut text = format!(
        "{cursor}{mark}{label} {} {what} {who}",
        fit(&time, time_cells)
    );
    let room = cells.saturating_sub(width(&text) + 1);
    if room > 8 && !why.is_empty() {
        let why = if token == Some(Token::Rejected) {
            why
        } else {
            format!("\"{why}\"")
        };
        text = format!("{} {}", text, cut(&why, room));
    }
    let mut style = theme.style(token.unwrap_or(Token::Plain));
    if future {
        style = style.patch(theme.style(Token::Future));
    }
    if selected {
        style = style.patch(theme.style(Token::Selected));
    }
    Line::styled(fit(&text, cells), style)
}

fn who(text: Option<&str>) -> String {
    safe(text.unwrap_or_default()).into_owned()
}

/// Whether an imported event stands for a call that was refused where it came from.
fn is_refused(step: &Step) -> bool {
    step.event
        .metadata
        .as_ref()
        .is_some_and(|metadata| metadata.to_value()["outcome"] == "refused")
}
