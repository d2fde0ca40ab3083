//! Faults planted below the engine's guards, and what the consistency check says of them.

use whodunit_core::api::pipeline::FindingKind;
use whodunit_core::json::Json;

use super::super::check::check;
use super::super::read_model::apply::{Application, anchor_event};
use super::super::read_model::file::{CheckpointMeta, ReadModel, write_meta};
use super::super::read_model::record::encode_document;
use super::*;

fn all_events(view: &dyn View) -> Vec<Event> {
    let filter = crate::store::LogFilter {
        category: Some("user".to_owned()),
        ..crate::store::LogFilter::default()
    };
    let page = view.log(&filter, None, Direction::Forward, usize::MAX, u64::MAX);
    page.unwrap().events
}

/// Makes a read model of these events, applied as they come.
fn made_of(store: &Arc<dyn Store>, rules: &Rules, events: &[Event]) -> (ReadModel, CheckpointMeta) {
    let view = store.view().unwrap();
    let fresh = rules.fresh();
    let model = ReadModel::in_memory(&fresh).unwrap();
    let txn = model.write(Durable::Later).unwrap();
    let mut application = Application::begin(&txn, rules, view.as_ref(), fresh).unwrap();
    for event in events {
        application.apply(event).unwrap();
    }
    let head = view.head().position;
    let meta = application
        .finish(head, anchor_event(view.as_ref(), head).unwrap())
        .unwrap();
    write_meta(&txn, &meta).unwrap();
    txn.commit().unwrap();
    (model, meta)
}

fn checked(store: &Arc<dyn Store>, (model, meta): (ReadModel, CheckpointMeta)) -> CheckOut {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let common = Common::default();
    let rules = Rules::new(Arc::new(Users), models());
    let at = (model, meta.checkpoint);
    let runner = ProjectionRunner::new(rules, (store, &clock), None, at, &common);
    let run = Run::begin("check", "users", &clock, &common.run_numbers);
    check(&runner, &run).unwrap()
}

