//! Exports that were cut short or changed on the way are known as such; files of other tools, which say nothing of
//! themselves, are taken as they are. And whatever else goes on, the order within a stream is the file's.

use serde_json::{Value, json};
use whodunit_core::transfer::LinesDigest;

use crate::support::{Api, create_user, suspend};

const NDJSON: &str = "application/x-ndjson";

async fn import(api: &Api, query: &str, lines: &str) -> Value {
    let path = format!("/v1/import{query}");
    api.post_text(&path, NDJSON, lines).await.ok()
}

async fn source() -> Api {
    let api = Api::start();
    api.fact("door-1", "Opened", json!({"n": 1})).await;
    api.user("user-1", "sarah").await;
    let taken = api.command("user-2", &create_user("sarah")).await;
    taken.problem(422, "rejected");
    api.command("user-1", &suspend("odd")).await.ok();
    api.fact("door-1", "Closed", json!({"n": 2})).await;
    api
}

fn told(report: &Value) -> (u64, bool, bool) {
    let flag = |name: &str| report[name].as_bool().unwrap();
    let missing = report["missing"].as_u64().unwrap();
    (missing, flag("incomplete"), flag("changed"))
}

#[tokio::test]
async fn an_export_cut_at_the_end_of_any_line_is_known_to_be_incomplete() {
    let source = source().await;
    for query in [
        "?reveal=true",
        "",
        "?reveal=true&decisions=false",
        "?decisions=false",
        "?reveal=true&category=door",
        "?category=door",
    ] {
        let whole = source.get(&format!("/v1/export{query}")).await.text;
        let whole = whole.replace("\"id-", "\"from-source-");
        let lines: Vec<_> = whole.split_inclusive('\n').collect();
        for dry_run in ["?dry_run=true", ""] {
            let report = import(&Api::start(), dry_run, &whole).await;
            // Another id makes another line.
            assert_eq!(told(&report), (0, false, true), "{query}: {report}");
            for kept in 1..lines.len() {
                let report = import(&Api::start(), dry_run, &lines[..kept].concat()).await;
                let (missing, incomplete, _) = told(&report);
                assert!(incomplete, "{query}, {kept} of {}: {report}", lines.len());
                let announced = !query.contains("category");
                let left = (lines.len() - 1 - kept) as u64;
                assert_eq!(missing, if announced { left } else { 0 }, "{query}");
                assert_eq!(report["failed"], 0);
            }
        }
    }
}

#[tokio::test]
async fn an_export_as_it_was_written_is_whole_however_its_lines_end() {
    let whole = source().await.get("/v1/export?reveal=true").await.text;
    let twice = format!("{whole}{whole}");
    for file in [
        whole.clone(),
        whole.replace('\n', "\r\n"),
        format!("\u{feff}{whole}"),
        whole.trim_end().to_owned(),
        whole.replace('\n', "\n\n"),
        twice,
    ] {
        let report = import(&Api::start(), "", &file).await;
        assert_eq!(told(&report), (0, false, false), "{report}");
        assert_eq!(report["failed"], 0);
    }
    let empty = Api::start().get("/v1/export?reveal=true").await.text;
    assert_eq!(empty.lines().count(), 2);
    let report = import(&Api::start(), "", &empty).await;
    assert_eq!(
        (told(&report), &report["read"]),
        ((0, false, false), &json!(0))
    );
}

