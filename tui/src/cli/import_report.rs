//! What an import did, for people: counts, rules, and what they have to know beside them.

use whodunit_core::api::write::{ImportError, ImportReport, RuleCount, StreamCounts, UnusedFields};
use whodunit_core::event::Event;
use whodunit_core::text::shown;

use super::exit::{CliError, Exit};
use super::pages::REDACTED_COPY;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::text::{clause, counted, noun, number, verb};

/// A record that could not be imported is a finding.
pub(crate) fn exit(report: &ImportReport) -> Exit {
    if report.failed > 0 || report.incomplete || report.changed || report.stopped {
        Exit::No
    } else {
        Exit::Ok
    }
}

/// Prints a report: `--json` as one document, else as tables and messages.
pub(crate) fn print(report: &ImportReport, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if terminal.form.json {
        return terminal.document(report);
    }
    let mut table = Table::new([Column::new(""), Column::new("").right(), Column::new("")]);
    for (name, count, note) in counts(report) {
        let note = Cell::new(note, Token::Muted);
        table.row([name.into(), number(count).into(), note]);
    }
    let widths = table.widths(None);
    let colours = terminal.form.colours;
    for line in table.lines(&widths, colours) {
        terminal.line(line)?;
    }
    print_rules(report, terminal)?;
    if !report.preview.is_empty() {
        terminal.line("")?;
        terminal.line("the first events would be")?;
        for event in &report.preview {
            terminal.line(preview(event))?;
        }
    }
    print_notes(report, terminal)
}

/// What was counted; what is zero and says nothing is left out.
fn counts(report: &ImportReport) -> Vec<(&'static str, u64, &'static str)> {
    let (added, decisions) = if report.dry_run {
        ("events to add", "decisions to add")
    } else {
        ("events added", "decisions added")
    };
    let mut rows = vec![("records read", report.read, ""), (added, report.added, "")];
    let mut some = |name, count, note| {
        if count > 0 {
            rows.push((name, count, note));
        }
    };
    some("streams", report.streams, "that they go to");
    some(decisions, report.decisions, "");
    some("repeated", report.repeated, "already recorded");
    some(
        "skipped",
        report.skipped - report.unmatched.min(report.skipped),
        "as a rule says",
    );
    some("unmatched", report.unmatched, "matched by no rule");
    some(
        "daemon's time",
        report.clock_used,
        "for records without a time of their own",
    );
    some(
        "in the future",
        report.future.records,
        "dated after the daemon's clock",
    );
    some(
        "texts cut",
        report.texts_cut,
        "too long; the whole text is in the metadata",
    );
    some(
        "times cut",
        report.times_cut,
        "finer than microseconds; the whole time is in the metadata",
    );
    some(
        "new positions",
        report.renumbered,
        "their own was not the next one",
    );
    some(
        "new revisions",
        report.gaps.records,
        "their own is in the metadata",
    );
    some("notes added", report.notes, "beside the log");
    some(
        "not of a log",
        report.parts,
        "branches, scenarios and the summary of an incident file: `whodunit open` reads them",
    );
    some(
        "back in time",
        report.backwards.records,
        "earlier than an event before them in their stream",
    );
    some(
        "missing",
        report.missing,
        "announced by the file, but not in it",
    );
    rows.push(("failed", report.failed, ""));
    rows.push(("head", report.head, ""));
    rows
}

fn print_rules(report: &ImportReport, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let used = |rule: &&RuleCount| rule.records + rule.skipped + rule.failed > 0;
    let used: Vec<_> = report.rules.iter().filter(used).collect();
    if used.is_empty() {
        return Ok(());
    }
    let mut rules = Table::new([
        Column::new("rule").shrinks_to(20),
        Column::new("records").right(),
        Column::new(""),
    ]);
    for rule in used {
        let note = Cell::new(note(rule), Token::Muted);
        rules.row([Cell::from(&rule.rule), number(rule.records).into(), note]);
    }
    terminal.line("")?;
    terminal.table(&rules)
}