/// Changes the table of documents behind the engine's back.
fn tamper(
    model: &ReadModel,
    change: impl FnOnce(&mut redb::Table<'_, &'static str, &'static [u8]>),
) {
    let txn = model.write(Durable::Later).unwrap();
    {
        let mut documents = txn.open_table(DOCUMENTS).unwrap();
        change(&mut documents);
    }
    txn.commit().unwrap();
}

#[track_caller]
fn assert_one(check: &CheckOut, kind: FindingKind, event: Option<&Event>, seed: u64) {
    let [finding] = check.findings.as_slice() else {
        panic!("seed {seed}: {check:?}")
    };
    assert_eq!((check.ok, check.findings_total), (false, 1));
    let (position, revision, event_type) = event.map_or((0, 0, ""), |event| {
        (
            event.position.0,
            event.revision.0,
            event.event_type.as_str(),
        )
    });
    assert_eq!(
        (
            finding.kind,
            finding.position,
            finding.revision,
            finding.event_type.as_str()
        ),
        (kind, position, revision, event_type),
        "seed {seed}: {check:?}"
    );
    if let Some(event) = event {
        assert_eq!(finding.key, event.stream.as_str());
    }
    assert!(!finding.detail.is_empty());
}

#[tokio::test]
async fn a_hundred_random_histories_have_no_finding() {
    for seed in 0..100 {
        let store = store();
        let projections = start(&store);
        let mut random = Random(seed);
        history(&store, &mut random, 40).await;
        level(&projections, &store).await;
        for (name, category) in [("users", Some("user")), ("states", None)] {
            let check = projections.check(name).await.unwrap();
            assert!(
                check.ok && check.findings.is_empty(),
                "seed {seed}: {check:?}"
            );
            let view = store.view().unwrap();
            let wanted = expected(view.as_ref(), category, u64::MAX);
            assert_eq!(check.documents, wanted.len() as u64, "seed {seed}");
            let events: u64 = wanted.values().map(|(revision, _, _)| revision.0).sum();
            assert_eq!(check.events, events, "seed {seed}");
        }
    }
}

/// Takes a document out of one of the indexes.
fn unindex(model: &ReadModel, key: &str, seed: u64) {
    let txn = model.write(Durable::Now).unwrap();
    {
        let mut table = txn.open_table(INDEX).unwrap();
        let mut entries = Vec::new();
        for entry in table.iter().unwrap() {
            let place = entry.unwrap().0;
            let (index, value, of) = place.value();
            if of == key {
                entries.push((index.to_owned(), value.to_vec()));
            }
        }
        let pick = usize::try_from(seed).unwrap() % entries.len();
        let (index, value) = &entries[pick];
        let removed = table.remove((index.as_str(), value.as_slice(), key));
        assert!(removed.unwrap().is_some());
    }
    txn.commit().unwrap();
}

#[tokio::test]
async fn every_kind_of_fault_is_named_with_its_event() {
    for seed in 0..25 {
        let store = store();
        let mut random = Random(1_000 + seed);
        history(&store, &mut random, 60).await;
        let rules = Rules::new(Arc::new(Users), models());
        let events = all_events(store.view().unwrap().as_ref());
        assert!(checked(&store, made_of(&store, &rules, &events)).ok);
        let pick = usize::try_from(random.below(events.len() as u64)).unwrap();
        let event = &events[pick];

        let mut missed = events.clone();
        missed.remove(pick);
        let check = checked(&store, made_of(&store, &rules, &missed));
        assert_one(&check, FindingKind::Missed, Some(event), seed);

        let mut doubled = events.clone();
        doubled.insert(pick + 1, event.clone());
        let check = checked(&store, made_of(&store, &rules, &doubled));
        assert_one(&check, FindingKind::AppliedTwice, Some(event), seed);

        let later = events.iter().position(|other| {
            other.stream == event.stream && other.revision == event.revision.next()
        });
        if let Some(later) = later {
            let mut swapped = events.clone();
            swapped.swap(pick, later);
            let check = checked(&store, made_of(&store, &rules, &swapped));
            assert_one(&check, FindingKind::OutOfOrder, Some(event), seed);
        }

        let (model, meta) = made_of(&store, &rules, &events);
        let key = event.stream.as_str();
        let last = events.iter().rfind(|other| other.stream == event.stream);
        let document = model.read().unwrap().document(key).unwrap().unwrap();
        let mut altered = document.clone();
        altered.state.insert("status".to_owned(), json!("king"));
        let record = encode_document(&altered);
        tamper(&model, |table| {
            drop(table.insert(key, record.as_slice()).unwrap());
        });
        let check = checked(&store, (model, meta));
        assert_one(&check, FindingKind::Altered, last, seed);

        let (model, meta) = made_of(&store, &rules, &events);
        tamper(&model, |table| drop(table.remove(key).unwrap()));
        let check = checked(&store, (model, meta));
        assert_one(&check, FindingKind::Lost, last, seed);

        let (model, meta) = made_of(&store, &rules, &events);
        unindex(&model, key, seed);
        let check = checked(&store, (model, meta));
        assert_one(&check, FindingKind::Unindexed, last, seed);

        for orphan in ["user-nobody", "a-first", "zz-last"] {
            let (model, meta) = made_of(&store, &rules, &events);
            let record = encode_document(&document);
            tamper(&model, |table| {
                drop(table.insert(orphan, record.as_slice()).unwrap());
            });
            let check = checked(&store, (model, meta));
            assert_one(&check, FindingKind::Orphan, None, seed);
            assert_eq!(check.findings[0].key, orphan);
        }
    }
}

/// Users, but what one event does is another thing than it is today.
struct OldRules(Position);

impl Projection for OldRules {
    fn name(&self) -> &'static str {
        "users"
    }

    fn description(&self) -> &'static str {
        "users as they were"
    }

    fn version(&self) -> &'static str {
        "users-0"
    }

    fn category(&self) -> Option<&str> {
        Some("user")
    }

    fn keep(&self, model: &Model, state: &mut State) {
        Users.keep(model, state);
    }

    fn apply(&self, model: &Model, state: &mut State, event: &Event) -> Result<(), String> {
        Users.apply(model, state, event)?;
        if event.position == self.0 {
            state.insert("last_name".to_owned(), json!("Doe"));
        }
        Ok(())
    }

    fn sorts(&self) -> &'static [Sort] {
        Users.sorts()
    }

    fn fields(&self) -> &'static [Field] {
        Users.fields()
    }
}

