//! The verification that every start makes: ends and counts, beside the first requests.
//!
//! Owns its result, which the log and `GET /v1/health` show.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use whodunit_core::api::verify::{Severity, StartVerification, VerifyOut};
use whodunit_core::model::Models;
use whodunit_core::stop::Stop;

use super::verify;
use crate::store::{Scope, Store, StoreError};

/// Findings that are shown.
const SHOWN: usize = 10;

/// The verification of this start.
#[derive(Debug)]
pub(crate) struct AtStart(Mutex<StartVerification>);

impl AtStart {
    /// Begins it, within a runtime; ends it early when the daemon begins to stop.
    pub(crate) fn begin(
        store: &Arc<dyn Store>,
        models: &Arc<Models>,
        stopping: &CancellationToken,
    ) -> Arc<Self> {
        let own = Arc::new(Self(Mutex::new(StartVerification {
            status: "running".to_owned(),
            errors: 0,
            warnings: 0,
            findings: Vec::new(),
        })));
        let stop = Stop::new();
        let left = stop.on_drop();
        let (to, store, models) = (Arc::clone(&own), Arc::clone(store), Arc::clone(models));
        let work = tokio::task::spawn_blocking(move || {
            let done = verify(store.as_ref(), &models, Scope::Quick, &stop, &mut |_| {});
            // Not longer than needed: the store may be closed next.
            drop(store);
            to.ended(done);
        });
        let (stopping, shown) = (stopping.clone(), Arc::clone(&own));
        tokio::spawn(async move {
            let mut work = std::pin::pin!(work);
            let ended = tokio::select! {
                ended = &mut work => ended,
                () = stopping.cancelled() => {
                    drop(left);
                    work.await
                }
            };
            if ended.is_err() {
                tracing::error!("the verification of the store at the start failed");
                "failed".clone_into(&mut own.lock().status);
            }
        });
        shown
    }

    fn lock(&self) -> MutexGuard<'_, StartVerification> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it came to.
    pub(crate) fn shown(&self) -> StartVerification {
        self.lock().clone()
    }

    fn ended(&self, done: Result<VerifyOut, StoreError>) {
        let mut shown = self.lock();
        let out = match done {
            Ok(out) => out,
            Err(error) => {
                "failed".clone_into(&mut shown.status);
                if !matches!(error, StoreError::Closed | StoreError::Stopped(_)) {
                    let cause = error.with_cause();
                    tracing::error!(cause, "the store could not be verified at the start");
                }
                return;
            }
        };
        for found in &out.findings {
            let (code, place, detail) = (found.code, &found.place, &found.detail);
            match found.severity {
                Severity::Error => tracing::error!(%code, %place, detail, "the store is damaged"),
                _ => tracing::warn!(%code, %place, detail, "the store is not as it should be"),
            }
        }
        let (events, milliseconds) = (out.head, out.milliseconds);
        if out.ok {
            tracing::info!(
                events,
                milliseconds,
                "the store's ends and counts were verified"
            );
        } else {
            tracing::error!("`whodunit verify` says more of the damage");
        }
        *shown = StartVerification {
            status: if out.ok { "ok" } else { "findings" }.to_owned(),
            errors: out.errors,
            warnings: out.warnings,
            findings: out.findings.into_iter().take(SHOWN).collect(),
        };
    }
}
