//! An incident as one page: no script, nothing from elsewhere, for readers without this program.
//!
//! Owns its structure and that no text of the log becomes markup. A policy in the page lets it load nothing and run nothing; its one style
//! sheet is allowed by its hash.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::story::{Row, Story, moment, path, value};
use super::{Bundle, StreamPart, WhatIfPart};
use crate::api::branch::WorldOutcome;
use crate::counted::counted;
use crate::diff::DiffEntry;
use crate::json::State;
use crate::sentence::{Role, Sentence};
use crate::text::shown;

const STYLE: &str = include_str!("page.css");

/// Text as it stands in a page: made safe to read, then to be text.
fn text(raw: &str) -> String {
    let safe = shown(raw);
    let mut out = String::with_capacity(safe.len() + 8);
    for c in safe.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Text of several lines.
fn lines(raw: &str) -> String {
    let lines: Vec<String> = raw.lines().map(text).collect();
    lines.join("\n")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let at = (bits >> (18 - 6 * digit)) as usize & 63;
            let known = digit <= three.len();
            out.push(if known {
                char::from(*DIGITS.get(at).unwrap_or(&b'='))
            } else {
                '='
            });
        }
    }
    out
}

/// The page of an incident file.
pub fn to_html(bundle: &Bundle) -> String {
    let story = Story::new(bundle);
    let style = base64(&Sha256::digest(STYLE.as_bytes()));
    let title = match story.own {
        Some(own) => story.title(&own.stream),
        None => "incident",
    };
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{} · incident</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
        text(title)
    );
    answer(&mut out, &story);
    states(&mut out, &story);
    timeline(&mut out, &story);
    others(&mut out, &story);
    what_ifs(&mut out, &bundle.incident.what_ifs);
    scenarios(&mut out, bundle);
    notes(&mut out, &story);
    left_out(&mut out, &story);
    identity(&mut out, bundle);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn sentence(sentence: &Sentence) -> String {
    let mut out = String::new();
    for part in sentence.parts() {
        let inner = text(&part.text);
        let _ = match part.role {
            Role::Verb => write!(out, "<span class=\"verb\">{inner}</span>"),
            Role::Actor => write!(out, "<span class=\"actor\">{inner}</span>"),
            Role::Plain | Role::Time | Role::Reason => write!(out, "{inner}"),
        };
    }
    out
}

fn answer(out: &mut String, story: &Story<'_>) {
    out.push_str("<h1>Incident</h1>\n<section class=\"answer\" id=\"answer\">\n");
    if story.answer.is_empty() {
        let rows = story.timeline.len();
        let _ = writeln!(
            out,
            "<p>Events and refused commands in it: {rows}; see the timeline.</p>"
        );
    }
    for part in &story.answer {
        let _ = writeln!(out, "<p>{}</p>", sentence(part));
    }
    if let Some(event) = story.subject {
        let hit = story
            .bundle
            .incident
            .streams
            .iter()
            .filter(|part| part.events > 0)
            .count();
        let why = event
            .reason
            .as_deref()
            .map_or_else(|| "no reason given".to_owned(), text);
        let _ = writeln!(
            out,
            "<dl><dt>When</dt><dd><time datetime=\"{}\">{}</time></dd><dt>Who</dt><dd>{}</dd><dt>Why</dt><dd>{why}</dd>\
             <dt>What</dt><dd>{} of {} <span class=\"soft\">({}, revision {})</span></dd><dt>Hit</dt><dd>{}</dd></dl>",
            text(&event.recorded_at.to_string()),
            text(&moment(event.recorded_at)),
            event
                .actor
                .as_deref()
                .map_or_else(|| "an actor not on record".to_owned(), text),
            text(&event.event_type),
            text(story.title(&event.stream)),
            text(event.stream.as_str()),
            event.revision,
            match hit {
                1 => "this stream alone".to_owned(),
                n => format!(
                    "{}; <a href=\"#others\">the others</a>",
                    counted(n, "stream")
                ),
            },
        );
    }
    out.push_str("</section>\n");
}

