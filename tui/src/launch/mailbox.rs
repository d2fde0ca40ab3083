//! A mailbox of the demo's story that is full for a while: so that the pipeline has a failed job to look at.
//!
//! Owns who it is and for how long. The mail itself is the daemon's own handler's; nothing here leaves this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use whodunit_core::ids::StreamName;
use whodunit_daemon::outbox::{Delivery, EventPattern, Handler, HandlerError};
use whodunit_daemon::store::BoxFuture;

/// How many attempts it refuses: all that a job has. The first one that somebody asks for is taken.
const REFUSED: u32 = 4;

/// A handler in front of which one user's mailbox is full for a while.
pub(super) struct FullMailbox {
    mails: Arc<dyn Handler>,
    of: StreamName,
    left: AtomicU32,
}

impl FullMailbox {
    /// Puts it in front of the handler of mails.
    pub(super) fn before(mails: Arc<dyn Handler>, of: StreamName) -> Self {
        Self {
            mails,
            of,
            left: AtomicU32::new(REFUSED),
        }
    }
}

impl Handler for FullMailbox {
    fn name(&self) -> &str {
        self.mails.name()
    }

    fn kind(&self) -> &'static str {
        self.mails.kind()
    }

    fn target(&self) -> String {
        self.mails.target()
    }

    fn takes(&self) -> &[EventPattern] {
        self.mails.takes()
    }

    fn handle(&self, delivery: Delivery) -> BoxFuture<Result<(), HandlerError>> {
        let refused = delivery.event.stream == self.of
            && self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                })
                .is_ok();
        if refused {
            let said = "552 5.2.2 mailbox full (the demo makes this up)".to_owned();
            return Box::pin(async { Err(HandlerError(said)) });
        }
        self.mails.handle(delivery)
    }
}
