//! The world screen: the condition, how far the search is, the streams with their states, and the selected one in full.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::{Map, Value};
use whodunit_core::api::world::{WorldChange, WorldChangeKind};
use whodunit_core::diff::DiffEntry;

use super::columns::{Cell, Column, Columns, WHOLE, cell, column};
use super::overlay::typed;
use super::{
    awaited, centred, failure, first_row, indented, list_line, rule, state, warning_lines,
};
use crate::model::fields::leaves;
use crate::model::hits::Part;
use crate::model::world::{Item, ROWS_MAX, World, WorldScreen};
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{counted, cut, fit, number, safe, width};
use crate::theme::{Glyph, Theme, Token};
use crate::times::Pattern;

/// Rows of the selected stream at least.
const DETAIL_LEAST: usize = 6;
/// Fields of a state that are put into its row at most.
const FIELDS_MAX: usize = 40;

const COLUMNS: [Column; 4] = [
    column("STREAM", 14, 0),
    column("REV", 3, 3).right(),
    column("LAST CHANGE", WHOLE, 2),
    column("STATE", 20, 1),
];
const COLUMNS_OF_TWO: [Column; 4] = [
    column("STREAM", 14, 0),
    column("REV", 3, 3).right(),
    column("", 7, 2),
    column("BEFORE → AFTER", 20, 1),
];

pub(super) fn draw(app: &App, screen: &WorldScreen, frame: &mut Frame<'_>, area: Rect) {
    let cells = usize::from(area.width);
    let completes = screen.error.is_none() && screen.completion.is_some();
    let rows = 1 + u16::from(screen.error.is_some()) * 2 + u16::from(completes);
    let [condition, moment, body] = Layout::vertical([
        Constraint::Length(rows),
        Constraint::Length(1),
        Constraint::Min(1),
    ])
    .areas(area);
    draw_condition(app, screen, frame, condition);
    let said = Line::styled(
        cut(&said(app, screen), cells),
        app.theme.style(Token::Heading),
    );
    frame.render_widget(said, moment);
    let world = match &screen.world {
        Remote::Failed(why) => return failure(app, frame, body, why),
        Remote::Absent | Remote::Loading(None) => {
            let is_asked = screen.asked.has(Slot::World) || screen.asked.has(Slot::WorldDiff);
            return awaited(app, frame, body, "the states", is_asked);
        }
        Remote::Ready(world) | Remote::Loading(Some(world)) => world,
    };
    let notes = notes(app, world, cells);
    if world.items.is_empty() {
        return none(app, screen, frame, body, &notes);
    }
    let height = usize::from(body.height).saturating_sub(notes.len());
    let detail = height
        .saturating_sub(world.items.len() + 2)
        .max((height / 3).max(DETAIL_LEAST));
    let length = |n: usize| Constraint::Length(u16::try_from(n).unwrap_or(u16::MAX));
    let [warned, list, below] =
        Layout::vertical([length(notes.len()), Constraint::Min(3), length(detail)]).areas(body);
    frame.render_widget(Paragraph::new(notes), warned);
    draw_list(app, screen, frame, list);
    draw_detail(app, screen, frame, below);
}

