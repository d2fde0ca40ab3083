//! The top line: where one is, what is waited for, and whether the daemon is there.

use ratatui::text::{Line, Span};
use whodunit_core::time::Timestamp;

use crate::effect::NoAnswer;
use crate::humanize::duration;
use crate::model::stream::StreamScreen;
use crate::model::{App, Connection, Model, Screen};
use crate::text::{cut, number, safe, width};
use crate::theme::{Glyph, Token};

/// A name or title cut shorter than this says nothing.
const NAME_CELLS_MIN: usize = 12;
/// What stands before the name.
const PROGRAM: &str = " whodunit ";
/// Of a stream's name, this much or nothing.
const NAME_CELLS_LEAST: usize = 4;
/// What stands behind the name of what is no real history, and where there is little room.
const WHAT_IF_LONG: &str = " WHAT-IF nothing is written ";
const WHAT_IF: &str = " WHAT-IF ";
/// Cells that a wait is described in at most, and what is left of that when there is little room.
const WAIT_CELLS: usize = 30;
const WAIT_CELLS_MIN: usize = 8;
/// Cells that the name of a daemon takes at most.
const CONTEXT_CELLS_MAX: usize = 12;
/// Cells that the name of a branch takes at most.
const BRANCH_CELLS_MAX: usize = 20;
/// Below this width the connection is described in fewer words.
const NARROW: usize = 80;
/// From this width on the daemon's address is there.
const WIDE: usize = 100;
/// A wait is shorter than this, in seconds, before it is worth saying how long it has been.
const WAIT_SECONDS_MIN: i64 = 2;
pub(super) fn line(model: &Model, columns: u16) -> Line<'static> {
    let columns = usize::from(columns);
    let right = right(model, columns);
    // The connection matters more than the end of a long name, and so does that this is no real history.
    let mut crumbs = breadcrumb(model, columns.saturating_sub(used(&right) + 1));
    let gap = columns.saturating_sub(used(&crumbs) + used(&right));
    crumbs.push(Span::raw(" ".repeat(gap)));
    crumbs.extend(right);
    Line::from(crumbs)
}

fn used(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| width(&span.content)).sum()
}

/// Where one is, in at most so many cells: the program's name gives way first, then the end of the stream's name.
fn breadcrumb(model: &Model, cells: usize) -> Vec<Span<'static>> {
    let theme = model.app.theme;
    let arrow = theme.glyph(Glyph::Crumb);
    let muted = |text: &'static str| Span::styled(text, theme.style(Token::Muted));
    let place = |text: String| Span::styled(text, theme.style(Token::Accent));
    let program = vec![
        Span::styled(PROGRAM, theme.style(Token::Heading)),
        muted(arrow),
    ];
    let (name, title) = match &model.front {
        Screen::Streams(_)
        | Screen::Log(_)
        | Screen::Find(_)
        | Screen::Causes(_)
        | Screen::World(_)
        | Screen::Branches(_)
        | Screen::Compare(_)
        | Screen::Run(_)
        | Screen::Pipeline(_) => {
            let mut crumbs = program;
            crumbs.push(place(model.front.scope().title().to_owned()));
            return crumbs;
        }
        Screen::Stream(screen) => (&screen.stream, title_of(screen)),
        Screen::Diff(screen) => (&screen.from.stream, Some("diff")),
        Screen::WhatIf(screen) => (&screen.stream, screen.title()),
    };
    let is_what_if = matches!(model.front, Screen::WhatIf(_));
    let badge = if is_what_if {
        width(arrow) + width(WHAT_IF)
    } else {
        0
    };
    let has_program = cells >= used(&program) + NAME_CELLS_MIN + badge;
    let mut crumbs = if has_program {
        program
    } else {
        vec![Span::raw(" ")]
    };
    let mut room = cells.saturating_sub(used(&crumbs));
    let badge = is_what_if.then(|| {
        let is_roomy = room >= NAME_CELLS_MIN + width(arrow) + width(WHAT_IF_LONG);
        let text = if is_roomy { WHAT_IF_LONG } else { WHAT_IF };
        room = room.saturating_sub(width(arrow) + width(text));
        text
    });
    let name = if room < NAME_CELLS_LEAST {
        String::new()
    } else {
        cut(&safe(name.as_str()), room.min(40))
    };
    room = room.saturating_sub(width(&name));
    // No room for a name: none, rather than two marks with nothing between them.
    let has_name = !name.is_empty();
    crumbs.push(place(name));
    if let Some(title) = title
        && room >= NAME_CELLS_MIN
    {
        crumbs.push(Span::raw("  "));
        let title = cut(&safe(title), room.saturating_sub(2).min(30));
        crumbs.push(Span::styled(title, theme.style(Token::Muted)));
    }
    if let Some(badge) = badge {
        if has_name {
            crumbs.push(muted(arrow));
        }
        crumbs.push(Span::styled(badge, theme.style(Token::Selected)));
    }
    crumbs
}

fn title_of(screen: &StreamScreen) -> Option<&str> {
    screen.info.value()?.title.as_deref()
}

