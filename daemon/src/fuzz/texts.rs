//! Decoders of texts: what operators type, and what is imported.

use serde_json::{Value, json};
use whodunit_core::mapping::{self, Mapping};
use whodunit_core::merge;
use whodunit_core::pointer::Pointer;
use whodunit_core::predicate::{Predicate, Scope};
use whodunit_core::query::{QUERY_BYTES_MAX, Query};
use whodunit_core::time::Timestamp;
use whodunit_core::time::input::{self, Clock, Zone};
use whodunit_core::transfer::Line;

use super::Decoder;

fn lines(corpus: &str) -> Vec<Vec<u8>> {
    let lines = corpus.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.as_bytes().to_vec()).collect()
}

fn clock() -> Clock {
    Clock {
        now: Timestamp::from_micros(1_741_079_524_000_000),
        zone: Zone::UTC,
    }
}

/// A decoder of texts.
fn text(
    name: &'static str,
    samples: Vec<Vec<u8>>,
    decode: impl Fn(&str) -> Option<String> + 'static,
) -> Decoder {
    Decoder::new(name, samples, move |bytes| {
        decode(&String::from_utf8_lossy(bytes))
    })
}

pub(super) fn decoders() -> Vec<Decoder> {
    let state = json!({
        "status": "suspended", "n": 3, "email": "a@example.com", "map": {"k": 1},
        "lines": [{"sku": "x", "price": 20.5, "n": 1}],
    });
    let Value::Object(state) = state else {
        panic!("an object")
    };
    let model = merge::model();
    let mut decoders = vec![
        text(
            "query line",
            lines(include_str!("corpus/queries.txt")),
            |line| {
                let query = Query::parse(line, &clock()).ok()?;
                // As it is printed, it is the same one.
                let printed = query.to_string();
                if printed.len() > QUERY_BYTES_MAX {
                    // Times are printed in full, so it may be longer than it was written.
                    return Some(printed);
                }
                let again = Query::parse(&printed, &clock());
                let again = again.unwrap_or_else(|error| panic!("`{printed}`: {error}"));
                assert_eq!(again.to_string(), printed);
                Some(printed)
            },
        ),
        text(
            "predicate",
            lines(include_str!("corpus/predicates.txt")),
            move |line| {
                let predicate = Predicate::parse(line).ok()?;
                let truth = predicate.evaluate(&Scope::new(&model, &state));
                Some(format!("{truth:?}"))
            },
        ),
        text("time", lines(include_str!("corpus/times.txt")), |line| {
            let _ = (Zone::parse(line), line.parse::<Timestamp>());
            let length = input::duration(line);
            let printed = length.map(input::print_duration);
            let moment = input::read(line, &clock()).ok();
            (moment.is_some() || printed.is_some()).then(|| format!("{moment:?} {printed:?}"))
        }),
        text(
            "pointer",
            vec![b"/a~1b/0/c~0d".to_vec(), Vec::new()],
            |line| {
                let pointer: Pointer = line.parse().ok()?;
                assert_eq!(pointer.to_string(), line);
                Some(pointer.to_string())
            },
        ),
        Decoder::new(
            "import line",
            lines(include_str!("corpus/imports.ndjson")),
            |line| Line::parse(line).ok().map(|line| format!("{line:?}")),
        ),
    ];
    decoders.extend(of_mappings());
    decoders
}

/// Mapping files, and the records that they take apart.
fn of_mappings() -> Vec<Decoder> {
    let shop = Mapping::parse(include_str!("corpus/mapping-shop.toml")).unwrap();
    let cloudtrail = include_str!("../../../tui/mappings/cloudtrail.toml");
    let records = lines(include_str!("corpus/records.ndjson"));
    let known: Vec<Value> = records
        .iter()
        .map(|record| serde_json::from_slice(record).unwrap())
        .collect();
    let mappings = [include_str!("corpus/mapping-shop.toml"), cloudtrail];
    vec![
        Decoder::new("foreign record", records, move |line| {
            let record = mapping::record(line).ok()?;
            let applied = shop.apply(&record);
            Some(format!("{:?}", applied.is_ok()))
        }),
        text(
            "mapping",
            mappings.map(|text| text.as_bytes().to_vec()).to_vec(),
            move |text| {
                let mapping = Mapping::parse(text).ok()?;
                let applied: Vec<bool> =
                    known.iter().map(|own| mapping.apply(own).is_ok()).collect();
                Some(format!("{applied:?}"))
            },
        ),
    ]
}
