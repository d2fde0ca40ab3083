//! The what-if screen: the scenario, the two worlds side by side, and the state at its end.

mod scenario;
mod state;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::api::what_if::{StepKind, StepOutcome, WhatIfOut, WhatIfStep};

use super::{failure, first_row, pane};
use crate::humanize;
use crate::model::stream::StreamScreen;
use crate::model::what_if::{WhatIfScreen, World};
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{fit, number, safe, width, wrap_to};
use crate::theme::{Glyph, Token};

/// Lines below a step for what is said about it: of the selected one, and of the others.
const NOTE_LINES: usize = 12;
const NOTE_LINES_LEAST: usize = 2;
/// How a step whose outcome is unknown can be decided.
const ANSWER: &str = "press p to say whether the current password is right";

pub(super) fn draw(
    app: &App,
    screen: &WhatIfScreen,
    history: Option<&StreamScreen>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    if area.width >= 100 {
        let [scenario, worlds, state] = Layout::horizontal([
            Constraint::Percentage(30),
            Constraint::Percentage(37),
            Constraint::Min(30),
        ])
        .areas(area);
        scenario::draw(app, screen, history, frame, scenario);
        draw_worlds(app, screen, history, frame, worlds);
        state::draw(app, screen, frame, state);
    } else {
        let supposed = u16::from(screen.scenario.password_correct.is_some());
        let rows = u16::try_from(screen.changes()).unwrap_or(4).min(3) + 4 + supposed;
        let [scenario, worlds, state] = Layout::vertical([
            Constraint::Length(rows),
            Constraint::Percentage(40),
            Constraint::Min(5),
        ])
        .areas(area);
        scenario::draw(app, screen, history, frame, scenario);
        draw_worlds(app, screen, history, frame, worlds);
        state::draw(app, screen, frame, state);
    }
}

fn draw_worlds(
    app: &App,
    screen: &WhatIfScreen,
    history: Option<&StreamScreen>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let theme = app.theme;
    let title = if is_old(app, screen) {
        "as it was | what if · before the last change"
    } else {
        "as it was | what if"
    };
    let block = pane(theme, title, screen.pane == 1);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if let Remote::Failed(why) = &screen.result {
        return failure(app, frame, inner, why);
    }
    let out = screen.result.value();
    let worlds = screen.worlds();
    let cells = usize::from(inner.width);
    let mut lines = Vec::new();
    let mut selected_line = 0;
    let mut diverged = false;
    let mut after_base = false;
    for (index, world) in worlds.iter().enumerate() {
        if !after_base && is_after_base(world, screen.scenario.base) {
            after_base = true;
            lines.push(rule_line(
                &format!("base: revision {}", screen.scenario.base),
                cells,
                theme.style(Token::Accent),
            ));
        }
        if !diverged && is_divergence(world, out) {
            diverged = true;
            lines.push(rule_line(
                "first divergence",
                cells,
                theme.style(Token::Warn),
            ));
        }
        if index == screen.row {
            selected_line = lines.len();
        }
        lines.extend(world_lines(
            app,
            screen,
            history,
            world,
            index == screen.row && screen.pane == 1,
            cells,
        ));
    }
    let height = usize::from(inner.height);
    let first = first_row(selected_line, lines.len(), height);
    frame.render_widget(
        Paragraph::new(
            lines
                .into_iter()
                .skip(first)
                .take(height)
                .collect::<Vec<_>>(),
        ),
        inner,
    );
}

/// Whether what is shown came of the scenario before its last change, and the new answer takes its time.
pub(super) fn is_old(app: &App, screen: &WhatIfScreen) -> bool {
    screen
        .asked
        .long_slots(app.now)
        .any(|slot| slot == Slot::WhatIf)
}

fn is_after_base(world: &World<'_>, base: u64) -> bool {
    match world {
        World::Same(revision) | World::After(revision) | World::Far(revision, _) => {
            *revision > base
        }
        World::More(_) => false,
        World::Step(Some(revision), _) => *revision > base,
        World::Step(None, step) => !step.edited,
    }
}

fn is_divergence(world: &World<'_>, out: Option<&WhatIfOut>) -> bool {
    let Some(at) = out.and_then(|out| out.first_divergence) else {
        return false;
    };
    match world {
        World::Step(recorded, step) => {
            step.outcome == StepOutcome::Dropped
                || step.edited
                || recorded.is_none()
                    && step.outcome != StepOutcome::Rejected
                    && step.revision >= at
        }
        World::Same(_) | World::After(_) | World::Far(..) | World::More(_) => false,
    }
}

fn rule_line(text: &str, cells: usize, style: ratatui::style::Style) -> Line<'static> {
    let text = format!("─ {text} ");
    let rest = cells.saturating_sub(width(&text));
    Line::styled(format!("{text}{}", "─".repeat(rest)), style)
}

