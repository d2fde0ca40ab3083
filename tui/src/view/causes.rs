//! The causes screen: a row for each command, event and job, set in below what led to it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::causes::{CauseJob, CauseKind, CauseNode, CauseOutcome};
use whodunit_core::api::pipeline::JobStatus;

use super::columns::{Cell, Column, Columns, WHOLE, cell, column};
use super::sentence::{refused, story};
use super::{awaited, centred, failure, first_row, indented, list_line, rule, warning_lines};
use crate::client::Subject;
use crate::model::causes::{Causes, CausesScreen, NODES_MAX, Of, Row, is_event};
use crate::model::hits::Part;
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{counted, cut, number, safe, wrap_to};
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

/// Levels that are set in; deeper ones stand below each other.
const LEVELS_MAX: u64 = 12;
/// Lines that a sentence at the top takes at most.
const HEAD_LINES: usize = 2;
/// Rows of the selected node at least.
const DETAIL_LEAST: usize = 6;

/// The reason is lost first, then who, then when; never what it is and where.
const COLUMNS: [Column; 5] = [
    column("WHAT LED TO WHAT", 20, 0),
    column("STREAM", 14, 0),
    column("WHEN", WHOLE, 2),
    column("WHO", 8, 3),
    column("WHY / ANSWER", 10, 4),
];

pub(super) fn draw(app: &App, screen: &CausesScreen, frame: &mut Frame<'_>, area: Rect) {
    let found = match &screen.found {
        Remote::Failed(why) => return failure(app, frame, area, why),
        Remote::Absent | Remote::Loading(None) => {
            let slots = [Slot::Causes, Slot::Correlation];
            let is_asked = slots.into_iter().any(|slot| screen.asked.has(slot));
            return awaited(app, frame, area, "causes and effects", is_asked);
        }
        Remote::Ready(found) | Remote::Loading(Some(found)) => found,
    };
    let cells = usize::from(area.width);
    if found.nodes.is_empty() {
        let muted = app.theme.style(Token::Muted);
        return centred(frame, area, &[("nothing is on record".to_owned(), muted)]);
    }
    let head = head(app, screen, found, cells);
    let rows = screen.rows();
    let height = usize::from(area.height).saturating_sub(head.len());
    let detail = height
        .saturating_sub(rows.len() + 2)
        .max((height / 3).max(DETAIL_LEAST));
    let length = |n: usize| Constraint::Length(u16::try_from(n).unwrap_or(u16::MAX));
    let [said, list, below] =
        Layout::vertical([length(head.len()), Constraint::Min(3), length(detail)]).areas(area);
    frame.render_widget(Paragraph::new(head), said);
    draw_tree(app, screen, &rows, frame, list);
    draw_detail(app, screen, frame, below);
}

/// One sentence that says what one sees, and what is to be known about it.
fn head(app: &App, screen: &CausesScreen, found: &Causes, cells: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let what = match &screen.of {
        Of::One(_) => {
            let events = found.nodes.iter().filter(|node| is_event(node)).count() as u64;
            let commands = found.nodes.len() as u64 - events;
            let root = found
                .nodes
                .first()
                .map(|node| safe(&node.kind_of).into_owned());
            format!(
                " from the first cause, {}, to its last effect: {}",
                root.unwrap_or_default(),
                shares(events, commands, found)
            )
        }
        Of::Correlation(id) => format!(
            " correlation {}: {} in {}, {} refused",
            safe(id),
            counted(found.total, "record"),
            counted(found.streams, "stream"),
            number(found.refused),
        ),
    };
    let wrapped = |text: &str, token: Token| {
        let lines = wrap_to(text.trim_start(), cells.saturating_sub(2), HEAD_LINES).into_iter();
        lines.map(move |line| Line::styled(format!(" {line}"), theme.style(token)))
    };
    let mut lines: Vec<Line<'static>> = wrapped(&what, Token::Heading).collect();
    let warn =
        |text: String| Line::styled(cut(&format!(" ! {text}"), cells), theme.style(Token::Warn));
    if let Some(above) = &found.above {
        lines.extend(wrapped(&format!("! {}", safe(above)), Token::Warn));
    }
    if found.findings_total > 0 {
        let total = counted(found.findings_total, "thing");
        lines.push(warn(format!(
            "{total} wrong with it: n goes to the next one"
        )));
    }
    if found.cut {
        lines.push(warn(
            "not everything was followed: follow a node to see more".to_owned(),
        ));
    }
    if found.nodes.len() >= NODES_MAX {
        let total = number(found.total);
        lines.push(warn(format!(
            "the first {} of {total} are listed",
            number(NODES_MAX as u64)
        )));
    }
    lines.extend(warning_lines(theme, &found.warnings, cells));
    lines
}

