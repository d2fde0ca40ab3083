//! What a back-test found, for people.

use whodunit_core::api::backtest::{
    BacktestChange, BacktestCounts, BacktestEnd, BacktestGroup, BacktestKind, BacktestStream,
};

use super::super::exit::CliError;
use super::super::show::{self, number};
use super::super::style::Token;
use super::super::table::{Cell, Column, Table, Widths};
use super::super::terminal::Terminal;
use crate::text::{clause, counted};

/// Streams and groups that are shown at most.
const SHOWN_MAX: usize = 10;

/// Changes as they are printed.
pub(super) struct Printed {
    limit: usize,
    shown: usize,
    left_out: u64,
    widths: Option<Widths>,
    streams: Vec<BacktestStream>,
}

impl Printed {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            shown: 0,
            left_out: 0,
            widths: None,
            streams: Vec::new(),
        }
    }

    pub(super) fn stream(&mut self, stream: BacktestStream) {
        if self.streams.len() < SHOWN_MAX {
            self.streams.push(stream);
        }
    }

    pub(super) fn change(
        &mut self,
        change: &BacktestChange,
        is_approved: bool,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), CliError> {
        if self.shown >= self.limit {
            self.left_out += 1;
            return Ok(());
        }
        self.shown += 1;
        let mut table = Table::new([
            Column::new("decision").right().at_least(8),
            Column::new(terminal.form.zone.heading()).at_least(23),
            Column::new("stream")
                .at_least(20)
                .shrinks_to(12)
                .cut_in_the_middle(),
            Column::new("who").at_least(14).shrinks_to(8),
            Column::new("type").at_least(14).shrinks_to(10),
            Column::new("what").at_least(20).shrinks_to(10),
            Column::new("rule").at_least(20).shrinks_to(8),
        ]);
        let (words, token) = (short(change.kind), colour(change.kind));
        let words = match (is_approved, change.in_range) {
            (true, _) => format!("{words}, approved"),
            (false, false) => format!("{words}, outside"),
            (false, true) => words.to_owned(),
        };
        table.row([
            change
                .decision
                .map_or_else(String::new, |n| n.to_string())
                .into(),
            terminal.form.exact_times().show(change.decided_at).into(),
            change.stream.as_str().into(),
            Cell::new(show::text(change.actor.as_ref()), Token::Accent),
            change.command_type.as_str().into(),
            Cell::new(words, token),
            change.because().unwrap_or_default().into(),
        ]);
        let is_first = self.widths.is_none();
        let widths = &*self
            .widths
            .get_or_insert_with(|| table.widths(terminal.form.width));
        let colours = terminal.form.colours;
        if is_first {
            terminal.line(table.heading(widths, colours))?;
        }
        for line in table.lines(widths, colours) {
            terminal.line(line)?;
        }
        Ok(())
    }
}

fn short(kind: BacktestKind) -> &'static str {
    match kind {
        BacktestKind::AcceptedToRefused => "to refused",
        BacktestKind::RefusedToAccepted => "to accepted",
        BacktestKind::RawRefused => "raw refused",
        kind => kind.words(),
    }
}

fn colour(kind: BacktestKind) -> Token {
    match kind {
        BacktestKind::RefusedToAccepted => Token::Added,
        BacktestKind::Changed => Token::Changed,
        _ => Token::Removed,
    }
}

/// Prints what it came to.
pub(super) fn print_end(
    end: &BacktestEnd,
    printed: &Printed,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    if printed.left_out > 0 {
        let more = number(printed.left_out);
        terminal.line(format!("and {more} more: `-n` or `--json` shows them"))?;
    }
    terminal.line(terminal.paint(Token::Heading, &end.answer))?;
    for (heading, groups) in [
        ("rule", &end.by_rule),
        ("actor", &end.by_actor),
        ("type", &end.by_type),
        ("day", &end.by_day),
    ] {
        groups_of(heading, groups, terminal)?;
    }
    diverged(end, printed, terminal)?;
    for frozen in &end.frozen {
        terminal.line(format!(
            "frozen: {}, first decision {}: {}",
            number(frozen.count),
            frozen.first,
            whodunit_core::text::shown(&frozen.reason)
        ))?;
    }
    warn(end, terminal)?;
    let work = format!(
        "{} read, up to position {}; rules {}{}",
        counted(end.looked_at, "decision"),
        number(end.position.0),
        end.rules_hash,
        if end.same_rules {
            ", which are those in use".to_owned()
        } else {
            format!(", in use {}", end.rules_in_use)
        }
    );
    terminal.line(terminal.paint(Token::Muted, &work))
}

fn groups_of(
    heading: &'static str,
    groups: &[BacktestGroup],
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let changed = groups.iter().filter(|group| group.counts.changes() > 0);
    let changed: Vec<&BacktestGroup> = changed.collect();
    if changed.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        Column::new(heading).at_least(12).shrinks_to(10),
        Column::new("to refused").right(),
        Column::new("to accepted").right(),
        Column::new("changed").right(),
        Column::new("not issued").right(),
        Column::new("same").right(),
        Column::new("frozen").right(),
    ]);
    for group in changed.iter().take(SHOWN_MAX) {
        let BacktestCounts {
            same,
            accepted_to_refused,
            refused_to_accepted,
            changed,
            not_issued,
            frozen,
        } = group.counts;
        let name = if group.name.is_empty() {
            "(none, or others)"
        } else {
            &group.name
        };
        let counts = [
            accepted_to_refused,
            refused_to_accepted,
            changed,
            not_issued,
            same,
            frozen,
        ];
        let mut cells: Vec<Cell> = vec![name.into()];
        cells.extend(counts.map(|count| match count {
            0 => Cell::from(""),
            count => number(count).into(),
        }));
        table.row(cells);
    }
    terminal.line("")?;
    terminal.table(&table)?;
    let more = changed.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        terminal.line(format!("and {more} more: `--json` has them"))?;
    }
    Ok(())
}

fn diverged(
    end: &BacktestEnd,
    printed: &Printed,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    if end.streams_changed == 0 {
        return Ok(());
    }
    terminal.line("")?;
    for stream in &printed.streams {
        let decision = stream
            .decision
            .map_or_else(String::new, |n| format!(", by decision {n}"));
        let end = if stream.differs_at_end {
            ""
        } else {
            "; the same again at the end"
        };
        terminal.line(format!(
            "{} differs from revision {} on{decision}{end}",
            stream.stream, stream.first_divergence
        ))?;
    }
    let more = end
        .streams_changed
        .saturating_sub(printed.streams.len() as u64);
    if more > 0 {
        terminal.line(format!("and {}", clause(more, "more stream", "differs")))?;
    }
    Ok(())
}

fn warn(end: &BacktestEnd, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if end.recorded_under_others > 0 {
        let commands = clause(end.recorded_under_others, "command", "was");
        terminal.warn(format!(
            "{commands} recorded under rules other than those in use: a difference may come from that"
        ))?;
    }
    if end.without_reactions > 0 {
        let count = counted(end.without_reactions, "new event");
        terminal.warn(format!(
            "{count}: how handlers would have reacted is not known"
        ))?;
    }
    if end.raw_frozen > 0 {
        let count = counted(end.raw_frozen, "raw event");
        terminal.note(format!(
            "{count} as recorded: no command on record led there"
        ))?;
    }
    if end.redacted_copy {
        terminal.warn("this log is a redacted copy: what depends on a secret is not known")?;
    }
    Ok(())
}
