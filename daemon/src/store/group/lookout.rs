//! The lookout: keeps a runtime alive while one of its workers leads a commit.
//!
//! A worker that leads does not tell the runtime that it blocks: to give its place to another thread and take it back costs about as
//! much as the rest of an append. Most of the time nothing is lost by that; but where the other workers rest, none of them looks for
//! what arrives on the sockets, and where the disk stalls that would last as long as the disk does. So a thread looks at short
//! intervals whether the same commit is still led, and then wakes a worker, which takes the looking over. The thread rests as
//! long as nothing is committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::Duration;

use tokio::runtime::Handle;

/// How often it looks. A commit that takes longer keeps nothing waiting for much longer than this.
const INTERVAL: Duration = Duration::from_millis(4);
/// After so many looks without a commit it rests.
const LOOKS: u32 = 5;

#[derive(Debug, Default)]
struct State {
    /// How often a worker began or ended to lead: odd while one does. There is one leader at a time.
    turns: AtomicU64,
    /// Whether it rests until it is woken.
    rests: AtomicBool,
    ends: AtomicBool,
}

/// A thread that looks out for a runtime.
#[derive(Debug)]
pub(super) struct Lookout {
    state: Arc<State>,
    thread: Thread,
}

impl Lookout {
    /// `None` where there is no thread to be had.
    pub(super) fn start(runtime: Handle) -> Option<Self> {
        let state = Arc::new(State::default());
        let its = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("store-lookout".to_owned())
            .spawn(move || look(&its, &runtime))
            .inspect_err(|error| tracing::warn!(%error, "a thread could not be started"))
            .ok()?;
        Some(Self {
            state,
            thread: thread.thread().clone(),
        })
    }

    /// Leads on a worker of the runtime.
    pub(super) fn over<T>(&self, lead: impl FnOnce() -> T) -> T {
        self.state.turns.fetch_add(1, Ordering::SeqCst);
        let _ends = Ends(&self.state);
        if self.state.rests.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        lead()
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.state.ends.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// A turn of a leader; it ends when the leader panics, too.
struct Ends<'a>(&'a State);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.turns.fetch_add(1, Ordering::SeqCst);
    }
}

fn look(state: &State, runtime: &Handle) {
    let (mut seen, mut quiet) = (0, 0);
    while !state.ends.load(Ordering::SeqCst) {
        let turns = state.turns.load(Ordering::SeqCst);
        let leads = !turns.is_multiple_of(2);
        quiet = if turns == seen && !leads {
            quiet + 1
        } else {
            0
        };
        if turns == seen && leads {
            // A task of no work: the worker that takes it looks at the sockets next.
            drop(runtime.spawn(std::future::ready(())));
        }
        seen = turns;
        if quiet < LOOKS {
            std::thread::park_timeout(INTERVAL);
            continue;
        }
        state.rests.store(true, Ordering::SeqCst);
        // One that began before it saw that is seen here, one that begins after it wakes it.
        if state.turns.load(Ordering::SeqCst) == seen && !state.ends.load(Ordering::SeqCst) {
            std::thread::park();
        }
        state.rests.store(false, Ordering::SeqCst);
        quiet = 0;
    }
}
