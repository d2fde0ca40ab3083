//! The plumbing of the row at the cursor: its jobs, read models, what surrounds it, its ids.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::time_travel::Step;
use whodunit_core::fold::EventEffect;

use super::super::{rule as rule_line, state, status};
use super::rule;
use crate::model::App;
use crate::model::stream::{Row, StreamScreen};
use crate::request::Slot;
use crate::text::{fit, safe, wrap_to};
use crate::theme::Token;

/// A label, what it says, and how it looks.
type Fact = (&'static str, String, Token);

/// Cells of a label.
const LABEL_CELLS: usize = 8;
/// Lines that a fact takes at most.
const FACT_LINES: usize = 6;
/// Entries of the metadata shown beside an event; all of them stand in its detail.
const METADATA_MAX: usize = 8;

/// Labelled facts about the row at the cursor: what the sentence leaves out.
fn facts(app: &App, stream: &StreamScreen) -> Vec<Fact> {
    match stream.cursor {
        Row::Rejected(index) => {
            let Some(decision) = stream.rejected(index) else {
                return Vec::new();
            };
            let named = |text: Option<&str>| safe(text.unwrap_or("-")).into_owned();
            vec![
                (
                    "rule",
                    format!("{}: {}", rule(decision).0, rule(decision).1),
                    Token::Rejected,
                ),
                (
                    "why",
                    safe(decision.reason.as_deref().unwrap_or("(no reason given)")).into_owned(),
                    Token::Plain,
                ),
                (
                    "on",
                    format!("revision {}", decision.base_revision),
                    Token::Muted,
                ),
                (
                    "corr",
                    named(decision.correlation_id.as_deref()),
                    Token::Muted,
                ),
                ("id", named(Some(&decision.command_id)), Token::Muted),
            ]
        }
        Row::Revision(_) => stream
            .step()
            .map_or_else(Vec::new, |step| event_facts(app, stream, step)),
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

fn event_facts(app: &App, stream: &StreamScreen, step: &Step) -> Vec<Fact> {
    let event = &step.event;
    let named = |text: Option<&str>, otherwise: &str| safe(text.unwrap_or(otherwise)).into_owned();
    let mut facts = Vec::new();
    let command = stream.origin().and_then(|origin| origin.command.as_ref());
    if let Some(command) = command {
        let text = safe(&command.command_type).into_owned();
        facts.push(("cmd", text, Token::Plain));
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
fn metadata_facts(step: &Step) -> Vec<Fact> {
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

/// The lines of the facts, wrapped.
pub(super) fn lines(app: &App, stream: &StreamScreen, cells: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = Vec::new();
    for (label, text, token) in facts(app, stream) {
        let parts = wrap_to(&text, cells.saturating_sub(LABEL_CELLS), FACT_LINES);
        for (index, part) in parts.into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            lines.push(Line::from(vec![
                Span::styled(fit(label, LABEL_CELLS), theme.style(Token::Muted)),
                Span::styled(part, theme.style(token)),
            ]));
        }
    }
    lines
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, mut lines: Vec<Line<'_>>) {
    if area.height < 2 {
        return;
    }
    let top = Rect::new(area.x, area.y, area.width, 1);
    let height = usize::from(area.height - 1);
    let below = lines.len().saturating_sub(height);
    let right = if below > 0 {
        format!("{below} more: enter shows the whole event")
    } else {
        String::new()
    };
    let cells = usize::from(area.width);
    frame.render_widget(rule_line(app.theme, cells, "event", &right), top);
    lines.truncate(height);
    let inner = Rect::new(
        area.x + 2,
        area.y + 1,
        area.width.saturating_sub(3),
        area.height - 1,
    );
    frame.render_widget(Paragraph::new(lines), inner);
}
