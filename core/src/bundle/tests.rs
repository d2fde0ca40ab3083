//! Pages, drafts and damaged files of incidents.

use serde_json::json;

use super::*;
use crate::ids::Position;
use crate::json::Json;
use crate::model::Models;
use crate::shown::Reveal;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Markup, Markdown, and characters that turn a text round or are not seen.
const HOSTILE: &str = "</title><script>alert(1)</script>\u{202e}\u{0}`|[x](http://e.example) ```\n# head <!-- &amp; '\"";

fn event(revision: u64, event_type: &str, reason: &str) -> Event {
    Event {
        position: Position(10 * revision),
        stream: StreamName::new("user-1").unwrap(),
        revision: Revision(revision),
        event_id: format!("e-{revision}"),
        event_type: event_type.to_owned(),
        schema_version: 1,
        recorded_at: at("2025-03-24T15:47:23Z"),
        actor: Some(reason.to_owned()),
        reason: Some(reason.to_owned()),
        correlation_id: Some("batch".to_owned()),
        causation_id: None,
        data: Json::from(json!({"note": reason})),
        metadata: None,
    }
}

fn log() -> LogPoint {
    LogPoint {
        store_id: "store".to_owned(),
        position: Position(40),
        decision: 0,
        head_hash: None,
        event_hash: None,
        decision_hash: None,
    }
}

fn incident(text: &str) -> Incident {
    let diff: Vec<DiffEntry> =
        serde_json::from_value(json!([{"path": format!("/{text}"), "op": "add", "after": text}]))
            .unwrap();
    let part = StreamPart {
        stream: StreamName::new("user-1").unwrap(),
        title: Some(text.to_owned()),
        in_chain: true,
        head: Revision(2),
        included: Some(Revision(2)),
        revision_before: Revision(1),
        revision_after: Revision(2),
        events: 1,
        refused: 0,
        before: Some(State::new()),
        after: json!({"k": text}).as_object().cloned(),
        diff: diff.clone(),
        failed: None,
    };
    let other = StreamPart {
        stream: StreamName::new("user-2").unwrap(),
        included: None,
        failed: Some(text.to_owned()),
        ..part.clone()
    };
    Incident {
        asked: BundleIn::default(),
        written_at: at("2025-03-25T09:15:00Z"),
        written_by: "test".to_owned(),
        log: log(),
        models: Vec::new(),
        subject: Some("e-2".to_owned()),
        causes: Vec::new(),
        effects: Vec::new(),
        correlations: vec![Batch {
            correlation_id: text.to_owned(),
            events: 1,
            refused: 0,
            streams: Vec::new(),
            more: false,
        }],
        changes: vec![EventChange {
            event_id: "e-2".to_owned(),
            diff,
        }],
        streams: vec![part, other],
        what_ifs: vec![WhatIfPart {
            name: "b".to_owned(),
            note: Some(text.to_owned()),
            actor: Some(text.to_owned()),
            supposes: vec![text.to_owned()],
            answer: text.to_owned(),
            flips: Vec::new(),
            flips_total: 0,
            streams: Vec::new(),
            streams_total: 0,
            failed: None,
        }],
        left_out: vec![LeftOut {
            count: 3,
            what: text.to_owned(),
        }],
    }
}

fn file(text: &str) -> Vec<u8> {
    let events = [
        event(1, "UserCreated", "api"),
        event(2, "UserDeleted", text),
    ];
    let show = |event| BundleRecord::Event(Reveal::NO.show(&Models::default(), event));
    let records: Vec<_> = events.into_iter().map(show).collect();
    let note = Note {
        note_id: "n".to_owned(),
        stream: StreamName::new("user-1").unwrap(),
        revision: None,
        event_id: None,
        actor: text.to_owned(),
        written_at: at("2025-03-25T09:15:00Z"),
        text: text.to_owned(),
    };
    let scenario = ScenarioText {
        name: text.to_owned(),
        toml: format!("name = 1\n{text}\n"),
    };
    write(
        incident(text),
        &records,
        &[note],
        (Vec::new(), vec![scenario]),
    )
    .unwrap()
}

#[test]
fn a_file_is_read_as_it_was_written() {
    let bytes = file("inactive");
    assert!(is_bundle(&bytes));
    let read = read(&bytes).unwrap();
    assert_eq!(read.incident, incident("inactive"));
    assert_eq!(
        (read.events.len(), read.notes.len(), read.scenarios.len()),
        (2, 1, 1)
    );
    assert_eq!(read.events[1], event(2, "UserDeleted", "inactive"));
}

