//! Keeping up, stalling, and re-folding.

use std::ops::ControlFlow;

use proptest::prelude::*;
use whodunit_core::api::pipeline::ProjectionStatus;

use super::super::read_model::apply::{Bounds, advance};
use super::super::read_model::file::ReadModel;
use super::*;

#[tokio::test]
async fn a_read_model_keeps_up_with_the_log_and_says_so() {
    let store = store();
    user(&store, "sarah").await;
    let projections = start(&store);
    level(&projections, &store).await;
    let position = user(&store, "bob").await;
    let reached = projections
        .wait_for("users", Position(position), SOON)
        .await;
    assert_eq!(reached.unwrap().0, position);
    let (document, _) = projections.document("users", "user-bob").await.unwrap();
    let document = document.unwrap();
    assert_eq!((document.revision.0, document.position.0), (1, position));
    assert_eq!(document.checkpoint, position);
    let text = serde_json::to_string(&document.document).unwrap();
    assert_eq!(
        text,
        r#"{"username":"bob","email":"bob@Example.com","first_name":"Some","last_name":"bob","status":"active","created_at":"2025-03-03T11:06:40Z","updated_at":"2025-03-03T11:06:40Z"}"#
    );
    let status = projections.status("users").unwrap();
    assert_eq!(
        (status.lag_events, status.status, status.documents),
        (0, ProjectionStatus::Live, Some(2))
    );
    assert_eq!((status.head, status.checkpoint), (position, position));
    // An event of another category moves the checkpoint as well.
    let position = append(&store, "door-1", vec![NewEvent::new("Opened", json!({}))]).await;
    let reached = projections
        .wait_for("users", Position(position), SOON)
        .await;
    assert_eq!(reached.unwrap().0, position);
    let missing = projections.document("users", "door-1").await.unwrap();
    assert_eq!(missing, (None, Position(position)));
    projections.close().await;
}

#[tokio::test]
async fn waiting_for_what_does_not_come_ends() {
    let store = store();
    let projections = start(&store);
    let waited = projections.wait_for("users", Position(9), Duration::from_millis(20));
    assert_eq!(waited.await.unwrap(), Position::ZERO);
    let unknown = projections.wait_for("nobody", Position(9), SOON).await;
    assert!(matches!(unknown, Err(RequestError::NoSuchProjection(name, _)) if name == "nobody"));
}

async fn until(
    projections: &Projections,
    wanted: impl Fn(&ProjectionOut) -> bool,
) -> ProjectionOut {
    let started = Instant::now();
    loop {
        let status = projections.status("users").unwrap();
        if wanted(&status) {
            return status;
        }
        assert!(started.elapsed() < SOON, "{status:?}");
        tokio::task::yield_now().await;
    }
}

async fn stalls_and_recovers(panics: bool) {
    let store = store();
    let odd = Arc::new(Odd {
        panics,
        fails_at: AtomicU64::new(3),
        ..Odd::new()
    });
    let projections = start_with(vec![Arc::clone(&odd) as _], &store, None);
    for name in ["a1", "b1", "c1", "d1"] {
        user(&store, name).await;
    }
    let stalled = |status: &ProjectionOut| status.status == ProjectionStatus::Stalled;
    let status = until(&projections, |status| stalled(status) && status.head == 4).await;
    // What comes before the event at fault is there, and nothing of what comes after.
    assert_eq!((status.checkpoint, status.lag_events), (2, 2));
    let error = status.error.unwrap();
    assert!(
        error.contains("position 3") && error.contains("as it was told"),
        "{error}"
    );
    let check = projections.check("users").await.unwrap();
    assert_eq!((check.ok, check.checkpoint), (true, 2));
    odd.fails_at.store(0, Ordering::SeqCst);
    level(&projections, &store).await;
    let status = until(&projections, |status| {
        status.status == ProjectionStatus::Live
    })
    .await;
    assert!(status.lag_seconds == 0.0 && status.error.is_some());
    assert!(projections.check("users").await.unwrap().ok);
    assert_eq!(log(&read_view(&projections, "users")), [1, 2, 3, 4]);
    projections.close().await;
}

#[tokio::test]
async fn a_projection_that_fails_is_stalled_and_goes_on_when_it_can() {
    stalls_and_recovers(false).await;
}

#[tokio::test]
async fn a_projection_that_panics_is_stalled_and_goes_on_when_it_can() {
    stalls_and_recovers(true).await;
}

#[tokio::test]
async fn one_that_stands_still_is_never_level() {
    let store = store();
    let odd = Arc::new(Odd::new());
    odd.hold(true);
    let projections = start_with(vec![Arc::clone(&odd) as _], &store, None);
    user(&store, "sarah").await;
    let status = projections.status("users").unwrap();
    assert_eq!((status.head, status.lag_events), (1, 1));
    let later = until(&projections, |status| status.lag_seconds > 0.0).await;
    assert_eq!(later.lag_events, 1);
    odd.hold(false);
    level(&projections, &store).await;
    assert_eq!(projections.status("users").unwrap().lag_events, 0);
}

#[tokio::test]
async fn a_burst_is_applied_in_few_transactions_and_none_is_lost() {
    let store = store();
    let projections = start(&store);
    let mut random = Random(5);
    for who in 0..20 {
        let events = (0..500).map(|_| user_event(&mut random)).collect();
        append(&store, &format!("user-{who}"), events).await;
    }
    level(&projections, &store).await;
    let view = store.view().unwrap();
    let read_view = read_view(&projections, "users");
    assert_eq!(log(&read_view), (1..=10_000).collect::<Vec<_>>());
    assert_eq!(
        contents(&read_view),
        expected(view.as_ref(), Some("user"), u64::MAX)
    );
}