/// What a rule did beside making events.
fn note(rule: &RuleCount) -> String {
    let mut parts = Vec::new();
    for (count, what) in [
        (rule.skipped, "skipped"),
        (rule.failed, "failed"),
        (rule.clock_used, "with the daemon's time"),
        (rule.future, "dated in the future"),
        (rule.texts_cut, "with a text cut"),
        (rule.times_cut, "with a time cut"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", number(count)));
        }
    }
    for dropped in &rule.dropped {
        parts.push(format!(
            "{} of `{}` left out in {}",
            number(dropped.elements),
            dropped.list,
            counted(dropped.records, "record")
        ));
    }
    parts.join(", ")
}

/// An event of a dry run on one line.
fn preview(event: &Event) -> String {
    shown(&format!(
        "  {} {} {} by {} at {}: {}",
        event.stream,
        event.revision,
        event.event_type,
        event.actor.as_deref().unwrap_or("-"),
        event.recorded_at,
        event.data.as_str().chars().take(200).collect::<String>()
    ))
    .into_owned()
}

/// What a person has to know beside the counts.
pub(crate) fn print_notes(
    report: &ImportReport,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    for part in &report.partial {
        terminal.note(format!(
            "the file is part of a log of {} and {}: `{}`",
            counted(part.of_events, "event"),
            counted(part.of_decisions, "decision"),
            shown(&part.query)
        ))?;
        if part.undecided > 0 {
            terminal.warn(format!(
                "the export left out {} that its line could not be evaluated for",
                counted(part.undecided, "event")
            ))?;
        }
    }
    if report.notes_unreadable > 0 {
        terminal.warn(format!(
            "the export is without {}: damaged in the store that it is of",
            counted(report.notes_unreadable, "note")
        ))?;
    }
    for error in &report.errors {
        terminal.note(format!("{}: {}", lines_of(error), shown(&error.reason)))?;
    }
    let named: u64 = report.errors.iter().map(|error| error.count).sum();
    if report.failed > named {
        let more = number(report.failed - named);
        terminal.note(format!("… and {more} more, for other reasons"))?;
    }
    print_streams(&report.backwards, ("goes", "back in time"), terminal)?;
    print_streams(&report.gaps, ("has", "a new revision"), terminal)?;
    print_unused(&report.unused, terminal)?;
    if let (Some(latest), [first, ..]) = (report.future.latest, report.future.lines.as_slice()) {
        let records = clause(report.future.records, "event", "is");
        let added = if report.future.records == 1 {
            ""
        } else {
            ", the first"
        };
        terminal.note(format!(
            "{records} dated after the daemon's clock{added} in line {first}; the latest time is {latest}"
        ))?;
    }
    if report.read == 0 && !report.incomplete {
        terminal.note("the file has no records")?;
    }
    if let Some(said) = incomplete(report) {
        terminal.warn(said)?;
    }
    if report.changed {
        terminal.warn(
            "the file has changed since it was exported: lines were changed, moved, added or removed",
        )?;
    }
    if report.redacted_copy {
        terminal.warn(REDACTED_COPY)?;
    }
    if report.stopped {
        terminal.note(
            "stopped at the first bad record, as `--strict` asks; what came before it is stored",
        )?;
    }
    if report.dry_run {
        terminal.note(
            "a dry run: nothing was imported; unique keys, and the events that decisions name, are checked only by a real import",
        )?;
    }
    Ok(())
}

/// Which lines have an error: the first ones, and how many more.
fn lines_of(error: &ImportError) -> String {
    let named: Vec<_> = error.lines.iter().take(3).map(u64::to_string).collect();
    let more = error.count.saturating_sub(named.len() as u64);
    match named.as_slice() {
        [] | [_] if error.count <= 1 => format!("line {}", error.line),
        [] => format!("line {} and {} more", error.line, number(error.count - 1)),
        [first @ .., last] if more == 0 => format!("lines {} and {last}", first.join(", ")),
        all => format!("lines {} and {} more", all.join(", "), number(more)),
    }
}

