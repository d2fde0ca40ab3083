//! Group commit: requests that wait together share one commit, led by one of their callers.
//!
//! Owns the queue and who leads. There is no thread for it: the first caller that finds no leader takes what waits, in
//! the order in which it was submitted, and commits it where it stands, so that a lone caller pays for no switch between
//! threads; a worker of a runtime with several does so without a word to the runtime, under the eyes of `lookout`. Once its own request is answered it goes; what waits by then is led by a thread of the runtime's until nothing
//! does. Knows nothing of what a request says.

mod lookout;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use self::lookout::Lookout;

/// Bytes of requests from which on a commit takes so long that its leader tells the runtime.
const LARGE: usize = 256 << 10;

/// Carries groups of requests out.
pub(crate) trait Commit: Send + 'static {
    /// A request, with what it takes to answer it.
    type Request: Send + 'static;

    /// Carries out all requests, in order, in one commit, and answers each.
    fn commit(&mut self, group: Vec<Self::Request>);
}

/// How much waits, and how much shares a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Requests that wait at most.
    pub(crate) waiting: usize,
    /// Bytes of them; a request that finds nothing waiting always may.
    pub(crate) waiting_bytes: usize,
    /// Requests of a group at most.
    pub(crate) group: usize,
    /// Bytes of them; the first one always fits.
    pub(crate) group_bytes: usize,
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too much waits already.
    Full,
    /// No request is taken any more.
    Closed,
}

/// Requests and who commits them. Clones are the same group.
pub(crate) struct Group<C: Commit>(Arc<Shared<C>>);

impl<C: Commit> Clone for Group<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Commit> std::fmt::Debug for Group<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

struct Shared<C: Commit> {
    bounds: Bounds,
    queue: Mutex<Queue<C::Request>>,
    /// Locked by the leader alone.
    committer: Mutex<C>,
    /// Once a worker has led; `None` where there is no thread for it.
    lookout: OnceLock<Option<Lookout>>,
}

struct Queue<R> {
    /// With about how many bytes each brings.
    waiting: VecDeque<(usize, R)>,
    bytes: usize,
    /// Whether a leader is at work.
    led: bool,
    closed: bool,
    /// Whether a leader panicked: nothing is committed any more.
    fallen: bool,
}

impl<C: Commit> Group<C> {
    pub(crate) fn new(committer: C, bounds: Bounds) -> Self {
        let queue = Queue {
            waiting: VecDeque::new(),
            bytes: 0,
            led: false,
            closed: false,
            fallen: false,
        };
        Self(Arc::new(Shared {
            bounds,
            queue: Mutex::new(queue),
            committer: Mutex::new(committer),
            lookout: OnceLock::new(),
        }))
    }

    /// Puts a request into the queue now. It is carried out once its answer, or that of a later one, is awaited or given up.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        bytes: usize,
        make: impl FnOnce(oneshot::Sender<T>) -> C::Request,
    ) -> Result<Answer<T, C>, Refused> {
        let (to, answer) = oneshot::channel();
        let mut queue = self.0.lock();
        if queue.closed {
            return Err(Refused::Closed);
        }
        let bounds = &self.0.bounds;
        let too_large = queue.bytes.saturating_add(bytes) > bounds.waiting_bytes;
        if queue.waiting.len() >= bounds.waiting || (too_large && !queue.waiting.is_empty()) {
            return Err(Refused::Full);
        }
        queue.bytes += bytes;
        queue.waiting.push_back((bytes, make(to)));
        drop(queue);
        Ok(Answer {
            shared: Arc::clone(&self.0),
            answer,
        })
    }

    /// Whether a leader panicked, so that no request is taken any more.
    pub(crate) fn has_fallen(&self) -> bool {
        self.0.lock().fallen
    }

    /// Takes no more requests, and returns once those that wait are carried out: here, unless another leads.
    pub(crate) fn finish(&self) {
        self.0.lock().closed = true;
        loop {
            if self.0.take_lead() {
                self.0.lead(|| false);
            }
            // A leader holds it as long as it leads.
            drop(self.0.committer.lock());
            let queue = self.0.lock();
            if !queue.led && queue.waiting.is_empty() {
                return;
            }
            drop(queue);
            // A thread that was handed the lead may not have begun.
            std::thread::yield_now();
        }
    }

    /// Takes no more requests but this one, which is carried out after all others. May be done again.
    pub(crate) fn close_with<T: Send + 'static>(
        &self,
        make: impl FnOnce(oneshot::Sender<T>) -> C::Request,
    ) -> Answer<T, C> {
        let (to, answer) = oneshot::channel();
        let mut queue = self.0.lock();
        queue.closed = true;
        queue.waiting.push_back((0, make(to)));
        drop(queue);
        Answer {
            shared: Arc::clone(&self.0),
            answer,
        }
    }
}

impl<C: Commit> Shared<C> {
    fn lock(&self) -> MutexGuard<'_, Queue<C::Request>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so much waits that its commit takes long.
    fn has_much(&self) -> bool {
        self.lock().bytes >= LARGE
    }

