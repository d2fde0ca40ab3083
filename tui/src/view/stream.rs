//! The stream screen: the scrubber, the history, the state at the cursor, and who, when and why.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::time_travel::Step;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::fold::EventEffect;
use whodunit_core::time::Timestamp;

use super::{
    awaited, below, failure, first_row, framed_lines, pane, scrubber, state, status, warning_lines,
};
use crate::model::stream::{Row, StreamScreen};
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{cut, fit, safe, width, wrap_to};
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

/// Lines that a title takes at most, and that a fact may take even where there is little room.
const TITLE_LINES: usize = 4;
const FACT_LINES: usize = 6;
const LACKS_MODEL: &str = "! its commands were decided by a model that the daemon was not asked for (`--model`): this state is \
                           only merged from the events";
/// Entries of the metadata shown beside an event; all of them stand in its detail.
const METADATA_MAX: usize = 8;
/// From this width on three panes stand side by side; below, they are stacked.
const THREE_PANES: u16 = 110;

/// The scrubber's two lines within the body.
pub(super) fn scrubber_area(body: Rect) -> Rect {
    Rect::new(
        body.x + 1,
        body.y,
        body.width.saturating_sub(2),
        body.height.min(2),
    )
}

pub(super) fn draw(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    match &stream.info {
        Remote::Failed(why) => return failure(app, frame, area, why),
        Remote::Absent | Remote::Loading(None) => {
            let is_asked = stream.asked.has(Slot::Stream);
            return awaited(app, frame, area, &safe(stream.stream.as_str()), is_asked);
        }
        Remote::Ready(_) | Remote::Loading(Some(_)) => {}
    }
    scrubber::draw(
        app,
        frame,
        scrubber_area(area),
        (
            stream.density.as_ref(),
            stream.asked.has(Slot::StreamDensity),
        ),
        stream.cursor_time(),
    );
    let body = Rect::new(
        area.x,
        area.y + 2,
        area.width,
        area.height.saturating_sub(2),
    );
    if area.width >= THREE_PANES {
        let [events, middle, why] = Layout::horizontal([
            Constraint::Percentage(40),
            Constraint::Percentage(35),
            Constraint::Min(28),
        ])
        .areas(body);
        draw_events(app, stream, frame, events);
        draw_state(app, stream, frame, middle);
        draw_why(app, stream, frame, why);
    } else {
        let why_rows = 3;
        let events_rows = (body.height.saturating_sub(why_rows)) / 2;
        let [events, middle, why] = Layout::vertical([
            Constraint::Length(events_rows),
            Constraint::Min(4),
            Constraint::Length(why_rows),
        ])
        .areas(body);
        draw_events(app, stream, frame, events);
        draw_state(app, stream, frame, middle);
        draw_why_short(app, stream, frame, why);
    }
}