#[tokio::test]
async fn documents_are_re_folded_in_turn_with_the_consumer() {
    let store = store();
    let projections = start(&store);
    let mut random = Random(6);
    history(&store, &mut random, 100).await;
    let streams: Vec<_> = (0..6)
        .flat_map(|who| ["user", "door"].map(|category| format!("{category}-{who}")))
        .chain(["user-unknown".to_owned()])
        .map(|name| StreamName::new(name).unwrap())
        .collect();
    let more = async {
        history(&store, &mut random, 200).await;
        ControlFlow::<()>::Continue(())
    };
    let again = async {
        for _ in 0..20 {
            projections.refold("users", &streams).await.unwrap();
            projections.refold("states", &streams).await.unwrap();
        }
    };
    let (_, ()) = tokio::join!(more, again);
    level(&projections, &store).await;
    for (name, category) in [("users", Some("user")), ("states", None)] {
        let check = projections.check(name).await.unwrap();
        assert!(check.ok, "{check:?}");
        let view = store.view().unwrap();
        let found = contents(&read_view(&projections, name));
        assert_eq!(found, expected(view.as_ref(), category, u64::MAX));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(crate::seeded::seeded(12))]

    /// A projection is the state view at every checkpoint, in whatever batches it gets there.
    #[test]
    fn a_projection_equals_the_state_view_at_every_checkpoint(seed in any::<u64>()) {
        let store = store();
        let mut random = Random(seed);
        runtime().block_on(history(&store, &mut random, 60));
        let view = store.view().unwrap();
        let head = view.head().position.0;
        for projection in both() {
            let rules = Rules::new(Arc::clone(&projection), models());
            let mut meta = rules.fresh();
            let model = ReadModel::in_memory(&meta).unwrap();
            while meta.checkpoint.0 < head {
                let bounds = Bounds {
                    events: usize::try_from(1 + random.below(5)).unwrap(),
                    bytes: usize::MAX,
                    until: Some(Position(meta.checkpoint.0 + 1 + random.below(9))),
                };
                let batch = (bounds, Durable::Later);
                let next = advance(&model, &meta, &rules, (view.as_ref(), None), batch, &|| false).unwrap();
                prop_assert!(next.checkpoint > meta.checkpoint);
                meta = next;
                let read_view = model.read().unwrap();
                prop_assert_eq!(&read_view.meta, &meta);
                let wanted = expected(view.as_ref(), projection.category(), meta.checkpoint.0);
                prop_assert_eq!(contents(&read_view), wanted);
            }
        }
    }
}

/// Appends under a hold that goes on, until what follows is behind and says why.
async fn behind(projections: &Projections, store: &Arc<dyn Store>, held: &Held) -> u64 {
    let started = Instant::now();
    for n in 0_u32.. {
        held.go_on();
        let position = user(store, &format!("held{n}")).await;
        let status = projections.status("users").unwrap();
        if status.status == ProjectionStatus::WaitsForImport {
            assert!(status.checkpoint < position, "{status:?}");
            return position;
        }
        assert!(started.elapsed() < SOON, "{status:?}");
    }
    unreachable!()
}

/// Waits until the read model has come to the head by itself: no reader waits for a position.
async fn level_again(projections: &Projections, store: &Arc<dyn Store>) {
    let head = store.head().borrow().position.0;
    let status = until(projections, |status| status.checkpoint >= head).await;
    assert_eq!(status.status, ProjectionStatus::Live);
}

#[tokio::test]
async fn what_an_import_holds_back_catches_up_when_it_ends() {
    let store = store();
    let projections = start(&store);
    let first = projections.hold_back();
    let second = projections.hold_back();
    drop(first);
    // The other import goes on.
    behind(&projections, &store, &second).await;
    drop(second);
    level_again(&projections, &store).await;
    projections.close().await;
}

#[tokio::test]
async fn an_import_that_pauses_holds_nothing_back() {
    let store = store();
    let projections = start(&store);
    let held = projections.hold_back();
    behind(&projections, &store, &held).await;
    level_again(&projections, &store).await;
    behind(&projections, &store, &held).await;
    projections.close().await;
}

#[tokio::test]
async fn an_import_that_panics_holds_nothing_back() {
    let store = store();
    let projections = start(&store);
    let held = projections.hold_back();
    behind(&projections, &store, &held).await;
    let import = tokio::spawn(async move {
        held.go_on();
        panic!("an import ends like this");
    });
    assert!(import.await.unwrap_err().is_panic());
    assert!(projections.hold.is_on(Instant::now()).is_none());
    level_again(&projections, &store).await;
    projections.close().await;
}

#[tokio::test]
async fn a_reader_that_waits_for_a_position_gets_it_while_an_import_goes_on() {
    let store = store();
    let projections = start(&store);
    let held = projections.hold_back();
    for _ in 0..3 {
        let position = behind(&projections, &store, &held).await;
        held.go_on();
        let waited = projections.wait_for("users", Position(position), SOON);
        assert!(waited.await.unwrap().0 >= position);
    }
    projections.close().await;
}

#[tokio::test]
async fn the_last_of_many_appends_is_never_missed() {
    let store = store();
    let projections = start(&store);
    for round in 0..20 {
        // As many as fit into the pause between two looks, and some more.
        for n in 0..=(round % 7) {
            user(&store, &format!("r{round}n{n}")).await;
        }
        level_again(&projections, &store).await;
    }
    projections.close().await;
}
