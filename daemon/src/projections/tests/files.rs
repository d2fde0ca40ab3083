//! Files: what is in them, and what becomes of those that cannot be used.

use redb::StorageBackend;

use whodunit_core::api::pipeline::ProjectionStatus;

use super::super::read_model::file::{ReadModel, storage};
use super::*;
use crate::store::disk::simulated::SimulatedDisk;
use crate::store::engine::{NewStore, testing};
use crate::store::redb::backend::PageBackend;

const USERS: &str = "read-models/users.redb";

fn start_in(store: &Arc<dyn Store>, data: &Path) -> Arc<Projections> {
    start_with(both(), store, Some(data))
}

async fn is_true(projections: &Projections, store: &Arc<dyn Store>) {
    level(projections, store).await;
    for (name, category) in [("users", Some("user")), ("states", None)] {
        let check = projections.check(name).await.unwrap();
        assert!(check.ok, "{check:?}");
        let view = store.view().unwrap();
        let read_view = read_view(projections, name);
        assert_eq!(
            contents(&read_view),
            expected(view.as_ref(), category, u64::MAX)
        );
        let mut positions = log(&read_view);
        let applied = positions.len();
        positions.sort_unstable();
        positions.dedup();
        assert_eq!(
            positions.len(),
            applied,
            "{name}: an event was applied twice"
        );
    }
}

#[tokio::test]
async fn no_secret_is_in_a_read_models_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = store();
    let projections = start_in(&store, folder.path());
    history(&store, &mut Random(1), 100).await;
    level(&projections, &store).await;
    let rebuilt = projections.rebuild("users").unwrap();
    assert_eq!(rebuilt.kind, "rebuild");
    projections.rebuilt("users").await.unwrap();
    projections.close().await;
    for name in ["users", "states"] {
        let path = folder.path().join(format!("read-models/{name}.redb"));
        let bytes = std::fs::read(path).unwrap();
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        assert!(
            holds("user-1"),
            "the file of `{name}` is not what is searched"
        );
        assert!(!holds(SECRET) && !holds("argon2"), "{name}");
    }
}

/// The read models know more of the log than it has: it was put back to an older moment.
#[tokio::test]
async fn a_log_behind_its_read_models_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::default();
    let mut random = Random(9);
    let mut moments = Vec::new();
    for appends in [20, 5] {
        let new = NewStore::WhereNothingIsLeft;
        let store: Arc<dyn Store> = Arc::new(testing::open(&disk, new, 10).unwrap());
        let projections = start_in(&store, folder.path());
        history(&store, &mut random, appends).await;
        level(&projections, &store).await;
        projections.close().await;
        store.close().await.unwrap();
        moments.push((disk.files(), *store.head().borrow()));
    }
    for ((files, head), is_behind) in moments.into_iter().zip([true, false]) {
        let disk = SimulatedDisk::with_files(&files);
        let store = testing::open(&disk, NewStore::WhereNothingIsLeft, 10).unwrap();
        match refuse_behind_read_models(&store, folder.path()) {
            Ok(()) => assert!(!is_behind, "at {head:?}"),
            Err(StoreError::Behind {
                found,
                acknowledged,
                noted_in,
                ..
            }) => {
                assert!(is_behind && acknowledged > found, "{acknowledged}, {found}");
                assert_eq!(found, head.position.0);
                assert!(noted_in.contains("read-models"), "{noted_in}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn after_a_stop_it_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = store();
    let mut random = Random(2);
    for round in 0..3 {
        let odd = Arc::new(Odd::new());
        let data = Some(folder.path());
        let projections = start_with(vec![Arc::clone(&odd) as _], &store, data);
        history(&store, &mut random, 20).await;
        level(&projections, &store).await;
        projections.close().await;
        let view = store.view().unwrap();
        let wanted = expected(view.as_ref(), Some("user"), u64::MAX);
        let events: u64 = wanted.values().map(|(revision, _, _)| revision.0).sum();
        let applied = odd.applied.load(Ordering::SeqCst);
        assert!(round == 0 || applied < events, "{applied} of {events}");
    }
    // The last word on it by the projection as it is; its rules are others, so it is rebuilt.
    let projections = start_in(&store, folder.path());
    projections.rebuilt("users").await.unwrap();
    is_true(&projections, &store).await;
    projections.close().await;
}

#[tokio::test]
async fn what_was_not_durable_yet_is_applied_again() {
    let folder = tempfile::tempdir().unwrap();
    let copies = tempfile::tempdir().unwrap();
    let store = store();
    let projections = start_in(&store, folder.path());
    let mut random = Random(3);
    let mut behind = false;
    for round in 0..10 {
        history(&store, &mut random, 20).await;
        level(&projections, &store).await;
        // What a power cut would leave: the file as it is now.
        let data = copies.path().join(round.to_string());
        std::fs::create_dir_all(data.join("read-models")).unwrap();
        for name in ["users", "states"] {
            let file = format!("read-models/{name}.redb");
            std::fs::copy(folder.path().join(&file), data.join(&file)).unwrap();
        }
        let fresh = Rules::new(Arc::new(Users), models()).fresh();
        let (model, meta) = ReadModel::open(&data.join(USERS), &fresh, store.id()).unwrap();
        behind |= meta.checkpoint < store.head().borrow().position;
        model.close().unwrap();
        let again = start_in(&store, &data);
        is_true(&again, &store).await;
        again.close().await;
    }
    assert!(behind, "every copy was durable: nothing was tried");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_moved_aside_and_rebuilt() {
    let spoil: [fn(&Path); 4] = [
        |path| std::fs::write(path, b"no database at all").unwrap(),
        |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        },
        |path| {
            let mut bytes = std::fs::read(path).unwrap();
            for byte in bytes.iter_mut().skip(64) {
                *byte = 0xa5;
            }
            std::fs::write(path, bytes).unwrap();
        },
        |path| {
            std::fs::remove_file(path).unwrap();
            let database = redb::Database::create(path).unwrap();
            let txn = database.begin_write().unwrap();
            {
                let other: redb::TableDefinition<'_, &str, u64> =
                    redb::TableDefinition::new("meta");
                let mut meta = txn.open_table(other).unwrap();
                meta.insert("format", 99).unwrap();
            }
            txn.commit().unwrap();
        },
    ];
    for (case, spoil) in spoil.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let store = store();
        history(&store, &mut Random(4), 30).await;
        let projections = start_in(&store, folder.path());
        level(&projections, &store).await;
        projections.close().await;
        spoil(&folder.path().join(USERS));
        let projections = start_in(&store, folder.path());
        is_true(&projections, &store).await;
        assert!(
            folder
                .path()
                .join("read-models/users.redb.damaged")
                .exists(),
            "case {case}"
        );
        projections.close().await;
    }
}

#[tokio::test]
async fn a_read_model_of_another_log_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, appends) in [(5, 50), (6, 80), (7, 10)] {
        let store = store();
        let mut random = Random(seed);
        // The other logs have other streams at the same positions.
        append(&store, &format!("user-of-{seed}"), vec![created("first")]).await;
        history(&store, &mut random, appends).await;
        append(&store, &format!("user-of-{seed}"), vec![created("last")]).await;
        let projections = start_in(&store, folder.path());
        is_true(&projections, &store).await;
        projections.close().await;
    }
}

