//! Appending facts: expectations, atomicity, repetition, and what a reader gets back.

use whodunit_core::json::Json;

use super::*;
use crate::store::{Answer, NewJob, StoreError, Write};

pub(super) async fn every_expectation_admits_what_it_says(store: &Arc<dyn Store>) {
    use ExpectedRevision::{Any, NoStream, StreamExists};
    // (stream's head, expectation, whether it is admitted)
    let cases = [
        (0, Any, true),
        (0, NoStream, true),
        (0, StreamExists, false),
        (0, exactly(0), true),
        (0, exactly(1), false),
        (2, Any, true),
        (2, NoStream, false),
        (2, StreamExists, true),
        (2, exactly(2), true),
        (2, exactly(0), false),
        (2, exactly(1), false),
        (2, exactly(3), false),
        (2, exactly(u64::MAX), false),
    ];
    let mut total = 0;
    for (n, (at_head, expected, admitted)) in cases.into_iter().enumerate() {
        let stream = format!("case-{n}");
        if at_head == 2 {
            ok(
                store,
                facts(&stream, &[&format!("{n}/1"), &format!("{n}/2")]),
            )
            .await;
            total += 2;
        }
        let id = format!("{n}/next");
        let answer = store
            .append(expecting(facts(&stream, &[&id]), expected))
            .await;
        if admitted {
            let appended = answer.unwrap();
            total += 1;
            assert_eq!(appended.revision, Revision(at_head + 1), "{expected}");
            assert_eq!(appended.position, Position(total), "{expected}");
        } else {
            let AppendError::WrongRevision {
                stream: of,
                expected: said,
                actual,
            } = answer.unwrap_err()
            else {
                panic!("{expected} on head {at_head}: another error");
            };
            assert_eq!(
                (of.as_str(), said, actual),
                (stream.as_str(), expected, Revision(at_head))
            );
        }
    }
    assert_eq!(view(store).head(), head(total, 0));
}

pub(super) async fn an_append_is_all_or_nothing(store: &Arc<dyn Store>) {
    let appended = ok(store, facts("a-1", &["1", "2", "3"])).await;
    assert_eq!(appended.revision, Revision(3));
    assert_eq!(appended.position, Position(3));
    let places: Vec<_> = appended
        .events
        .iter()
        .map(|e| (e.position.0, e.revision.0))
        .collect();
    assert_eq!(places, [(1, 1), (2, 2), (3, 3)]);
    // The last of three is in the way: none of them is stored, and no number is used up.
    let error = refusal(store, facts("a-1", &["4", "5", "1"])).await;
    assert!(
        matches!(error, AppendError::EventIdConflict { .. }),
        "{error}"
    );
    let error = refusal(
        store,
        expecting(facts("b-1", &["4", "5"]), ExpectedRevision::StreamExists),
    )
    .await;
    assert!(
        matches!(error, AppendError::WrongRevision { .. }),
        "{error}"
    );
    let read_view = view(store);
    assert_eq!(all(&*read_view), appended.events);
    assert_eq!(read_view.event_by_id("4").unwrap(), None);
    assert_eq!(read_view.stream(&name("b-1")).unwrap(), None);
    let next = ok(store, facts("b-1", &["4"])).await;
    assert_eq!((next.position, next.revision), (Position(4), Revision(1)));
}

pub(super) async fn the_same_events_again_get_the_first_answer(store: &Arc<dyn Store>) {
    let append = expecting(facts("a-1", &["1", "2"]), ExpectedRevision::NoStream);
    let first = ok(store, append.clone()).await;
    assert!(!first.repeated);
    ok(store, facts("a-1", &["3"])).await;
    let before = view(store).head();
    // The expectation no longer holds, the clock has moved on: it is the same append all the same.
    let mut again = append;
    again.now = at(9_000);
    let answer = ok(store, again).await;
    assert!(answer.repeated);
    assert_eq!(answer.events, first.events);
    assert_eq!(
        (answer.revision, answer.position),
        (first.revision, first.position)
    );
    // A part of it, in order, is as much a repetition.
    assert!(ok(store, facts("a-1", &["2"])).await.repeated);
    assert!(ok(store, facts("a-1", &["2", "3"])).await.repeated);
    assert_eq!(view(store).head(), before);
}