#[tokio::test]
async fn a_line_that_was_changed_moved_or_taken_out_is_noticed_though_every_line_is_sound() {
    let whole = source().await.get("/v1/export?reveal=true").await.text;
    let lines: Vec<_> = whole.lines().collect();
    let changed = whole.replace(r#"{"n":2}"#, r#"{"n":3}"#);
    assert_eq!(
        told(&import(&Api::start(), "", &changed).await),
        (0, false, true)
    );
    // The last event of its stream away and another line twice: the count is right all the same.
    let mut swapped = lines.clone();
    let last = swapped
        .iter()
        .rposition(|line| line.contains("Closed"))
        .unwrap();
    swapped[last] = swapped[1];
    let report = import(&Api::start(), "", &swapped.join("\n")).await;
    assert_eq!(report["failed"], 0, "{report}");
    assert_eq!(told(&report), (0, false, true));
    // Without its first line.
    let report = import(&Api::start(), "", &lines[1..].join("\n")).await;
    assert_eq!(told(&report), (0, true, false));
}

/// The head's hash as a daemon shows it.
async fn head_hash(api: &Api) -> Value {
    api.get("/v1/health").await.ok()["head_hash"].clone()
}

#[tokio::test]
async fn the_heads_hash_goes_along_and_is_computed_again_from_what_is_exported_and_imported() {
    let source = source().await;
    let whole = source.get("/v1/export?reveal=true").await.text;
    let hash = head_hash(&source).await;
    let (records, end) = whole.trim_end().rsplit_once('\n').unwrap();
    let end: Value = serde_json::from_str(end).unwrap();
    assert_eq!(end["export_end"]["head_hash"], hash);
    for part in ["decisions=false", "category=door", "actor=api"] {
        let path = format!("/v1/export?reveal=true&{part}");
        let text = source.get(&path).await.text;
        assert!(!text.contains("head_hash"), "{part} is not the whole log");
    }
    let copy = Api::start();
    assert_ne!(head_hash(&copy).await, hash);
    assert_eq!(told(&import(&copy, "", &whole).await), (0, false, false));
    assert_eq!(
        head_hash(&copy).await,
        hash,
        "the same log has the same hash"
    );
    copy.other_ids();
    copy.fact("door-1", "Opened", json!({"n": 1})).await;
    assert_ne!(head_hash(&copy).await, hash);
    // A forger who computes the digest of the lines again leaves the hash of what was recorded.
    for (from, to) in [
        (r#"{"n":2}"#, r#"{"n":3}"#),
        ("\"actor\":\"api\"", "\"actor\":\"apo\""),
    ] {
        assert!(records.contains(from));
        let mut digest = LinesDigest::default();
        let records = records.replace(from, to);
        records
            .lines()
            .for_each(|line| digest.line(line.as_bytes()));
        let mut end = end.clone();
        end["export_end"]["sha256"] = json!(digest.hex());
        let report = import(&Api::start(), "?dry_run=true", &format!("{records}\n{end}")).await;
        assert_eq!(told(&report), (0, false, true), "{from}: {report}");
    }
}

#[tokio::test]
async fn files_of_other_tools_say_nothing_of_themselves() {
    let line = r#"{"stream":"door-1","event_type":"T","data":{}}"#;
    let report = import(&Api::start(), "", &format!("{line}\n{line}")).await;
    assert_eq!(
        (told(&report), &report["added"]),
        ((0, false, false), &json!(2))
    );
}

#[tokio::test]
async fn events_dated_after_the_daemons_clock_are_counted_by_rule_with_their_lines() {
    let api = Api::start();
    api.clock.set("2025-03-01T09:00:00Z");
    let at = |at: &str| {
        format!(
            "{{\"stream\":\"s-1\",\"event_type\":\"T\",\"recorded_at\":\"{at}\",\"data\":{{}}}}"
        )
    };
    let lines = [
        at("2025-03-01T09:00:00Z"),
        at("2025-03-01T09:00:00.000001Z"),
        at("2199-01-01T00:00:00Z"),
        at("2024-01-01T00:00:00Z"),
    ]
    .join("\n");
    for query in ["?dry_run=true", ""] {
        let report = import(&api, query, &lines).await;
        assert_eq!(
            report["future"],
            json!({"records": 2, "lines": [2, 3], "latest": "2199-01-01T00:00:00Z"}),
        );
    }
    let mapping = "[[rule]]\nname = \"all\"\nstream = \"s-{/id}\"\ntype = \"T\"\nid = \"{/id}\"\ntime = \"{seconds(/at)}\"";
    let body = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"mapping\"\r\n\r\n{mapping}\r\n\
         --XX\r\nContent-Disposition: form-data; name=\"records\"\r\n\r\n{{\"id\":1,\"at\":4000000000}}\r\n--XX--\r\n"
    );
    for (future, repeated) in [(1, 0), (0, 1)] {
        let report = api
            .post_text("/v1/import", "multipart/form-data; boundary=XX", &body)
            .await
            .ok();
        assert_eq!(report["future"]["records"], future, "{report}");
        assert_eq!(report["repeated"], repeated);
        let by_rule = report["rules"][0].get("future");
        assert_eq!(by_rule, (future > 0).then_some(&json!(1)));
    }
}

/// Dice with a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_order_within_a_stream_is_the_files_whoever_writes_beside_it() {
    for seed in 1..=12_u64 {
        println!("seed {seed}");
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let lines: Vec<_> = (1..=600)
            .map(|n| {
                // Some say where they stood, some do not; none says its revision.
                let position = (dice.roll(4) > 0).then_some(n);
                let stream = format!("s-{}", dice.roll(4));
                json!({"position": position, "stream": stream, "event_type": "T", "event_id": format!("e{n}"), "data": {"n": n}})
                    .to_string()
            })
            .collect();
        let api = Api::start();
        let stop = tokio::sync::Notify::new();
        let writer = async {
            let stopped = stop.notified();
            tokio::pin!(stopped);
            let mut dice = Dice(seed);
            loop {
                let stream = format!("s-{}", dice.roll(5));
                tokio::select! {
                    _ = api.fact(&stream, "Beside", json!({})) => {}
                    () = &mut stopped => return,
                }
            }
        };
        let body = lines.join("\n");
        let importer = async {
            let report = import(&api, "", &body).await;
            stop.notify_one();
            report
        };
        let (report, ()) = tokio::join!(importer, writer);
        assert_eq!(
            (&report["added"], &report["failed"]),
            (&json!(600), &json!(0))
        );
        let written = api.get("/v1/export?reveal=true").await.text;
        let mut last = std::collections::HashMap::new();
        let mut seen = 0;
        for line in written.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            if event["event_type"] == "T" {
                let n = event["data"]["n"].as_u64().unwrap();
                let before = last.insert(event["stream"].clone(), n).unwrap_or(0);
                assert!(before < n, "seed {seed}: {before} stands before {n}");
                seen += 1;
            }
        }
        assert_eq!(seen, 600);
    }
}
