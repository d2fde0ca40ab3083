//! A daemon inside this program: on a loopback port, until it is told to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use whodunit_core::ids::StreamName;
use whodunit_daemon::builtin::{self, BuiltIn};
use whodunit_daemon::clock::{Clock, Ids, SystemClock, UuidV7};
use whodunit_daemon::handlers::{MailKind, PipelineConfig, handlers};
use whodunit_daemon::outbox::{Handlers, Retries, Settings};
use whodunit_daemon::passwords::Cost;
use whodunit_daemon::store::StoreError;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::{Config, Daemon};

use super::mailbox::FullMailbox;
use crate::cli::CliError;
use crate::client::Client;

/// Distance to the first retry in a store that is thrown away.
const DEMO_RETRY: Duration = Duration::from_millis(200);

/// How a daemon is to be.
pub(super) struct Plan {
    /// Whether its store is thrown away at the end: quick, light, and not safe from a crash.
    pub(super) thrown_away: bool,
    /// The models that were asked for.
    pub(super) models: Vec<BuiltIn>,
    /// The port; 0 picks a free one.
    pub(super) port: u16,
    /// Where ids come from.
    pub(super) ids: Arc<dyn Ids>,
    /// What becomes of mails.
    pub(super) mails: Mails,
}

/// What becomes of mails.
pub(super) enum Mails {
    /// There are none: nobody's mail is written because somebody looks at a store.
    None,
    /// They go to a folder beside the store, and nowhere else; for a while, those to this user are refused.
    Folder { full: Option<StreamName> },
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            thrown_away: false,
            models: Vec::new(),
            port: 0,
            ids: Arc::new(UuidV7),
            mails: Mails::None,
        }
    }
}

impl Plan {
    fn handlers(&self, data: &Path, clock: &Arc<dyn Clock>) -> Result<Handlers, CliError> {
        let Mails::Folder { full } = &self.mails else {
            return Ok(Handlers::default());
        };
        let failed = |error: &dyn std::fmt::Display| {
            CliError::daemon(format!("cannot set up the pipeline: {error}"))
        };
        // The environment is not asked: a demo must not find a mail server.
        let config = PipelineConfig::load(None, data, |_| None).map_err(|error| failed(&error))?;
        let mut handlers = handlers(&config, clock).map_err(|error| failed(&error))?;
        if let Some(full) = full {
            for handler in &mut handlers {
                if handler.name() == MailKind::SecurityNotification.handler() {
                    let mails = Arc::clone(handler);
                    *handler = Arc::new(FullMailbox::before(mails, full.clone()));
                }
            }
        }
        Ok(Handlers(handlers))
    }
}

impl Plan {
    /// Whoever looks at a demo does not wait half a minute to see a job give up.
    fn outbox(&self) -> Settings {
        let mut settings = Settings::default();
        if self.thrown_away {
            settings.retries = Retries {
                first: DEMO_RETRY,
                ..settings.retries
            };
        }
        settings
    }
}

/// A running daemon.
pub(super) struct Embedded {
    pub(super) daemon: Daemon,
    pub(super) client: Client,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), StoreError>>,
}

impl Embedded {
    /// Opens the store in this folder and serves it.
    pub(super) async fn start(data: &Path, plan: Plan) -> Result<Self, CliError> {
        let failed = |doing: &str, error: &dyn std::fmt::Display| {
            CliError::daemon(format!("cannot {doing}: {error}"))
        };
        let options = if plan.thrown_away {
            StoreOptions::Relaxed
        } else {
            StoreOptions::Durable
        };
        let store = LoggedStore::open(data, options).map_err(|error| {
            let place = format!("open the store in `{}`", data.display());
            failed(&place, &error.with_cause())
        })?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let cost = if plan.thrown_away {
            Cost::Light
        } else {
            Cost::Standard
        };
        let models = builtin::models(&plan.models, cost)
            .map_err(|error| failed("use the models that were asked for", &error))?;
        let config = Config {
            handlers: plan.handlers(data, &clock)?,
            outbox: plan.outbox(),
            models,
            // A store that is only looked at gets nothing beside it: its read models are made in memory.
            data: plan.thrown_away.then(|| data.to_path_buf()),
            // Notes are a part of what is looked at, and written only when the user writes one.
            notes: Some(data.to_path_buf()),
            ..Config::default()
        };
        let daemon = Daemon::with(config, Arc::new(store), clock, plan.ids);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port));
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| failed(&format!("listen on `{address}`"), &error))?;
        let address = listener
            .local_addr()
            .map_err(|error| failed("listen", &error))?;
        let client = Client::new(&format!("http://{address}"))?;
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(whodunit_daemon::serve(
            listener,
            daemon.clone(),
            shutdown.clone(),
        ));
        Ok(Self {
            daemon,
            client,
            shutdown,
            serving,
        })
    }

    /// Stops it and closes its store.
    pub(super) async fn stop(self) -> Result<(), CliError> {
        self.shutdown.cancel();
        match self.serving.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(CliError::daemon(format!(
                "the store did not close: {}",
                error.with_cause()
            ))),
            Err(error) => Err(CliError::daemon(format!("the daemon failed: {error}"))),
        }
    }
}

/// Returns when this process is asked to end: Ctrl-C or SIGTERM.
pub(super) async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
            signal(SignalKind::hangup()),
        );
        if let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a way to listen there is no signal to wait for.
        std::future::pending::<()>().await;
    }
}
