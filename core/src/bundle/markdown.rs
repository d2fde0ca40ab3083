//! An incident as a post-mortem draft in Markdown: the facts are filled in, the rest is headings with a line to replace.
//!
//! Owns that no text of the log becomes markup.

use std::fmt::Write as _;

use super::Bundle;
use super::story::{Story, moment, path, value};
use crate::api::branch::WorldOutcome;
use crate::counted::counted;
use crate::diff::DiffEntry;
use crate::text::shown;

/// Text as it stands in a line of Markdown: every character that could begin markup is escaped.
fn text(raw: &str) -> String {
    let safe = shown(raw);
    let mut out = String::with_capacity(safe.len() + 8);
    let mut digits_only = true;
    for (index, c) in safe.char_indices() {
        let at_start = index == 0;
        let marks = matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$' | '!' | '#'
        );
        // What begins a list or a heading does so only at the start; an address is one by `://` or `www.`.
        let begins = at_start && matches!(c, '-' | '+' | '=')
            || digits_only && !at_start && matches!(c, '.' | ')')
            || c == ':'
                && safe
                    .get(index..)
                    .is_some_and(|rest| rest.starts_with("://"))
            || c == '.'
                && safe
                    .get(..index)
                    .is_some_and(|before| before.to_ascii_lowercase().ends_with("www"));
        digits_only &= c.is_ascii_digit();
        if marks || begins {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A block of text as it stands, behind a fence that is longer than any in it.
fn fenced(out: &mut String, language: &str, raw: &str) {
    let mut longest = 2;
    let mut run = 0;
    for c in raw.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let _ = writeln!(out, "{fence}{language}");
    for line in raw.lines() {
        let _ = writeln!(out, "{}", shown(line));
    }
    let _ = writeln!(out, "{fence}\n");
}

/// The post-mortem draft of an incident file.
pub fn to_markdown(bundle: &Bundle) -> String {
    let story = Story::new(bundle);
    let mut out = String::new();
    let title = match story.own {
        Some(own) => story.title(&own.stream),
        None => "an incident",
    };
    let _ = writeln!(out, "# Post-mortem: {}\n", text(title));
    summary(&mut out, &story);
    impact(&mut out, &story);
    timeline(&mut out, &story);
    root_cause(&mut out, &story);
    what_ifs(&mut out, bundle);
    scenarios(&mut out, bundle);
    out.push_str("## Follow-ups\n\n- [ ] (what to change, who does it, by when)\n\n");
    notes(&mut out, &story);
    sources(&mut out, &story);
    out
}

fn summary(out: &mut String, story: &Story<'_>) {
    out.push_str("## Summary\n\n");
    for part in &story.answer {
        let _ = writeln!(out, "{}\n", text(&part.to_string()));
    }
    out.push_str("(how it was noticed, and what was done)\n\n");
}

fn differences(out: &mut String, diff: &[DiffEntry]) {
    out.push_str("| field | before | after |\n|---|---|---|\n");
    for entry in diff {
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            text(path(entry)),
            text(&value(entry.before.as_ref())),
            text(&value(entry.after.as_ref()))
        );
    }
    out.push('\n');
}

fn impact(out: &mut String, story: &Story<'_>) {
    out.push_str("## Impact\n\n");
    if let Some(own) = story.own {
        let _ = writeln!(
            out,
            "{}, from revision {} to revision {}:\n",
            text(story.title(&own.stream)),
            own.revision_before,
            own.revision_after
        );
        match &own.failed {
            Some(failed) => {
                let _ = writeln!(out, "It could not be computed: {}.\n", text(failed));
            }
            None => differences(out, &own.diff),
        }
    }
    for batch in &story.bundle.incident.correlations {
        let _ = writeln!(
            out,
            "Batch {}: {} in {}{}, {} refused.\n",
            text(&batch.correlation_id),
            counted(batch.events, "event"),
            if batch.more { "at least " } else { "" },
            counted(batch.streams.len(), "stream"),
            counted(batch.refused, "command")
        );
    }
    if story.others().next().is_none() {
        out.push_str("No other stream was hit.\n\n");
        return;
    }
    out.push_str("Who else was hit:\n\n| stream | revisions | what changed |\n|---|---|---|\n");
    for part in story.others() {
        let changes: Vec<String> = part
            .diff
            .iter()
            .map(|entry| {
                let (before, after) = (value(entry.before.as_ref()), value(entry.after.as_ref()));
                text(&format!("{}: {before} → {after}", path(entry)))
            })
            .collect();
        let changed = match &part.failed {
            Some(failed) => format!("could not be computed: {}", text(failed)),
            None if part.events == 0 => format!("{} refused, nothing changed", part.refused),
            None => changes.join("; "),
        };
        let name = part.title.as_deref().unwrap_or(part.stream.as_str());
        let _ = writeln!(
            out,
            "| {} | {} → {} | {changed} |",
            text(name),
            part.revision_before,
            part.revision_after
        );
    }
    out.push_str("\n(who was told, and what was repaired)\n\n");
}

fn timeline(out: &mut String, story: &Story<'_>) {
    out.push_str("## Timeline\n\nIn the order of the log.\n\n");
    for row in &story.timeline {
        let line = text(&row.sentence.to_string());
        let place = text(story.title(row.stream));
        let _ = match row.revision {
            Some(revision) if row.is_subject => {
                writeln!(out, "- **{line}** ({place}, revision {revision})")
            }
            Some(revision) => writeln!(out, "- {line} ({place}, revision {revision})"),
            None => writeln!(out, "- ✗ {line} ({place})"),
        };
    }
    out.push('\n');
}

fn root_cause(out: &mut String, story: &Story<'_>) {
    out.push_str("## Root cause\n\n");
    match story.answer.last() {
        Some(last) if story.answer.len() > 1 => {
            let _ = writeln!(
                out,
                "The first cause on record is {}.\n",
                text(last.to_string().trim_start_matches("because of "))
            );
        }
        _ => out.push_str("No cause is on record.\n\n"),
    }
    out.push_str("(why that was possible)\n\n");
}

fn outcome(of: &WorldOutcome) -> String {
    let words = match of.outcome.as_str() {
        "absent" => "not issued",
        "rejected" => "refused",
        other => other,
    };
    let rule = of
        .rule
        .as_deref()
        .map_or_else(String::new, |rule| format!(" by {rule}"));
    text(&format!("{words}{rule}"))
}

fn what_ifs(out: &mut String, bundle: &Bundle) {
    out.push_str("## What the rules would have decided\n\n");
    if bundle.incident.what_ifs.is_empty() {
        out.push_str("No what-if about these streams was saved as a branch.\n\n");
    }
    for what_if in &bundle.incident.what_ifs {
        let _ = writeln!(out, "### {}\n", text(&what_if.name));
        if let Some(note) = &what_if.note {
            let _ = writeln!(out, "{}\n", text(note));
        }
        let _ = writeln!(out, "What if … {}?\n", text(&what_if.supposes.join("; ")));
        if let Some(failed) = &what_if.failed {
            let _ = writeln!(out, "No answer: {}.\n", text(failed));
            continue;
        }
        let _ = writeln!(out, "{}\n", text(&what_if.answer));
        if !what_if.flips.is_empty() {
            out.push_str("| command | stream | as it was | what if |\n|---|---|---|---|\n");
            for flip in &what_if.flips {
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {} |",
                    text(&flip.command_type),
                    text(flip.stream.as_str()),
                    outcome(&flip.from),
                    outcome(&flip.to)
                );
            }
            out.push('\n');
        }
        for stream in &what_if.streams {
            let _ = writeln!(out, "{} at its end:\n", text(stream.stream.as_str()));
            differences(out, &stream.diff);
        }
    }
}