fn draw_events(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let rejected = stream.rejected_count();
    let mut title = format!("events · {} of {}", stream.revision(), stream.head());
    if rejected > 0 {
        let more = if stream.more_decisions { "+" } else { "" };
        title = format!("{title} · {rejected}{more} rejected");
    }
    let block = pane(theme, &title, stream.pane == 0);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if let Some(why) = &stream.steps_failure
        && stream.steps.is_empty()
    {
        return failure(app, frame, inner, why);
    }
    let height = usize::from(inner.height);
    let here = stream.index_of(stream.cursor);
    let first = first_row(here, stream.rows(), height);
    let digits = width(&stream.head().to_string()).max(2);
    let shown = first..(first + height).min(stream.rows());
    let times = shown
        .clone()
        .filter_map(|index| time_of(stream, stream.row_at(index)));
    let pattern = app.zone.pattern(times, app.now);
    let types = shown
        .clone()
        .map(|index| width(&cells_of(app, stream, stream.row_at(index), pattern).what));
    let columns = types.max().unwrap_or(0);
    let lines: Vec<Line<'_>> = shown
        .map(|index| {
            event_row(
                app,
                stream,
                index,
                index == here,
                index > here,
                (digits, columns, pattern),
                usize::from(inner.width),
            )
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

/// What stands in a row of the history.
#[derive(Default)]
struct Cells {
    label: String,
    time: String,
    what: String,
    who: String,
    why: String,
    token: Option<Token>,
}

/// When the row of a history happened.
fn time_of(stream: &StreamScreen, row: Row) -> Option<Timestamp> {
    match row {
        Row::Revision(revision) => Some(stream.steps.get(&revision)?.event.recorded_at),
        Row::Rejected(index) => Some(stream.rejected(index)?.decided_at),
    }
}

fn cells_of(app: &App, stream: &StreamScreen, row: Row, pattern: Pattern) -> Cells {
    let theme = app.theme;
    let muted = |label: String, what: &str| Cells {
        label,
        what: what.to_owned(),
        token: Some(Token::Muted),
        ..Cells::default()
    };
    match row {
        Row::Revision(0) => muted("0".to_owned(), "(empty stream)"),
        Row::Revision(revision) => match stream.steps.get(&revision) {
            None => muted(revision.to_string(), "…"),
            Some(step) => event_cells(app, step, pattern),
        },
        Row::Rejected(index) => match stream.rejected(index) {
            None => Cells::default(),
            Some(decision) => Cells {
                label: theme.glyph(Glyph::Rejected).to_owned(),
                time: app.zone.show(decision.decided_at, pattern),
                what: safe(&decision.command_type).into_owned(),
                who: who(decision.actor.as_deref()),
                why: rule(decision).0,
                token: Some(Token::Rejected),
            },
        },
    }
}

fn event_cells(app: &App, step: &Step, pattern: Pattern) -> Cells {
    let event = &step.event;
    let refused = is_refused(step);
    let (note, token) = match &step.applied {
        EventEffect::Failed { .. } => (" !", Some(Token::Error)),
        EventEffect::Unknown => (" ?", None),
        EventEffect::Applied => ("", None),
    };
    Cells {
        label: if refused {
            app.theme.glyph(Glyph::Rejected).to_owned()
        } else {
            event.revision.to_string()
        },
        time: app.zone.show(event.recorded_at, pattern),
        what: format!("{}{note}", safe(&event.event_type)),
        who: who(event.actor.as_deref()),
        why: who(event.reason.as_deref()),
        token: token.or(refused.then_some(Token::Rejected)),
    }
}

fn event_row(
    app: &App,
    stream: &StreamScreen,
    index: usize,
    selected: bool,
    future: bool,
    (digits, columns, pattern): (usize, usize, Pattern),
    cells: usize,
) -> Line<'static> {
    let theme = app.theme;
    let row = stream.row_at(index);
    let cursor = if selected {
        theme.glyph(Glyph::Cursor)
    } else {
        " "
    };
    let marked = matches!(row, Row::Revision(revision) if stream.mark == Some(revision));
    let mark = if marked {
        theme.glyph(Glyph::Mark)
    } else {
        " "
    };
    let Cells {
        label,
        time,
        what,
        who,
        why,
        token,
    } = cells_of(app, stream, row, pattern);
    let time_cells = width(&app.zone.show(app.now, pattern));
    let label = format!(
        "{}{label}",
        " ".repeat(digits.saturating_sub(width(&label)))
    );
    // What, then who: the types get what they need, and no more than a half.
    let what_cells = columns.clamp(
        8,
        (cells.saturating_sub(digits + time_cells + 6) / 2).max(8),
    );
    // Where only the type stands, it has the whole row.
    let what = if who.is_empty() && why.is_empty() {
        what
    } else {
        fit(&what, what_cells)
    };
    let mut text = format!(
        "{cursor}{mark}{label} {} {what} {who}",
        fit(&time, time_cells)
    );
    let room = cells.saturating_sub(width(&text) + 1);
    if room > 8 && !why.is_empty() {
        let why = if token == Some(Token::Rejected) {
            why
        } else {
            format!("\"{why}\"")
        };
        text = format!("{} {}", text, cut(&why, room));
    }
    let mut style = theme.style(token.unwrap_or(Token::Plain));
    if future {
        style = style.patch(theme.style(Token::Future));
    }
    if selected {
        style = style.patch(theme.style(Token::Selected));
    }
    Line::styled(fit(&text, cells), style)
}

fn who(text: Option<&str>) -> String {
    safe(text.unwrap_or_default()).into_owned()
}

/// Whether an imported event stands for a call that was refused where it came from.
fn is_refused(step: &Step) -> bool {
    step.event
        .metadata
        .as_ref()
        .is_some_and(|metadata| metadata.to_value()["outcome"] == "refused")
}

fn rule(decision: &Decision) -> (String, String) {
    match &decision.result {
        Outcome::Rejected { rule, message } => {
            (safe(rule).into_owned(), safe(message).into_owned())
        }
        Outcome::Accepted { .. } => Default::default(),
    }
}

fn draw_state(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let revision = stream.revision();
    let mut title = format!("state · revision {revision} of {}", stream.head());
    // Which model folds it, where there is room to say so.
    if let Some(state) = stream.state() {
        let model = format!(" · {}", safe(&state.model));
        if width(&title) + width(&model) + 5 <= usize::from(area.width) {
            title.push_str(&model);
        }
    }
    let framed = |below: &str| {
        let title = cut(
            &format!("{title}{below}"),
            usize::from(area.width).saturating_sub(5),
        );
        pane(theme, &title, stream.pane == 1)
    };
    let inner = framed("").inner(area);
    if let Some((at, why)) = &stream.state_failure
        && *at == revision
    {
        frame.render_widget(framed(""), area);
        return failure(app, frame, inner, why);
    }
    let Some(state) = stream.state() else {
        frame.render_widget(framed(""), area);
        let what = format!("the state at revision {revision}");
        let is_asked = stream.asked.has(Slot::State) || stream.asked.has(Slot::Stream);
        return awaited(app, frame, inner, &what, is_asked);
    };
    let diff = stream.step().map_or(&[][..], |step| &step.diff);
    let cells = usize::from(inner.width);
    let mut lines = warning_lines(theme, stream.warnings(), cells);
    if stream.lacks_its_model() {
        let text = wrap_to(LACKS_MODEL, cells, FACT_LINES).into_iter();
        lines.extend(text.map(|line| Line::styled(line, theme.style(Token::Warn))));
    }
    if revision == 0 {
        lines.push(Line::styled(
            "(empty: before the first event)",
            theme.style(Token::Muted),
        ));
    }
    lines.extend(state::lines(
        theme,
        &state.state,
        diff,
        usize::from(inner.width),
    ));
    for fault in &state.faults {
        let text = format!(
            "! revision {} {}: {}",
            fault.revision,
            safe(&fault.event_type),
            safe(&fault.error)
        );
        lines.push(Line::styled(
            cut(&text, usize::from(inner.width)),
            theme.style(Token::Error),
        ));
    }
    let scroll = stream
        .state_scroll
        .min(lines.len().saturating_sub(usize::from(inner.height)));
    frame.render_widget(framed(&below(&lines, scroll, inner.height)), area);
    frame.render_widget(Paragraph::new(lines.split_off(scroll)), inner);
}

/// Labelled facts about the row at the cursor.
fn facts(app: &App, stream: &StreamScreen) -> (String, Vec<(&'static str, String, Token)>) {
    let zone = app.zone;
    let named = |text: Option<&str>, otherwise: &str| safe(text.unwrap_or(otherwise)).into_owned();
    match stream.cursor {
        Row::Rejected(index) => match stream.rejected(index) {
            None => (String::new(), Vec::new()),
            Some(decision) => {
                let (rule, message) = rule(decision);
                let facts = vec![
                    (
                        "who",
                        named(decision.actor.as_deref(), "(no actor given)"),
                        Token::Accent,
                    ),
                    ("when", zone.long(decision.decided_at), Token::Plain),
                    (
                        "why",
                        named(decision.reason.as_deref(), "(no reason given)"),
                        Token::Plain,
                    ),
                    ("rule", rule, Token::Rejected),
                    ("", message, Token::Plain),
                    (
                        "on",
                        format!("revision {}", decision.base_revision),
                        Token::Muted,
                    ),
                    (
                        "corr",
                        named(decision.correlation_id.as_deref(), "-"),
                        Token::Muted,
                    ),
                ];
                (format!("{} rejected", safe(&decision.command_type)), facts)
            }
        },
        Row::Revision(0) => ("before the first event".to_owned(), Vec::new()),
        Row::Revision(revision) => match stream.steps.get(&revision) {
            None => (missing(stream).to_owned(), Vec::new()),
            Some(step) => (
                safe(&step.event.event_type).into_owned(),
                event_facts(app, stream, step),
            ),
        },
    }
}

/// Of an event that is not there: why not.
pub(super) fn missing(stream: &StreamScreen) -> &'static str {
    if stream.asked.has(Slot::Steps) || stream.asked.has(Slot::Stream) {
        "loading the event …"
    } else if stream.steps_failure.is_some() {
        "the event could not be loaded; r tries again"
    } else {
        "the event is not loaded; r loads it"
    }
}

fn event_facts(
    app: &App,
    stream: &StreamScreen,
    step: &Step,
) -> Vec<(&'static str, String, Token)> {
    let event = &step.event;
    let named = |text: Option<&str>, otherwise: &str| safe(text.unwrap_or(otherwise)).into_owned();
    let mut facts = vec![
        (
            "who",
            named(event.actor.as_deref(), "(no actor given)"),
            Token::Accent,
        ),
        ("when", app.zone.long(event.recorded_at), Token::Plain),
        (
            "why",
            named(event.reason.as_deref(), "(no reason given)"),
            Token::Plain,
        ),
    ];
    if let Some(cause) = stream.cause(event.causation_id.as_deref()) {
        facts.push((
            "cause",
            format!("{} {}", app.theme.glyph(Glyph::Back), safe(&cause)),
            Token::Plain,
        ));
    }
    match &step.applied {
        EventEffect::Applied => {}
        EventEffect::Unknown => facts.push((
            "note",
            "unknown event type: the state is unchanged".to_owned(),
            Token::Warn,
        )),
        EventEffect::Failed { error } => {
            facts.push((
                "error",
                format!("{}; the last good state is carried on", safe(error)),
                Token::Error,
            ));
        }
    }
    if let Some(upcast) = &step.upcast {
        let text = format!(
            "schema {} read as {} {}",
            event.schema_version,
            safe(&upcast.event_type),
            upcast.schema_version
        );
        facts.push(("upcast", text, Token::Warn));
    }
    let back = stream.info.value().and_then(|info| info.clock_back_at);
    if back == Some(event.revision) {
        facts.push((
            "clock",
            "recorded earlier than the event before it".to_owned(),
            Token::Warn,
        ));
    }
    facts.extend(status::facts(app, stream, event));
    facts.extend(metadata_facts(step));
    facts.push((
        "corr",
        named(event.correlation_id.as_deref(), "-"),
        Token::Muted,
    ));
    facts.push(("pos", event.position.to_string(), Token::Muted));
    facts.push(("id", named(Some(&event.event_id), ""), Token::Muted));
    facts
}

/// What surrounds the event may say from where it came: an address, a request.
fn metadata_facts(step: &Step) -> Vec<(&'static str, String, Token)> {
    let Some(metadata) = step
        .event
        .metadata
        .as_ref()
        .map(whodunit_core::json::Json::to_value)
    else {
        return Vec::new();
    };
    metadata
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| value.is_string() || value.is_number() || value.is_boolean())
        .take(METADATA_MAX)
        .map(|(name, value)| {
            (
                "with",
                format!("{} {}", safe(name), state::text(value)),
                Token::Muted,
            )
        })
        .collect()
}

fn draw_why(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let block = pane(theme, "who · when · why", stream.pane == 2);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (title, facts) = facts(app, stream);
    let cells = usize::from(inner.width).saturating_sub(7);
    let mut lines: Vec<Line<'_>> = wrap_to(&title, usize::from(inner.width), TITLE_LINES)
        .into_iter()
        .map(|line| Line::styled(line, theme.style(Token::Title)))
        .collect();
    let most = usize::from(inner.height / 3).max(FACT_LINES);
    for (label, text, token) in facts {
        for (index, part) in wrap_to(&text, cells, most).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let style = if label == "who" {
                theme.actor(&text)
            } else {
                theme.style(token)
            };
            lines.push(Line::from(vec![
                Span::styled(fit(label, 7), theme.style(Token::Muted)),
                Span::styled(part, style),
            ]));
        }
    }
    framed_lines(theme, frame, inner, lines, 0);
}

