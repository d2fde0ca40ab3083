//! What lies over the pipeline screen: a projection in full, the findings of a check, a question before something is done.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::pipeline::{FindingOut, RunOut, RunStatus};

use super::overlay::{choice, open};
use super::pipeline::status;
use super::{failure, first_row, loading};
use crate::figures::{duration, rate, sentence};
use crate::model::pipeline::Confirmed;
use crate::model::{Model, Remote};
use crate::text::{cut, fit, number, safe, wrap};
use crate::theme::{Glyph, Token};

pub(super) fn projection(model: &Model, frame: &mut Frame<'_>, body: Rect, scroll: usize) {
    let theme = model.theme;
    let Some(projection) = model.pipeline.current_projection() else {
        return;
    };
    let inner = open(model, frame, body, "projection · Esc closes", 84, 18);
    let cells = usize::from(inner.width);
    let (word, token) = status(theme, projection);
    let mut facts = vec![
        ("name", safe(&projection.name).into_owned(), Token::Accent),
        (
            "keeps",
            safe(&projection.description).into_owned(),
            Token::Plain,
        ),
        ("status", word, token),
        (
            "at",
            format!(
                "position {} of {}",
                number(projection.checkpoint),
                number(projection.head)
            ),
            Token::Plain,
        ),
        (
            "lag",
            format!(
                "{} events, {} since it was level with the head",
                number(projection.lag_events),
                duration(projection.lag_seconds)
            ),
            token,
        ),
        (
            "rate",
            format!("{} events/s", rate(projection.events_per_second)),
            Token::Plain,
        ),
        ("holds", format!("{} documents", number(projection.documents)), Token::Plain),
        ("rules", safe(&projection.rules_hash).into_owned(), Token::Muted),
    ];
    if let Some(error) = &projection.error {
        facts.push(("error", safe(error).into_owned(), Token::Error));
    }
    for (label, run) in [
        ("rebuild", &projection.rebuild),
        ("check", &projection.check),
    ] {
        if let Some(run) = run {
            facts.push((label, of_run(model, run), Token::Plain));
        }
    }
    let mut lines = Vec::new();
    for (label, text, token) in facts {
        for (index, part) in wrap(&text, cells.saturating_sub(9)).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            lines.push(Line::from(vec![
                Span::styled(fit(label, 9), theme.style(Token::Muted)),
                Span::styled(part, theme.style(token)),
            ]));
        }
    }
    let scroll = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    frame.render_widget(Paragraph::new(lines.split_off(scroll)), inner);
}

fn of_run(model: &Model, run: &RunOut) -> String {
    let at = model.zone.long(run.ended_at.unwrap_or(run.started_at));
    match run.status {
        RunStatus::Running => format!("under way, {}", sentence(run)),
        RunStatus::Completed => format!("done {at}, {} events", number(run.done)),
        RunStatus::Cancelled => format!("cancelled {at}"),
        RunStatus::Failed => {
            let why = run.error.as_deref().map(safe).unwrap_or_default();
            format!("failed {at}: {why}")
        }
    }
}

