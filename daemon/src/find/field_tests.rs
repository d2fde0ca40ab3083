//! Searches by the index of field values, against the same searches that read everything: whatever becomes of the index.

use std::path::Path;

use serde_json::{Value, json};
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;
use whodunit_core::time::input::{Clock as Moment, Zone};

use super::*;
use crate::builtin::{BuiltIn, models};
use crate::clock::{Clock, SystemClock};
use crate::passwords::Cost;
use crate::projections::{IndexedField, indexed_fields};
use crate::store::engine::{LoggedStore, StoreOptions};
use crate::store::{Append, Store};

const SEED: u64 = 0x5eed_0009;
const SOON: Duration = Duration::from_secs(30);

/// What is indexed: `*` stands for every category.
const FIELDS: [&str; 8] = [
    "*=state.color",
    "*=state.n",
    "*=state.tags",
    "item=state.deep.a",
    "*=event.data.color",
    "*=event.metadata.ip",
    "*=state.long",
    "thing=state[\"od d\"]",
];

/// Conditions, and whether they can be looked up.
const CONDITIONS: [(&str, bool); 20] = [
    ("state.color == \"red\"", true),
    ("\"red\" == event.data.color", true),
    ("/color == \"blue\"", true),
    ("before.color == \"green\"", true),
    ("was(\"/color\") == \"red\"", true),
    ("state.n == 1.0", true),
    ("state.n == 10", true),
    ("state.color in [\"red\", \"green\"]", true),
    ("\"hot\" in state.tags", true),
    ("event.metadata.ip == \"10.0.0.2\"", true),
    ("state.color == \"red\" && state.n == 2", true),
    ("state.color == \"red\" || state.color == \"blue\"", true),
    ("state.color == \"red\" || state.n == 2", false),
    ("state.color == null", true),
    ("state.color != \"red\"", false),
    ("state.n > 1", false),
    ("!(state.color == \"red\")", false),
    ("state.other == \"red\"", false),
    ("state.long == \"LONG\"", true),
    ("state.n == 2 && changed(\"/color\")", true),
];

/// A small generator (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let index = usize::try_from(self.below(of.len() as u64)).unwrap();
        of[index]
    }
}

fn long() -> String {
    "a value that is longer than what is kept of one ".repeat(5)
}

fn data(random: &mut Random) -> Json {
    let mut data = serde_json::Map::new();
    if random.below(3) > 0 {
        let color = random.one(&["\"red\"", "\"blue\"", "\"green\"", "\"Red\"", "null", "7"]);
        data.insert("color".to_owned(), serde_json::from_str(color).unwrap());
    }
    if random.below(2) == 0 {
        let n = random.one(&[
            "1", "1.0", "10e-1", "\"1\"", "2", "10", "1e1", "0.1", "true",
        ]);
        data.insert("n".to_owned(), serde_json::from_str(n).unwrap());
    }
    match random.below(6) {
        0 => drop(data.insert("tags".to_owned(), json!(["hot", 3]))),
        1 => drop(data.insert("tags".to_owned(), json!({"hot": 1}))),
        2 => drop(data.insert("deep".to_owned(), json!({"a": random.below(3)}))),
        3 => drop(data.insert("long".to_owned(), long().into())),
        4 => drop(data.insert("od d".to_owned(), json!(random.below(3)))),
        _ => {}
    }
    Value::Object(data).into()
}

async fn append(store: &Arc<dyn Store>, random: &mut Random, events: u64) {
    for _ in 0..events {
        let category = random.one(&["item", "thing", "user"]);
        let stream = StreamName::new(format!("{category}-{}", random.below(12))).unwrap();
        let mut event = NewEvent::new(format!("Type{}", random.below(3)), data(random));
        let at = store.head().borrow().position.0.cast_signed() + 1;
        event.recorded_at = Some(Timestamp::from_micros(at * 1_000_000));
        event.event_id = Some(format!("event {at}"));
        if random.below(2) == 0 {
            event.metadata = Some(json!({"ip": format!("10.0.0.{}", random.below(9))}).into());
        }
        let request = Append::facts(stream, ExpectedRevision::Any, vec![event], Timestamp::MIN);
        drop(store.append(request).await.unwrap());
    }
}

fn start(store: &Arc<dyn Store>, data: Option<&Path>, fields: &[&str]) -> Arc<Projections> {
    let fields: Vec<IndexedField> = fields.iter().map(|text| text.parse().unwrap()).collect();
    let models = Arc::new(models(&[BuiltIn::Users], Cost::Light).unwrap());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let fields = indexed_fields(&models, &fields).unwrap();
    Projections::start(store, &models, &clock, data, fields)
}

async fn level(projections: &Projections, store: &Arc<dyn Store>) {
    let head = store.head().borrow().position;
    let reached = projections.wait_for("field-index", head, SOON).await;
    assert_eq!(reached.unwrap(), head);
}