/// In which streams events have something in common; `what` is said of one event and of several.
fn print_streams(
    counts: &StreamCounts,
    (does, what): (&'static str, &str),
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    for count in &counts.first {
        let events = format!("{} {what}", clause(count.records, "event", does));
        let (stream, line) = (shown(&count.stream), count.line);
        terminal.note(format!("`{stream}`: {events}, from line {line}"))?;
    }
    let unnamed = counts.streams - (counts.first.len() as u64).min(counts.streams);
    if unnamed > 0 {
        let at_least = if counts.more { "at least " } else { "" };
        let streams = counted(unnamed, "more stream");
        terminal.note(format!(
            "… and in {at_least}{streams}, events {} {what}",
            verb(2_u64, does)
        ))?;
    }
    Ok(())
}

/// Fields of the records that no template uses: what the mapping leaves behind.
fn print_unused(unused: &UnusedFields, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    for field in &unused.first {
        let records = counted(field.records, "record");
        terminal.note(format!(
            "never used: `{}`, in {records}",
            shown(&field.path)
        ))?;
    }
    let unnamed = unused.fields - (unused.first.len() as u64).min(unused.fields);
    if unnamed > 0 {
        let more = if unused.more { " or more" } else { "" };
        terminal.note(format!(
            "never used: {}{more} other {}",
            number(unnamed),
            noun(unnamed, "field")
        ))?;
    }
    Ok(())
}

/// What a person has to know of an export that is not whole.
fn incomplete(report: &ImportReport) -> Option<String> {
    let missing = match report.missing {
        0 => "it was truncated, or its first or last line is missing".to_owned(),
        missing => format!("{} missing", clause(missing, "record", "is")),
    };
    let rest = "what it has was read; importing the complete file adds the rest";
    (report.incomplete).then(|| format!("the file is incomplete: {missing}; {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Form;
    use serde_json::json;

    #[test]
    fn a_report_is_a_table_and_bad_records_are_messages() {
        let report: ImportReport = serde_json::from_value(json!({
            "read": 2900, "added": 570, "repeated": 3, "decisions": 0, "skipped": 2326, "unmatched": 6,
            "failed": 3, "clock_used": 2,
            "errors": [{"line": 7, "reason": "not JSON\u{1b}"}, {"line": 9, "reason": "no", "count": 2, "lines": [9, 11]}],
            "stopped": false, "head": 574,
            "backwards": {"records": 5, "streams": 2, "more": false, "first": [{"stream": "a-1", "line": 4, "records": 5}]},
            "unused": {"fields": 3, "more": false, "first": [{"path": "/a\u{1b}", "records": 2000}, {"path": "/b", "records": 1}]},
            "rules": [{"rule": "reads", "records": 0}, {"rule": "IAM users: deleted", "records": 4, "clock_used": 2,
                "dropped": [{"list": "/events", "records": 1, "elements": 3}]}]
        }))
        .unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(Form::default(), &mut out, &mut err);
        print(&report, &mut terminal).unwrap();
        assert_eq!(exit(&report), Exit::No);
        assert_eq!(
            String::from_utf8(err).unwrap(),
            "line 7: not JSON␛\nlines 9 and 11: no\n\
             `a-1`: 5 events go back in time, from line 4\n… and in 1 more stream, events go back in time\n\
             never used: `/a␛`, in 2,000 records\nnever used: `/b`, in 1 record\nnever used: 1 other field\n"
        );
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        records read   2,900
        events added     570
        repeated           3  already recorded
        skipped        2,320  as a rule says
        unmatched          6  matched by no rule
        daemon's time      2  for records without a time of their own
        back in time       5  earlier than an event before them in their stream
        failed             3
        head             574

        rule                records
        IAM users: deleted        4  2 with the daemon's time, 3 of `/events` left out in 1 record
        ");
    }
}
