//! What a client is told when the store fails or can only be read.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use whodunit_core::time::Timestamp;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{
    Append, AppendError, AppendResult, BoxFuture, Head, HeadHash, Job, JobChange, ReadOnly,
    RestoredDecision, Snapshot, Store, StoreError, StoreId, StoreStats, View,
};

use crate::support::{Api, suspend};

/// A store that fails in the way it is told to.
pub(crate) struct Failing {
    how: How,
    head: watch::Sender<Head>,
}

#[derive(Debug, Clone, Copy, Default)]
enum How {
    #[default]
    Engine,
    Panic,
    Closed,
    Damaged,
}

impl Default for Failing {
    fn default() -> Self {
        Self::by(How::default())
    }
}

impl Failing {
    fn by(how: How) -> Self {
        Self {
            how,
            head: watch::Sender::new(Head::default()),
        }
    }

    fn error(&self) -> StoreError {
        match self.how {
            How::Engine => StoreError::Engine {
                doing: "testing",
                source: "secret path /x".into(),
            },
            How::Panic => panic!("secret panic"),
            How::Closed => StoreError::Closed,
            How::Damaged => StoreError::Damaged {
                place: "event 7".to_owned(),
                detail: "secret bytes".to_owned(),
            },
        }
    }
}

impl Store for Failing {
    fn id(&self) -> StoreId {
        StoreId([0; 16])
    }

    fn append(&self, _append: Append) -> BoxFuture<Result<AppendResult, AppendError>> {
        let error = self.error();
        Box::pin(async { Err(error.into()) })
    }

    fn restore_decision(
        &self,
        _decision: RestoredDecision,
    ) -> BoxFuture<Result<bool, AppendError>> {
        let error = self.error();
        Box::pin(async { Err(error.into()) })
    }

    fn view(&self) -> Result<Box<dyn View>, StoreError> {
        Err(self.error())
    }

    fn save_snapshot(&self, _snapshot: Snapshot) -> BoxFuture<Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn change_jobs(
        &self,
        _changes: Vec<JobChange>,
        _at: Timestamp,
    ) -> BoxFuture<Result<Vec<Option<Job>>, StoreError>> {
        let error = self.error();
        Box::pin(async { Err(error) })
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        Err(self.error())
    }

    fn is_redacted_copy(&self) -> bool {
        false
    }

    fn label_redacted_copy(&self) -> BoxFuture<Result<(), StoreError>> {
        let error = self.error();
        Box::pin(async { Err(error) })
    }

    fn close(&self) -> BoxFuture<Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn failures_of_ours_do_not_show_the_engines_words() {
    for (how, status, code) in [
        (How::Engine, 500, "internal"),
        (How::Panic, 500, "internal"),
        (How::Damaged, 500, "damaged"),
        (How::Closed, 503, "unavailable"),
    ] {
        let api = Api::on(Arc::new(Failing::by(how)));
        for reply in [
            api.get("/v1/streams").await,
            api.get("/v1/streams/user-1/state").await,
            api.command("user-1", &suspend("x")).await,
            api.append(
                "door-1",
                &json!({"events": [{"event_type": "X", "data": {}}]}),
            )
            .await,
        ] {
            assert!(!reply.text.contains("secret"), "{how:?}: {}", reply.text);
            reply.problem(status, code);
        }
        api.get("/v1/ready").await.problem(503, "unavailable");
        assert_eq!(api.get("/v1/nope").await.status, 404);
    }
}

/// A store after the disk failed it a write: what is there is read as ever.
struct Refusing(LoggedStore);

impl Store for Refusing {
    fn id(&self) -> StoreId {
        self.0.id()
    }

    fn append(&self, append: Append) -> BoxFuture<Result<AppendResult, AppendError>> {
        self.0.append(append)
    }

    fn restore_decision(&self, decision: RestoredDecision) -> BoxFuture<Result<bool, AppendError>> {
        self.0.restore_decision(decision)
    }

    fn view(&self) -> Result<Box<dyn View>, StoreError> {
        self.0.view()
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<Result<(), StoreError>> {
        self.0.save_snapshot(snapshot)
    }

    fn change_jobs(
        &self,
        changes: Vec<JobChange>,
        at: Timestamp,
    ) -> BoxFuture<Result<Vec<Option<Job>>, StoreError>> {
        self.0.change_jobs(changes, at)
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.0.head()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        let stats = self.0.stats()?;
        Ok(StoreStats {
            read_only: Some(ReadOnly::DiskFailed),
            head_hash: HeadHash([1; 32]),
            ..stats
        })
    }

    fn is_redacted_copy(&self) -> bool {
        self.0.is_redacted_copy()
    }

    fn label_redacted_copy(&self) -> BoxFuture<Result<(), StoreError>> {
        self.0.label_redacted_copy()
    }

    fn close(&self) -> BoxFuture<Result<(), StoreError>> {
        self.0.close()
    }
}

#[tokio::test]
async fn a_daemon_that_can_record_nothing_is_not_ready_and_says_so() {
    let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
    let api = Api::on(Arc::new(Refusing(store)));
    assert_eq!(api.get("/v1/health").await.ok()["status"], "read_only");
    let problem = api.get("/v1/ready").await.problem(503, "read_only");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("a write to the disk failed"), "{detail}");
    assert_eq!(api.get("/v1/events").await.status, 200);
}

#[tokio::test]
async fn an_export_of_records_that_are_not_those_that_were_written_is_cut_short() {
    let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
    let api = Api::on(Arc::new(Refusing(store)));
    assert!(api.breaks_off("/v1/export?reveal=true").await);
    // A part of the log proves nothing of the whole.
    assert!(!api.breaks_off("/v1/export?category=user").await);
}

#[tokio::test]
async fn a_bisect_that_breaks_off_says_why_in_its_last_line() {
    let api = Api::on(Arc::new(Failing::by(How::Damaged)));
    let ask = json!({"category": "user", "predicate": "/status == \"active\""});
    let reply = api.post("/v1/bisect", &ask).await;
    assert_eq!(reply.status, 200);
    let last = reply.text.lines().last().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["broken"]["code"], "damaged");
    assert!(
        last["broken"]["detail"]
            .as_str()
            .unwrap()
            .contains("event 7"),
        "{last}"
    );
    assert!(!reply.text.contains("secret"), "{}", reply.text);
}