fn find(store: &Arc<dyn Store>, line: &str, projections: Option<&Arc<Projections>>) -> Find {
    let clock = Moment {
        now: Timestamp::MIN,
        zone: Zone::UTC,
    };
    Find {
        query: Arc::new(Query::parse(line, &clock).unwrap()),
        models: Arc::new(models(&[BuiltIn::Users], Cost::Light).unwrap()),
        travel: Arc::new(TimeTravel::start(Arc::clone(store))),
        reveal: Reveal::NO,
        projections: projections.map(Arc::clone),
    }
}

/// All pages: positions, how many were looked at, and what the first said of indexes.
fn pages(
    store: &Arc<dyn Store>,
    find: &Find,
    direction: Direction,
    limit: usize,
) -> (Vec<u64>, u64, IndexUse) {
    let view = store.view().unwrap();
    let (mut from, mut found, mut scanned, mut used) = (None, Vec::new(), 0, None);
    loop {
        let stretch = Stretch {
            from,
            last: last(view.as_ref(), false),
            direction,
            limit,
            budget: u64::MAX,
            time: Duration::from_hours(1),
        };
        let page = find.events(view.as_ref(), stretch).unwrap();
        found.extend(page.items.iter().map(|event| event.position.0));
        scanned += page.scanned;
        used = used.or(page.index);
        match page.next {
            Some(next) => from = Some(next),
            None => return (found, scanned, used.unwrap()),
        }
    }
}

/// Every condition, with and without the index: they find the same. Returns for how many it was used.
fn compare(store: &Arc<dyn Store>, projections: &Arc<Projections>, seed: u64) -> usize {
    let mut uses = 0;
    for (condition, may) in CONDITIONS {
        let condition = condition.replace("LONG", &long());
        for around in [
            "",
            "category:item ",
            "-category:item type:Type1 ",
            "stream:thing-* ",
        ] {
            let line = format!("{around}where:({condition})");
            for (direction, limit) in [(Direction::Backward, 1_000), (Direction::Forward, 3)] {
                let all = find(store, &line, None);
                let (wanted, read, _) = pages(store, &all, direction, limit);
                let by_index = find(store, &line, Some(projections));
                let (found, looked_at, index) = pages(store, &by_index, direction, limit);
                assert_eq!(found, wanted, "seed {seed}: {line}: {index:?}");
                let is_used = index.used.iter().any(|name| name.contains('.'));
                assert!(may || !is_used, "{line}: {index:?}");
                if is_used {
                    uses += 1;
                    assert!(index.not_used.is_none());
                    println!("{line}: {looked_at} looked at, {read} without the index");
                }
            }
        }
    }
    uses
}

/// Live appends, an import that holds the index back, and an index that is behind: what is found is the same, always.
#[tokio::test]
async fn a_search_by_the_index_finds_what_reading_everything_finds() {
    for seed in SEED..SEED + 4 {
        let store: Arc<dyn Store> =
            Arc::new(LoggedStore::in_memory(StoreOptions::Relaxed).unwrap());
        let mut random = Random(seed);
        let projections = start(&store, None, &FIELDS);
        append(&store, &mut random, 150).await;
        // The index is wherever it is.
        compare(&store, &projections, seed);
        level(&projections, &store).await;
        let uses = compare(&store, &projections, seed);
        assert!(uses > 50, "it was used {uses} times");
        let held = projections.hold_back();
        append(&store, &mut random, 60).await;
        let uses = compare(&store, &projections, seed);
        assert!(
            uses > 50,
            "an index that is behind is used all the same: {uses}"
        );
        drop(held);
        level(&projections, &store).await;
        assert!(compare(&store, &projections, seed) > 50);
        let check = projections.check("field-index").await.unwrap();
        assert!(check.ok, "{check:?}");
    }
}

