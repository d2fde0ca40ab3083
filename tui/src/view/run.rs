//! A long question: what is asked, the answer or how far it is, the curve of an outcome, and the rows that lead on.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::Value;
use whodunit_core::api::backtest::{BacktestChange, BacktestCounts, BacktestEnd, BacktestGroup};
use whodunit_core::api::inevitable::{InevitableEnd, Necessity, NecessityOut};
use whodunit_core::api::minimal::MinimalOf;
use whodunit_core::api::pipeline::RunOut;
use whodunit_core::api::undo::UndoEnd;
use whodunit_core::diff::DiffEntry;

use super::{awaited, centred, failure, first_row, list_line, state};
use crate::cli::backtest::CameTo;
use crate::curve;
use crate::humanize;
use crate::model::hits::Part;
use crate::model::run::{Found, Of, Row, RunScreen};
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{clause, counted, cut, number, safe, wrap_to};
use crate::theme::{Theme, Token};
use crate::times::Pattern;

/// Groups of a kind that are named in a line.
const GROUPS: usize = 4;
/// Rows that the list gets at least.
const ROWS_LEAST: u16 = 4;

pub(super) fn draw(app: &App, screen: &RunScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let cells = usize::from(area.width);
    let mut head = vec![Line::styled(
        cut(&format!(" {}", question(screen)), cells),
        theme.style(Token::Heading),
    )];
    let found = screen.found.value();
    if let Some(found) = found {
        head.extend(said(app, found, cells));
    }
    let most = usize::from(area.height.saturating_sub(ROWS_LEAST).max(1));
    if head.len() > most {
        head.truncate(most);
        if let Some(last) = head.last_mut() {
            let text = " … too long to show: the command below says all of it";
            *last = Line::styled(cut(text, cells), theme.style(Token::Accent));
        }
    }
    let rows = u16::try_from(head.len()).unwrap_or(u16::MAX);
    let [top, body] = Layout::vertical([Constraint::Length(rows), Constraint::Min(1)]).areas(area);
    frame.render_widget(Paragraph::new(head), top);
    match (&screen.found, found) {
        (Remote::Failed(why), _) => failure(app, frame, body, why),
        (_, None) => waiting(app, screen, frame, body),
        (_, Some(_)) => draw_rows(app, screen, frame, body),
    }
}

/// What is asked, in a sentence.
fn question(screen: &RunScreen) -> String {
    let text = match &screen.of {
        Of::Inevitable(asked) => {
            format!("how inevitable was {}? ({})", asked.predicate, asked.stream)
        }
        Of::Minimal(asked) => {
            let what = match asked.of {
                MinimalOf::Events => "events, applied as recorded, rules not asked,",
                MinimalOf::Commands => "commands, the rules asked again,",
            };
            format!(
                "the fewest {what} that lead to {} ({})",
                asked.predicate, asked.stream
            )
        }
        Of::Undo(asked) => format!(
            "which commands bring {} back to what it was at revision {}? ({})",
            asked.fields.join(", "),
            asked.to_revision,
            asked.stream
        ),
        Of::Backtest(asked) => {
            let of = if asked.has_range() {
                " of the range"
            } else {
                ""
            };
            format!(
                "which decisions{of} would have been different under {}? nothing is written",
                asked.rules().display()
            )
        }
    };
    safe(&text).into_owned()
}

/// How far it is, where it is under way.
fn waiting(app: &App, screen: &RunScreen, frame: &mut Frame<'_>, body: Rect) {
    let is_asked = screen.asked.has(Slot::Run);
    let Some(run) = screen.progress.as_ref().filter(|_| is_asked) else {
        return awaited(app, frame, body, "the answer", is_asked);
    };
    let muted = app.theme.style(Token::Muted);
    let lines = [
        (how_far(run), app.theme.style(Token::Heading)),
        ("Esc cancels".to_owned(), muted),
    ];
    centred(frame, body, &lines);
}

/// A search does not know how many tries it will take: it tells of those that it made.
pub(super) fn how_far(run: &RunOut) -> String {
    if run.done >= run.total {
        return format!("{} tried so far", number(run.done));
    }
    let left = run.seconds_left;
    let left = left.map_or_else(String::new, |left| {
        format!(" · {} left", humanize::duration(left))
    });
    format!("{} of {} done{left}", number(run.done), number(run.total))
}

