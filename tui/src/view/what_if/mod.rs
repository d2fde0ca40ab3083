//! The what-if screen: the question, the answer in a sentence, both worlds side by side, and what differs at the end.
//!
//! Owns how the parts are laid out; each has its file.

mod ends;
mod question;
mod story;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::what_if::WhatIfOut;

use super::{rule, warning_lines};
use crate::effect::Failure;
use crate::humanize;
use crate::model::what_if::WhatIfScreen;
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{clause, counted, cut, number, safe, width, wrap_to};
use crate::theme::{Glyph, Token};

/// From these heights on the answer may take more lines.
const ROOMY: u16 = 30;
const USUAL: u16 = 21;
const ANSWER_LINES: [usize; 3] = [6, 5, 3];
/// Rows of the story beside those of what is on record: two headings, and what is said of the row at the cursor.
const STORY_EXTRA: usize = 6;
/// How a step whose outcome is unknown can be decided.
const SAY_PASSWORD: &str = "press p to say whether the current password is right";
const NOTHING_YET: &str = "Nothing is changed yet, so both worlds are the same. On a row below: x drops it · Enter changes it · + adds a command there";

pub(super) fn draw(app: &App, screen: &WhatIfScreen, frame: &mut Frame<'_>, area: Rect) {
    let cells = usize::from(area.width);
    let [roomy, usual, low] = ANSWER_LINES;
    let most = match area.height {
        ROOMY.. => roomy,
        USUAL.. => usual,
        _ => low,
    };
    let head = head(app, screen, cells, most);
    let head_rows = u16::try_from(head.len()).unwrap_or(u16::MAX);
    let rest = area.height.saturating_sub(head_rows);
    let others = rows_of(screen.others().len(), rest / 4);
    let fields = ends::lines(app, screen, cells);
    let fields_rows = rows_of(fields.len().max(1), (rest / 3).max(2));
    // The story needs no more rows than it has, and some for what is said of the row at the cursor; the ends get the rest.
    let left = rest.saturating_sub(others + fields_rows);
    let wanted = u16::try_from(screen.rows().len() + STORY_EXTRA).unwrap_or(u16::MAX);
    let [top, story, streams, ends] = Layout::vertical([
        Constraint::Length(head_rows),
        Constraint::Length(wanted.min(left).max(3)),
        Constraint::Length(others),
        Constraint::Min(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head), top);
    story::draw(app, screen, frame, story);
    if others > 0 {
        ends::draw_streams(app, screen, frame, streams);
    }
    ends::draw(app, screen, frame, ends, fields);
}

/// Lines that a list takes with its heading: none where there is nothing in it, and no more than there is room for.
fn rows_of(len: usize, room: u16) -> u16 {
    if len == 0 {
        return 0;
    }
    let rows = u16::try_from(len + 1).unwrap_or(u16::MAX);
    rows.min(room.max(2))
}

/// What is asked, the answer, and how it was found.
fn head(app: &App, screen: &WhatIfScreen, cells: usize, most: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let room = cells.saturating_sub(3);
    let mode = screen.mode();
    let question = question::question(app, screen);
    let heading = theme.style(Token::Heading);
    let mode_style = theme.style(if screen.scenario.as_recorded {
        Token::Warn
    } else {
        Token::Muted
    });
    let mut lines = Vec::new();
    if width(&question) + width(mode) + 4 <= room {
        let gap = room.saturating_sub(width(&question) + width(mode));
        lines.push(Line::from(vec![
            Span::raw("  "),
            Span::styled(question, heading),
            Span::raw(" ".repeat(gap)),
            Span::styled(mode, mode_style),
        ]));
    } else {
        let wrapped = wrap_to(&question, room, 2).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(format!("  {line}"), heading)));
        lines.push(Line::styled(format!("  {}", cut(mode, room)), mode_style));
    }
    let (answer, token) = answer(screen);
    let bar = if theme.ascii { "| " } else { "▌ " };
    let style = theme.style(token);
    for line in wrap_to(&answer, room, most) {
        lines.push(Line::from(vec![
            Span::styled(bar, theme.style(Token::Accent)),
            Span::styled(line, style),
        ]));
    }
    if let Some((text, token)) = figures(app, screen) {
        let wrapped = wrap_to(&text, room, 2).into_iter();
        let style = theme.style(token);
        lines.extend(wrapped.map(|line| Line::styled(format!("  {line}"), style)));
    }
    if let Some(out) = screen.result.value() {
        lines.extend(warning_lines(theme, &out.warnings, room));
    }
    let of_history = screen
        .recorded()
        .and_then(|recorded| recorded.failure.as_ref());
    if let Some(why) = of_history {
        let text = format!("! the history is not loaded: {}", safe(&why.message));
        lines.push(Line::styled(cut(&text, room), theme.style(Token::Warn)));
    }
    lines
}

