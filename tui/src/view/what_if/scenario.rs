//! The scenario: where it starts, its changes, and what becomes of the later history.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::what_if::{Action, Continuation, Edit};

use super::super::pane;
use crate::model::App;
use crate::model::stream::StreamScreen;
use crate::model::what_if::WhatIfScreen;
use crate::text::{cut, fit, safe};
use crate::theme::{Glyph, Token};

pub(super) fn draw(
    app: &App,
    screen: &WhatIfScreen,
    history: Option<&StreamScreen>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let theme = app.theme;
    let block = pane(theme, "scenario", screen.pane == 0);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let cells = usize::from(inner.width);
    let scenario = &screen.scenario;
    let time = history
        .and_then(|stream| stream.steps.get(&scenario.base))
        .map(|step| format!(" · {}", app.zone.short(step.event.recorded_at, app.now)))
        .unwrap_or_default();
    let mut lines = vec![Line::from(vec![
        Span::styled("from   ", theme.style(Token::Muted)),
        Span::styled(
            match scenario.decision {
                None => format!("revision {}{time}", scenario.base),
                Some(sequence) => format!(
                    "just before decision {sequence}, at revision {}",
                    scenario.base
                ),
            },
            theme.style(Token::Accent),
        ),
    ])];
    let supposed = match scenario.password_correct {
        Some(true) => Some("supposed right (p: wrong)"),
        Some(false) => Some("supposed wrong (p: not said)"),
        None => None,
    };
    if let Some(supposed) = supposed {
        let text = format!("current password {supposed}");
        lines.push(Line::styled(cut(&text, cells), theme.style(Token::Warn)));
    }
    let then = match scenario.continuation {
        Continuation::None => "stops here (m re-folds later events)",
        Continuation::Refold => "re-folds later events; no rules run",
        Continuation::Redecide | Continuation::Auto => "asks the rules again about later commands",
    };
    lines.extend(change_lines(app, screen, history, cells));
    if screen.changes() == 0 && inner.height > 3 {
        lines.push(Line::styled("no changes yet:", theme.style(Token::Muted)));
        for hint in [
            "x drops the selected event",
            "e edits its data",
            "a runs a command",
            "E adds a raw event",
        ] {
            lines.push(Line::styled(format!("  {hint}"), theme.style(Token::Muted)));
        }
    }
    // What becomes of the later history stands last, and must not be pushed out by a long list of changes.
    let room = usize::from(inner.height).saturating_sub(1);
    if lines.len() > room {
        let first = (screen.change + 2)
            .saturating_sub(room)
            .min(lines.len() - room);
        lines = lines.into_iter().skip(first).take(room).collect();
    }
    lines.push(Line::from(vec![
        Span::styled("then   ", theme.style(Token::Muted)),
        Span::styled(cut(then, cells.saturating_sub(7)), theme.style(Token::Warn)),
    ]));
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The changes, one line each: edits first, then what is done at the base.
fn change_lines(
    app: &App,
    screen: &WhatIfScreen,
    history: Option<&StreamScreen>,
    cells: usize,
) -> Vec<Line<'static>> {
    let theme = app.theme;
    let edits = screen
        .scenario
        .edits
        .iter()
        .map(|edit| edit_line(history, edit));
    let actions = screen.scenario.actions.iter().map(|action| match action {
        Action::Command(command) => {
            let reason = command
                .reason
                .as_deref()
                .map(|reason| format!(" \"{}\"", safe(reason)));
            let text = format!(
                "{}{}",
                safe(&command.command_type),
                reason.unwrap_or_default()
            );
            ("do command", Token::Added, text)
        }
        Action::Event(event) => (
            "do event  ",
            Token::Added,
            safe(&event.event_type).into_owned(),
        ),
    });
    edits
        .chain(actions)
        .enumerate()
        .map(|(index, (mark, token, text))| {
            let selected = screen.pane == 0 && screen.change == index;
            let cursor = if selected {
                theme.glyph(Glyph::Cursor)
            } else {
                " "
            };
            let mut style = theme.style(token);
            if selected {
                style = style.patch(theme.style(Token::Selected));
            }
            Line::styled(fit(&format!("{cursor}{mark} {text}"), cells), style)
        })
        .collect()
}

fn edit_line(history: Option<&StreamScreen>, edit: &Edit) -> (&'static str, Token, String) {
    let name = |revision: u64| {
        let step = history.and_then(|stream| stream.steps.get(&revision));
        step.map_or_else(String::new, |step| {
            safe(&step.event.event_type).into_owned()
        })
    };
    match edit {
        Edit::Drop(edit) => (
            "- drop   ",
            Token::Removed,
            format!("{} rev {}", name(edit.revision.0), edit.revision),
        ),
        Edit::Replace(edit) => {
            let data = safe(edit.data.as_str()).into_owned();
            (
                "~ replace",
                Token::Changed,
                format!("{} rev {} {data}", name(edit.revision.0), edit.revision),
            )
        }
        Edit::Insert(edit) => {
            let text = format!(
                "{} after rev {}",
                safe(&edit.event_type),
                edit.after_revision
            );
            ("+ insert ", Token::Added, text)
        }
        _ => ("~ other  ", Token::Changed, String::new()),
    }
}
