//! Durable single-event appends in process, from one caller and from 64, beside a bare file and plain engines.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use redb::{Database, TableDefinition};
use tokio::sync::{mpsc, oneshot};
use whodunit_daemon::store::Store;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

use crate::Extent;
use crate::appends::event;
use crate::figures::{Figures, Table, figures, measured};

const CALLERS: usize = 64;
/// As many as share a commit of the store at most.
const GROUP_MAX: usize = 512;
/// Bytes of the bare file; it begins again at its start.
const FILE_BYTES: usize = 64 << 20;
const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
/// Appends one after another to a table with the same columns, each in a transaction of its own, and prints how many a second.
const SQLITE: &str = r#"
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("pragma journal_mode=wal"); db.execute("pragma synchronous=full")
db.execute("create table events (position integer primary key, stream text, revision integer, event_id text, data text, unique (stream, revision))")
data = sys.argv[3]; times = []; start = time.perf_counter(); end = start + float(sys.argv[2])
while time.perf_counter() < end:
    before = time.perf_counter()
    n = len(times)
    db.execute("insert into events (stream, revision, event_id, data) values (?, ?, ?, ?)", ("order-0", n, str(n), data))
    times.append(time.perf_counter() - before)
total = time.perf_counter() - start; times.sort()
print(len(times) / total, times[len(times) // 2] * 1e6, times[len(times) * 99 // 100] * 1e6)
"#;

/// What a log has to keep of an event: the bytes that the others are given.
fn bytes(caller: usize, n: u64) -> Vec<u8> {
    let append = event("order", caller, n);
    let event = &append.events[0];
    let texts = [
        append.stream.as_str(),
        event.event_id.as_deref().unwrap_or_default(),
        &event.event_type,
        event.actor.as_deref().unwrap_or_default(),
        event.correlation_id.as_deref().unwrap_or_default(),
        event.data.as_str(),
    ];
    let mut bytes = vec![1; 21];
    for text in texts {
        bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// Takes groups of records, each in one durable commit.
trait Engine: Send + 'static {
    fn commit(&mut self, group: &[Vec<u8>]);
}

/// A file that was made ahead: a write goes to zeros that are on the disk already.
struct Bare {
    file: File,
    end: usize,
}

impl Bare {
    fn new(path: &Path) -> Self {
        let mut file = File::create(path).unwrap();
        for _ in 0..FILE_BYTES >> 20 {
            file.write_all(&vec![0; 1 << 20]).unwrap();
        }
        file.sync_all().unwrap();
        Self { file, end: 0 }
    }
}

impl Engine for Bare {
    fn commit(&mut self, group: &[Vec<u8>]) {
        let bytes = group.concat();
        if self.end + bytes.len() > FILE_BYTES {
            self.end = 0;
        }
        self.file.write_all_at(&bytes, self.end as u64).unwrap();
        self.file.sync_data().unwrap();
        self.end += bytes.len();
    }
}

/// A table of events by position, and nothing else.
struct Redb(Database, u64);

impl Redb {
    fn new(path: &Path) -> Self {
        Self(Database::create(path).unwrap(), 0)
    }
}

impl Engine for Redb {
    fn commit(&mut self, group: &[Vec<u8>]) {
        let txn = self.0.begin_write().unwrap();
        {
            let mut table = txn.open_table(EVENTS).unwrap();
            for bytes in group {
                self.1 += 1;
                table.insert(self.1, bytes.as_slice()).unwrap();
            }
        }
        txn.commit().unwrap();
    }
}

/// One caller: one commit for each event, without a thread or a queue between.
fn one(mut engine: impl Engine, extent: Extent) -> Figures {
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < extent.slice {
        let record = bytes(0, times.len() as u64);
        let before = Instant::now();
        engine.commit(&[record]);
        times.push(before.elapsed());
    }
    figures(times, start)
}

/// Many callers: a thread and a queue, group commit and nothing else.
async fn many(mut engine: impl Engine, extent: Extent) -> Figures {
    let (queue, mut waiting) = mpsc::channel::<(Vec<u8>, oneshot::Sender<()>)>(4096);
    let thread = std::thread::spawn(move || {
        while let Some((record, to)) = waiting.blocking_recv() {
            let (mut group, mut all) = (vec![record], vec![to]);
            while group.len() < GROUP_MAX
                && let Ok((more, to)) = waiting.try_recv()
            {
                group.push(more);
                all.push(to);
            }
            engine.commit(&group);
            for to in all {
                to.send(()).unwrap();
            }
        }
    });
    let callers = (0..CALLERS).map(|caller| (caller, queue.clone())).collect();
    drop(queue);
    let call = |(caller, queue): (usize, mpsc::Sender<_>), n| async move {
        let (done, wait) = oneshot::channel();
        queue.send((bytes(caller, n), done)).await.unwrap();
        wait.await.unwrap();
        (caller, queue)
    };
    let found = measured(callers, extent.slice, call).await;
    thread.join().unwrap();
    found
}

async fn the_store(folder: &Path, callers: usize, extent: Extent) -> Figures {
    let store = Arc::new(LoggedStore::open(folder, StoreOptions::Durable).unwrap());
    let all = (0..callers)
        .map(|caller| (caller, Arc::clone(&store)))
        .collect();
    let call = |(caller, store): (usize, Arc<LoggedStore>), n| async move {
        store.append(event("order", caller, n)).await.unwrap();
        (caller, store)
    };
    let found = measured(all, extent.slice, call).await;
    store.close().await.unwrap();
    found
}

fn sqlite(path: &Path, extent: Extent) -> Option<Figures> {
    let seconds = extent.slice.as_secs_f64().to_string();
    let data = event("order", 0, 0).events[0].data.as_str().to_owned();
    let out = Command::new("python3")
        .args(["-c", SQLITE])
        .arg(path)
        .args([seconds, data])
        .output()
        .ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    Some(Figures {
        per_second: numbers.next()??,
        p50: numbers.next()??,
        p99: numbers.next()??,
    })
}

pub(crate) async fn in_process(extent: Extent) {
    let folder = tempfile::tempdir().unwrap();
    let (mut of_one, mut of_many) = (Table::default(), Table::default());
    for round in 0..extent.rounds {
        // New files every round, in turn: none gets the quieter disk or the smaller file.
        let place = |name: &str| folder.path().join(format!("{name}-{round}"));
        of_one.add("bare file", one(Bare::new(&place("bare")), extent));
        let found = the_store(&place("store"), 1, extent).await;
        of_one.add("whodunit's store", found);
        of_one.add("plain redb", one(Redb::new(&place("redb")), extent));
        if let Some(found) = sqlite(&place("sqlite"), extent) {
            of_one.add("SQLite (WAL, FULL; from Python)", found);
        }
        of_many.add(
            "bare file",
            many(Bare::new(&place("bare-64")), extent).await,
        );
        let found = the_store(&place("store-64"), CALLERS, extent).await;
        of_many.add("whodunit's store", found);
        of_many.add(
            "plain redb",
            many(Redb::new(&place("redb-64")), extent).await,
        );
    }
    of_one.print("in process, 1 caller", &["bare file", "plain redb"]);
    of_many.print("in process, 64 callers", &["bare file", "plain redb"]);
}
