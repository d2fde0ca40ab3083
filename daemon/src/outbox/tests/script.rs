//! A handler that does what a test tells it, and keeps a diary.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::outbox::{Delivery, EventPattern, Handler, HandlerError};
use crate::store::BoxFuture;

/// What a test's handler does with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Succeed,
    Err,
    Panic,
    PanicAtOnce,
    Hang,
}

/// A handler that keeps a diary and acts as the test says, by stream.
pub(super) struct Script {
    pub(super) takes: Vec<EventPattern>,
    pub(super) acts: Mutex<HashMap<String, Act>>,
    /// (Stream, revision, attempt) of each attempt, in the order they began.
    pub(super) diary: watch::Sender<Vec<(String, u64, u32)>>,
}

impl Script {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            takes: vec![EventPattern::parse("*").unwrap()],
            acts: Mutex::default(),
            diary: watch::Sender::new(Vec::new()),
        })
    }

    pub(super) fn set_act(&self, stream: &str, act: Act) {
        let mut acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        acts.insert(stream.to_owned(), act);
    }

    pub(super) fn attempts_at(&self, stream: &str) -> Vec<(u64, u32)> {
        let of_stream = |(own, revision, attempt): &(String, u64, u32)| {
            (own == stream).then_some((*revision, *attempt))
        };
        self.diary.borrow().iter().filter_map(of_stream).collect()
    }
}

impl Handler for Script {
    fn name(&self) -> &'static str {
        "told"
    }

    fn kind(&self) -> &'static str {
        "test"
    }

    fn target(&self) -> String {
        String::new()
    }

    fn takes(&self) -> &[EventPattern] {
        &self.takes
    }

    fn handle(&self, delivery: Delivery) -> BoxFuture<Result<(), HandlerError>> {
        let stream = delivery.event.stream.to_string();
        let acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        let act = acts.get(&stream).copied().unwrap_or(Act::Succeed);
        drop(acts);
        let entry = (stream, delivery.event.revision.0, delivery.attempt);
        self.diary.send_modify(|diary| diary.push(entry));
        assert!(act != Act::PanicAtOnce, "told to panic at once");
        Box::pin(async move {
            match act {
                Act::Succeed => Ok(()),
                Act::Err => Err(HandlerError("told to fail".to_owned())),
                Act::Panic => panic!("told to panic"),
                Act::Hang => std::future::pending().await,
                Act::PanicAtOnce => unreachable!(),
            }
        })
    }
}
