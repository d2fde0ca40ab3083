//! The branches screen: what is kept under a name, and what the selected branch says and comes to.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::api::branch::{BranchLine, BranchOut, LogStanding};
use whodunit_core::api::what_if::Action;
use whodunit_core::branch::{Branch, Layer};

use super::columns::{Cell, Column, Columns, WHOLE, cell, column};
use super::{
    awaited, centred, compare, failure, first_row, indented, list_line, rule, warning_lines,
};
use crate::model::branches::BranchesScreen;
use crate::model::hits::Part;
use crate::model::what_if::edit_words;
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{clause, counted, cut, number, safe, wrap};
use crate::theme::Token;
use crate::times::Pattern;

/// Rows that the selected branch gets at least.
const DETAIL_LEAST: usize = 7;

const COLUMNS: [Column; 7] = [
    column("BRANCH", 12, 0),
    column("ABOUT", 12, 1),
    column("CHANGES", 2, 2).right(),
    column("BUILT ON", 8, 4),
    column("LOG", 7, 0),
    column("CHANGED", WHOLE, 3),
    column("WHO", 8, 5),
];

pub(super) fn draw(app: &App, screen: &BranchesScreen, frame: &mut Frame<'_>, area: Rect) {
    let page = match &screen.list {
        Remote::Failed(why) => return failure(app, frame, area, why),
        Remote::Absent | Remote::Loading(None) => {
            let is_asked = screen.asked.has(Slot::Branches);
            return awaited(app, frame, area, "the branches", is_asked);
        }
        Remote::Ready(page) | Remote::Loading(Some(page)) => page,
    };
    let theme = app.theme;
    let cells = usize::from(area.width);
    let mut head = vec![Line::styled(
        cut(&said(page.items.len(), page.branches), cells),
        theme.style(Token::Heading),
    )];
    if page.unreadable > 0 {
        let lines = counted(page.unreadable, "line");
        let text =
            format!(" ! {lines} of their file are damaged: the branches there are not listed");
        head.push(Line::styled(cut(&text, cells), theme.style(Token::Warn)));
    }
    if page.items.is_empty() {
        frame.render_widget(Paragraph::new(head), area);
        let muted = theme.style(Token::Muted);
        let lines = [
            (
                "there are no branches".to_owned(),
                theme.style(Token::Heading),
            ),
            (
                "B on the what-if screen saves it as a branch, which reads like the log".to_owned(),
                muted,
            ),
        ];
        return centred(frame, area, &lines);
    }
    let height = usize::from(area.height).saturating_sub(head.len());
    let detail = height
        .saturating_sub(page.items.len() + 2)
        .max((height / 2).max(DETAIL_LEAST));
    let length = |n: usize| Constraint::Length(u16::try_from(n).unwrap_or(u16::MAX));
    let [top, list, below] =
        Layout::vertical([length(head.len()), Constraint::Min(3), length(detail)]).areas(area);
    frame.render_widget(Paragraph::new(head), top);
    draw_list(app, screen, frame, list);
    draw_detail(app, screen, frame, below);
}

fn said(shown: usize, all: u64) -> String {
    let shown = shown as u64;
    let more = if shown < all {
        format!(", the first {} are listed", number(shown))
    } else {
        String::new()
    };
    let all = clause(all, "branch", "is");
    format!(" {all} kept{more}: what would have happened, never written to the log")
}

fn draw_list(app: &App, screen: &BranchesScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let height = usize::from(body.height);
    let lines = screen.lines();
    let first = first_row(screen.selected, lines.len(), height);
    app.hits.rows(body, Part::List, first, lines.len());
    let shown = lines.get(first..).unwrap_or_default();
    let shown = shown.get(..height).unwrap_or(shown);
    let pattern = app
        .zone
        .pattern(shown.iter().map(|line| line.changed_at), app.now);
    let rows: Vec<[Cell; 7]> = shown.iter().map(|line| row(app, line, pattern)).collect();
    let columns = Columns::of(COLUMNS, &rows, usize::from(area.width).saturating_sub(3));
    frame.render_widget(indented(columns.heading(theme), "  "), head);
    let lines: Vec<Line<'_>> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| list_line(theme, columns.line(row), first + index == screen.selected))
        .collect();
    frame.render_widget(Paragraph::new(lines), body);
}

fn row(app: &App, line: &BranchLine, pattern: Pattern) -> [Cell; 7] {
    let theme = app.theme;
    let plain = Style::new();
    let (log, token) = match line.log_standing {
        LogStanding::Same => ("same", Token::Plain),
        LogStanding::Grown => ("grown", Token::Plain),
        LogStanding::Other => ("another", Token::Error),
    };
    let on = line.on.as_ref().map_or("", |on| &on.name);
    let actor = safe(line.actor.as_deref().unwrap_or_default()).into_owned();
    [
        cell(safe(&line.name), plain),
        cell(safe(line.stream.as_str()), plain),
        cell(number(line.edits + line.actions), plain),
        cell(safe(on), plain),
        cell(log, theme.style(token)),
        cell(app.zone.show(line.changed_at, pattern), plain),
        cell(actor.clone(), theme.actor(&actor)),
    ]
}