/// The branch that is read: never left out, as nothing on screen is what happened.
fn branch(model: &Model) -> Vec<Span<'static>> {
    let theme = model.app.theme;
    let (word, name) = match (&model.front, model.front.asked().branch()) {
        (_, Some(name)) => ("BRANCH", name),
        (Screen::WhatIf(screen), None) => match (&screen.scenario.on, &screen.branch) {
            (Some(on), _) => ("ON BRANCH", on.as_str()),
            (None, Some(own)) if screen.is_unsaved() => ("CHANGED BRANCH", own.as_str()),
            (None, Some(own)) if screen.changes() > 0 => ("BRANCH", own.as_str()),
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let name = cut(&safe(name), BRANCH_CELLS_MAX);
    let text = format!(" {word} {name} ");
    vec![
        Span::styled(text, theme.style(Token::Selected)),
        Span::raw("  "),
    ]
}

/// The moment that is held: never left out, as every state on screen is of it.
fn held(app: &App, columns: usize) -> Vec<Span<'static>> {
    let Some(moment) = app.as_of else {
        return Vec::new();
    };
    let text = if columns < NARROW {
        app.zone.exact(moment)
    } else {
        app.zone.long(moment)
    };
    let text = format!(" as of {text} ");
    vec![
        Span::styled(text, app.theme.style(Token::Selected)),
        Span::raw("  "),
    ]
}

const SPINNER: [&str; 4] = ["|", "/", "-", "\\"];

/// What stands at the right end, the more important parts first: what does not fit beside them and a name is left out.
fn right(model: &Model, columns: usize) -> Vec<Span<'static>> {
    let app = &model.app;
    let theme = app.theme;
    let mut state = Vec::new();
    if let Some((name, context)) = &app.context {
        let read_only = if context.read_only { "read-only " } else { "" };
        let name = cut(&safe(name), CONTEXT_CELLS_MAX);
        let label = format!(" {name} {read_only}");
        state.push(Span::styled(label, theme.tint(context.color)));
        state.push(Span::raw("  "));
    }
    if app.head.redacted_copy {
        state.push(Span::styled(
            " redacted copy ",
            theme.style(Token::Selected),
        ));
        state.push(Span::raw("  "));
    }
    state.extend(branch(model));
    state.extend(held(app, columns));
    state.push(connection(app, columns < NARROW));
    let arrow = width(theme.glyph(Glyph::Crumb));
    let badge = match model.front {
        Screen::WhatIf(_) => width(WHAT_IF) + arrow,
        _ => 0,
    };
    let beside_names = columns.saturating_sub(badge + used(&state) + 2);
    let mut room = beside_names.saturating_sub(width(PROGRAM) + NAME_CELLS_MIN + arrow);
    // What is asked for by itself, again and again, is not worth a word each time.
    let wait = waiting(model, room, WAIT_CELLS_MIN).or_else(|| waiting(model, beside_names, 0));
    let mut out: Vec<Span<'static>> = wait.into_iter().collect();
    room = room.saturating_sub(used(&out));
    out.extend(state);
    let mut beside = vec![];
    if app.head.position > 0 && app.as_of.is_none() {
        beside.push(Span::raw(format!("  pos {}", number(app.head.position))));
    }
    if columns >= WIDE {
        let address = format!("  {}", safe(&app.address));
        beside.push(Span::styled(address, theme.style(Token::Muted)));
    }
    for span in beside {
        let cells = width(&span.content);
        if cells <= room {
            room -= cells;
            out.push(span);
        }
    }
    out.push(Span::raw(" "));
    out
}

/// What is waited for, and for how long: in at most so many cells, at least so many of them for what it is.
fn waiting(model: &Model, room: usize, least: usize) -> Option<Span<'static>> {
    let app = &model.app;
    let (what, since) = model.front.asked().what()?;
    let frame = SPINNER.get(app.ticks % SPINNER.len()).copied()?;
    let so_far = match seconds(since, app.now) {
        ..WAIT_SECONDS_MIN => String::new(),
        so_far => format!(" {}", in_words(so_far)),
    };
    let cells = room.checked_sub(width(&so_far) + 4)?;
    if cells < least {
        return None;
    }
    let what = cut(&safe(what), cells.min(WAIT_CELLS));
    let text = format!("{frame} {what}{so_far}  ");
    Some(Span::styled(text, app.theme.style(Token::Muted)))
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    ((to.as_micros() - from.as_micros()) / 1_000_000).max(0)
}

fn in_words(seconds: i64) -> String {
    duration(f64::from(i32::try_from(seconds).unwrap_or(i32::MAX)))
}

fn connection(app: &App, narrow: bool) -> Span<'static> {
    let theme = app.theme;
    let with = |glyph: Glyph, token: Token, text: &str| {
        let text = format!("{} {text}", theme.glyph(glyph));
        Span::styled(text, theme.style(token))
    };
    match &app.connection {
        Connection::Live => with(Glyph::Live, Token::Added, "live"),
        Connection::Connecting => with(Glyph::Connecting, Token::Muted, "connecting"),
        Connection::Silent { since } => {
            let text = format!("no answer for {}", in_words(seconds(*since, app.now)));
            with(Glyph::Stale, Token::Warn, &text)
        }
        Connection::Lost {
            since,
            retry_at,
            why,
            ..
        } => {
            let state = match why {
                NoAnswer::Unreachable => "offline",
                NoAnswer::TimedOut => "no answer for",
            };
            let text = format!("{state} {}", in_words(seconds(*since, app.now)));
            let text = match seconds(app.now, *retry_at) {
                _ if narrow => text,
                0 => format!("{text}, retrying"),
                wait => format!("{text}, retrying in {wait} s"),
            };
            with(Glyph::Stale, Token::Warn, &text)
        }
    }
}