/// The answer, and what belongs to it beside the rows.
fn said(app: &App, found: &Found, cells: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let room = cells.saturating_sub(2).max(1);
    let bar = if theme.ascii { "| " } else { "▌ " };
    let mut lines: Vec<Line<'static>> = wrap_to(&safe(found.answer()), room, 4)
        .into_iter()
        .map(|line| {
            Line::from(vec![
                Span::styled(bar, theme.style(Token::Accent)),
                Span::styled(line, theme.style(Token::Changed)),
            ])
        })
        .collect();
    if let Found::Inevitable(end) = found {
        lines.extend(curve_of(app, end, cells));
    }
    let (texts, warnings) = match found {
        Found::Inevitable(end) => (work(end), bounds(end)),
        Found::Minimal(end) => (
            Vec::new(),
            not_all(
                end.all,
                "the log has too many commands to try every one: only those of this stream and of the streams that caused them were tried",
            ),
        ),
        Found::Undo(end) => (
            undo(end),
            not_all(
                end.plan.is_some() || end.exhausted,
                "not every plan within the bounds was tried",
            ),
        ),
        Found::Backtest(end, changes, came_to) => (
            report(end, came_to.as_ref()),
            backtest_bounds(end, changes, came_to.as_ref()),
        ),
    };
    let mut add = |text: String, token: Token| {
        let wrapped = wrap_to(&safe(&text), room, 3).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(format!(" {line}"), theme.style(token))));
    };
    for text in warnings {
        add(format!("! {text}"), Token::Warn);
    }
    for text in texts {
        add(text, Token::Muted);
    }
    lines
}

fn not_all(all: bool, text: &str) -> Vec<String> {
    if all {
        Vec::new()
    } else {
        vec![text.to_owned()]
    }
}

/// The curve under its time axis: of the legal commands, those that avoid the outcome.
fn curve_of(app: &App, end: &InevitableEnd, cells: usize) -> Vec<Line<'static>> {
    if !end.holds || end.moments.is_empty() {
        return Vec::new();
    }
    let theme = app.theme;
    let pattern = app
        .zone
        .pattern(end.moments.iter().map(|moment| moment.at), app.now);
    let no_return = end.point_of_no_return.as_ref();
    let show = |at| app.zone.show(at, pattern);
    let heading = " how many of the commands that the rules accept would avoid it, by moment:";
    let mut lines = vec![Line::styled(cut(heading, cells), theme.style(Token::Muted))];
    let drawn = curve::draw(&end.moments, no_return, (cells, theme.ascii), show);
    lines.extend(drawn.into_iter().map(|line| Line::raw(cut(&line, cells))));
    lines
}

fn work(end: &InevitableEnd) -> Vec<String> {
    vec![format!(
        "{} dropped, one at a time, {} without effect · decided again {}",
        counted(end.dropped, "command"),
        number(end.without_effect),
        counted(end.runs, "time")
    )]
}

/// What was not looked at.
fn bounds(end: &InevitableEnd) -> Vec<String> {
    let mut out = not_all(
        end.all_dropped,
        "the log has too many commands to drop every one: only those of this stream and of the streams that caused them were dropped",
    );
    if end.left_out > 0 {
        out.push(format!(
            "{} were not dropped",
            counted(end.left_out, "older command")
        ));
    }
    out.extend(not_all(
        end.all_pairs,
        "not all pairs of masked commands were tried",
    ));
    if end.moments_left_out > 0 {
        let moments = clause(end.moments_left_out, "older moment", "was");
        out.push(format!("{moments} not tried"));
    }
    let unknown: u64 = end.moments.iter().map(|moment| moment.unknown).sum();
    if unknown > 0 {
        let attempts = counted(unknown, "attempt");
        out.push(format!("the outcome of {attempts} is unknown"));
    }
    let not_tried = end.not_tried.iter();
    let not_tried: Vec<String> = not_tried
        .map(|not| format!("{} ({})", not.command_type, not.reason))
        .collect();
    if !not_tried.is_empty() {
        out.push(format!("not tried: {}", not_tried.join(", ")));
    }
    out
}