fn differences(out: &mut String, diff: &[DiffEntry]) {
    out.push_str("<div class=\"scroll\"><table><thead><tr><th>Field</th><th>Before</th><th>After</th></tr></thead><tbody>\n");
    for entry in diff {
        let _ = writeln!(
            out,
            "<tr><td class=\"path\">{}</td><td>{}</td><td>{}</td></tr>",
            text(path(entry)),
            text(&value(entry.before.as_ref())),
            text(&value(entry.after.as_ref())),
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn state(out: &mut String, name: &str, state: &State) {
    let json = serde_json::to_string_pretty(state).unwrap_or_default();
    let _ = writeln!(
        out,
        "<details><summary>{name}</summary><pre>{}</pre></details>",
        lines(&json)
    );
}

fn states(out: &mut String, story: &Story<'_>) {
    let Some(own) = story.own else { return };
    let _ = writeln!(out, "<section id=\"states\"><h2>Before and after</h2>");
    if let Some(failed) = &own.failed {
        let _ = writeln!(out, "<p>It could not be computed: {}.</p>", text(failed));
    } else if own.diff.is_empty() {
        out.push_str("<p>Its state did not change.</p>\n");
    } else {
        let _ = writeln!(
            out,
            "<p>{}, from revision {} (before the incident) to revision {}:</p>",
            text(story.title(&own.stream)),
            own.revision_before,
            own.revision_after
        );
        differences(out, &own.diff);
    }
    if let (Some(before), Some(after)) = (&own.before, &own.after) {
        state(
            out,
            &format!(
                "The whole state at revision {}, before",
                own.revision_before
            ),
            before,
        );
        state(
            out,
            &format!("The whole state at revision {}, after", own.revision_after),
            after,
        );
    }
    out.push_str("</section>\n");
}

fn row(out: &mut String, story: &Story<'_>, row: &Row<'_>) {
    let class = match (row.is_subject, row.in_chain) {
        (true, _) => "chain subject",
        (false, true) => "chain",
        (false, false) => "",
    };
    let mark = if row.is_refused() {
        "<span class=\"mark no\" title=\"refused\">✗</span>"
    } else {
        "<span class=\"mark\">●</span>"
    };
    let place = match row.revision {
        Some(revision) => format!("revision {revision}"),
        None => "refused: only the attempt was recorded".to_owned(),
    };
    let role = match (row.is_subject, row.in_chain) {
        (true, _) => " · this is what the file is about",
        (false, true) => " · a cause or an effect of it",
        (false, false) => "",
    };
    let _ = writeln!(
        out,
        "<li class=\"{class}\"><span class=\"where\"><time datetime=\"{}\">{}</time> · {} · {place}{role}</span>{mark} {}",
        text(&row.at.to_string()),
        text(&moment(row.at)),
        text(story.title(row.stream)),
        sentence(&row.sentence),
    );
    if !row.diff.is_empty() {
        let _ = writeln!(
            out,
            "<details><summary>what it changed: {}</summary>",
            row.diff.len()
        );
        differences(out, row.diff);
        out.push_str("</details>");
    }
    out.push_str("</li>\n");
}

fn timeline(out: &mut String, story: &Story<'_>) {
    out.push_str("<section id=\"timeline\"><h2>Timeline</h2>\n<p class=\"soft\">In the order of the log. ✗ marks commands that the rules refused; a red line marks the chain of causes.</p>\n<ol class=\"time\">\n");
    for one in &story.timeline {
        row(out, story, one);
    }
    out.push_str("</ol>\n</section>\n");
}

fn other(out: &mut String, part: &StreamPart) {
    let name = part.title.as_deref().unwrap_or(part.stream.as_str());
    let changes: Vec<String> = part
        .diff
        .iter()
        .map(|entry| {
            format!(
                "<span class=\"path\">{}</span> {} → {}",
                text(path(entry)),
                text(&value(entry.before.as_ref())),
                text(&value(entry.after.as_ref()))
            )
        })
        .collect();
    let changed = match (&part.failed, part.included) {
        (Some(failed), _) => format!("could not be computed: {}", text(failed)),
        (None, _) if part.events == 0 => format!("{} refused, nothing changed", part.refused),
        (None, _) => changes.join("<br>"),
    };
    let included = if part.included.is_some() {
        ""
    } else {
        "<br><span class=\"soft\">not in the file</span>"
    };
    let _ = writeln!(
        out,
        "<tr><td>{}<br><span class=\"soft path\">{}</span>{included}</td><td>{} → {}</td><td>{changed}</td></tr>",
        text(name),
        text(part.stream.as_str()),
        part.revision_before,
        part.revision_after
    );
}

fn others(out: &mut String, story: &Story<'_>) {
    out.push_str("<section id=\"others\"><h2>Who else was hit</h2>\n");
    for batch in &story.bundle.incident.correlations {
        let _ = writeln!(
            out,
            "<p>Batch <code>{}</code>: {} in {}{}, {} refused.</p>",
            text(&batch.correlation_id),
            counted(batch.events, "event"),
            if batch.more { "at least " } else { "" },
            counted(batch.streams.len(), "stream"),
            counted(batch.refused, "command")
        );
    }
    if story.others().next().is_none() {
        out.push_str("<p>No other stream.</p></section>\n");
        return;
    }
    out.push_str("<div class=\"scroll\"><table><thead><tr><th>Stream</th><th>Revisions</th><th>What changed</th></tr></thead><tbody>\n");
    for part in story.others() {
        other(out, part);
    }
    out.push_str("</tbody></table></div></section>\n");
}

fn outcome(of: &WorldOutcome) -> String {
    let class = if of.outcome == "accepted" {
        "yes"
    } else {
        "no"
    };
    let words = match of.outcome.as_str() {
        "absent" => "not issued",
        "rejected" => "refused",
        other => other,
    };
    let rule = of
        .rule
        .as_deref()
        .map_or_else(String::new, |rule| format!(" by {}", text(rule)));
    format!("<span class=\"{class}\">{}</span>{rule}", text(words))
}

fn what_ifs(out: &mut String, what_ifs: &[WhatIfPart]) {
    out.push_str("<section id=\"what-if\"><h2>What the rules would have decided</h2>\n");
    if what_ifs.is_empty() {
        out.push_str("<p>No what-if about these streams was saved as a branch.</p>\n");
    }
    for what_if in what_ifs {
        let _ = writeln!(out, "<h3>{}</h3>", text(&what_if.name));
        if let Some(note) = &what_if.note {
            let _ = writeln!(out, "<p>{}</p>", text(note));
        }
        let supposes = what_if.supposes.iter().map(|line| text(line));
        let supposes: Vec<String> = supposes.collect();
        let _ = writeln!(
            out,
            "<p class=\"soft\">What if … {}?</p>",
            supposes.join("; ")
        );
        if let Some(failed) = &what_if.failed {
            let _ = writeln!(out, "<p>No answer: {}.</p>", text(failed));
            continue;
        }
        let _ = writeln!(out, "<p>{}</p>", text(&what_if.answer));
        if !what_if.flips.is_empty() {
            out.push_str("<div class=\"scroll\"><table><thead><tr><th>Command</th><th>Stream</th><th>As it was</th><th>What if</th></tr></thead><tbody>\n");
            for flip in &what_if.flips {
                let _ = writeln!(
                    out,
                    "<tr><td>⇄ {}<br><span class=\"soft\">{}</span></td><td class=\"path\">{}</td><td>{}</td><td>{}</td></tr>",
                    text(&flip.command_type),
                    text(flip.actor.as_deref().unwrap_or("an actor not on record")),
                    text(flip.stream.as_str()),
                    outcome(&flip.from),
                    outcome(&flip.to)
                );
            }
            out.push_str("</tbody></table></div>\n");
        }
        for stream in &what_if.streams {
            let _ = writeln!(
                out,
                "<details open><summary>{} at its end, as it was and what if</summary>",
                text(stream.stream.as_str())
            );
            differences(out, &stream.diff);
            out.push_str("</details>\n");
        }
    }
    out.push_str("</section>\n");
}

fn scenarios(out: &mut String, bundle: &Bundle) {
    out.push_str("<section id=\"checks\"><h2>Checks to keep</h2>\n");
    if bundle.scenarios.is_empty() {
        out.push_str("<p>None.</p></section>\n");
        return;
    }
    out.push_str("<p class=\"soft\">Each is a file for <code>whodunit check</code>, which runs the rules again and compares.</p>\n");
    for scenario in &bundle.scenarios {
        let _ = writeln!(
            out,
            "<details open><summary>{}</summary><pre>{}</pre></details>",
            text(&scenario.name),
            lines(&scenario.toml)
        );
    }
    out.push_str("</section>\n");
}

fn notes(out: &mut String, story: &Story<'_>) {
    if story.bundle.notes.is_empty() {
        return;
    }
    out.push_str("<section id=\"notes\"><h2>Notes</h2>\n<ul class=\"plain\">\n");
    for note in &story.bundle.notes {
        let at = note
            .revision
            .map_or_else(String::new, |at| format!(", revision {at}"));
        let _ = writeln!(
            out,
            "<li>{}<br><span class=\"soft\">{} on {} about {}{at}</span></li>",
            lines(&note.text).replace('\n', "<br>"),
            text(&note.actor),
            text(&moment(note.written_at)),
            text(story.title(&note.stream)),
        );
    }
    out.push_str("</ul></section>\n");
}

fn left_out(out: &mut String, story: &Story<'_>) {
    out.push_str("<section id=\"left-out\"><h2>What is left out</h2>\n<ul class=\"plain\">\n");
    for line in story.left_out() {
        let _ = writeln!(out, "<li>{}</li>", text(&line));
    }
    out.push_str("</ul></section>\n");
}

fn identity(out: &mut String, bundle: &Bundle) {
    let incident = &bundle.incident;
    let log = &incident.log;
    out.push_str("<footer id=\"identity\"><h2>Where this comes from</h2>\n<dl>");
    let mut entry = |name: &str, value: &str| {
        let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", text(value));
    };
    entry("Store", &log.store_id);
    entry(
        "Log",
        &format!("up to position {}, decision {}", log.position, log.decision),
    );
    entry(
        "Head's hash",
        log.head_hash
            .as_deref()
            .unwrap_or("the log was still growing"),
    );
    for model in &incident.models {
        let rules = format!(
            "{} ({}), rules hash {}",
            model.name, model.category, model.rules_hash
        );
        entry("Model", &rules);
    }
    entry(
        "Written",
        &format!("{} by {}", moment(incident.written_at), incident.written_by),
    );
    entry(
        "Checksum",
        &format!("SHA-256 of the incident file's lines {}", bundle.sha256),
    );
    out.push_str("</dl></footer>\n");
}

#[cfg(test)]
mod tests {
    #[test]
    fn hashes_are_written_as_a_policy_wants_them() {
        assert_eq!(
            super::base64(b"any carnal pleas"),
            "YW55IGNhcm5hbCBwbGVhcw=="
        );
        assert_eq!(
            super::base64(b"any carnal pleasu"),
            "YW55IGNhcm5hbCBwbGVhc3U="
        );
        assert_eq!(
            super::base64(b"any carnal pleasur"),
            "YW55IGNhcm5hbCBwbGVhc3Vy"
        );
    }
}