fn shares(events: u64, commands: u64, found: &Causes) -> String {
    let loaded = format!(
        "{}, {}",
        counted(events, "event"),
        counted(commands, "command")
    );
    if found.next.is_some() {
        format!("{} so far, {loaded}", number(found.total))
    } else {
        loaded
    }
}

fn draw_tree(app: &App, screen: &CausesScreen, rows: &[Row], frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let height = usize::from(body.height);
    let first = first_row(screen.selected, rows.len(), height);
    app.hits.rows(body, Part::List, first, rows.len());
    let shown = rows.get(first..).unwrap_or_default();
    let shown = shown.get(..height).unwrap_or(shown);
    let times = shown.iter().filter_map(|row| screen.node(*row));
    let pattern = app.zone.pattern(times.map(|node| node.at), app.now);
    let cells_of: Vec<[Cell; 5]> = shown
        .iter()
        .map(|row| row_cells(app, screen, *row, pattern))
        .collect();
    let cells = usize::from(area.width).saturating_sub(3);
    let columns = Columns::of(COLUMNS, &cells_of, cells);
    frame.render_widget(indented(columns.heading(theme), "  "), head);
    let lines: Vec<Line<'_>> = cells_of
        .iter()
        .enumerate()
        .map(|(index, row)| list_line(theme, columns.line(row), first + index == screen.selected))
        .collect();
    frame.render_widget(Paragraph::new(lines), body);
}

fn row_cells(app: &App, screen: &CausesScreen, row: Row, pattern: Pattern) -> [Cell; 5] {
    let theme = app.theme;
    let plain = Style::new();
    let Some(node) = screen.node(row) else {
        return Default::default();
    };
    let indent = |depth: u64| "  ".repeat(usize::try_from(depth.min(LEVELS_MAX)).unwrap_or(0));
    if let Some(job) = screen.job(row) {
        return job_cells(app, &indent(node.depth + 1), job);
    }
    let arrow = if theme.ascii { ">" } else { "→" };
    let (mark, token) = match (node.kind, node.outcome) {
        (CauseKind::Event, _) => (theme.glyph(Glyph::Live), Token::Plain),
        (CauseKind::Command, Some(CauseOutcome::Rejected)) => {
            (theme.glyph(Glyph::Rejected), Token::Rejected)
        }
        (CauseKind::Command, _) => (arrow, Token::Muted),
    };
    let is_wrong = screen.findings_of(&node.id).next().is_some();
    let flag = if is_wrong { "! " } else { "" };
    let here = if screen.is_asked_about(node) {
        " (this)"
    } else {
        ""
    };
    let deep = if node.depth > LEVELS_MAX {
        format!("{}: ", node.depth)
    } else {
        String::new()
    };
    let hidden = match row {
        Row::Node(index) => screen.hidden(index),
        Row::Job(..) => None,
    };
    let hidden = hidden.map_or_else(String::new, |n| format!("  +{n} hidden"));
    let what = format!(
        "{}{deep}{mark} {flag}{}{here}{hidden}",
        indent(node.depth),
        safe(&node.kind_of)
    );
    let actor = safe(node.actor.as_deref().unwrap_or_default()).into_owned();
    [
        cell(
            what,
            theme.style(if is_wrong { Token::Warn } else { token }),
        ),
        cell(
            format!("{} rev {}", safe(node.stream.as_str()), node.revision),
            plain,
        ),
        cell(app.zone.show(node.at, pattern), plain),
        cell(actor.clone(), theme.actor(&actor)),
        cell(answer(node), theme.style(token)),
    ]
}