pub(super) async fn an_event_id_with_other_content_is_a_conflict(store: &Arc<dyn Store>) {
    let mut full = fact("1");
    full.actor = Some("eve".to_owned());
    full.reason = Some("why".to_owned());
    full.correlation_id = Some("c".to_owned());
    full.causation_id = Some("d".to_owned());
    full.schema_version = Some(2);
    full.recorded_at = Some(at(77));
    full.metadata = Some(Json::from(json!({"from": "1.2.3.4"})));
    let append = |event: &NewEvent| {
        let mut append = facts("a-1", &[]);
        append.events = vec![event.clone()];
        append
    };
    ok(store, append(&full)).await;
    assert!(ok(store, append(&full)).await.repeated);
    let changes: [Change<NewEvent>; 9] = [
        ("type", |e| e.event_type = "Other".to_owned()),
        ("data", |e| e.data = Json::from(json!({"id": 2}))),
        ("metadata", |e| e.metadata = None),
        ("schema version", |e| e.schema_version = None),
        ("time", |e| e.recorded_at = Some(at(78))),
        ("actor", |e| e.actor = Some("mallory".to_owned())),
        ("reason", |e| e.reason = None),
        ("correlation", |e| e.correlation_id = None),
        ("causation", |e| e.causation_id = Some("e".to_owned())),
    ];
    for (what, change) in changes {
        let mut other = full.clone();
        change(&mut other);
        assert_conflict(store, append(&other), "1", 1, what).await;
    }
    let mut elsewhere = append(&full);
    elsewhere.stream = name("a-2");
    assert_conflict(store, elsewhere, "1", 1, "stream").await;
    assert_eq!(view(store).head(), head(1, 0));
}

async fn assert_conflict(
    store: &Arc<dyn Store>,
    append: Append,
    id: &str,
    position: u64,
    what: &str,
) {
    let error = refusal(store, append).await;
    let AppendError::EventIdConflict {
        event_id,
        position: stands_at,
    } = &error
    else {
        panic!("{what}: {error}");
    };
    assert_eq!((event_id.as_str(), stands_at.0), (id, position), "{what}");
}

pub(super) async fn events_partly_on_record_are_a_conflict(store: &Arc<dyn Store>) {
    ok(store, facts("a-1", &["1", "2", "3"])).await;
    assert_conflict(store, facts("a-1", &["3", "4"]), "3", 3, "known then new").await;
    assert_conflict(store, facts("a-1", &["0", "1"]), "1", 1, "new then known").await;
    assert_conflict(store, facts("a-1", &["2", "1"]), "2", 2, "another order").await;
    assert_conflict(store, facts("a-1", &["1", "3"]), "1", 1, "with a hole").await;
    let mut nameless = facts("a-1", &["3", "x"]);
    nameless.events[1].event_id = None;
    nameless.fresh_ids = vec!["f1".to_owned(), "f2".to_owned()];
    assert_conflict(store, nameless, "3", 3, "known then without id").await;
    assert_eq!(view(store).head(), head(3, 0));
}

pub(super) async fn an_event_id_twice_in_one_append_is_a_conflict(store: &Arc<dyn Store>) {
    let error = refusal(store, facts("a-1", &["1", "2", "1"])).await;
    assert!(
        matches!(&error, AppendError::EventIdConflict { event_id, .. } if event_id == "1"),
        "{error}"
    );
    assert_eq!(view(store).head(), head(0, 0));
}

pub(super) async fn a_generated_id_that_is_on_record_is_a_conflict(store: &Arc<dyn Store>) {
    ok(store, facts("a-1", &["1"])).await;
    let nameless = |fresh: &[&str], own: Option<&str>| {
        let mut append = facts("a-2", &["x", "y"]);
        append.events[0].event_id = None;
        append.events[1].event_id = own.map(str::to_owned);
        append.fresh_ids = fresh.iter().map(|id| (*id).to_owned()).collect();
        append
    };
    for (fresh, own) in [
        (["1", "2"], None),
        (["2", "1"], None),
        (["2", "2"], None),
        (["2", "3"], Some("2")),
    ] {
        let error = refusal(store, nameless(&fresh, own)).await;
        assert!(
            matches!(error, AppendError::EventIdConflict { .. }),
            "{error}"
        );
    }
    let read_view = view(store);
    assert_eq!(read_view.head(), head(1, 0));
    assert_eq!(
        read_view.event_by_id("1").unwrap().unwrap().stream,
        name("a-1")
    );
    ok(store, nameless(&["2", "3"], None)).await;
    assert_eq!(
        view(store).event_by_id("3").unwrap().unwrap().position,
        Position(3)
    );
}