fn undo(end: &UndoEnd) -> Vec<String> {
    let shown = |value: &Option<Value>| {
        let value = value.as_ref();
        value.map_or_else(
            || "(absent)".to_owned(),
            |value| cut(&state::text(value), 40),
        )
    };
    let mut out: Vec<String> = end
        .fields
        .iter()
        .map(|field| {
            format!(
                "{}: {} → {}",
                field.path,
                shown(&field.now),
                shown(&field.wanted)
            )
        })
        .collect();
    out.push(format!(
        "{} of {} · for revision {} · nothing is written",
        counted(end.attempts, "attempt"),
        counted(end.commands_tried.len() as u64, "command"),
        end.revision
    ));
    out
}

fn report(end: &BacktestEnd, came_to: Option<&CameTo>) -> Vec<String> {
    let BacktestCounts {
        same,
        accepted_to_refused,
        refused_to_accepted,
        changed,
        not_issued,
        frozen,
    } = end.counts;
    let mut out = vec![format!(
        "{} accepted to refused · {} refused to accepted · {} changed · {} not issued · {} same · {} frozen",
        number(accepted_to_refused),
        number(refused_to_accepted),
        number(changed),
        number(not_issued),
        number(same),
        number(frozen)
    )];
    out.extend(came_to.map(|came_to| format!("{came_to}: only the others are listed")));
    let kinds = [
        ("rule", &end.by_rule),
        ("actor", &end.by_actor),
        ("type", &end.by_type),
        ("day", &end.by_day),
    ];
    for (kind, groups) in kinds {
        out.extend(by(kind, groups));
    }
    if end.outside.changes() > 0 {
        out.push(format!(
            "{} outside the range",
            counted(end.outside.changes(), "change")
        ));
    }
    out
}

/// The groups with changes, those with most first.
fn by(kind: &str, groups: &[BacktestGroup]) -> Option<String> {
    let mut changed: Vec<&BacktestGroup> = groups
        .iter()
        .filter(|group| group.counts.changes() > 0)
        .collect();
    changed.sort_by_key(|group| std::cmp::Reverse(group.counts.changes()));
    let named: Vec<String> = changed
        .iter()
        .take(GROUPS)
        .map(|group| {
            let name = if group.name.is_empty() {
                "(others)"
            } else {
                &group.name
            };
            format!("{name} {}", number(group.counts.changes()))
        })
        .collect();
    let more = changed.len().saturating_sub(GROUPS);
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    (!named.is_empty()).then(|| format!("by {kind}: {}{more}", named.join(", ")))
}

fn backtest_bounds(
    end: &BacktestEnd,
    changes: &[BacktestChange],
    came_to: Option<&CameTo>,
) -> Vec<String> {
    let mut out = Vec::new();
    let all = end.counts.changes() + end.outside.changes() + end.raw_refused;
    let all = came_to.map_or(all, |came_to| came_to.unapproved);
    out.extend(came_to.iter().flat_map(|came_to| came_to.warnings.clone()));
    if (changes.len() as u64) < all {
        let listed = number(changes.len() as u64);
        out.push(format!(
            "the first {listed} of {} are listed",
            counted(all, "change")
        ));
    }
    if end.recorded_under_others > 0 {
        let commands = counted(end.recorded_under_others, "command");
        out.push(format!("{commands} recorded under rules other than those in use: a difference may come from that"));
    }
    if end.without_reactions > 0 {
        let events = counted(end.without_reactions, "new event");
        out.push(format!("{events}: how handlers would react is not known"));
    }
    for frozen in end.frozen.iter().take(GROUPS) {
        out.push(format!(
            "{} frozen: {}",
            number(frozen.count),
            frozen.reason
        ));
    }
    out
}

fn draw_rows(app: &App, screen: &RunScreen, frame: &mut Frame<'_>, body: Rect) {
    let theme = app.theme;
    let rows = screen.rows();
    if rows.is_empty() {
        let text = match screen.found.value() {
            Some(Found::Inevitable(end)) if end.holds => "no single command mattered",
            Some(Found::Inevitable(_) | Found::Minimal(_)) => "nothing was tried",
            Some(Found::Undo(_)) => {
                "no commands are needed, or no plan was found within the bounds"
            }
            _ => "no decision would have been different",
        };
        return centred(frame, body, &[(text.to_owned(), theme.style(Token::Muted))]);
    }
    let height = usize::from(body.height);
    let first = first_row(screen.selected, rows.len(), height);
    app.hits.rows(body, Part::List, first, rows.len());
    let shown = rows
        .get(first..(first + height).min(rows.len()))
        .unwrap_or_default();
    let times = shown.iter().filter_map(|row| match row {
        Row::Command(command) => Some(command.decided_at),
        Row::Moment(moment) => Some(moment.at),
        Row::Kept(item) => Some(item.at),
        Row::Change(change) => Some(change.decided_at),
        Row::Planned(_) | Row::Beside(_) => None,
    });
    let pattern = app.zone.pattern(times, app.now);
    let cells = usize::from(body.width).saturating_sub(3);
    let lines: Vec<Line<'_>> = (first..)
        .zip(shown)
        .map(|(index, row)| {
            let (text, token) = row_text(app, row, pattern);
            let line = Line::styled(cut(&text, cells), theme.style(token));
            list_line(theme, line, index == screen.selected)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), body);
}

