//! The pipeline screen: the handlers, the jobs that need attention, and beside them the projections.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::pipeline::{HandlerOut, JobCounts, JobOut, JobStatus};

use super::{awaited, centred, failure, first_row, pane, projections};
use crate::client::{Pipeline, is_set_up};
use crate::model::hits::Part;
use crate::model::pipeline::{Pane, PipelineScreen};
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{cut, fit, number, safe, width, wrap};
use crate::theme::{Glyph, Theme, Token};

/// From this width on the projections stand beside the outbox; below, all is stacked.
const SIDE_BY_SIDE: u16 = 100;
/// Lines about the selected job, under the list, where there is room and where there is little.
const DETAIL_ROWS: u16 = 4;
const DETAIL_ROWS_LEAST: u16 = 2;

pub(super) fn draw(app: &App, screen: &PipelineScreen, frame: &mut Frame<'_>, area: Rect) {
    let all = match &screen.all {
        Remote::Failed(why) => return failure(app, frame, area, why),
        Remote::Absent | Remote::Loading(None) => {
            let is_asked = screen.asked.has(Slot::Pipeline);
            return awaited(app, frame, area, "the pipeline", is_asked);
        }
        Remote::Ready(all) | Remote::Loading(Some(all)) => all,
    };
    let handlers = rows(all.handlers.len() + 1);
    let [left, middle, bottom] = if area.width >= SIDE_BY_SIDE {
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(48), Constraint::Min(40)]).areas(area);
        let height = handlers.min(area.height / 2).max(3);
        let [middle, bottom] =
            Layout::vertical([Constraint::Length(height), Constraint::Min(3)]).areas(right);
        [left, middle, bottom]
    } else {
        let lines: usize = (0..all.projections.len())
            .map(|index| projections::lines_of(app, screen, all, index, 40).len())
            .sum();
        let backfills = projections::backfill_lines(app.theme, all, 40).len();
        // The jobs get what is left, and never less than a third.
        let third = area.height / 3;
        Layout::vertical([
            Constraint::Length(rows(lines + backfills).min(third + 1).max(3)),
            Constraint::Length(handlers.min(third).max(3)),
            Constraint::Min(3),
        ])
        .areas(area)
    };
    projections::draw(app, screen, all, frame, left);
    draw_handlers(app, screen, frame, middle);
    draw_jobs(app, screen, all, frame, bottom);
}

/// The height of a pane for so many lines.
pub(super) fn rows(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2)
}

pub(super) fn cursor(theme: Theme, selected: bool) -> &'static str {
    if selected {
        theme.glyph(Glyph::Cursor)
    } else {
        " "
    }
}

/// The style of a row: that of its meaning, and reversed where the keys go.
pub(super) fn row_style(theme: Theme, token: Token, selected: bool, focused: bool) -> Style {
    let style = theme.style(token);
    if selected && focused {
        style.patch(theme.style(Token::Selected))
    } else {
        style
    }
}

fn draw_handlers(app: &App, screen: &PipelineScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let handlers = screen.handlers();
    let height = usize::from(area.height.saturating_sub(2));
    let first = first_row(screen.handler, handlers.len() + 1, height);
    // What is out of sight may be what failed.
    let title = match (handlers.len() + 1).saturating_sub(first + height) {
        0 => "outbox".to_owned(),
        below => format!("outbox · {below} more below"),
    };
    let block = pane(theme, &title, screen.pane == Pane::Handlers);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if handlers.is_empty() {
        let text = "no handler is set up".to_owned();
        return centred(frame, inner, &[(text, theme.style(Token::Muted))]);
    }
    let all = handlers.iter().fold(JobCounts::default(), |sum, handler| {
        let counts = handler.counts;
        JobCounts {
            pending: sum.pending + counts.pending,
            processing: sum.processing + counts.processing,
            completed: sum.completed + counts.completed,
            failed: sum.failed + counts.failed,
        }
    });
    // The columns of the sums are as wide as any.
    let widths = columns(all).map(|(n, _)| width(&number(n)));
    let names = std::iter::once(("all handlers".to_owned(), all)).chain(
        handlers
            .iter()
            .map(|handler| (handler_name(handler), handler.counts)),
    );
    let lines: Vec<Line<'_>> = names
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(index, (name, counts))| {
            handler_row(
                app,
                screen,
                (index, &name),
                counts,
                widths,
                usize::from(inner.width),
            )
        })
        .collect();
    app.hits
        .rows(inner, Part::Handlers, first, handlers.len() + 1);
    frame.render_widget(Paragraph::new(lines), inner);
}