pub(super) fn findings(model: &Model, frame: &mut Frame<'_>, body: Rect, selected: usize) {
    let (theme, screen) = (model.theme, &model.pipeline);
    let name = screen.checked.as_deref().map(safe).unwrap_or_default();
    let title = format!("truth check of {name} · Esc closes");
    let inner = open(model, frame, body, &title, 100, 18);
    let found = match &screen.check {
        Remote::Failed(why) => return failure(model, frame, inner, why),
        Remote::Absent | Remote::Loading(_) => {
            let run = screen
                .projections()
                .iter()
                .find(|projection| screen.checked.as_deref() == Some(&projection.name))
                .and_then(|projection| projection.check.as_ref())
                .filter(|run| run.status == RunStatus::Running);
            let how = run.map_or_else(String::new, |run| format!(": {}", sentence(run)));
            let what = format!("what the log says{how}");
            return loading(model, frame, inner, &what);
        }
        Remote::Ready(found) => found,
    };
    let cells = usize::from(inner.width);
    let compared = format!(
        "{} documents and {} events compared, up to position {}",
        number(found.documents),
        number(found.events),
        number(found.checkpoint)
    );
    let mut lines = Vec::new();
    if found.ok {
        let text = format!("{} the read model is what the log says", theme.glyph(Glyph::Done));
        lines.push(Line::styled(text, theme.style(Token::Added)));
        lines.push(Line::styled(cut(&compared, cells), theme.style(Token::Muted)));
        lines.push(Line::styled("C checks again", theme.style(Token::Muted)));
        frame.render_widget(Paragraph::new(lines), inner);
        return;
    }
    let text = format!(
        "{} {} documents and the log part, the first event each is to blame on:",
        theme.glyph(Glyph::Rejected),
        number(found.findings_total)
    );
    lines.push(Line::styled(cut(&text, cells), theme.style(Token::Error)));
    lines.push(Line::styled(cut(&compared, cells), theme.style(Token::Muted)));
    // Two lines above, four below: the list has the rest.
    let height = usize::from(inner.height).saturating_sub(6).max(1);
    let first = first_row(selected, found.findings.len(), height);
    let shown = found.findings.iter().enumerate().skip(first).take(height);
    lines.extend(shown.map(|(index, finding)| {
        choice(theme, index == selected, &finding_row(finding), cells)
    }));
    let list_end = 2 + height.min(found.findings.len());
    let (list, detail) = split(inner, list_end);
    frame.render_widget(Paragraph::new(lines), list);
    draw_finding(model, found.findings.get(selected), frame, detail);
}

fn finding_row(finding: &FindingOut) -> String {
    let event = if finding.revision == 0 {
        "no event is to blame".to_owned()
    } else {
        format!(
            "rev {} {} at position {}",
            finding.revision,
            safe(&finding.event_type),
            number(finding.position)
        )
    };
    format!(
        "{} {} {event}",
        fit(&finding.kind.as_str().replace('_', " "), 13),
        fit(&safe(&finding.key), 20)
    )
}

/// The selected finding's sentence, and what can be done.
fn draw_finding(model: &Model, finding: Option<&FindingOut>, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.theme;
    let Some(finding) = finding else { return };
    let cells = usize::from(area.width);
    let mut lines = vec![Line::default()];
    let sentence = wrap(&safe(&finding.detail), cells).into_iter().take(2);
    lines.extend(sentence.map(Line::raw));
    lines.push(Line::styled(
        cut("Enter opens the event's stream · C checks again · B on the screen rebuilds", cells),
        theme.style(Token::Muted),
    ));
    frame.render_widget(Paragraph::new(lines), area);
}

fn split(area: Rect, rows: usize) -> (Rect, Rect) {
    let top = u16::try_from(rows).unwrap_or(area.height).min(area.height);
    (
        Rect::new(area.x, area.y, area.width, top),
        Rect::new(area.x, area.y + top, area.width, area.height - top),
    )
}

pub(super) fn confirm(model: &Model, frame: &mut Frame<'_>, body: Rect, what: &Confirmed) {
    let theme = model.theme;
    let (question, detail) = match what {
        Confirmed::Rebuild(name) => (
            format!("rebuild {}?", safe(name)),
            "The read model is made anew from the whole log and takes the place of this one when it is done; until then \
             this one answers. No mail is sent, no webhook called.",
        ),
        Confirmed::RetryAll(handler) => (
            format!("retry all failed jobs of {}?", safe(handler)),
            "Each is tried again as if it were new: what the handler does, such as sending a mail, is done.",
        ),
    };
    let inner = open(model, frame, body, "really?", 70, 9);
    let cells = usize::from(inner.width);
    let mut lines: Vec<(String, Style)> =
        vec![(cut(&question, cells), theme.style(Token::Title)), (String::new(), Style::new())];
    lines.extend(wrap(detail, cells).into_iter().map(|line| (line, Style::new())));
    lines.push((
        "Enter does it · Esc does not".to_owned(),
        theme.style(Token::Key),
    ));
    let lines: Vec<Line<'_>> = lines
        .into_iter()
        .map(|(text, style)| Line::styled(text, style))
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}
