//! What lies over the pipeline screen: a projection in full, the findings of a check, a question before something is done.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::pipeline::{BackfillPlan, FindingOut, ProjectionOut, RunOut, RunStatus};

use super::overlay::{choice, open};
use super::pipeline::rows;
use super::projections::status;
use super::{centred, failure, first_row, framed_lines};
use crate::humanize::{documents, duration, rate, sentence, trouble};
use crate::model::pipeline::{Confirmed, PipelineScreen};
use crate::model::{App, Remote};
use crate::text::{clause, counted, cut, fit, number, safe, wrap, wrap_to};
use crate::theme::{Glyph, Token};

/// How wide the boxes are at most.
const COLUMNS: u16 = 84;
/// Lines of a box beside its list of findings: two above, four below.
const AROUND: usize = 6;

pub(super) fn projection(
    app: &App,
    screen: &PipelineScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    scroll: usize,
) {
    let theme = app.theme;
    let Some(projection) = screen.current_projection() else {
        return;
    };
    let columns = COLUMNS.min(body.width);
    let cells = usize::from(columns.saturating_sub(2));
    let mut lines = Vec::new();
    for (label, text, token) in facts(app, projection) {
        for (index, part) in wrap(&text, cells.saturating_sub(9)).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            lines.push(Line::from(vec![
                Span::styled(fit(label, 9), theme.style(Token::Muted)),
                Span::styled(part, theme.style(token)),
            ]));
        }
    }
    let title = "projection · Esc closes";
    let inner = open(app, frame, body, title, columns, rows(lines.len()));
    framed_lines(theme, frame, inner, lines, scroll);
}

/// Labelled facts about a projection.
fn facts(app: &App, projection: &ProjectionOut) -> Vec<(&'static str, String, Token)> {
    let (word, token) = status(app.theme, projection);
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
                "{}, {} since it was level with the head",
                counted(projection.lag_events, "event"),
                duration(projection.lag_seconds)
            ),
            token,
        ),
        (
            "rate",
            format!("{} events/s", rate(projection.events_per_second)),
            Token::Plain,
        ),
        ("holds", documents(projection), Token::Plain),
        (
            "rules",
            safe(&projection.rules_hash).into_owned(),
            Token::Muted,
        ),
    ];
    if let Some((still, said)) = trouble(projection) {
        let token = if still { Token::Error } else { Token::Muted };
        facts.push(("error", said, token));
    }
    for (label, run) in [
        ("rebuild", &projection.rebuild),
        ("check", &projection.check),
    ] {
        if let Some(run) = run {
            facts.push((label, of_run(app, run), Token::Plain));
        }
    }
    facts
}

fn of_run(app: &App, run: &RunOut) -> String {
    let at = app.zone.long(run.ended_at.unwrap_or(run.started_at));
    match run.status {
        RunStatus::Running => format!("under way, {}", sentence(run)),
        RunStatus::Completed => format!("done {at}, {}", counted(run.done, "event")),
        RunStatus::Cancelled => format!("cancelled {at}"),
        RunStatus::Failed => {
            let why = run.error.as_deref().map(safe).unwrap_or_default();
            format!("failed {at}: {why}")
        }
    }
}

pub(super) fn findings(
    app: &App,
    screen: &PipelineScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    selected: usize,
) {
    let theme = app.theme;
    let name = screen.checked.as_deref().map(safe).unwrap_or_default();
    let title = format!("consistency check of {name} · Esc closes");
    let found = match &screen.check {
        Remote::Failed(why) => {
            let inner = open(app, frame, body, &title, COLUMNS, 10);
            return failure(app, frame, inner, why);
        }
        Remote::Absent | Remote::Loading(_) => {
            let inner = open(app, frame, body, &title, COLUMNS, 8);
            return under_way(app, screen, frame, inner);
        }
        Remote::Ready(found) => found,
    };
    let lines = if found.ok {
        3
    } else {
        found.findings.len() + AROUND
    };
    let inner = open(app, frame, body, &title, 100, rows(lines));
    let cells = usize::from(inner.width);
    let compared = format!(
        "compared {} with {}, up to position {}",
        counted(found.documents, "document"),
        counted(found.events, "event"),
        number(found.checkpoint)
    );
    let compared = Line::styled(cut(&compared, cells), theme.style(Token::Muted));
    if found.ok {
        let ok = format!(
            "{} the read model matches the log",
            theme.glyph(Glyph::Done)
        );
        let lines = vec![
            Line::styled(ok, theme.style(Token::Added)),
            compared,
            Line::styled("C checks again", theme.style(Token::Muted)),
        ];
        return frame.render_widget(Paragraph::new(lines), inner);
    }
    let (total, listed) = (found.findings_total, found.findings.len() as u64);
    let text = format!(
        "{} {} not match the log; {}:",
        theme.glyph(Glyph::Rejected),
        clause(total, "document", "does"),
        if total > listed {
            format!("the first {} are listed", number(listed))
        } else {
            "where each first differs".to_owned()
        }
    );
    let mut lines = vec![
        Line::styled(cut(&text, cells), theme.style(Token::Error)),
        compared,
    ];
    let height = usize::from(inner.height).saturating_sub(AROUND).max(1);
    let first = first_row(selected, found.findings.len(), height);
    let shown = found.findings.iter().enumerate().skip(first).take(height);
    lines
        .extend(shown.map(|(index, finding)| {
            choice(theme, index == selected, &finding_row(finding), cells)
        }));
    let (list, detail) = split(inner, lines.len());
    frame.render_widget(Paragraph::new(lines), list);
    draw_finding(app, found.findings.get(selected), frame, detail);
}

