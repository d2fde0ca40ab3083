//! The state at the cursor as a list of fields: what its event changed first, each with what set it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::{awaited, failure, rule as rule_line, state, warning_lines};
use crate::model::App;
use crate::model::fields::{Field, set_by};
use crate::model::hits::{Hit, Part};
use crate::model::stream::StreamScreen;
use crate::request::Slot;
use crate::text::{counted, cut, fit, safe, width, wrap_to};
use crate::theme::{Glyph, Theme, Token};

/// What is said of a state that is folded without the model of its commands, and in how many lines at most.
const LACKS_MODEL: &str = "! its commands were decided by a model that the daemon was not asked for (`--model`): this state is \
                           only merged from the events";
const LACKS_MODEL_LINES: usize = 6;
/// Cells that say what set a field, at most, and at least where a value needs some of them; and the width of a pane from which on
/// there is room for them.
const SET_BY_CELLS: usize = 16;
const SET_BY_CELLS_MIN: usize = 12;
const WIDTH_FOR_SET_BY: usize = 40;

pub(super) fn draw(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let revision = stream.revision();
    let cells = usize::from(area.width);
    let top = Rect::new(area.x, area.y, area.width, area.height.min(1));
    let inner = Rect::new(
        area.x + 1,
        area.y + 1,
        area.width.saturating_sub(2),
        area.height.saturating_sub(1),
    );
    let rule = |right: &str| rule_line(theme, cells, &title(app, stream), right);
    if let Some((at, why)) = &stream.state_failure
        && *at == revision
    {
        frame.render_widget(rule(""), top);
        return failure(app, frame, inner, why);
    }
    if stream.state().is_none() {
        frame.render_widget(rule(""), top);
        let what = format!("the state at revision {revision}");
        let is_asked = stream.asked.has(Slot::State) || stream.asked.has(Slot::Stream);
        return awaited(app, frame, inner, &what, is_asked);
    }
    let (lines, fields) = lines(app, stream, usize::from(inner.width));
    let height = usize::from(inner.height);
    let last = fields.len().saturating_sub(1);
    // The selected field is in sight, with all its lines where they fit; with the last one what stands below it.
    let scroll = match fields.get(stream.field_selected.min(last)) {
        Some(_) if stream.in_state && stream.field_selected >= last => {
            lines.len().saturating_sub(height)
        }
        Some((_, end)) if stream.in_state => end.saturating_sub(height),
        _ => 0,
    };
    app.hits.add(area, Hit::Part(Part::State));
    for (index, (begin, end)) in fields.into_iter().enumerate() {
        for line in begin.max(scroll)..end {
            let y = inner
                .y
                .saturating_add(u16::try_from(line - scroll).unwrap_or(u16::MAX));
            app.hits.line(inner, y, Hit::Row(Part::State, index));
        }
    }
    let below = lines.get(scroll + height..).unwrap_or_default();
    frame.render_widget(rule(&below_edge(below)), top);
    let shown: Vec<Line<'_>> = lines.into_iter().skip(scroll).take(height).collect();
    frame.render_widget(Paragraph::new(shown), inner);
}

/// How many rows the whole state would take.
pub(super) fn rows_wanted(app: &App, stream: &StreamScreen, columns: u16) -> usize {
    if stream.state().is_none() {
        return 6;
    }
    lines(app, stream, usize::from(columns.saturating_sub(2)))
        .0
        .len()
}

fn title(app: &App, stream: &StreamScreen) -> String {
    let mark = if stream.in_state {
        app.theme.glyph(Glyph::Cursor)
    } else {
        ""
    };
    let model = stream
        .state()
        .map_or(String::new(), |state| format!(" · {}", safe(&state.model)));
    format!(
        "{mark}state · rev {} of {}{model}",
        stream.revision(),
        stream.head()
    )
}

fn below_edge(hidden: &[Line<'_>]) -> String {
    // A row begins with its mark.
    let is_marked = |line: &&Line<'_>| {
        let mark = line.spans.get(1);
        mark.is_some_and(|span| span.content.starts_with(['+', '-', '~', '!']))
    };
    match (hidden.len(), hidden.iter().filter(is_marked).count()) {
        (0, _) => String::new(),
        (rows, 0) => format!("{rows} more below"),
        (rows, marked) => format!("{rows} more below, {marked} changed"),
    }
}

/// From which line on to before which one each field stands.
type Places = Vec<(usize, usize)>;