fn handler_name(handler: &HandlerOut) -> String {
    let name = safe(&handler.handler);
    if handler.kind == "none" {
        format!("{name} (not set up)")
    } else {
        name.into_owned()
    }
}

fn columns(counts: JobCounts) -> [(u64, Glyph); 4] {
    [
        (counts.completed, Glyph::Done),
        (counts.pending, Glyph::Waiting),
        (counts.processing, Glyph::Busy),
        (counts.failed, Glyph::Rejected),
    ]
}

fn handler_row(
    app: &App,
    screen: &PipelineScreen,
    (index, name): (usize, &str),
    counts: JobCounts,
    widths: [usize; 4],
    cells: usize,
) -> Line<'static> {
    let theme = app.theme;
    let selected = index == screen.handler;
    let focused = screen.pane == Pane::Handlers;
    let figures: Vec<String> = columns(counts)
        .into_iter()
        .zip(widths)
        .map(|((n, glyph), width)| format!("{:>width$} {}", number(n), theme.glyph(glyph)))
        .collect();
    let used: usize = figures.iter().map(|figure| width(figure) + 2).sum();
    let room = cells.saturating_sub(used + 2);
    let plain = row_style(theme, Token::Plain, selected, focused);
    let failed = if counts.failed > 0 {
        row_style(theme, Token::Error, selected, focused)
    } else {
        plain
    };
    let mut spans = vec![Span::styled(
        format!("{} {}", cursor(theme, selected), fit(name, room)),
        plain,
    )];
    for (index, figure) in figures.into_iter().enumerate() {
        let style = if index == 3 { failed } else { plain };
        spans.push(Span::styled(format!("  {figure}"), style));
    }
    Line::from(spans)
}

fn draw_jobs(
    app: &App,
    screen: &PipelineScreen,
    all: &Pipeline,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let theme = app.theme;
    let more = if all.more { "+" } else { "" };
    let of = screen
        .current_handler()
        .map(|handler| format!(" of {}", safe(&handler.handler)))
        .unwrap_or_default();
    let jobs = screen.jobs();
    let title = if screen.has_jobs() {
        format!("jobs{of} · {}{more} not done", jobs.len())
    } else {
        format!("jobs{of}")
    };
    let title = cut(&title, usize::from(area.width).saturating_sub(6));
    let block = pane(theme, &title, screen.pane == Pane::Jobs);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if !screen.has_jobs() {
        let text = if screen.asked.has(Slot::Pipeline) {
            "loading the jobs …"
        } else {
            "the jobs are not loaded; press r to load them"
        };
        return centred(
            frame,
            inner,
            &[(text.to_owned(), theme.style(Token::Muted))],
        );
    }
    if jobs.is_empty() {
        let text = "no job is waiting, and none has failed".to_owned();
        return centred(frame, inner, &[(text, theme.style(Token::Muted))]);
    }
    let below = if inner.height < 12 {
        DETAIL_ROWS_LEAST.min(inner.height.saturating_sub(2))
    } else {
        DETAIL_ROWS
    };
    let [list, detail] =
        Layout::vertical([Constraint::Min(1), Constraint::Length(below)]).areas(inner);
    let height = usize::from(list.height);
    let first = first_row(screen.job, jobs.len(), height);
    app.hits.rows(list, Part::Jobs, first, jobs.len());
    let lines: Vec<Line<'_>> = jobs
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(index, job)| {
            job_row(
                app,
                screen,
                job,
                index == screen.job,
                usize::from(list.width),
            )
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), list);
    draw_job(app, screen, frame, detail);
}