    /// Whether the caller is the leader now.
    fn take_lead(&self) -> bool {
        let mut queue = self.lock();
        let takes = !queue.led && !queue.waiting.is_empty();
        queue.led |= takes;
        takes
    }

    /// The next group; when nothing waits, the lead is given up.
    fn next_group(&self) -> Option<Vec<C::Request>> {
        let mut queue = self.lock();
        let (mut group, mut bytes) = (Vec::new(), 0_usize);
        while let Some((more, _)) = queue.waiting.front()
            && (group.is_empty()
                || (group.len() < self.bounds.group
                    && bytes.saturating_add(*more) <= self.bounds.group_bytes))
            && let Some((more, request)) = queue.waiting.pop_front()
        {
            bytes += more;
            queue.bytes -= more;
            group.push(request);
        }
        queue.led = !group.is_empty();
        queue.led.then_some(group)
    }

    /// Commits one group after another until nothing waits or the leader has `done` what it leads for; whether it still leads.
    fn lead(&self, mut done: impl FnMut() -> bool) -> bool {
        let mut fallen = Fallen {
            shared: self,
            falls: true,
        };
        let mut committer = self
            .committer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut leads = true;
        while leads {
            if done() {
                leads = self.keeps_lead();
                break;
            }
            leads = match self.next_group() {
                Some(group) => {
                    committer.commit(group);
                    true
                }
                None => false,
            };
        }
        fallen.falls = false;
        leads
    }

    /// Whether anything waits to be led; when nothing does, the lead is given up.
    fn keeps_lead(&self) -> bool {
        let mut queue = self.lock();
        queue.led = !queue.waiting.is_empty();
        queue.led
    }
}

/// A leader. When it panics, what waits is given up, so that no caller waits for ever.
struct Fallen<'a, C: Commit> {
    shared: &'a Shared<C>,
    falls: bool,
}

impl<C: Commit> Drop for Fallen<'_, C> {
    fn drop(&mut self) {
        if self.falls {
            let mut queue = self.shared.lock();
            (queue.led, queue.closed, queue.bytes) = (false, true, 0);
            queue.fallen = true;
            queue.waiting.clear();
        }
    }
}

/// The lead, handed to another thread. It leads when it is dropped: a runtime that ends drops what it was given and never
/// runs it.
struct Lead<C: Commit>(Arc<Shared<C>>);

impl<C: Commit> Drop for Lead<C> {
    fn drop(&mut self) {
        self.0.lead(|| false);
    }
}

/// Leads on a thread of its own until nothing waits.
fn lead_elsewhere<C: Commit>(shared: &Arc<Shared<C>>) {
    let lead = Lead(Arc::clone(shared));
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(lead))),
        Err(_no_runtime) => drop(lead),
    }
}

/// The answer to a request; awaiting it may mean to lead.
#[must_use = "a request is carried out once its answer is awaited or given up"]
pub(crate) struct Answer<T, C: Commit> {
    shared: Arc<Shared<C>>,
    answer: oneshot::Receiver<T>,
}

impl<T, C: Commit> Answer<T, C> {
    /// Leads until the own request is answered, and sees to it that what waits by then is led.
    fn lead(&mut self) {
        let still_leads = self.shared.lead(|| !self.answer.is_empty());
        if still_leads {
            lead_elsewhere(&self.shared);
        }
    }

    /// Leads here, if the caller's thread may block.
    fn lead_or_hand_on(&mut self) {
        let Ok(runtime) = Handle::try_current() else {
            return self.lead();
        };
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return lead_elsewhere(&self.shared);
        }
        let shared = Arc::clone(&self.shared);
        let has_others = runtime.metrics().num_workers() > 1;
        let lookout = if has_others && !shared.has_much() {
            let start = || Lookout::start(runtime);
            shared.lookout.get_or_init(start).as_ref()
        } else {
            None
        };
        match lookout {
            Some(lookout) => lookout.over(|| self.lead()),
            None => blocking_here(|| self.lead()),
        }
    }
}

impl<T, C: Commit> Future for Answer<T, C> {
    /// `None` when its request was given up: a leader panicked.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        // Before it asks to be woken: a leader answers itself, and need not be woken for that.
        match self.answer.try_recv() {
            Ok(answer) => return Poll::Ready(Some(answer)),
            Err(TryRecvError::Closed) => return Poll::Ready(None),
            Err(TryRecvError::Empty) => {}
        }
        if self.shared.take_lead() {
            self.lead_or_hand_on();
        }
        // Who leads now has its request, or will take it.
        Pin::new(&mut self.answer).poll(context).map(Result::ok)
    }
}

/// Does something that may block, where the caller may be a worker of a runtime, which is told.
pub(crate) fn blocking_here<T>(act: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) =>
        {
            #[expect(
                clippy::disallowed_methods,
                reason = "to hand a commit to another thread costs as much as half of it; the runtime gives the worker's \
                    other tasks to another thread meanwhile"
            )]
            tokio::task::block_in_place(act)
        }
        _ => act(),
    }
}

impl<T, C: Commit> Drop for Answer<T, C> {
    /// A request whose caller has gone is carried out like any other.
    fn drop(&mut self) {
        if self.shared.take_lead() {
            lead_elsewhere(&self.shared);
        }
    }
}
