//! Blocking reads: off the async threads, bounded, cancellable, page by page.
//!
//! Owns the step from async to blocking and what bounds it: how much blocking work of requests runs at a time, the stop
//! token that ends work whose caller has left, and what one page of events may weigh. A bound is held by the work itself,
//! not by the request that waits for it: a request that is given up frees nothing before its work has ended. Never writes.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use whodunit_core::event::{Event, EventView};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::stop::Stop;

use crate::limits::{HEAVY_AT_A_TIME_MAX, HEAVY_QUEUE_MAX, PAGE_BYTES_MAX, READS_PER_PROCESSOR};
use crate::store::{DecisionFilter, DecisionPage, Direction, ReadEvents, Store, StoreError, View};

/// How many events or decisions are read before the page is weighed again: each may be as large as an event may be.
const CHUNK: usize = 16;

tokio::task_local! {
    /// The request on whose behalf the task runs; unset for the daemon's own work.
    static REQUEST: Arc<Ticket>;
}

/// What a request holds: its place among the requests under way, and the way into the readers' pool.
struct Ticket {
    _place: OwnedSemaphorePermit,
    readers: Arc<Semaphore>,
    takes_gzip: bool,
}

/// Whether the client of the request on whose behalf this task runs takes a compressed answer.
pub(crate) fn takes_gzip() -> bool {
    REQUEST
        .try_with(|ticket| ticket.takes_gzip)
        .unwrap_or(false)
}

/// Runs a request. Its place is free again once it and all blocking work begun by it have ended.
pub(crate) async fn as_request<T>(
    place: OwnedSemaphorePermit,
    readers: &Arc<Semaphore>,
    takes_gzip: bool,
    request: impl Future<Output = T>,
) -> T {
    let ticket = Ticket {
        _place: place,
        readers: Arc::clone(readers),
        takes_gzip,
    };
    REQUEST.scope(Arc::new(ticket), request).await
}

/// Places for blocking work of requests. More than there are processors, as some of it waits for the disk.
pub(crate) fn readers() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(processors() * READS_PER_PROCESSOR))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A piece of blocking work. Which answer it gives is its own affair: what waits for places and runs jobs is built once, not for each
/// kind of answer.
type Job = Box<dyn FnOnce(&Stop) + Send>;

/// Where the answer of a job will be.
struct Answer<T>(Arc<Mutex<Option<T>>>);

impl<T: Send + 'static> Answer<T> {
    /// Work as a job, and where its answer will be.
    fn of(work: impl FnOnce(&Stop) -> T + Send + 'static) -> (Job, Self) {
        let answer = Arc::new(Mutex::new(None));
        let place = Arc::clone(&answer);
        let job = Box::new(move |stop: &Stop| {
            let given = work(stop);
            *lock(&place) = Some(given);
        });
        (job, Self(answer))
    }

    /// The answer, once the job has ended.
    fn take(&self) -> Option<T> {
        lock(&self.0).take()
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Engine {
        doing: "working on a request",
        source: source.into(),
    }
}

/// What a job that has ended answered.
fn answered<T, E>(ended: Result<(), StoreError>, answer: &Answer<Result<T, E>>) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    ended?;
    let none = || Err(E::from(failed("it ended without an answer")));
    answer.take().unwrap_or_else(none)
}

/// Runs blocking work where blocking is allowed.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    blocking_until(move |_| work()).await
}

/// Runs blocking work that looks at a stop token, which is set when the caller leaves. A request's work waits for a place
/// in the readers' pool first, and never begins when the caller leaves before that.
pub(crate) async fn blocking_until<T, E>(
    work: impl FnOnce(&Stop) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (job, answer) = Answer::of(work);
    answered(in_turn(job).await, &answer)
}

/// Runs blocking work beside the readers' pool: what mostly waits for its turn, such as hashing, or must run once it is
/// asked for.
pub(crate) async fn blocking_aside<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (job, answer) = Answer::of(move |_: &Stop| work());
    let ticket = REQUEST.try_with(Arc::clone).ok();
    answered(run((ticket, None), job).await, &answer)
}

