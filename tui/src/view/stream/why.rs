//! Who, when and why: the facts about the row at the cursor.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::time_travel::Step;
use whodunit_core::fold::EventEffect;

use super::super::{framed_lines, pane, state, status};
use super::rule;
use crate::model::App;
use crate::model::stream::{Row, StreamScreen};
use crate::request::Slot;
use crate::text::{cut, fit, safe, width, wrap_to};
use crate::theme::{Glyph, Token};

/// Lines that a title takes at most, and that a fact may take even where there is little room.
const TITLE_LINES: usize = 4;
const FACT_LINES: usize = 6;
/// Entries of the metadata shown beside an event; all of them stand in its detail.
const METADATA_MAX: usize = 8;

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
pub(in crate::view) fn missing(stream: &StreamScreen) -> &'static str {
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

pub(super) fn draw(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
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
    let most = usize::from(inner.height / 2).max(FACT_LINES);
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
pub(super) fn draw_short(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
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