/// What a row of the two worlds says.
struct Said {
    label: String,
    was: String,
    then: String,
    token: Token,
    note: Option<String>,
}

fn said(app: &App, history: Option<&StreamScreen>, world: &World<'_>) -> Said {
    let name = |revision: u64| {
        let step = history.and_then(|stream| stream.steps.get(&revision));
        step.map_or_else(
            || "…".to_owned(),
            |step| safe(&step.event.event_type).into_owned(),
        )
    };
    let plain = |label: String, was: String, then: &str, token: Token| Said {
        label,
        was,
        then: then.to_owned(),
        token,
        note: None,
    };
    let more = || "…".to_owned();
    match world {
        World::Same(revision) => {
            let then = app.theme.glyph(Glyph::Same);
            plain(revision.to_string(), name(*revision), then, Token::Plain)
        }
        World::After(revision) => {
            let then = "(not applied)";
            plain(revision.to_string(), name(*revision), then, Token::Future)
        }
        World::Far(from, to) => {
            let was = format!("{} to {}", number(*from), number(*to));
            plain(more(), was, "not listed", Token::Muted)
        }
        World::More(steps) => {
            let was = format!("{} more steps", number(*steps));
            plain(more(), was, "not loaded yet", Token::Muted)
        }
        World::Step(recorded, step) => {
            let (then, token) = verdict(app, step);
            let label = recorded.map_or_else(|| "+".to_owned(), |revision| revision.to_string());
            let note = humanize::message(step).map(|message| match &step.rule {
                Some(rule) => format!("{}: {}", safe(rule), safe(&message)),
                None => safe(&message).into_owned(),
            });
            Said {
                label,
                was: recorded.map_or_else(String::new, name),
                then,
                token,
                note,
            }
        }
    }
}

fn world_lines(
    app: &App,
    screen: &WhatIfScreen,
    history: Option<&StreamScreen>,
    world: &World<'_>,
    selected: bool,
    cells: usize,
) -> Vec<Line<'static>> {
    let theme = app.theme;
    let Said {
        label,
        was,
        then,
        token,
        note,
    } = said(app, history, world);
    let half = cells.saturating_sub(7) / 2;
    let digits = width(&screen.head.to_string()).max(2);
    let cursor = if selected {
        theme.glyph(Glyph::Cursor)
    } else {
        " "
    };
    let label = format!(
        "{}{label}",
        " ".repeat(digits.saturating_sub(width(&label)))
    );
    let text = format!("{cursor}{label} {} {then}", fit(&was, half));
    let mut style = theme.style(token);
    if selected {
        style = style.patch(theme.style(Token::Selected));
    }
    let mut lines = vec![Line::styled(fit(&text, cells), style)];
    let mut below = |text: &str, rows: usize, token: Token| {
        for part in wrap_to(text, cells.saturating_sub(5), rows) {
            lines.push(Line::styled(format!("     {part}"), theme.style(token)));
        }
    };
    if matches!(world, World::Step(_, step) if step.outcome == StepOutcome::Unknown) {
        below(ANSWER, NOTE_LINES, Token::Accent);
    }
    if let Some(note) = note {
        // The selected step says all of it.
        let rows = if selected {
            NOTE_LINES
        } else {
            NOTE_LINES_LEAST
        };
        below(&note, rows, token);
    }
    lines
}

/// What came of a step, in a few words; a command's verdict and an event's are not the same thing and say so.
fn verdict(app: &App, step: &WhatIfStep) -> (String, Token) {
    let theme = app.theme;
    let name = safe(&step.step_type);
    match (step.kind, step.outcome) {
        (_, StepOutcome::Dropped) => ("(dropped)".to_owned(), Token::Removed),
        (_, StepOutcome::Unknown) => (format!("{name} unknown"), Token::Error),
        (_, StepOutcome::Failed) => (format!("{name} failed"), Token::Error),
        (StepKind::Command, StepOutcome::Rejected) => (
            format!("{} {name} rejected", theme.glyph(Glyph::Rejected)),
            Token::Rejected,
        ),
        (_, StepOutcome::NotIssued) => (format!("{name} not issued"), Token::Removed),
        (StepKind::Command, _) => (format!("{name} accepted"), Token::Added),
        (StepKind::Redecided, StepOutcome::Rejected) => (
            format!("{} {name} rejected", theme.glyph(Glyph::Rejected)),
            Token::Rejected,
        ),
        (StepKind::Redecided, _) => (format!("{name} accepted"), Token::Changed),
        (StepKind::Event, _) => (format!("{name} (event)"), Token::Added),
        (StepKind::Recorded, _) if step.edited => ("(replaced)".to_owned(), Token::Changed),
        (StepKind::Recorded, _) => ("= re-folded".to_owned(), Token::Plain),
    }
}