#[tokio::test]
async fn an_event_changed_on_disk_is_told_apart_from_changed_rules() {
    for seed in 0..25 {
        let store = store();
        let mut random = Random(3_000 + seed);
        history(&store, &mut random, 60).await;
        let rules = Rules::new(Arc::new(Users), models());
        let events = all_events(store.view().unwrap().as_ref());
        let pick = usize::try_from(random.below(events.len() as u64)).unwrap();
        // What the projection read then is not what the log holds now: in its effect, and in nothing but its reason.
        for other in [
            Event {
                data: Json::from(&json!({"last_name": "Doe"})),
                ..events[pick].clone()
            },
            Event {
                reason: Some("another".to_owned()),
                ..events[pick].clone()
            },
        ] {
            let mut then = events.clone();
            then[pick] = other;
            let check = checked(&store, made_of(&store, &rules, &then));
            assert_one(&check, FindingKind::EventChanged, Some(&events[pick]), seed);
        }
    }
}

#[tokio::test]
async fn a_changed_handler_is_named_even_where_later_events_hide_it() {
    for seed in 0..25 {
        let store = store();
        let mut random = Random(2_000 + seed);
        history(&store, &mut random, 60).await;
        // At the end every user is made over: the documents are the same under both rules.
        for who in 0..6 {
            append(&store, &format!("user-{who}"), vec![created("over")]).await;
        }
        let events = all_events(store.view().unwrap().as_ref());
        let pick = usize::try_from(random.below(events.len() as u64 - 6)).unwrap();
        let old = Rules::new(Arc::new(OldRules(events[pick].position)), models());
        let check = checked(&store, made_of(&store, &old, &events));
        assert_one(&check, FindingKind::RulesChanged, Some(&events[pick]), seed);
    }
}

#[tokio::test]
async fn a_read_model_behind_the_log_is_checked_up_to_its_checkpoint() {
    let store = store();
    history(&store, &mut Random(3), 40).await;
    let rules = Rules::new(Arc::new(Users), models());
    let events = all_events(store.view().unwrap().as_ref());
    let made = made_of(&store, &rules, &events);
    history(&store, &mut Random(4), 40).await;
    user(&store, "new").await;
    let check = checked(&store, made);
    assert!(check.ok, "{check:?}");
    assert_eq!(check.events, events.len() as u64);
}

#[tokio::test]
async fn the_guards_keep_a_document_true() {
    let store = store();
    history(&store, &mut Random(8), 60).await;
    let rules = Rules::new(Arc::new(Users), models());
    let view = store.view().unwrap();
    let events = all_events(view.as_ref());
    let fresh = rules.fresh();
    let model = ReadModel::in_memory(&fresh).unwrap();
    let txn = model.write(Durable::Later).unwrap();
    let mut application = Application::begin(&txn, &rules, view.as_ref(), fresh).unwrap();
    for (index, event) in events.iter().enumerate() {
        // Every third is passed over, every fifth comes again later.
        if index % 3 != 0 {
            application.event(event).unwrap();
        }
        if index % 5 == 0 {
            application.event(&events[index / 2]).unwrap();
        }
    }
    for event in &events {
        application.event(event).unwrap();
    }
    let head = view.head().position;
    let meta = application.finish(head, None).unwrap();
    write_meta(&txn, &meta).unwrap();
    txn.commit().unwrap();
    let found = contents(&model.read().unwrap());
    assert_eq!(found, expected(view.as_ref(), Some("user"), u64::MAX));
    let check = checked(&store, (model, meta));
    assert!(check.ok, "{check:?}");
}

#[tokio::test]
async fn a_check_at_a_time_and_none_after_it_was_given_up() {
    let store = store();
    history(&store, &mut Random(9), 20).await;
    let odd = Arc::new(Odd::new());
    let projections = start_with(vec![Arc::clone(&odd) as _], &store, None);
    level(&projections, &store).await;
    odd.hold(true);
    let given_up = {
        let mut first = Box::pin(projections.check("users"));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        let second = projections.check("users").await;
        assert!(matches!(
            second,
            Err(RequestError::AlreadyRunning { kind: "check", .. })
        ));
        lock(&projections.runner("users").unwrap().check)
            .clone()
            .unwrap()
    };
    odd.hold(false);
    given_up.ended().await;
    let status = given_up.shown().status;
    assert_eq!(status, whodunit_core::api::pipeline::RunStatus::Cancelled);
    assert!(projections.check("users").await.unwrap().ok);
}