/// The selected branch: what it comes to, what it supposes, and the log under it.
fn draw_detail(app: &App, screen: &BranchesScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let Some(line) = screen.current() else {
        return;
    };
    let heading = safe(&line.name).into_owned();
    let place = format!("{} of {}", screen.selected + 1, screen.lines().len());
    let top = Rect::new(area.x, area.y, area.width, area.height.min(1));
    frame.render_widget(rule(theme, usize::from(area.width), &heading, &place), top);
    let inner = Rect::new(
        area.x + 2,
        area.y + 1,
        area.width.saturating_sub(3),
        area.height.saturating_sub(1),
    );
    let cells = usize::from(inner.width).max(1);
    let mut lines = Vec::new();
    let mut add = |text: &str, token: Token| {
        let wrapped = wrap(&safe(text), cells).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(line, theme.style(token))));
    };
    if line.log_standing == LogStanding::Other {
        let name = &line.name;
        add(
            "! it was made on another log, or on another history of this one: it cannot be read here",
            Token::Error,
        );
        add(
            &format!("A, or `whodunit branch adopt {name}`, accepts it anyway"),
            Token::Muted,
        );
    } else {
        match &screen.compared {
            Remote::Ready(found) | Remote::Loading(Some(found)) => {
                add(&compare::answer(found), Token::Changed);
            }
            Remote::Failed(why) => add(&format!("! {}", why.message), Token::Error),
            Remote::Loading(None) => add("outcome: deciding again …", Token::Muted),
            Remote::Absent => add("the outcome is not loaded; r loads it", Token::Muted),
        }
    }
    match &screen.branch {
        Remote::Failed(why) => add(&format!("! {}", why.message), Token::Error),
        Remote::Ready(out) | Remote::Loading(Some(out)) => {
            for (text, token) in about(app, out) {
                add(&text, token);
            }
        }
        Remote::Absent | Remote::Loading(None) => add("its changes: loading …", Token::Muted),
    }
    if let Some(out) = screen.branch.value() {
        // Said above already, in a sentence.
        let others = out.warnings.iter();
        let others = others.filter(|_| line.log_standing != LogStanding::Other);
        lines.extend(warning_lines(theme, others, cells));
    }
    let height = usize::from(inner.height);
    if lines.len() > height && height > 0 {
        let more = lines.len() - height + 1;
        lines.truncate(height - 1);
        let text = format!(
            "{} more: Enter opens it in the lab",
            counted(more as u64, "line")
        );
        lines.push(Line::styled(cut(&text, cells), theme.style(Token::Accent)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn about(app: &App, out: &BranchOut) -> Vec<(String, Token)> {
    let branch = &out.branch;
    let mut texts: Vec<(String, Token)> = Vec::new();
    if let Some(note) = &branch.note {
        texts.push((format!("\"{note}\""), Token::Plain));
    }
    for layer in &branch.layers {
        for said in supposed(layer) {
            texts.push((format!("what if {said}? ({})", layer.stream), Token::Plain));
        }
    }
    texts.push((made(app, branch), Token::Muted));
    let position = number(branch.log.position.0);
    let log = match out.log_standing {
        LogStanding::Same => format!("the log has not grown since: it ends at position {position}"),
        LogStanding::Grown => format!(
            "the log ended at position {position} then; the branch also covers what came after"
        ),
        LogStanding::Other => format!("its log ended at position {position}"),
    };
    texts.push((log, Token::Muted));
    texts
}

fn made(app: &App, branch: &Branch) -> String {
    let by = branch.actor.as_deref();
    let by = by.map_or_else(String::new, |actor| format!(" by {actor}"));
    let on = branch.on.as_ref();
    let on = on.map_or_else(String::new, |on| {
        format!(", built on {} (revision {})", on.name, on.revision)
    });
    format!("made {}{by}{on}", app.zone.long(branch.created_at))
}

fn supposed(layer: &Layer) -> Vec<String> {
    let edits = layer.edits.iter().map(edit_words);
    let actions = layer.actions.iter().map(|action| {
        let what = match action {
            Action::Command(command) => &command.command_type,
            Action::Event(event) => &event.event_type,
        };
        match layer.base.before_decision {
            Some(decision) => format!("{what} had come before the command of decision {decision}"),
            None => format!("{what} had come after revision {}", layer.base.revision),
        }
    });
    edits.chain(actions).collect()
}