pub(super) async fn a_malformed_append_harms_nobody_else(store: &Arc<dyn Store>) {
    let mut no_ids = facts("a-1", &["x"]);
    no_ids.events[0].event_id = None;
    let mut rejected_with_events = refused("a-1", "c-1", 0);
    rejected_with_events.events = vec![fact("y")];
    let mut for_another = accepted("a-1", "c-2", 0, &["z"]);
    for_another.stream = name("a-2");
    let mut two_jobs = facts("a-1", &["w"]);
    two_jobs.jobs = vec![
        NewJob {
            event: 0,
            handler: "mail".to_owned(),
        };
        2
    ];
    let none = facts("a-1", &[]);
    let malformed = [no_ids, none, rejected_with_events, for_another, two_jobs];
    // Submitted together, they may share a commit with good ones.
    let mut answers = Vec::new();
    for (n, bad) in malformed.into_iter().enumerate() {
        let good = store.append(facts("b-1", &[&format!("good/{n}")]));
        answers.push((store.append(bad), good));
    }
    for (n, (bad, good)) in answers.into_iter().enumerate() {
        let error = bad.await.unwrap_err();
        assert!(
            matches!(error, AppendError::Store(StoreError::Engine { .. })),
            "{n}: {error}"
        );
        assert_eq!(good.await.unwrap().revision, Revision(n as u64 + 1));
    }
    assert_eq!(view(store).head(), head(5, 0));
}

