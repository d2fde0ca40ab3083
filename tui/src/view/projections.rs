//! The projections' pane of the pipeline screen: lag bars, and what runs over them.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::api::pipeline::{ProjectionOut, ProjectionStatus, RunOut, RunStatus};

use super::pipeline::{cursor, row_style, rows};
use super::{centred, pane};
use crate::client::Pipeline;
use crate::humanize::{documents, duration, part, percent, rate, sentence, trouble};
use crate::model::App;
use crate::model::hits::{Hit, Part};
use crate::model::pipeline::{Pane, PipelineScreen};
use crate::text::{counted, cut, fit, number, safe, width};
use crate::theme::{Glyph, Theme, Token};

/// Lines about backfills at most.
const BACKFILL_ROWS: u16 = 4;

pub(super) fn draw(
    app: &App,
    screen: &PipelineScreen,
    all: &Pipeline,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let theme = app.theme;
    let focused = screen.pane == Pane::Projections;
    let title = format!("projections · head {}", number(all.head));
    let block = pane(theme, &title, focused);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let cells = usize::from(inner.width);
    if all.projections.is_empty() && all.backfills.is_empty() {
        let text = "there are no projections".to_owned();
        return centred(frame, inner, &[(text, theme.style(Token::Muted))]);
    }
    let mut lines = Vec::new();
    let mut owners: Vec<usize> = Vec::new();
    let mut at = 0;
    for index in 0..all.projections.len() {
        if index == screen.projection {
            at = lines.len();
        }
        lines.extend(lines_of(app, screen, all, index, cells));
        owners.resize(lines.len(), index);
    }
    // The backfills stay in sight, whichever projection is selected.
    let backfills = backfill_lines(theme, all, cells);
    let below = rows(backfills.len())
        .saturating_sub(2)
        .min(BACKFILL_ROWS)
        .min(inner.height / 2);
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(inner.height - below);
    let [list, bottom, _] = Layout::vertical([
        Constraint::Length(height),
        Constraint::Length(below),
        Constraint::Min(0),
    ])
    .areas(inner);
    let first = at.min(lines.len().saturating_sub(usize::from(height)));
    app.hits.add(area, Hit::Part(Part::Projections));
    for (y, owner) in (list.top()..list.bottom()).zip(owners.into_iter().skip(first)) {
        app.hits.line(list, y, Hit::Row(Part::Projections, owner));
    }
    frame.render_widget(Paragraph::new(lines.split_off(first)), list);
    frame.render_widget(Paragraph::new(backfills), bottom);
}

/// How a projection keeps up, in a word; a stalled one has a mark of its own.
pub(super) fn status(theme: Theme, projection: &ProjectionOut) -> (String, Token) {
    match projection.status {
        ProjectionStatus::Live => ("live".to_owned(), Token::Added),
        ProjectionStatus::CatchingUp => ("catching up".to_owned(), Token::Changed),
        ProjectionStatus::WaitsForImport => ("waits for import".to_owned(), Token::Changed),
        ProjectionStatus::Stalled => (
            format!("{} stalled", theme.glyph(Glyph::Stalled)),
            Token::Error,
        ),
    }
}

pub(super) fn lines_of(
    app: &App,
    screen: &PipelineScreen,
    all: &Pipeline,
    index: usize,
    cells: usize,
) -> Vec<Line<'static>> {
    let theme = app.theme;
    let Some(projection) = all.projections.get(index) else {
        return Vec::new();
    };
    let selected = index == screen.projection;
    let focused = screen.pane == Pane::Projections;
    let names = all.projections.iter().map(|p| width(&safe(&p.name)));
    let column = names.max().unwrap_or(0).clamp(6, 14);
    let (word, token) = status(theme, projection);
    let lag = format!("lag {}", number(projection.lag_events));
    let head = format!(
        "{} {} {}",
        cursor(theme, selected),
        fit(&safe(&projection.name), column),
        fit(&word, 11)
    );
    let room = cells.saturating_sub(width(&head) + width(&lag) + 2);
    let bar = bar(
        theme,
        Glyph::Full,
        projection.checkpoint,
        projection.head,
        room,
    );
    let text = fit(&format!("{head} {bar} {lag}"), cells);
    let mut lines = vec![Line::styled(
        text,
        row_style(theme, token, selected, focused),
    )];
    let behind = if projection.lag_events == 0 {
        String::new()
    } else {
        format!(" · {} behind", duration(projection.lag_seconds))
    };
    let figures = format!(
        "   {} of {}{behind} · {} events/s · {}",
        number(projection.checkpoint),
        number(projection.head),
        rate(projection.events_per_second),
        documents(projection),
    );
    lines.push(Line::styled(
        cut(&figures, cells),
        theme.style(Token::Muted),
    ));
    if let Some((still, said)) = trouble(projection) {
        let token = if still { Token::Error } else { Token::Muted };
        let text = format!("   {said}");
        lines.push(Line::styled(cut(&text, cells), theme.style(token)));
    }
    for run in [&projection.rebuild, &projection.check]
        .into_iter()
        .flatten()
    {
        // One that has ended well is shown in the projection's details.
        if matches!(run.status, RunStatus::Running | RunStatus::Failed) {
            lines.push(run_line(theme, run, &safe(&run.kind), cells));
        }
    }
    lines
}

pub(super) fn backfill_lines(theme: Theme, all: &Pipeline, cells: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for run in all.backfills_shown() {
        let mut what = format!("backfill {} of {}", run.id, safe(&run.of));
        if run.status == RunStatus::Running {
            let title = cut(&format!("   {what}"), cells);
            lines.push(Line::styled(title, theme.style(Token::Accent)));
            what.clear();
        }
        lines.push(run_line(theme, run, &what, cells));
    }
    lines
}

/// A run under way, with its bar, or how it ended.
fn run_line(theme: Theme, run: &RunOut, what: &str, cells: usize) -> Line<'static> {
    let jobs = counted(run.jobs, "job");
    let (text, token) = match run.status {
        RunStatus::Running => {
            let said = sentence(run);
            let used = 5 + width(what) + width(&said);
            let bar = bar(
                theme,
                Glyph::Building,
                run.done,
                run.total.max(1),
                cells.saturating_sub(used).min(20),
            );
            let parts = [what, &bar, &said];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            (format!("   {}", parts.join(" ")), Token::Accent)
        }
        RunStatus::Failed => {
            let why = run.error.as_deref().map(safe).unwrap_or_default();
            (format!("   {what} failed: {why}"), Token::Error)
        }
        RunStatus::Completed => (format!("   {what} done, {jobs}"), Token::Muted),
        RunStatus::Cancelled => (
            format!("   {what} cancelled at {} %, {jobs}", percent(run)),
            Token::Muted,
        ),
    };
    Line::styled(cut(&text, cells), theme.style(token))
}

/// A bar of so many cells; nothing where there is no room for one.
fn bar(theme: Theme, full: Glyph, done: u64, total: u64, cells: usize) -> String {
    if cells < 3 {
        return String::new();
    }
    let filled = part(done, total, cells);
    format!(
        "{}{}",
        theme.glyph(full).repeat(filled),
        theme.glyph(Glyph::Empty).repeat(cells - filled)
    )
}