/// A job's mark and colour.
pub(super) fn job_mark(job: &JobOut) -> (Glyph, Token) {
    match job.status {
        JobStatus::Pending if job.blocked_by.is_some() => (Glyph::Held, Token::Warn),
        JobStatus::Pending => (Glyph::Waiting, Token::Plain),
        JobStatus::Processing => (Glyph::Busy, Token::Accent),
        JobStatus::Completed => (Glyph::Done, Token::Added),
        JobStatus::Failed => (Glyph::Rejected, Token::Error),
    }
}

/// What a job waits for, or what its last attempt said.
pub(super) fn job_story(app: &App, handlers: &[HandlerOut], job: &JobOut) -> String {
    let error = job.last_error.as_deref().map(safe).unwrap_or_default();
    match job.status {
        JobStatus::Failed => error.into_owned(),
        JobStatus::Processing => "under way".to_owned(),
        JobStatus::Completed => "completed".to_owned(),
        JobStatus::Pending => match (job.blocked_by, job.next_attempt_at) {
            (Some(by), _) => format!("blocked by job {by}"),
            (None, Some(at)) => {
                let micros = at.as_micros() - app.now.as_micros();
                let wait = u64::try_from(micros / 1_000_000).unwrap_or(0);
                let wait = format!("next try in {wait} s");
                if error.is_empty() {
                    wait
                } else {
                    format!("{wait}: {error}")
                }
            }
            (None, None) if is_set_up(handlers, &job.handler) => "waiting for a worker".to_owned(),
            (None, None) => "waiting for its handler, which is not set up".to_owned(),
        },
    }
}

fn job_row(
    app: &App,
    screen: &PipelineScreen,
    job: &JobOut,
    selected: bool,
    cells: usize,
) -> Line<'static> {
    let theme = app.theme;
    let (glyph, token) = job_mark(job);
    let mut text = format!(
        "{}{} {:>5} {} rev {:<3}",
        cursor(theme, selected),
        theme.glyph(glyph),
        job.id,
        fit(&safe(job.stream.as_str()), if cells < 70 { 12 } else { 16 }),
        job.revision
    );
    // Whose job it is goes without saying when only one handler's are shown.
    if screen.current_handler().is_none() && cells >= 56 {
        let room = if cells < 70 { 12 } else { 18 };
        text = format!("{text} {}", fit(&safe(&job.handler), room));
    }
    let room = cells.saturating_sub(width(&text) + 1);
    if room >= 6 {
        text = format!(
            "{text} {}",
            cut(&job_story(app, screen.handlers(), job), room)
        );
    }
    let focused = screen.pane == Pane::Jobs;
    Line::styled(
        fit(&text, cells),
        row_style(theme, token, selected, focused),
    )
}

/// The selected job in a few lines, its error in full as far as it fits.
fn draw_job(app: &App, screen: &PipelineScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let Some(job) = screen.current_job() else {
        return;
    };
    let cells = usize::from(area.width);
    let tries = if job.attempts == 1 {
        "attempt"
    } else {
        "attempts"
    };
    let title = format!(
        "{} {} {}: {} {tries}, last {}",
        safe(&job.handler),
        if theme.ascii { "<-" } else { "←" },
        safe(&job.event_type),
        job.attempts,
        app.zone.short(job.updated_at, app.now)
    );
    let mut lines = vec![Line::styled(
        cut(&title, cells),
        theme.style(Token::Heading),
    )];
    let (_, token) = job_mark(job);
    let story = wrap(&job_story(app, screen.handlers(), job), cells);
    let room = usize::from(area.height).saturating_sub(1);
    for (index, line) in story.iter().enumerate().take(room) {
        // What does not fit ends in a mark that says so.
        let line = if index + 1 == room && story.len() > room {
            cut(&format!("{line}…"), cells)
        } else {
            line.clone()
        };
        lines.push(Line::styled(line, theme.style(token)));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
