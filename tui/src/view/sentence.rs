//! The sentence on screen: the word that matters set off, wrapped at words.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::sentence::{Role, Sentence, because, of_decision, of_event};

use crate::client::Origin;
use crate::model::App;
use crate::text::{cut, width};
use crate::theme::{Theme, Token};

/// What happened, and below it what led to that, where it is on record; in at most so many lines each.
pub(super) fn story(
    app: &App,
    event: &Event,
    origin: Option<&Origin>,
    (cells, most): (usize, usize),
) -> Vec<Line<'static>> {
    let zone = app.zone;
    let offset_at = |at| zone.offset_at(at);
    let batch = origin.and_then(|origin| origin.batch.as_ref());
    let batch = batch.map(crate::client::Count::batch);
    let mut lines = wrapped(
        app.theme,
        &of_event(event, None, batch, &offset_at),
        cells,
        most,
    );
    lines.extend(cause_lines(app, event, origin, (cells, most)));
    lines
}

/// What led to an event; nothing where no cause is on record.
fn cause_lines(
    app: &App,
    event: &Event,
    origin: Option<&Origin>,
    (cells, most): (usize, usize),
) -> Vec<Line<'static>> {
    let (theme, zone) = (app.theme, app.zone);
    let Some(origin) = origin else {
        return Vec::new();
    };
    if let Some(cause) = &origin.cause {
        let batch = origin.cause_batch.as_ref().map(crate::client::Count::batch);
        let sentence = because(cause, event, batch, &|at| zone.offset_at(at));
        return wrapped(theme, &sentence, cells, most);
    }
    let text = match (&origin.missing, &origin.command) {
        (Some(id), _) => format!("its cause `{}` is not in this log", crate::text::safe(id)),
        // That a command led to it says little where nothing is behind that.
        _ => return Vec::new(),
    };
    vec![Line::styled(cut(&text, cells), theme.style(Token::Warn))]
}

/// A refused command.
pub(super) fn refused(
    app: &App,
    decision: &Decision,
    (cells, most): (usize, usize),
) -> Vec<Line<'static>> {
    let zone = app.zone;
    let sentence = of_decision(decision, &|at| zone.offset_at(at));
    wrapped(app.theme, &sentence, cells, most)
}

/// A sentence in lines of at most so many cells. One that is longer ends in an ellipsis.
pub(super) fn wrapped(
    theme: Theme,
    sentence: &Sentence,
    cells: usize,
    most: usize,
) -> Vec<Line<'static>> {
    let mut lines: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    let mut used = 0;
    // A word ends at a blank, whatever part it is of.
    for word in words(theme, sentence) {
        let cells_of = |word: &[Span<'_>]| word.iter().map(|s| width(&s.content)).sum::<usize>();
        let trimmed = word.last().map_or(0, |span| {
            width(&span.content) - width(span.content.trim_end())
        });
        let needs = cells_of(&word) - trimmed;
        if used > 0 && used + needs > cells {
            lines.push(Vec::new());
            used = 0;
        }
        used += cells_of(&word);
        if let Some(line) = lines.last_mut() {
            line.extend(word);
        }
    }
    let is_longer = lines.len() > most;
    lines.truncate(most);
    if is_longer && let Some(last) = lines.last_mut() {
        last.push(Span::raw("…"));
    }
    lines
        .into_iter()
        .map(|spans| cut_line(spans, cells))
        .collect()
}

fn cut_line(mut spans: Vec<Span<'static>>, cells: usize) -> Line<'static> {
    // The blank before a break takes no room.
    if let Some(last) = spans.last_mut() {
        *last = Span::styled(last.content.trim_end().to_owned(), last.style);
    }
    let total: usize = spans.iter().map(|span| width(&span.content)).sum();
    if total <= cells {
        return Line::from(spans);
    }
    let mut room = cells;
    let mut out = Vec::new();
    let last = spans.len().saturating_sub(1);
    for (index, span) in spans.into_iter().enumerate() {
        let is_marked = index == last && span.content == "…";
        let text = if is_marked && room > 0 {
            "…".to_owned()
        } else {
            cut(&span.content, room)
        };
        room = room.saturating_sub(width(&text));
        out.push(Span::styled(text, span.style));
    }
    Line::from(out)
}

/// The words of a sentence with the blank behind each; a word may be of several parts.
fn words(theme: Theme, sentence: &Sentence) -> Vec<Vec<Span<'static>>> {
    let mut out: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    for part in sentence.parts() {
        let style = style(theme, part.role, &part.text);
        for piece in part.text.split_inclusive(' ') {
            if let Some(word) = out.last_mut() {
                word.push(Span::styled(piece.to_owned(), style));
            }
            if piece.ends_with(' ') {
                out.push(Vec::new());
            }
        }
    }
    out.retain(|word| !word.is_empty());
    out
}

fn style(theme: Theme, role: Role, text: &str) -> Style {
    match role {
        Role::Plain => Style::new(),
        Role::Actor => theme.actor(text),
        Role::Verb if text == "REFUSED" => {
            theme.style(Token::Rejected).add_modifier(Modifier::BOLD)
        }
        Role::Verb | Role::Time => theme.style(Token::Heading),
        Role::Reason => theme.style(Token::Accent).remove_modifier(Modifier::BOLD),
    }
}