/// Runs a job once there is a place for it in the readers' pool.
async fn in_turn(job: Job) -> Result<(), StoreError> {
    let ticket = REQUEST.try_with(Arc::clone).ok();
    let place = match &ticket {
        None => None,
        // The pool is never closed.
        Some(ticket) => Arc::clone(&ticket.readers).acquire_owned().await.ok(),
    };
    run((ticket, place), job).await
}

/// Runs a job that holds on to `held` until it has ended; its stop token is set when the caller leaves.
async fn run(
    held: (Option<Arc<Ticket>>, Option<OwnedSemaphorePermit>),
    job: Job,
) -> Result<(), StoreError> {
    let stop = Stop::new();
    let _left = stop.on_drop();
    let token = stop.clone();
    let ended = tokio::task::spawn_blocking(move || {
        job(&token);
        drop(held);
    });
    ended.await.map_err(failed)
}

/// Runs blocking work on a read view of the log. The view's stop token is set when the caller leaves.
pub(crate) async fn read<T, E>(
    store: &Arc<dyn Store>,
    work: impl FnOnce(&dyn View) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    read_owned(store, |view| work(view.as_ref())).await
}

/// The same, for work that keeps the view.
pub(crate) async fn read_owned<T, E>(
    store: &Arc<dyn Store>,
    work: impl FnOnce(Box<dyn View>) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let store = Arc::clone(store);
    blocking_until(move |stop| work(view_of(store.as_ref(), stop)?)).await
}

/// A read view of the log that looks at a stop token.
fn view_of(store: &dyn Store, stop: &Stop) -> Result<Box<dyn View>, StoreError> {
    stop.check()?;
    let mut view = store.view()?;
    view.set_stop(stop.clone());
    Ok(view)
}

