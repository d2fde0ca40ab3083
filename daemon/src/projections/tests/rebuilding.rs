//! Rebuilds: what they lead to, cut short, cancelled, asked while they go on.

use whodunit_core::api::pipeline::{ProjectionStatus, RunStatus};

use super::super::read_model::apply::{Bounds, advance};
use super::super::read_model::file::{CheckpointMeta, ReadModel};
use super::*;

fn rebuild_of(projections: &Projections) -> RunOut {
    projections.status("users").unwrap().rebuild.unwrap()
}

fn building(data: &Path) -> PathBuf {
    data.join("read-models/users.building.redb")
}

#[tokio::test]
async fn a_rebuilt_read_model_is_the_one_that_following_makes() {
    let folder = tempfile::tempdir().unwrap();
    for data in [None, Some(folder.path())] {
        let store = store();
        let projections = start_with(both(), &store, data);
        let mut random = Random(1);
        history(&store, &mut random, 300).await;
        level(&projections, &store).await;
        for name in ["users", "states"] {
            let followed = read_view(&projections, name);
            projections.rebuild(name).unwrap();
            projections.rebuilt(name).await.unwrap();
            let rebuilt = read_view(&projections, name);
            assert_eq!(contents(&rebuilt), contents(&followed));
            assert_eq!(index(&rebuilt), index(&followed));
            assert!(!index(&rebuilt).is_empty());
            assert_eq!(log(&rebuilt), log(&followed));
            assert!(projections.check(name).await.unwrap().ok);
        }
        let run = rebuild_of(&projections);
        assert_eq!(
            (run.status, run.of.as_str()),
            (RunStatus::Completed, "users")
        );
        assert!(run.done == run.total && run.ended_at.is_some());
        // It goes on following.
        history(&store, &mut random, 50).await;
        level(&projections, &store).await;
        assert!(projections.check("users").await.unwrap().ok);
        if let Some(data) = data {
            assert!(!building(data).exists());
        }
        projections.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn queries_never_see_a_half_built_one() {
    let store = store();
    let projections = start(&store);
    for n in 0..300 {
        user(&store, &format!("u{n:04}")).await;
    }
    level(&projections, &store).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers = (0..2).map(|_| {
        let (projections, done) = (Arc::clone(&projections), Arc::clone(&done));
        tokio::spawn(async move {
            let (mut pages, mut last) = (0, 0);
            while !done.load(Ordering::SeqCst) {
                let query = DocumentQuery {
                    sort: Some("username"),
                    limit: 1_000,
                    ..DocumentQuery::default()
                };
                let page = projections.query("users", query).await.unwrap();
                // One user per position: a page says how many there must be.
                assert_eq!(page.items.len() as u64, page.checkpoint);
                assert!(page.checkpoint >= last, "it went back");
                last = page.checkpoint;
                pages += 1;
            }
            pages
        })
    });
    let readers: Vec<_> = readers.collect();
    for n in 300..400 {
        if n % 10 == 0 {
            projections.rebuilt("users").await.unwrap();
            projections.rebuild("users").unwrap();
        }
        user(&store, &format!("u{n:04}")).await;
    }
    projections.rebuilt("users").await.unwrap();
    level(&projections, &store).await;
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert!(projections.check("users").await.unwrap().ok);
    projections.close().await;
}

#[tokio::test]
async fn a_rebuild_can_be_cancelled_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store();
    let odd = Arc::new(Odd::new());
    let data = Some(folder.path());
    let projections = start_with(vec![Arc::clone(&odd) as _], &store, data);
    history(&store, &mut Random(2), 30).await;
    level(&projections, &store).await;
    let before = contents(&read_view(&projections, "users"));
    let none = projections.cancel_rebuild("users").await;
    assert!(matches!(none, Err(RequestError::NotRunning { .. })));
    odd.hold(true);
    projections.rebuild("users").unwrap();
    let second = projections.rebuild("users");
    assert!(matches!(second, Err(RequestError::AlreadyRunning { .. })));
    let mut cancel = Box::pin(projections.cancel_rebuild("users"));
    assert!(futures_util::poll!(cancel.as_mut()).is_pending());
    odd.hold(false);
    assert_eq!(cancel.await.unwrap().status, RunStatus::Cancelled);
    assert!(!building(folder.path()).exists());
    assert_eq!(contents(&read_view(&projections, "users")), before);
    // And another one may begin.
    projections.rebuild("users").unwrap();
    projections.rebuilt("users").await.unwrap();
    assert_eq!(rebuild_of(&projections).status, RunStatus::Completed);
    projections.close().await;
}

/// Leaves a rebuild behind as a kill does: with a checkpoint in the middle.
fn begun(store: &Arc<dyn Store>, rules: &Rules, data: &Path, until: u64) {
    let fresh = CheckpointMeta {
        indexed: false,
        ..rules.fresh()
    };
    let (model, meta) = ReadModel::open(&building(data), &fresh, store.id()).unwrap();
    let view = store.view().unwrap();
    let bounds = Bounds {
        events: usize::MAX,
        bytes: usize::MAX,
        until: Some(Position(until)),
    };
    let batch = (bounds, Durable::Now);
    advance(&model, &meta, rules, (view.as_ref(), None), batch, &|| {
        false
    })
    .unwrap();
    model.close().unwrap();
}

#[tokio::test]
async fn a_rebuild_that_was_cut_short_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = store();
    for n in 0..100 {
        user(&store, &format!("u{n:04}")).await;
    }
    let odd = Arc::new(Odd::new());
    let rules = Rules::new(Arc::clone(&odd) as _, models());
    let data = Some(folder.path());
    let projections = start_with(vec![Arc::clone(&odd) as _], &store, data);
    level(&projections, &store).await;
    projections.close().await;
    begun(&store, &rules, folder.path(), 60);
    odd.applied.store(0, Ordering::SeqCst);
    let projections = start_with(vec![Arc::clone(&odd) as _], &store, data);
    projections.rebuilt("users").await.unwrap();
    assert_eq!(rebuild_of(&projections).status, RunStatus::Completed);
    assert_eq!(odd.applied.load(Ordering::SeqCst), 40);
    assert!(!building(folder.path()).exists());
    assert!(projections.check("users").await.unwrap().ok);
    assert_eq!(index(&read_view(&projections, "users")).len(), 600);
    projections.close().await;
}