/// A handler's work on the event above it.
fn job_cells(app: &App, indent: &str, job: &CauseJob) -> [Cell; 5] {
    let theme = app.theme;
    let plain = Style::new();
    let token = match job.status {
        JobStatus::Failed => Token::Error,
        _ => Token::Muted,
    };
    let state = match &job.last_error {
        Some(error) => format!("{}: {}", job.status.as_str(), safe(error)),
        None => job.status.as_str().to_owned(),
    };
    let what = format!("{indent}job {} {}", job.id, safe(&job.handler));
    [
        cell(what, theme.style(Token::Muted)),
        cell("", plain),
        cell("", plain),
        cell("", plain),
        cell(state, theme.style(token)),
    ]
}

/// Why, or what the rules answered.
fn answer(node: &CauseNode) -> String {
    let reason = node
        .reason
        .as_deref()
        .map(|reason| safe(reason).into_owned());
    match (&node.rule, node.outcome, node.events) {
        (Some(rule), ..) => safe(rule).into_owned(),
        (None, Some(CauseOutcome::Accepted), Some(events)) if reason.is_none() => {
            format!("accepted: {}", counted(u64::from(events), "event"))
        }
        _ => reason.unwrap_or_default(),
    }
}

/// The node under the cursor: its sentence, and what is wrong with it.
fn draw_detail(app: &App, screen: &CausesScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let Some(node) = screen.current() else {
        return;
    };
    let kind = if is_event(node) { "event" } else { "command" };
    let heading = format!(
        "{kind} {}  {} rev {}",
        safe(&node.id),
        safe(node.stream.as_str()),
        node.revision
    );
    let total = screen.found.value().map_or(0, |found| found.total);
    let place = format!(
        "{} of {}",
        screen.selected + 1,
        number(total.max(screen.rows().len() as u64))
    );
    let top = Rect::new(area.x, area.y, area.width, area.height.min(1));
    frame.render_widget(rule(theme, usize::from(area.width), &heading, &place), top);
    let inner = Rect::new(
        area.x + 2,
        area.y + 1,
        area.width.saturating_sub(3),
        area.height.saturating_sub(1),
    );
    let cells = usize::from(inner.width);
    let mut lines = match &screen.whole {
        Remote::Ready(Subject::Event(event)) => story(app, event, None, (cells, 3)),
        Remote::Ready(Subject::Decision(decision)) => refused(app, decision, (cells, 3)),
        Remote::Failed(why) => {
            let text = cut(&safe(&why.message), cells);
            vec![Line::styled(text, theme.style(Token::Error))]
        }
        Remote::Loading(_) => vec![Line::styled("loading …", theme.style(Token::Muted))],
        Remote::Absent => vec![Line::styled(
            "it is not in the log any more",
            theme.style(Token::Muted),
        )],
    };
    let fact = |label: &str, text: &str| {
        Line::from(vec![
            Span::styled(format!("{label} "), theme.style(Token::Muted)),
            Span::raw(cut(&safe(text), cells.saturating_sub(label.len() + 1))),
        ])
    };
    for finding in screen.findings_of(&node.id) {
        let text = cut(&format!("! {}", safe(&finding.detail)), cells);
        lines.push(Line::styled(text, theme.style(Token::Warn)));
    }
    lines.extend(
        node.message
            .as_ref()
            .map(|message| fact("the rule said", message)),
    );
    lines.extend(
        node.correlation_id
            .as_ref()
            .map(|id| fact("correlation", id)),
    );
    lines.extend(node.causation_id.as_ref().map(|id| fact("caused by", id)));
    if node.outside {
        lines.push(fact(
            "outside",
            "an effect that does not carry this correlation id",
        ));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