#[tokio::test]
async fn damage_found_while_reading_is_made_good() {
    let folder = tempfile::tempdir().unwrap();
    for data in [None, Some(folder.path())] {
        let store = store();
        history(&store, &mut Random(8), 60).await;
        let projections = start_with(both(), &store, data);
        level(&projections, &store).await;
        let model = projections.runner("users").unwrap().model();
        let txn = model.write(Durable::Now).unwrap();
        {
            let mut documents = txn.open_table(DOCUMENTS).unwrap();
            documents.insert("user-1", b"rubbish".as_slice()).unwrap();
        }
        txn.commit().unwrap();
        drop(model);
        let first = projections.document("users", "user-1").await;
        assert!(
            matches!(
                first,
                Err(RequestError::Failed(ProjectionError::Damaged { .. }))
            ),
            "{first:?}"
        );
        let started = Instant::now();
        let mut answer = first;
        while !matches!(&answer, Ok((Some(_), _))) {
            assert!(started.elapsed() < SOON, "{answer:?}");
            answer = projections.document("users", "user-1").await;
        }
        is_true(&projections, &store).await;
        projections.close().await;
    }
}

/// A file on a disk that fills up.
#[derive(Debug)]
struct Filling {
    file: PageBackend,
    full: Arc<AtomicBool>,
}

impl Filling {
    fn room(&self) -> std::io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the disk is full"));
        }
        Ok(())
    }
}

impl StorageBackend for Filling {
    fn len(&self) -> std::io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.room()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.room()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.room()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> std::io::Result<()> {
        self.file.close()
    }
}

/// The engine refuses every write after one that failed, for as long as the file is open.
#[tokio::test]
async fn after_a_full_disk_a_projection_says_why_it_stands_and_goes_on_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = store();
    history(&store, &mut Random(9), 30).await;
    let projections = start_in(&store, folder.path());
    level(&projections, &store).await;
    let runner = projections.runner("users").unwrap();
    runner.model().close().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let backend = Filling {
        file: storage(&folder.path().join(USERS)),
        full: Arc::clone(&full),
    };
    let database = redb::Database::builder().create_with_backend(backend);
    drop(runner.swap(ReadModel::from_database(database.unwrap())));
    // The next file is to find no room either: there is a directory where it would be tried.
    let tried = folder.path().join("read-models/users.redb.room");
    std::fs::create_dir(&tried).unwrap();
    full.store(true, Ordering::SeqCst);
    user(&store, "late").await;
    let started = Instant::now();
    let said = loop {
        assert!(started.elapsed() < SOON, "it says nothing");
        let status = projections.status("users").unwrap();
        assert!(
            status.documents.is_some() || status.error.is_some(),
            "what cannot be read is explained"
        );
        // One that cannot be read hides none of the others.
        let listed = projections.read_models().await.unwrap();
        assert!(listed.iter().any(|model| model.documents.is_some()));
        let users = listed.iter().find(|model| model.name == "users").unwrap();
        assert!(users.documents.is_some() != users.error.is_some());
        assert!(users.checkpoint > 0);
        match status.error {
            Some(error) if error.contains("cannot write in") => break status.status,
            _ => tokio::task::yield_now().await,
        }
    };
    assert_eq!(said, ProjectionStatus::Stalled);
    // What is there is answered as far as the engine still reads, which depends on what it holds in memory; else the reader is
    // told of the failed write.
    match projections.document("users", "user-late").await {
        Ok(page) => assert!(page.0.is_none()),
        Err(error) => assert!(format!("{error:?}").contains("Unwritten"), "{error:?}"),
    }
    std::fs::remove_dir(&tried).unwrap();
    is_true(&projections, &store).await;
    let status = projections.status("users").unwrap();
    assert_eq!(status.status, ProjectionStatus::Live);
    assert!(
        projections
            .document("users", "user-late")
            .await
            .unwrap()
            .0
            .is_some()
    );
    projections.close().await;
}