/// The answer in a sentence, or why there is none.
fn answer(screen: &WhatIfScreen) -> (String, Token) {
    match &screen.result {
        Remote::Failed(why) => (failure(why), Token::Error),
        Remote::Absent => ("not asked: r asks".to_owned(), Token::Muted),
        Remote::Loading(None) => ("asking …".to_owned(), Token::Muted),
        Remote::Ready(_) | Remote::Loading(Some(_)) if screen.changes() == 0 => {
            (NOTHING_YET.to_owned(), Token::Muted)
        }
        Remote::Ready(out) | Remote::Loading(Some(out)) => {
            let answer = humanize::answer(out, screen.title());
            let token = if screen.is_old() {
                Token::Muted
            } else {
                Token::Changed
            };
            (safe(&answer).into_owned(), token)
        }
    }
}

fn failure(why: &Failure) -> String {
    let code = why
        .code
        .as_ref()
        .map_or_else(String::new, |code| format!("{code}: "));
    let hint = why
        .hint
        .as_ref()
        .map_or_else(String::new, |hint| format!("; {hint}"));
    let text = format!(
        "{code}{}{hint}. u undoes the last change, r asks again",
        why.message
    );
    safe(&text).into_owned()
}

/// How the answer was found, and how far a new one is.
fn figures(app: &App, screen: &WhatIfScreen) -> Option<(String, Token)> {
    if screen.asked.has(Slot::WhatIf) && screen.is_old() {
        let since = screen.asked.since(Slot::WhatIf).unwrap_or(app.now);
        let seconds = (app.now.as_micros() - since.as_micros()).max(0) / 1_000_000;
        let elapsed = if seconds > 0 {
            format!(" · {seconds} s")
        } else {
            String::new()
        };
        let text = format!(
            "asking again{elapsed} · Esc cancels · shown is what came before the last change"
        );
        return Some((text, Token::Warn));
    }
    if screen.is_old() {
        // Given up, or the daemon is not there: nothing is on its way.
        let text = "not asked: shown is what came before the last change · r asks";
        return Some((text.to_owned(), Token::Warn));
    }
    let out = screen.result.value()?;
    if screen.changes() == 0 {
        return None;
    }
    let supposed = match screen.scenario.password_correct {
        Some(true) => "current password assumed right · ",
        Some(false) => "current password assumed wrong · ",
        None => "",
    };
    Some((format!("{supposed}{}", in_figures(out)), Token::Muted))
}

fn in_figures(out: &WhatIfOut) -> String {
    let mut parts = Vec::new();
    if out.outcomes.unknown > 0 {
        parts.push(format!(
            "{} unknown: {SAY_PASSWORD}",
            number(out.outcomes.unknown)
        ));
    }
    match &out.redecided {
        Some(again) => {
            let flips = out.flips.len() as u64 + again.flips_left_out;
            parts.push(counted(flips, "flip"));
            parts.push(format!(
                "{} of {} asked again",
                number(again.asked),
                counted(again.later, "later command")
            ));
            parts.push(clause(again.streams_changed, "stream", "differs"));
            for (count, what) in [
                (again.counts.frozen, "cannot be asked, as recorded"),
                (again.counts.refused, "refused by the store"),
            ] {
                if count > 0 {
                    parts.push(format!("{} {what}", number(count)));
                }
            }
            if again.without_reactions > 0 {
                let events = counted(again.without_reactions, "new event");
                parts.push(format!("{events}: how handlers would react is not known"));
            }
        }
        None => {
            parts.push(match out.first_divergence {
                Some(at) => format!("first divergence at revision {at}"),
                None => "the same events as recorded".to_owned(),
            });
            for (count, what) in [
                (out.outcomes.rejected, "refused"),
                (out.outcomes.failed, "failed"),
            ] {
                if count > 0 {
                    parts.push(format!("{} {what}", number(count)));
                }
            }
        }
    }
    parts.join(" · ")
}

/// A heading across, marked where its part takes the keys.
fn heading(app: &App, cells: usize, text: &str, right: &str, focused: bool) -> Line<'static> {
    let mark = if focused {
        app.theme.glyph(Glyph::Cursor)
    } else {
        ""
    };
    rule(app.theme, cells, &format!("{mark}{text}"), right)
}