/// Whatever byte of it is another, a line is missing or its end is lost: it is not read.
#[test]
fn a_damaged_file_is_not_read() {
    let bytes = file("inactive");
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(read(&changed).is_err(), "byte {at}");
    }
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for left_out in 0..lines.len() {
        let mut some = lines.clone();
        some.remove(left_out);
        assert!(read(&some.concat()).is_err(), "line {left_out}");
    }
    let cut = read(&bytes[..bytes.len() - lines.last().unwrap().len()]).unwrap_err();
    assert!(cut.to_string().contains("cut short"), "{cut}");
    let other = read(b"{\"stream\":\"a-1\"}\n").unwrap_err();
    assert!(matches!(other, BadBundle::Other(_)), "{other}");
}

#[test]
fn no_text_of_the_log_becomes_markup_of_the_page() {
    let page = to_html(&read(&file(HOSTILE)).unwrap());
    assert_eq!(page.matches("<script").count(), 0);
    assert_eq!(page.matches("<title>").count(), 1);
    assert_eq!(page.matches("</title>").count(), 1);
    assert!(!page.contains("<!--") && page.contains("&lt;script&gt;"));
    assert!(!page.chars().any(|c| c != '\n' && crate::text::is_unsafe(c)));
    // Nothing from elsewhere, and nothing that runs.
    for word in ["src=", "href=\"http", "url(", "@import", "onload", "style="] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    assert_eq!(
        page.matches("<section").count(),
        page.matches("</section>").count()
    );
    assert_eq!(
        page.matches("<table").count(),
        page.matches("</table>").count()
    );
    assert_eq!(
        page.matches("<details").count(),
        page.matches("</details>").count()
    );
}

#[test]
fn no_text_of_the_log_becomes_markdown() {
    let draft = to_markdown(&read(&file(HOSTILE)).unwrap());
    assert!(
        !draft
            .chars()
            .any(|c| c != '\n' && crate::text::is_unsafe(c))
    );
    let mut fence: Option<String> = None;
    let mut headings = Vec::new();
    for line in draft.lines() {
        match &fence {
            // A block ends with the fence it began with, and nothing in it does.
            Some(open) if line == open => fence = None,
            Some(open) => assert!(!line.starts_with(open.as_str()), "{line}"),
            None if line.starts_with("```") => {
                fence = Some(line.trim_end_matches("toml").to_owned());
                assert!(line.ends_with("toml"), "{line}");
            }
            None => {
                if let Some(heading) = line.strip_prefix("## ") {
                    headings.push(heading);
                }
                let plain = line
                    .replace("\\<", "")
                    .replace("\\[", "")
                    .replace("\\`", "");
                let own = plain.starts_with("- [ ] ");
                assert!(own || !plain.contains(['<', '[', '`']), "{line}");
                assert!(!line.contains("http://"), "{line}");
                if line.starts_with('|') {
                    let cells = line.replace("\\|", "").matches('|').count();
                    assert!((4..=5).contains(&cells), "{line}");
                }
            }
        }
    }
    assert_eq!(fence, None);
    assert_eq!(
        headings,
        [
            "Summary",
            "Impact",
            "Timeline",
            "Root cause",
            "What the rules would have decided",
            "Checks to keep",
            "Follow-ups",
            "Notes",
            "Sources"
        ]
    );
}

/// Positions and decisions are others in a log of what is in the file; revisions are the same.
#[test]
fn a_branch_names_what_the_copy_has() {
    let bundle = read(&file("inactive")).unwrap();
    let branch: Branch = serde_json::from_value(json!({
        "name": "b", "revision": 1, "stream": "user-1", "note": null, "actor": null,
        "created_at": "2025-03-25T09:00:00Z", "changed_at": "2025-03-25T09:00:00Z", "on": null,
        "layers": [{"stream": "user-1", "base": {"revision": 2, "position": 25, "at": "2025-03-25T09:00:00Z",
            "before_decision": null, "after_decision": 7}, "edits": [{"drop": {"revision": 2}}], "do": []}],
        "causes": "follow", "password_correct": null,
        "log": {"store_id": "s", "position": 40, "decision": 9}, "rules": {}
    }))
    .unwrap();
    let here = bundle.branch_here(&branch).unwrap();
    let base = here.layers[0].base;
    assert_eq!((base.position, base.revision), (Position(2), Revision(2)));
    assert_eq!(base.after_decision, Some(0));
    assert_eq!(here.layers[0].edits, branch.layers[0].edits);
    let mut other = branch;
    other.layers[0].base.before_decision = Some(7);
    assert!(
        bundle
            .branch_here(&other)
            .unwrap_err()
            .contains("decision 7")
    );
}