#[tokio::test]
async fn one_that_was_begun_by_other_rules_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = store();
    for n in 0..20 {
        user(&store, &format!("u{n:04}")).await;
    }
    let other = Odd {
        version: "odd-0",
        adds: Some("old"),
        ..Odd::new()
    };
    let rules = Rules::new(Arc::new(other), models());
    std::fs::create_dir_all(folder.path().join("read-models")).unwrap();
    begun(&store, &rules, folder.path(), 10);
    let data = Some(folder.path());
    let projections = start_with(both(), &store, data);
    projections.rebuilt("users").await.unwrap();
    level(&projections, &store).await;
    assert!(projections.check("users").await.unwrap().ok);
    projections.close().await;
}

#[tokio::test]
async fn after_a_change_of_rules_the_old_one_answers_until_the_new_one_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path());
    let store = store();
    for n in 0..20 {
        user(&store, &format!("u{n:04}")).await;
    }
    let projections = start_with(vec![Arc::new(Odd::new())], &store, data);
    level(&projections, &store).await;
    projections.close().await;
    let new = Arc::new(Odd {
        version: "odd-2",
        adds: Some("new"),
        ..Odd::new()
    });
    new.hold(true);
    let projections = start_with(vec![Arc::clone(&new) as _], &store, data);
    user(&store, "late").await;
    let (document, checkpoint) = projections.document("users", "user-u0003").await.unwrap();
    assert!(!document.unwrap().document.contains_key("new"));
    let status = projections.status("users").unwrap();
    assert_eq!((checkpoint.0, status.lag_events), (20, 1));
    assert_eq!(status.status, ProjectionStatus::CatchingUp);
    assert_eq!(rebuild_of(&projections).status, RunStatus::Running);
    new.hold(false);
    level(&projections, &store).await;
    let (document, _) = projections.document("users", "user-u0003").await.unwrap();
    assert_eq!(document.unwrap().document["new"], 1);
    assert!(projections.check("users").await.unwrap().ok);
    projections.close().await;
}

#[tokio::test]
async fn without_the_rebuild_it_waits_for_it_is_stalled() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path());
    let store = store();
    user(&store, "sarah").await;
    let projections = start_with(vec![Arc::new(Odd::new())], &store, data);
    level(&projections, &store).await;
    projections.close().await;
    let new = Arc::new(Odd {
        version: "odd-2",
        ..Odd::new()
    });
    new.hold(true);
    let projections = start_with(vec![Arc::clone(&new) as _], &store, data);
    user(&store, "bob").await;
    let mut cancel = Box::pin(projections.cancel_rebuild("users"));
    assert!(futures_util::poll!(cancel.as_mut()).is_pending());
    new.hold(false);
    assert_eq!(cancel.await.unwrap().status, RunStatus::Cancelled);
    let status = projections.status("users").unwrap();
    assert_eq!(
        (status.status, status.lag_events),
        (ProjectionStatus::Stalled, 1)
    );
    assert!(status.error.is_some());
    projections.rebuild("users").unwrap();
    level(&projections, &store).await;
    let status = projections.status("users").unwrap();
    assert_eq!(status.status, ProjectionStatus::Live);
    projections.close().await;
}

#[tokio::test]
async fn a_read_model_that_is_not_made_yet_says_so_and_not_that_there_is_nothing() {
    let store = store();
    user(&store, "sarah").await;
    while store.head().borrow().position.0 <= PROJECTION_FOLLOW_MAX {
        let events = (0..1_000).map(|_| NewEvent::new("UserDanced", json!({})));
        append(&store, "user-many", events.collect()).await;
    }
    let odd = Arc::new(Odd::new());
    odd.hold(true);
    let projections = start_with(vec![Arc::clone(&odd) as _], &store, None);
    let query = || {
        let query = DocumentQuery {
            limit: 10,
            ..DocumentQuery::default()
        };
        projections.query("users", query)
    };
    let document = || projections.document("users", "user-sarah");
    assert!(matches!(query().await, Err(RequestError::NotBuilt(_))));
    assert!(matches!(document().await, Err(RequestError::NotBuilt(_))));
    // A cancelled first build answers the same.
    let mut cancel = Box::pin(projections.cancel_rebuild("users"));
    assert!(futures_util::poll!(cancel.as_mut()).is_pending());
    odd.hold(false);
    cancel.await.unwrap();
    assert!(matches!(query().await, Err(RequestError::NotBuilt(_))));
    projections.rebuild("users").unwrap();
    projections.rebuilt("users").await.unwrap();
    assert_eq!(query().await.unwrap().items.len(), 2);
    assert!(document().await.unwrap().0.is_some());
    projections.close().await;
}