/// All lines of the pane, and which of them each field takes.
fn lines(app: &App, stream: &StreamScreen, cells: usize) -> (Vec<Line<'static>>, Places) {
    let theme = app.theme;
    let mut lines = warning_lines(theme, stream.warnings(), cells);
    if stream.lacks_its_model() {
        let text = wrap_to(LACKS_MODEL, cells, LACKS_MODEL_LINES).into_iter();
        lines.extend(text.map(|line| Line::styled(line, theme.style(Token::Warn))));
    }
    let faults = stream.state().map_or(&[][..], |state| &state.faults);
    for fault in faults {
        let text = format!(
            "! revision {} {}: {}",
            fault.revision,
            safe(&fault.event_type),
            safe(&fault.error)
        );
        lines.push(Line::styled(cut(&text, cells), theme.style(Token::Error)));
    }
    let fields = stream.fields();
    if fields.rows.is_empty() {
        let text = if stream.revision() == 0 {
            "(empty: before the first event)"
        } else {
            "(the state has no fields)"
        };
        lines.push(Line::styled(text, theme.style(Token::Muted)));
        return (lines, Vec::new());
    }
    let set_by: Vec<String> = fields
        .rows
        .iter()
        .map(|row| setter(theme, stream, row))
        .collect();
    let set_by_cells = if cells < WIDTH_FOR_SET_BY {
        0
    } else {
        let natural = set_by.iter().map(|text| width(text)).max().unwrap_or(0);
        natural.min(SET_BY_CELLS).min(cells / 3)
    };
    let column = state::name_column(&fields, cells.saturating_sub(set_by_cells));
    let column = column.min(cells / 3).max(8);
    let gap = if set_by_cells > 0 { 2 } else { 0 };
    let room = cells.saturating_sub(column + set_by_cells + gap + 5);
    // A value that misses its line by a few cells, as times do, gets them.
    let spare = set_by_cells.saturating_sub(SET_BY_CELLS_MIN);
    let wanted = fields.rows.iter().map(state::cells_wanted);
    let wanted = wanted.filter(|wanted| *wanted <= room + spare).max();
    let given = wanted.unwrap_or(0).saturating_sub(room);
    let (room, set_by_cells) = (room + given, set_by_cells - given);
    let last = fields.rows.len() - 1;
    let here = stream.field_selected.min(last);
    let mut places = Vec::new();
    for (index, (field, set_by)) in fields.rows.iter().zip(&set_by).enumerate() {
        let is_here = stream.in_state && index == here;
        let begin = lines.len();
        let widths = (column, room, set_by_cells, cells);
        lines.extend(row(theme, field, set_by, widths, is_here));
        places.push((begin, lines.len()));
    }
    lines.extend(state::hidden_line(theme, fields.hidden));
    let hidden = stream.state().map_or(0, |state| state.redacted.len());
    if hidden > 0 {
        let text = format!(" {} hidden", counted(hidden as u64, "secret"));
        lines.push(Line::styled(text, theme.style(Token::Muted)));
    }
    (lines, places)
}

/// A field in as many lines as its value takes, with what set it at the right.
fn row(
    theme: Theme,
    field: &Field<'_>,
    set_by: &str,
    (column, room, set_by_cells, cells): (usize, usize, usize, usize),
    is_here: bool,
) -> Vec<Line<'static>> {
    let (mark, token, shown) = state::field_value(theme, field, room);
    let name = fit(&safe(field.name()), column);
    let parts = state::field_lines(theme, mark, token, &name, &shown);
    let line = |(part, line): (usize, Line<'static>)| {
        let cursor = if is_here && part == 0 {
            theme.glyph(Glyph::Cursor)
        } else {
            " "
        };
        let mut spans = vec![Span::raw(cursor)];
        spans.extend(line.spans);
        if part == 0 && set_by_cells > 0 {
            let used: usize = spans.iter().map(|span| width(&span.content)).sum();
            let fill = cells.saturating_sub(set_by_cells + used);
            spans.push(Span::raw(" ".repeat(fill)));
            let text = fit(set_by, set_by_cells);
            spans.push(Span::styled(text, theme.style(Token::Muted)));
        }
        let line = Line::from(spans);
        if is_here {
            line.patch_style(theme.style(Token::Selected))
        } else {
            line
        }
    };
    parts.into_iter().enumerate().map(line).collect()
}

/// What set a field: its revision and who. What was removed was so by the event at the cursor.
fn setter(theme: Theme, stream: &StreamScreen, field: &Field<'_>) -> String {
    let revision = stream.revision();
    if field.is_removed() {
        let actor = stream.step().and_then(|step| step.event.actor.as_deref());
        return format!("rev {revision}  {}", safe(actor.unwrap_or_default()));
    }
    let Some(blame) = stream.blames.get(&revision) else {
        let failed = stream.blame_failure.as_ref();
        let is_failed = failed.is_some_and(|(at, _)| *at == revision);
        return if is_failed { "not known" } else { "…" }.to_owned();
    };
    let Some(found) = set_by(blame, &field.path) else {
        return String::new();
    };
    let actor = found
        .event
        .as_ref()
        .and_then(|event| event.actor.as_deref());
    // Attempts to change it since, that were refused, stand before who set it: the end may be cut.
    let refused = match found.refused.total {
        0 => String::new(),
        n => format!("{n}{} ", theme.glyph(Glyph::Rejected)),
    };
    match found.revision.0 {
        0 => format!("at the start {refused}").trim_end().to_owned(),
        n => format!("rev {n}  {refused}{}", safe(actor.unwrap_or_default()))
            .trim_end()
            .to_owned(),
    }
}