/// Restarts, other fields, a rebuild, and a file that is damaged anywhere.
#[tokio::test]
async fn an_index_that_was_restarted_rebuilt_or_damaged_never_leaves_anything_out() {
    let directory = tempfile::tempdir().unwrap();
    let data = Some(directory.path());
    let store: Arc<dyn Store> = Arc::new(LoggedStore::in_memory(StoreOptions::Relaxed).unwrap());
    let mut random = Random(SEED);
    let projections = start(&store, data, &FIELDS);
    append(&store, &mut random, 200).await;
    level(&projections, &store).await;
    projections.close().await;
    append(&store, &mut random, 50).await;

    let projections = start(&store, data, &FIELDS);
    compare(&store, &projections, SEED);
    level(&projections, &store).await;
    assert!(compare(&store, &projections, SEED) > 50);
    projections.rebuild("field-index").unwrap();
    compare(&store, &projections, SEED);
    projections.rebuilt("field-index").await.unwrap();
    assert!(compare(&store, &projections, SEED) > 50);
    projections.close().await;
    drop(projections);

    // An index of other fields knows nothing of these.
    let others = start(&store, data, &["*=state.color"]);
    compare(&store, &others, SEED);
    others.rebuilt("field-index").await.unwrap();
    level(&others, &store).await;
    assert!(compare(&store, &others, SEED) > 20);
    others.close().await;
    drop(others);
    let projections = start(&store, data, &FIELDS);
    compare(&store, &projections, SEED);
    projections.rebuilt("field-index").await.unwrap();
    projections.close().await;
    drop(projections);

    let file = directory.path().join("read-models/field-index.redb");
    let whole = std::fs::read(&file).unwrap();
    for _ in 0..12 {
        let mut bytes = whole.clone();
        let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
        let to = (at + 600).min(bytes.len());
        bytes[at..to].fill(0xa5);
        std::fs::write(&file, &bytes).unwrap();
        let projections = start(&store, data, &FIELDS);
        println!("damaged from byte {at} on");
        compare(&store, &projections, SEED);
        level(&projections, &store).await;
        compare(&store, &projections, SEED);
        projections.close().await;
    }
}

/// A stream with more values than are kept has had any; with more streams than are read, the log is.
#[tokio::test]
async fn what_is_too_much_for_the_index_is_found_all_the_same() {
    let store: Arc<dyn Store> = Arc::new(LoggedStore::in_memory(StoreOptions::Relaxed).unwrap());
    let projections = start(&store, None, &["*=state.color", "*=event.data.color"]);
    let event = |color: String, id: String| {
        let mut event = NewEvent::new("Colored", json!({"color": color}));
        event.event_id = Some(id);
        event
    };
    let colored = |n: u64| event(format!("color {n}"), format!("e {n}"));
    let many = (0..200).map(colored).collect();
    let stream = StreamName::new("item-many").unwrap();
    let request = Append::facts(stream, ExpectedRevision::Any, many, Timestamp::MIN);
    drop(store.append(request).await.unwrap());
    for n in 0..300 {
        let stream = StreamName::new(format!("item-{n}")).unwrap();
        let common = event("common".to_owned(), format!("common {n}"));
        let events = vec![common, colored(1_000 + n)];
        let request = Append::facts(stream, ExpectedRevision::Any, events, Timestamp::MIN);
        drop(store.append(request).await.unwrap());
    }
    level(&projections, &store).await;
    for (color, expected, is_used) in [
        ("color 7", 1, true),
        ("color 199", 1, true),
        ("color 1007", 1, true),
        ("common", 300, false),
        ("nothing", 0, true),
    ] {
        let line = format!("where:state.color == \"{color}\"");
        let by_index = find(&store, &line, Some(&projections));
        let (found, _, index) = pages(&store, &by_index, Direction::Backward, 1_000);
        assert_eq!(found.len(), expected, "{line}: {index:?}");
        assert_eq!(index.used == ["state.color"], is_used, "{line}: {index:?}");
        let why = index.not_used.unwrap_or_default();
        assert_eq!(why.contains("more than 256 streams"), !is_used, "{why}");
    }
}

#[test]
fn fields_are_declared_in_one_spelling_and_no_secret_is_one() {
    let models = models(&[BuiltIn::Users], Cost::Light).unwrap();
    for (text, canonical) in [
        ("user=state.email", "user=state.email"),
        ("*=/a/b", "*=state.a.b"),
        ("order=event.data[\"a b\"].c", "order=event.data[\"a b\"].c"),
        ("order=event.metadata.ip", "order=event.metadata.ip"),
    ] {
        let field: IndexedField = text.parse().unwrap();
        assert_eq!(field.to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(field));
    }
    for wrong in [
        "",
        "user",
        "user=",
        "=state.email",
        "user-7=state.email",
        "user=state",
        "user=event.actor",
        "user=event.data",
        "user=decision.rule",
        "user=state.a) && has(state.b",
        "user=state.a == 1",
    ] {
        let refused = wrong.parse::<IndexedField>().unwrap_err().to_string();
        assert!(refused.contains("state.email"), "{wrong}: {refused}");
    }
    let declared = indexed_fields(&models, &[]).unwrap();
    assert!(
        declared
            .iter()
            .any(|field| field.to_string() == "user=state.email")
    );
    for secret in ["user=state.password_hash", "*=event.data.password"] {
        let refused = indexed_fields(&models, &[secret.parse().unwrap()]).unwrap_err();
        assert!(refused.to_string().contains("a secret"), "{refused}");
    }
    let many: Vec<IndexedField> = (0..40)
        .map(|n| format!("*=state.f{n}").parse().unwrap())
        .collect();
    assert!(indexed_fields(&models, &many).is_err());
}