/// How far the check is, as the projection says it.
fn under_way(app: &App, screen: &PipelineScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let run = screen
        .projections()
        .iter()
        .find(|projection| screen.checked.as_deref() == Some(&projection.name))
        .and_then(|projection| projection.check.as_ref())
        .filter(|run| run.status == RunStatus::Running);
    let mut lines = vec![(
        "folding the log again, and comparing …".to_owned(),
        theme.style(Token::Plain),
    )];
    if let Some(run) = run {
        lines.push((sentence(run), theme.style(Token::Accent)));
    }
    lines.push((
        "Esc closes this box, and the check keeps running; K cancels it".to_owned(),
        theme.style(Token::Muted),
    ));
    centred(frame, area, &lines);
}

fn finding_row(finding: &FindingOut) -> String {
    let event = if finding.revision == 0 {
        "no single event is to blame".to_owned()
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
fn draw_finding(app: &App, finding: Option<&FindingOut>, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let Some(finding) = finding else { return };
    let cells = usize::from(area.width);
    let mut lines = vec![Line::default()];
    let sentence = wrap_to(&safe(&finding.detail), cells, 2);
    lines.extend(sentence.into_iter().map(Line::raw));
    lines.push(Line::styled(
        cut(
            "Enter opens the event's stream · C checks again · B on the screen rebuilds",
            cells,
        ),
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

/// Counts that a plan shows at most.
const COUNTS: usize = 6;

/// What a backfill would do, in a sentence.
fn plan(plan: &BackfillPlan) -> String {
    let counts: Vec<String> = plan
        .handlers
        .iter()
        .flat_map(|handler| {
            let name = safe(&handler.handler);
            handler.event_types.iter().map(move |count| {
                format!(
                    "{name} {} {}",
                    number(count.events),
                    safe(&count.event_type)
                )
            })
        })
        .collect();
    let more = match counts.len().saturating_sub(COUNTS) {
        0 => String::new(),
        more => format!(", and {}", counted(more as u64, "more event type")),
    };
    let shown = counts
        .into_iter()
        .take(COUNTS)
        .collect::<Vec<_>>()
        .join(", ");
    let shown = if shown.is_empty() {
        "no event in the range concerns them".to_owned()
    } else {
        shown
    };
    format!(
        "Positions {} to {}: {shown}{more}. Mails are sent and webhooks called again.",
        number(plan.from_position),
        number(plan.to_position)
    )
}

pub(super) fn confirm(app: &App, frame: &mut Frame<'_>, body: Rect, what: &Confirmed) {
    let theme = app.theme;
    let planned;
    let (question, detail) = match what {
        Confirmed::Backfill(backfill) => {
            planned = plan(&backfill.plan);
            let jobs = counted(backfill.plan.jobs, "job");
            (format!("start the backfill: {jobs}?"), planned.as_str())
        }
        Confirmed::Rebuild(name) => (
            format!("rebuild {}?", safe(name)),
            "The read model is rebuilt from the whole log and replaces this one when it is done; until then \
             this one answers. No mail is sent, no webhook called.",
        ),
        Confirmed::RemoveBranch(name) => (
            format!("delete the branch {}?", safe(name)),
            "It cannot be restored unless it was exported. The log is not touched, and branches built on it stay as they are.",
        ),
        Confirmed::AdoptBranch(name) => (
            format!("read the branch {} on this log?", safe(name)),
            "It was made on another log, or on another history of this one: what it names may be something else here. \
             From then on it counts as made on this log.",
        ),
        Confirmed::RetryAll(handler) => (
            format!("retry all failed jobs of {}?", safe(handler)),
            "Each is tried again as if it were new: the handler does its work again, such as sending a mail.",
        ),
    };
    let inner = open(app, frame, body, "confirm", 70, 9);
    let cells = usize::from(inner.width);
    let mut lines: Vec<(String, Style)> = vec![
        (cut(&question, cells), theme.style(Token::Heading)),
        (String::new(), Style::new()),
    ];
    lines.extend(
        wrap(detail, cells)
            .into_iter()
            .map(|line| (line, Style::new())),
    );
    lines.push((
        "Enter: confirm · Esc: cancel".to_owned(),
        theme.style(Token::Key),
    ));
    let lines: Vec<Line<'_>> = lines
        .into_iter()
        .map(|(text, style)| Line::styled(text, style))
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}
