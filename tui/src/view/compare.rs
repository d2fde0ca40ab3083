//! The comparison of two worlds: the answer, the commands that ended otherwise, the streams that differ.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::Value;
use whodunit_core::api::branch::{BranchCompareOut, BranchFlip, BranchStream, WorldOutcome};
use whodunit_core::branch::LOG;
use whodunit_core::diff::DiffEntry;

use super::{awaited, centred, failure, first_row, list_line, state, warning_lines};
use crate::model::compare::{CompareScreen, Row};
use crate::model::hits::Part;
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{counted, cut, number, safe, wrap_to};
use crate::theme::{Glyph, Theme, Token};

/// Fields of a stream that are put into its row at most.
const FIELDS_MAX: usize = 20;

/// What differs, in a sentence with its counts.
pub(super) fn answer(found: &BranchCompareOut<BranchStream>) -> String {
    format!("{} ({})", found.answer, counted(found.flips_total, "flip"))
}

pub(super) fn draw(app: &App, screen: &CompareScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let cells = usize::from(area.width);
    let head = head(app, screen, cells);
    let rows = u16::try_from(head.len()).unwrap_or(u16::MAX);
    let [top, body] = Layout::vertical([Constraint::Length(rows), Constraint::Min(1)]).areas(area);
    frame.render_widget(Paragraph::new(head), top);
    match &screen.found {
        Remote::Failed(why) => return failure(app, frame, body, why),
        Remote::Absent | Remote::Loading(None) => {
            let is_asked = screen.asked.has(Slot::CompareBranch);
            return awaited(app, frame, body, "what differs", is_asked);
        }
        Remote::Ready(_) | Remote::Loading(Some(_)) => {}
    }
    let rows = screen.rows();
    if rows.is_empty() {
        let text = "the two worlds are the same".to_owned();
        return centred(frame, body, &[(text, theme.style(Token::Heading))]);
    }
    let height = usize::from(body.height);
    let first = first_row(screen.selected, rows.len(), height);
    app.hits.rows(body, Part::List, first, rows.len());
    let room = cells.saturating_sub(3);
    let shown = rows.iter().enumerate().skip(first).take(height);
    let lines: Vec<Line<'_>> = shown
        .map(|(index, row)| {
            let line = match row {
                Row::Flip(flip) => flip_line(theme, flip, room),
                Row::Stream(stream) => stream_line(theme, stream, room),
            };
            list_line(theme, line, index == screen.selected)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), body);
}

fn head(app: &App, screen: &CompareScreen, cells: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let with = screen.with.as_deref().filter(|with| *with != LOG);
    let with = with.map_or_else(
        || "what happened".to_owned(),
        |with| format!("the branch {}", safe(with)),
    );
    let what = format!(" from {with} to the branch {}", safe(&screen.name));
    let mut lines = vec![Line::styled(cut(&what, cells), theme.style(Token::Heading))];
    let Some(found) = screen.found.value() else {
        return lines;
    };
    let room = cells.saturating_sub(2);
    let answer = safe(&answer(found)).into_owned();
    let wrapped = wrap_to(&answer, room, 3).into_iter();
    lines.extend(wrapped.map(|line| Line::styled(format!(" {line}"), theme.style(Token::Changed))));
    let (flips, streams) = (found.flips.len() as u64, found.streams.len() as u64);
    if flips < found.flips_total {
        let text = format!(
            " ! the first {} of {} are listed",
            number(flips),
            counted(found.flips_total, "command")
        );
        lines.push(Line::styled(cut(&text, cells), theme.style(Token::Warn)));
    }
    if streams < found.streams_total {
        let text = format!(
            " {} of {} are loaded",
            number(streams),
            counted(found.streams_total, "stream")
        );
        lines.push(Line::styled(cut(&text, cells), theme.style(Token::Muted)));
    }
    let warnings = found
        .with_branch
        .as_ref()
        .map_or(&[][..], |read| &read.warnings);
    lines.extend(warning_lines(theme, warnings, room));
    lines
}

fn flip_line(theme: Theme, flip: &BranchFlip, cells: usize) -> Line<'static> {
    let by = flip.actor.as_deref();
    let by = by.map_or_else(String::new, |actor| format!(" by {}", safe(actor)));
    let arrow = if theme.ascii { "->" } else { "→" };
    let text = format!(
        "{}{by}: {} {arrow} {}  {}",
        safe(&flip.command_type),
        outcome(&flip.from),
        outcome(&flip.to),
        safe(flip.stream.as_str())
    );
    let token = match flip.to.outcome.as_str() {
        "accepted" => Token::Added,
        "rejected" => Token::Rejected,
        _ => Token::Removed,
    };
    Line::from(vec![
        Span::styled(format!("{} ", theme.glyph(Glyph::Flip)), theme.style(token)),
        Span::raw(cut(&text, cells.saturating_sub(2))),
    ])
}

fn outcome(of: &WorldOutcome) -> String {
    match (of.outcome.as_str(), &of.rule) {
        (_, Some(rule)) => format!("refused ({})", safe(rule)),
        ("absent", None) => "never came".to_owned(),
        (word, None) => safe(word).into_owned(),
    }
}

fn stream_line(theme: Theme, stream: &BranchStream, cells: usize) -> Line<'static> {
    let arrow = if theme.ascii { "->" } else { "→" };
    let first = stream.first_divergence;
    let first = first.map_or_else(String::new, |first| format!(" from rev {first} on"));
    let name = format!(
        "{}  rev {} {arrow} {}{first}",
        safe(stream.stream.as_str()),
        stream.from_revision,
        stream.to_revision
    );
    let said = differences(theme, &stream.diff);
    let text = format!("{name} · {said}");
    Line::from(vec![
        Span::styled("~ ".to_owned(), theme.style(Token::Changed)),
        Span::raw(cut(&text, cells.saturating_sub(2))),
    ])
}

/// What differs at the end, in one line.
fn differences(theme: Theme, diff: &[DiffEntry]) -> String {
    if diff.is_empty() {
        return "the same state, reached by other events".to_owned();
    }
    let arrow = if theme.ascii { "->" } else { "→" };
    let text = |value: &Option<Value>| {
        let value = value.as_ref();
        value.map_or_else(|| "(none)".to_owned(), |value| cut(&state::text(value), 30))
    };
    let parts = diff.iter().take(FIELDS_MAX).map(|entry| {
        let path = entry.label.as_deref().unwrap_or(&entry.path);
        let name = safe(path.trim_start_matches('/')).into_owned();
        format!(
            "{name} {} {arrow} {}",
            text(&entry.before),
            text(&entry.after)
        )
    });
    parts.collect::<Vec<_>>().join(" · ")
}
