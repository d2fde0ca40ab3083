//! The state at the cursor, with what the event there changed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::super::{awaited, below, failure, pane, state, warning_lines};
use crate::model::App;
use crate::model::stream::StreamScreen;
use crate::request::Slot;
use crate::text::{cut, safe, width, wrap_to};
use crate::theme::Token;

/// What is said of a state that is folded without the model of its commands, and in how many lines at most.
const LACKS_MODEL: &str = "! its commands were decided by a model that the daemon was not asked for (`--model`): this state is \
                           only merged from the events";
const LACKS_MODEL_LINES: usize = 6;

pub(super) fn draw(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
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
        let text = wrap_to(LACKS_MODEL, cells, LACKS_MODEL_LINES).into_iter();
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