fn scenarios(out: &mut String, bundle: &Bundle) {
    out.push_str("## Checks to keep\n\n");
    if bundle.scenarios.is_empty() {
        out.push_str("None yet.\n\n");
    }
    for scenario in &bundle.scenarios {
        let _ = writeln!(out, "{}:\n", text(&scenario.name));
        fenced(out, "toml", &scenario.toml);
    }
}

fn notes(out: &mut String, story: &Story<'_>) {
    if story.bundle.notes.is_empty() {
        return;
    }
    out.push_str("## Notes\n\n");
    for note in &story.bundle.notes {
        let lines: Vec<String> = note.text.lines().map(text).collect();
        let _ = writeln!(
            out,
            "- {} ({} on {} about {})",
            lines.join(" / "),
            text(&note.actor),
            moment(note.written_at),
            text(story.title(&note.stream))
        );
    }
    out.push('\n');
}

fn sources(out: &mut String, story: &Story<'_>) {
    let incident = &story.bundle.incident;
    let log = &incident.log;
    out.push_str("## Sources\n\n");
    let _ = writeln!(
        out,
        "- Store {}, up to position {} and decision {}, head's hash {}",
        text(&log.store_id),
        log.position,
        log.decision,
        text(log.head_hash.as_deref().unwrap_or("not known"))
    );
    for model in &incident.models {
        let _ = writeln!(
            out,
            "- Model {} ({}), rules hash {}",
            text(&model.name),
            text(&model.category),
            text(&model.rules_hash)
        );
    }
    let _ = writeln!(
        out,
        "- Incident file written on {} by {}, SHA-256 of its lines {}",
        moment(incident.written_at),
        text(&incident.written_by),
        text(&story.bundle.sha256)
    );
    out.push_str("\nLeft out:\n\n");
    for line in story.left_out() {
        let _ = writeln!(out, "- {}", text(&line));
    }
}