pub(super) async fn what_was_given_is_what_is_read(store: &Arc<dyn Store>) {
    let mut given = fact("é/1");
    given.event_type = "Straße".to_owned();
    given.schema_version = Some(7);
    given.recorded_at = Some(at(-5));
    given.actor = Some(String::new());
    given.reason = Some("multi\nline \u{1f600}".to_owned());
    given.correlation_id = Some("c".to_owned());
    given.causation_id = Some("d".to_owned());
    // Tokens are kept: key order, long numbers, exponents.
    given.data = Json::parse(r#"{"z":1.10,"a":12345678901234567890,"m":[1e3,null]}"#).unwrap();
    given.metadata = Some(Json::parse(r#"{"b":2,"a":1}"#).unwrap());
    let mut append = facts("user-a-b", &[]);
    append.events = vec![given.clone()];
    append.label = Some(label("Title", "active"));
    let appended = ok(store, append).await;
    let read_view = view(store);
    let event = read_view.event_by_id("é/1").unwrap().unwrap();
    assert_eq!(appended.events.first(), Some(&event));
    let read = NewEvent {
        event_type: event.event_type.clone(),
        data: event.data.clone(),
        schema_version: Some(event.schema_version),
        event_id: Some(event.event_id.clone()),
        recorded_at: Some(event.recorded_at),
        actor: event.actor.clone(),
        reason: event.reason.clone(),
        correlation_id: event.correlation_id.clone(),
        causation_id: event.causation_id.clone(),
        metadata: event.metadata.clone(),
    };
    assert_eq!(read, given);
    let info = read_view.stream(&name("user-a-b")).unwrap().unwrap();
    assert_eq!(info.label, label("Title", "active"));
    assert_eq!(info.last_event_type, "Straße");
    assert_eq!(info.last_actor.as_deref(), Some(""));
    assert_eq!((info.first_at, info.last_at), (at(-5), at(-5)));
    // Without a label in the next append, the one there is stays; without a schema version it is 1.
    let next = ok(store, facts("user-a-b", &["2"])).await;
    assert_eq!(next.events[0].schema_version, 1);
    let info = view(store).stream(&name("user-a-b")).unwrap().unwrap();
    assert_eq!(info.label, label("Title", "active"));
    assert_eq!(info.last_actor, None);
    assert_eq!(
        (info.first_position, info.last_position, info.revision),
        (Position(1), Position(2), Revision(2))
    );
}

pub(super) async fn the_head_is_announced(store: &Arc<dyn Store>) {
    let mut announced = store.head();
    assert_eq!(*announced.borrow_and_update(), head(0, 0));
    ok(store, facts("a-1", &["1", "2"])).await;
    assert_eq!(*announced.borrow_and_update(), head(2, 0));
    ok(store, refused("a-1", "c-1", 2)).await;
    assert!(announced.has_changed().unwrap(), "a rejection announces");
    assert_eq!(*announced.borrow_and_update(), head(2, 1));
    ok(store, accepted("a-1", "c-2", 2, &["3"])).await;
    assert_eq!(*announced.borrow_and_update(), head(3, 2));
    // What writes nothing announces nothing.
    ok(store, facts("a-1", &["1", "2"])).await;
    refusal(store, expecting(facts("a-1", &["4"]), exactly(9))).await;
    assert!(!announced.has_changed().unwrap());
    let stats = store.stats().unwrap();
    assert_eq!((stats.head, stats.streams), (head(3, 2), 1));
}

pub(super) async fn after_closing_writes_are_refused(store: &Arc<dyn Store>) {
    let queued: Vec<_> = (0..50)
        .map(|n| store.append(facts("a-1", &[&n.to_string()])))
        .collect();
    let (first, second) = (store.close(), store.close());
    second.await.unwrap();
    first.await.unwrap();
    for (n, append) in queued.into_iter().enumerate() {
        assert_eq!(append.await.unwrap().revision, Revision(n as u64 + 1));
    }
    let error = refusal(store, facts("a-1", &["late"])).await;
    assert!(matches!(error, AppendError::Closed), "{error}");
    let snapshot = crate::store::Snapshot {
        stream: name("a-1"),
        revision: Revision(1),
        rules_hash: "r".to_owned(),
        state: vec![1],
    };
    let error = store.save_snapshot(snapshot).await.unwrap_err();
    assert!(matches!(error, StoreError::Closed), "{error}");
    store.close().await.unwrap();
}

pub(super) async fn many_writes_are_carried_out_in_order_each_by_itself(store: &Arc<dyn Store>) {
    let append = |append: Append| Write::Append(Box::new(append));
    let caused = Append {
        expected: exactly(1),
        ..facts("a-1", &["2"])
    };
    let writes = vec![
        append(expecting(facts("a-1", &["1"]), exactly(0))),
        append(caused),
        append(expecting(facts("a-1", &["lost"]), exactly(1))),
        append(facts("a-2", &["3"])),
        append(expecting(facts("a-1", &["1"]), exactly(0))),
    ];
    let written = store.write_all(writes).await;
    let ends: Vec<_> = written
        .iter()
        .map(|(write, answer)| match (write, answer) {
            (Write::Append(append), Answer::Appended(Ok(appended))) => {
                let position = appended.events.first().map(|event| event.position.0);
                (append.stream.as_str(), position, appended.repeated)
            }
            (Write::Append(append), Answer::Appended(Err(error))) => {
                assert!(matches!(error, AppendError::WrongRevision { .. }));
                (append.stream.as_str(), None, false)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        ends,
        [
            ("a-1", Some(1), false),
            ("a-1", Some(2), false),
            ("a-1", None, false),
            ("a-2", Some(3), false),
            ("a-1", Some(1), true),
        ]
    );
    let ids: Vec<_> = all(&*view(store))
        .into_iter()
        .map(|event| event.event_id)
        .collect();
    assert_eq!(ids, ["1", "2", "3"]);
    store.close().await.unwrap();
    let written = store.write_all(vec![append(facts("a-2", &["4"]))]).await;
    let [(Write::Append(kept), Answer::Appended(Err(AppendError::Closed)))] = &written[..] else {
        panic!("{written:?}");
    };
    assert_eq!(kept.events.len(), 1, "what was not taken is given back");
}