fn row_text(app: &App, row: &Row<'_>, pattern: Pattern) -> (String, Token) {
    let when = |at| app.zone.show(at, pattern);
    let by = |actor: &Option<String>| {
        let actor = actor.as_deref();
        actor.map_or_else(String::new, |actor| format!(" by {}", safe(actor)))
    };
    match row {
        Row::Command(command) => {
            let (word, token) = necessity(command);
            let why = command.reason.as_deref();
            let why = why.map_or_else(String::new, |why| format!(", \"{}\"", safe(why)));
            let text = format!(
                "{word:<14}{}  {}  {}{}{why}",
                when(command.decided_at),
                safe(command.stream.as_str()),
                safe(&command.command_type),
                by(&command.actor)
            );
            (text, token)
        }
        Row::Moment(moment) => {
            let example = moment.example.as_ref();
            let example = example.map_or_else(String::new, |tried| {
                format!(", such as {}", safe(&tried.command_type))
            });
            let text = format!(
                "{:<14}{}  {} of {} avoid it{example}",
                format!("at rev {}", moment.revision),
                when(moment.at),
                number(moment.avoiding),
                counted(moment.legal, "command")
            );
            (text, Token::Plain)
        }
        Row::Kept(item) => {
            let number = match (item.decision, item.revision) {
                (Some(decision), _) => format!("decision {decision}"),
                (None, Some(revision)) => format!("rev {revision}"),
                (None, None) => String::new(),
            };
            let text = format!(
                "{number:<14}{}  {}  {}{}",
                when(item.at),
                safe(item.stream.as_str()),
                safe(&item.item_type),
                by(&item.actor)
            );
            (text, Token::Plain)
        }
        Row::Planned(planned) => {
            let payload = Value::Object(planned.payload.clone());
            let text = format!(
                "do {} {}",
                safe(&planned.command_type),
                state::text(&payload)
            );
            (text, Token::Added)
        }
        Row::Beside(entry) => (beside_text(app.theme, entry), Token::Warn),
        Row::Change(change) => {
            let text = change_text(change, &when(change.decided_at), &by(&change.actor));
            (text, Token::Plain)
        }
    }
}

fn beside_text(theme: Theme, entry: &DiffEntry) -> String {
    let text = |value: &Option<Value>| {
        let value = value.as_ref();
        value.map_or_else(|| "(none)".to_owned(), state::text)
    };
    let arrow = arrow(theme);
    let path = safe(&entry.path).into_owned();
    format!(
        "it would change {path} too: {} {arrow} {}",
        text(&entry.before),
        text(&entry.after)
    )
}

fn change_text(change: &BacktestChange, when: &str, by: &str) -> String {
    let rule = change.because();
    let rule = rule.map_or_else(String::new, |rule| format!(" ({})", safe(rule)));
    let outside = if change.in_range {
        ""
    } else {
        ", reached by changes"
    };
    format!(
        "{:<20}{when}  {}  {}{by}{rule}{outside}",
        change.kind.words(),
        safe(change.stream.as_str()),
        safe(&change.command_type)
    )
}

fn arrow(theme: Theme) -> &'static str {
    if theme.ascii { "->" } else { "→" }
}

fn necessity(command: &NecessityOut) -> (String, Token) {
    match (command.necessity, command.masked_by) {
        (Necessity::Necessary, _) => ("necessary".to_owned(), Token::Removed),
        (Necessity::Masked, Some(by)) => (format!("masked by {by}"), Token::Changed),
        (Necessity::Masked, None) => ("masked".to_owned(), Token::Muted),
        (Necessity::Unknown, _) => ("unknown".to_owned(), Token::Changed),
        (Necessity::WithoutEffect, _) => ("no effect".to_owned(), Token::Muted),
    }
}