/// What happened, and at the right in a few marks where it stands in the pipeline.
fn title_line(app: &App, stream: &StreamScreen, title: &str, cells: usize) -> Line<'static> {
    let theme = app.theme;
    let (marks, token) = stream.step().map_or((String::new(), Token::Plain), |step| {
        status::short(app, stream, &step.event)
    });
    let room = cells.saturating_sub(width(&marks) + 2);
    if room < 20 || marks.is_empty() {
        let text = cut(&format!(" {title}"), cells);
        return Line::styled(text, theme.style(Token::Title));
    }
    Line::from(vec![
        Span::styled(fit(&format!(" {title}"), room), theme.style(Token::Title)),
        Span::styled(format!(" {marks}"), theme.style(token)),
    ])
}

/// The same in two lines, for narrow terminals.
fn draw_why_short(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    let (title, facts) = facts(app, stream);
    let cells = usize::from(area.width);
    let mut lines = vec![title_line(app, stream, &title, cells)];
    let mut line = String::new();
    for (label, text, _) in facts.iter().filter(|(label, ..)| {
        let elsewhere = [status::OUTBOX, status::MODELS];
        !matches!(*label, "corr" | "pos" | "id" | "on" | "with") && !elsewhere.contains(label)
    }) {
        let part = if label.is_empty() {
            text.clone()
        } else {
            format!("{label} {text}")
        };
        if !line.is_empty() && width(&line) + width(&part) + 3 > cells {
            lines.push(Line::raw(format!(" {line}")));
            line.clear();
        }
        if !line.is_empty() {
            line.push_str("   ");
        }
        line.push_str(&cut(&part, cells.saturating_sub(2)));
    }
    lines.push(Line::raw(format!(" {line}")));
    frame.render_widget(Paragraph::new(lines), area);
}