/// No more heavy work is taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many heavy requests (states, steps, diffs, what-ifs) are running")]
pub(crate) struct Overloaded;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pool for heavy work: what folds, compares and holds whole states. A few run at a time, some wait, the rest are
/// refused. It stops at once when the daemon does.
///
/// Its threads are its own: what the allocator keeps of freed memory, it keeps for each thread that freed any.
pub(crate) struct HeavyPool {
    jobs: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    running: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl HeavyPool {
    pub(crate) fn new(stopping: CancellationToken) -> Self {
        let at_a_time = processors().min(HEAVY_AT_A_TIME_MAX);
        let (jobs, waiting) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 1..=at_a_time {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name(format!("heavy-{number}"));
            // Where there is no thread to be had, the others do its work.
            let started = thread.spawn(move || {
                while let Ok(job) = { lock(&waiting).recv() } {
                    // A panic is told to who waits for the job: its result never comes.
                    drop(catch_unwind(AssertUnwindSafe(job)));
                }
            });
            if let Err(error) = started {
                tracing::error!(%error, "a thread for heavy work could not be started");
            }
        }
        Self {
            jobs,
            running: Arc::new(Semaphore::new(at_a_time)),
            queue: Arc::new(Semaphore::new(HEAVY_QUEUE_MAX)),
            stopping,
        }
    }

    /// Runs heavy work on a read view of the log, as [`read`] does.
    pub(crate) async fn read<T, E>(
        &self,
        store: &Arc<dyn Store>,
        work: impl FnOnce(&dyn View) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<Overloaded> + Send + 'static,
    {
        self.read_owned(store, |view| work(view.as_ref())).await
    }

    /// The same, for work that lays something over the view.
    pub(crate) async fn read_owned<T, E>(
        &self,
        store: &Arc<dyn Store>,
        work: impl FnOnce(Box<dyn View>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<Overloaded> + Send + 'static,
    {
        let store = Arc::clone(store);
        let (job, answer) = Answer::of(move |stop: &Stop| work(view_of(store.as_ref(), stop)?));
        answered(self.run(job).await?, &answer)
    }

    /// Runs a job once it is its turn; its stop token is set when the caller leaves, and when the daemon stops.
    async fn run(&self, job: Job) -> Result<Result<(), StoreError>, Overloaded> {
        let waiting = Arc::clone(&self.queue)
            .try_acquire_owned()
            .map_err(|_full| Overloaded)?;
        let ticket = REQUEST.try_with(Arc::clone).ok();
        // The pool is never closed.
        let place = Arc::clone(&self.running).acquire_owned().await.ok();
        drop(waiting);
        let stop = Stop::new();
        let _left = stop.on_drop();
        let token = stop.clone();
        let (done, mut ended) = oneshot::channel();
        let sent = self.jobs.send(Box::new(move || {
            job(&token);
            drop((ticket, place));
            // Its caller may have left.
            done.send(()).ok();
        }));
        drop(sent);
        let result = tokio::select! {
            result = &mut ended => result,
            () = self.stopping.cancelled() => {
                stop.set();
                ended.await
            }
        };
        Ok(result.map_err(failed))
    }
}

/// Events of a stream from a revision on, each as `take` makes it, and the revision to go on from.
pub(crate) fn stream_page<T>(
    view: &(impl ReadEvents + ?Sized),
    stream: &StreamName,
    from: Revision,
    direction: Direction,
    limit: usize,
    take: impl Fn(&EventView<'_>) -> Result<T, StoreError>,
) -> Result<(Vec<T>, Option<Revision>), StoreError> {
    let (mut page, mut bytes, mut next) = (Vec::new(), 0, None);
    let range = match direction {
        Direction::Forward => (from, Revision(u64::MAX)),
        Direction::Backward => (Revision(1), from),
    };
    view.walk_stream(stream, range, direction, &mut |event| {
        if page.len() >= limit || bytes >= PAGE_BYTES_MAX {
            next = Some(event.revision);
            return Ok(ControlFlow::Break(()));
        }
        bytes += event.payload_bytes();
        page.push(take(event)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((page, next))
}

/// Events of the whole log from a position on, up, each as `take` makes it, and the position to go on from.
pub(crate) fn whole_log_page<T>(
    view: &(impl ReadEvents + ?Sized),
    from: Position,
    limit: usize,
    take: impl Fn(&EventView<'_>) -> Result<T, StoreError>,
) -> Result<(Vec<T>, Option<Position>), StoreError> {
    let (mut page, mut bytes, mut next) = (Vec::new(), 0, None);
    let mut last = None;
    view.walk_log(from, &mut |event| {
        let is_full = page.len() >= limit || bytes >= PAGE_BYTES_MAX;
        // In a branch several may have the same position: they are of one page.
        if is_full && last != Some(event.position) {
            next = Some(event.position);
            return Ok(ControlFlow::Break(()));
        }
        last = Some(event.position);
        bytes += event.payload_bytes();
        page.push(take(event)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((page, next))
}

/// Decisions that pass a filter, and the sequence to go on from, within the bound on weight.
pub(crate) fn decision_page(
    view: &dyn View,
    filter: &DecisionFilter,
    from: Option<u64>,
    direction: Direction,
    limit: usize,
) -> Result<DecisionPage, StoreError> {
    let mut page = DecisionPage {
        decisions: Vec::new(),
        next: from,
    };
    let mut bytes = 0;
    loop {
        let wanted = CHUNK.min(limit - page.decisions.len());
        let part = view.decisions(filter, page.next, direction, wanted)?;
        bytes += part
            .decisions
            .iter()
            .map(|decision| decision.payload.as_str().len())
            .sum::<usize>();
        page.decisions.extend(part.decisions);
        page.next = part.next;
        if page.next.is_none() || page.decisions.len() >= limit || bytes >= PAGE_BYTES_MAX {
            return Ok(page);
        }
    }
}

pub(crate) fn weight(event: &Event) -> usize {
    let metadata = event.metadata.as_ref();
    event.data.as_str().len() + metadata.map_or(0, |json| json.as_str().len())
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