fn draw_condition(app: &App, screen: &WorldScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let cells = usize::from(area.width);
    let text = if screen.typing {
        screen.condition.value()
    } else {
        &screen.applied
    };
    let whole = progress(screen);
    // How far it is gives way to the condition, once everything was looked at.
    let is_whole = screen
        .world
        .value()
        .is_some_and(|world| world.next.is_none());
    let fits = width(&safe(text)) + width(&whole) + 5 <= cells;
    let right = match whole.split_once(" · ") {
        Some((found, _)) if is_whole && !fits => found.to_owned(),
        _ => whole,
    };
    let room = cells.saturating_sub(width(&right) + 4);
    let mut spans = vec![Span::styled(" / ", theme.style(Token::Key))];
    if screen.typing {
        let shown = typed(theme, &screen.condition, room, false);
        let used: usize = shown.iter().map(|span| width(&span.content)).sum();
        spans.extend(shown);
        spans.push(Span::raw(" ".repeat(room.saturating_sub(used))));
    } else if screen.applied.is_empty() {
        let text = "every state; / keeps those for which a condition holds";
        spans.push(Span::styled(fit(text, room), theme.style(Token::Muted)));
    } else {
        spans.push(Span::raw(fit(&safe(&screen.applied), room)));
    }
    spans.push(Span::styled(format!(" {right}"), theme.style(Token::Muted)));
    let mut lines = vec![Line::from(spans)];
    if let Some(error) = &screen.error {
        let style = theme.style(Token::Error);
        let column = error.column.saturating_sub(1);
        let before: String = screen.condition.value().chars().take(column).collect();
        let caret = format!("   {}^", " ".repeat(width(&safe(&before))));
        lines.push(Line::styled(cut(&caret, cells), style));
        let text = format!("   at column {}: {}", error.column, safe(&error.message));
        lines.push(Line::styled(cut(&text, cells), style));
    } else if let Some(completion) = &screen.completion {
        lines.push(super::line::names(app, completion, cells));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// How many streams there are, of how many that were looked at.
fn progress(screen: &WorldScreen) -> String {
    let Some(world) = screen.world.value() else {
        return String::new();
    };
    let more = if world.next.is_some() { "+" } else { "" };
    let found = counted(world.items.len() as u64, "stream");
    format!(
        "{} · checked {} of {} ",
        found.replacen(' ', &format!("{more} "), 1),
        number(world.looked_at),
        number(world.total)
    )
}

/// What one sees, in a sentence.
fn said(app: &App, screen: &WorldScreen) -> String {
    let whose = match &screen.category {
        Some(category) => format!("every {}", safe(category)),
        None => "every stream".to_owned(),
    };
    let moment = |at: Option<_>| at.map_or_else(|| "now".to_owned(), |at| app.zone.long(at));
    match screen.from {
        Some(from) => format!(
            " what differs for {whose} between {} and {}",
            app.zone.long(from),
            moment(screen.at)
        ),
        None if screen.at.is_some() => format!(" {whose} as it was on {}", moment(screen.at)),
        None => format!(" {whose} as it is now"),
    }
}

/// What was left out, and why.
fn notes(app: &App, world: &World, cells: usize) -> Vec<Line<'static>> {
    let mut texts = Vec::new();
    if world.not_yet > 0 {
        texts.push(format!(
            "{} had no event yet then",
            counted(world.not_yet, "stream")
        ));
    }
    if world.same_state > 0 {
        let same = counted(world.same_state, "stream");
        texts.push(format!("{same} had events between and the same state"));
    }
    if world.undefined > 0 {
        let why = world.undefined_why.as_deref().unwrap_or_default();
        texts.push(format!(
            "the condition could not be evaluated for {}: {why}",
            counted(world.undefined, "state")
        ));
    }
    if let Some(first) = world.failed.first() {
        texts.push(format!(
            "{} could not be checked, such as {}: {}",
            counted(world.failed_total, "stream"),
            first.stream,
            first.detail
        ));
    }
    if world.items.len() >= ROWS_MAX {
        texts.push(format!("the first {} are listed", number(ROWS_MAX as u64)));
    }
    let warn = app.theme.style(Token::Warn);
    let mut lines: Vec<Line<'static>> = texts
        .into_iter()
        .map(|text| Line::styled(cut(&format!(" ! {}", safe(&text)), cells), warn))
        .collect();
    lines.extend(warning_lines(app.theme, &world.warnings, cells));
    lines
}

fn none(
    app: &App,
    screen: &WorldScreen,
    frame: &mut Frame<'_>,
    area: Rect,
    notes: &[Line<'static>],
) {
    let theme = app.theme;
    if !screen.asked.is_empty() {
        return awaited(app, frame, area, "the states: none so far", true);
    }
    let text = match (screen.compares(), screen.applied.is_empty()) {
        (true, true) => "no stream differs between the two moments",
        (true, false) => "no stream differs for which the condition holds at one of the moments",
        (false, true) => "there was no stream at this moment",
        (false, false) => "the condition holds for no stream at this moment",
    };
    let mut lines = vec![(text.to_owned(), theme.style(Token::Heading))];
    lines.extend(
        notes
            .iter()
            .map(|note| (note.to_string().trim().to_owned(), theme.style(Token::Warn))),
    );
    let next = "/ changes the condition, t the moment, c the category";
    lines.push((next.to_owned(), theme.style(Token::Muted)));
    centred(frame, area, &lines);
}

fn draw_list(app: &App, screen: &WorldScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let height = usize::from(body.height);
    let items = screen.items();
    let first = first_row(screen.selected, items.len(), height);
    app.hits.rows(body, Part::List, first, items.len());
    let shown = items.get(first..).unwrap_or_default();
    let shown = shown.get(..height).unwrap_or(shown);
    let times = shown.iter().filter_map(|item| match item {
        Item::State(item) => Some(item.recorded_at),
        Item::Change(_) => None,
    });
    let pattern = app.zone.pattern(times, app.now);
    let rows: Vec<[Cell; 4]> = shown.iter().map(|item| row(app, item, pattern)).collect();
    let cells = usize::from(area.width).saturating_sub(3);
    let of = if screen.compares() {
        COLUMNS_OF_TWO
    } else {
        COLUMNS
    };
    let columns = Columns::of(of, &rows, cells);
    frame.render_widget(indented(columns.heading(theme), "  "), head);
    let lines: Vec<Line<'_>> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| list_line(theme, columns.line(row), first + index == screen.selected))
        .collect();
    frame.render_widget(Paragraph::new(lines), body);
}

fn row(app: &App, item: &Item, pattern: Pattern) -> [Cell; 4] {
    let theme = app.theme;
    let plain = Style::new();
    match item {
        Item::State(item) => {
            let later = item.head_revision.0 > item.revision.0;
            let revision = if later {
                format!("{}/{}", item.revision, item.head_revision)
            } else {
                item.revision.to_string()
            };
            [
                cell(safe(item.stream.as_str()), plain),
                cell(revision, plain),
                cell(app.zone.show(item.recorded_at, pattern), plain),
                cell(in_one_line(&item.state), plain),
            ]
        }
        Item::Change(change) => {
            let (mark, token) = kind(theme, change.change);
            let arrow = if theme.ascii { "->" } else { "→" };
            [
                cell(safe(change.stream.as_str()), plain),
                cell(format!("{}{arrow}{}", change.from, change.to), plain),
                cell(mark, theme.style(token)),
                cell(changes_in_one_line(theme, change), theme.style(token)),
            ]
        }
    }
}

fn kind(theme: Theme, kind: WorldChangeKind) -> (String, Token) {
    match kind {
        WorldChangeKind::Appeared => ("+ new".to_owned(), Token::Added),
        WorldChangeKind::Disappeared => {
            let mark = theme.glyph(Glyph::Rejected);
            (format!("{mark} not yet"), Token::Rejected)
        }
        WorldChangeKind::Changed => ("~".to_owned(), Token::Changed),
    }
}

/// A state as `username sarah · status active`.
fn in_one_line(of: &Map<String, Value>) -> String {
    let fields = leaves(of);
    let parts = fields.rows.iter().take(FIELDS_MAX).map(|field| {
        let value = field.value.map(state::text).unwrap_or_default();
        format!("{} {}", safe(field.name()), cut(&value, 40))
    });
    let shown = parts.collect::<Vec<_>>().join(" · ");
    if shown.is_empty() {
        "(the state is empty)".to_owned()
    } else {
        shown
    }
}

/// What became of a stream, the most telling field first.
fn changes_in_one_line(theme: Theme, change: &WorldChange) -> String {
    let is_clockwork = |entry: &&DiffEntry| entry.path.ends_with("_at");
    let (last, first): (Vec<_>, Vec<_>) = change.diff.iter().partition(is_clockwork);
    let parts = first.into_iter().chain(last).take(FIELDS_MAX);
    let parts = parts.map(|entry| {
        let path = entry.label.as_deref().unwrap_or(&entry.path);
        let name = safe(path.trim_start_matches('/')).into_owned();
        let text = |value: &Option<Value>| value.as_ref().map(|v| cut(&state::text(v), 40));
        match (text(&entry.before), text(&entry.after)) {
            (Some(before), Some(after)) => {
                let arrow = if theme.ascii { "->" } else { "→" };
                format!("{name} {before} {arrow} {after}")
            }
            (None, Some(after)) => format!("{name} {after}"),
            (Some(before), None) => format!("- {name} {before}"),
            (None, None) => name,
        }
    });
    parts.collect::<Vec<_>>().join(" · ")
}

/// The selected stream in full.
fn draw_detail(app: &App, screen: &WorldScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let Some(item) = screen.current() else {
        return;
    };
    let heading = format!("{} rev {}", safe(item.stream().as_str()), item.revision());
    let place = format!("{} of {}", screen.selected + 1, screen.items().len());
    let top = Rect::new(area.x, area.y, area.width, area.height.min(1));
    frame.render_widget(rule(theme, usize::from(area.width), &heading, &place), top);
    let inner = Rect::new(
        area.x + 2,
        area.y + 1,
        area.width.saturating_sub(3),
        area.height.saturating_sub(1),
    );
    let cells = usize::from(inner.width);
    let mut lines = match item {
        Item::State(item) => {
            let mut lines = warning_lines(theme, &item.warnings, cells);
            let later = item.head_revision.0.saturating_sub(item.revision.0);
            if later > 0 {
                let text = format!("{} happened after this moment", counted(later, "event"));
                lines.push(Line::styled(text, theme.style(Token::Warn)));
            }
            lines.extend(state::lines(theme, &item.state, &[], cells));
            lines
        }
        Item::Change(change) => {
            let mut lines = warning_lines(theme, &change.warnings, cells);
            lines.extend(state::differences(theme, &change.diff, cells));
            lines
        }
    };
    let height = usize::from(inner.height);
    if lines.len() > height && height > 0 {
        let more = lines.len() - height + 1;
        lines.truncate(height - 1);
        let glyph = theme.glyph(Glyph::Waiting);
        let text = format!("{glyph} {more} more: v shows all of it");
        lines.push(Line::styled(text, theme.style(Token::Accent)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
