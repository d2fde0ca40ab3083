//! Running the daemon as a program: arguments, log, signals.
//!
//! Owns what `whodunitd` and `whodunit serve` have in common. Prints one line on stdout, where it listens, and logs to
//! stderr only.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{ParseError, Targets};
use whodunit_core::model::ModelError;

use crate::builtin::{self, BuiltIn};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::daemon::Daemon;
use crate::handlers::{HandlersError, PipelineConfig, PipelineConfigError, handlers};
use crate::limits::CONNECTIONS_MAX;
use crate::log;
use crate::outbox::Handlers;
use crate::passwords::Cost;
use crate::projections::{IndexError, IndexedField, indexed_fields, refuse_behind_read_models};
use crate::serve::serve;
use crate::store::StoreError;
use crate::store::disk::{Disk, RealDisk};
use crate::store::engine::{LoggedStore, NewStore, StoreOptions};
use crate::store::redb::opening::open_to_others;

/// Open files that are asked for: the connections, and what the daemon itself opens.
#[cfg(unix)]
const OPEN_FILES: u64 = CONNECTIONS_MAX as u64 + 1_024;

/// Arguments of a daemon.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Directory of the store; made when absent
    #[arg(long, value_name = "DIR", env = "WHODUNIT_DATA", default_value_os_t = default_data())]
    pub data: PathBuf,
    /// Insist on a new and empty store where the old one's file is missing and other files of it are left
    #[arg(long)]
    pub create: bool,
    /// A model to fold and decide by: `users` for category `user`. May be given several times. Categories without a model
    /// are folded by JSON Merge Patch, and have no commands
    #[arg(long, value_name = "NAME")]
    pub model: Vec<BuiltIn>,
    /// Index the values of a field, so that a search for one need not read the log: `user=state.email`,
    /// `order=event.data.customer`, `*=event.metadata.ip` for every category. May be given several times; models declare some
    /// themselves
    #[arg(long, value_name = "CATEGORY=FIELD")]
    pub index: Vec<IndexedField>,
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4780")]
    pub listen: SocketAddr,
    /// Listen beyond loopback. There are no access tokens yet: every client that reaches the address can read and write everything
    #[arg(long)]
    pub allow_remote: bool,
    /// A name, beside `localhost`, that requests may use for this daemon; may be given several times
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// The pipeline's configuration (TOML): mail server, webhooks. Without it, mails go to `mail/` in the data directory
    #[arg(long, value_name = "FILE", env = "WHODUNIT_PIPELINE")]
    pub pipeline: Option<PathBuf>,
    /// Form of the log on stderr
    #[arg(long, value_name = "FORM", value_enum, default_value_t = LogForm::Text)]
    pub log: LogForm,
    /// What to log: a level, or directives such as `info,whodunit_daemon=debug`
    #[arg(
        long,
        value_name = "FILTER",
        env = "WHODUNIT_LOG",
        default_value = "info"
    )]
    pub log_level: String,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why a daemon did not start or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The log's filter does not parse.
    #[error(
        "`--log-level {filter}` is not a log filter: {reason}\nhint: use `info`, `debug`, or directives such as `info,whodunit_daemon=debug`"
    )]
    LogFilter {
        /// What was given.
        filter: String,
        /// The error.
        reason: String,
    },
    /// The address is not loopback, and `--allow-remote` was not given.
    #[error(
        "`{address}` can be reached from other machines, and there are no access tokens yet: every client that reaches it can read and write everything\nhint: listen on `127.0.0.1`, or pass `--allow-remote` if every machine on that network is trusted"
    )]
    Remote {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The store does not open.
    #[error("the store in `{data}` cannot be opened: {}", .source.with_cause())]
    Open {
        /// The data directory.
        data: PathBuf,
        /// The error.
        source: StoreError,
    },
    /// The pipeline's configuration cannot be used.
    #[error(transparent)]
    Pipeline(#[from] PipelineConfigError),
    /// A model does not fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A field cannot be indexed.
    #[error("`--index`: {0}")]
    Index(#[from] IndexError),
    /// What it asks for cannot be set up.
    #[error(transparent)]
    Handlers(#[from] HandlersError),
    /// The address cannot be listened on.
    #[error(
        "cannot listen on `{address}`: {source}\nhint: another daemon may be running there; `--listen 127.0.0.1:0` picks a free port"
    )]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// The error.
        source: io::Error,
    },
    /// The runtime, stdout or the signals failed.
    #[error("cannot {doing}: {source}")]
    System {
        /// What, as a verb phrase.
        doing: &'static str,
        /// The error.
        source: io::Error,
    },
    /// The store did not close well.
    #[error("the store did not close cleanly: {}", .0.with_cause())]
    Close(StoreError),
    /// A second signal came before the end.
    #[error("stopped at once by a second signal; acknowledged writes are safe")]
    Interrupted,
}

/// The default data directory: the user's own.
fn default_data() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let base = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    base.or_else(home).map_or_else(
        || PathBuf::from("whodunit-data"),
        |base| base.join("whodunit"),
    )
}

/// Runs a daemon until a signal ends it. Blocks.
pub fn run(args: ServeArgs) -> Result<(), RunError> {
    start_log(&args)?;
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| RunError::System {
            doing: "start",
            source,
        })?;
    let result = runtime.block_on(run_until_signalled(args));
    // After a second signal, work that blocks is not waited for.
    runtime.shutdown_background();
    result
}

/// Asks the system for as many open files as the bound on connections takes: the usual 1,024 are too few. Without it the
/// longest idle connections are closed earlier.
fn raise_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        let wanted = limit.maximum.map_or(OPEN_FILES, |max| max.min(OPEN_FILES));
        if limit.current.is_some_and(|current| current < wanted) {
            limit.current = Some(wanted);
            if let Err(error) = setrlimit(Resource::Nofile, limit) {
                tracing::warn!(%error, "the limit on open files could not be raised");
            }
        }
    }
}

fn start_log(args: &ServeArgs) -> Result<(), RunError> {
    let filter: Targets =
        args.log_level
            .parse()
            .map_err(|error: ParseError| RunError::LogFilter {
                filter: args.log_level.clone(),
                reason: error.to_string(),
            })?;
    log::start(filter, args.log == LogForm::Json);
    Ok(())
}

fn open_store(data: &Path, create: bool) -> Result<LoggedStore, StoreError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let new = if create {
        NewStore::Insist
    } else {
        NewStore::WhereNothingIsLeft
    };
    let store = LoggedStore::open_on(&disk, data, StoreOptions::Durable, new)?;
    refuse_behind_read_models(&store, data)?;
    Ok(store)
}

async fn run_until_signalled(args: ServeArgs) -> Result<(), RunError> {
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        return Err(RunError::Remote {
            address: args.listen,
        });
    }
    let mut signals = Signals::listen().map_err(|source| RunError::System {
        doing: "listen for signals",
        source,
    })?;
    let data = args.data.clone();
    let mut pipeline = PipelineConfig::load(args.pipeline.as_deref(), &data, |name| {
        std::env::var(name).ok()
    })?;
    if !args.model.contains(&BuiltIn::Users) && pipeline.mail.take().is_some() {
        tracing::info!(
            "no mails are sent: they are about users, and `--model users` was not given"
        );
    }
    let store = open_store(&data, args.create).map_err(|source| RunError::Open { data, source })?;
    let address = args.listen;
    let bound = TcpListener::bind(address).await.and_then(|listener| {
        let local = listener.local_addr()?;
        Ok((listener, local))
    });
    let (listener, local) = bound.map_err(|source| RunError::Listen { address, source })?;
    // After the store was opened: the folder for mails may be in its directory.
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let models = builtin::models(&args.model, Cost::Standard)?;
    indexed_fields(&models, &args.index)?;
    let config = Config {
        handlers: Handlers(handlers(&pipeline, &clock)?),
        models,
        allowed_hosts: args.allow_host,
        allow_remote: args.allow_remote,
        data: Some(args.data.clone()),
        index: args.index,
        ..Config::default()
    };
    let daemon = Daemon::open(config, Arc::new(store));
    for model in daemon.forgotten_models().unwrap_or_default() {
        tracing::warn!(
            "category `{}` has decisions on record, but its model was not asked for: its streams are folded by merge, and \
             commands are refused; start with `--model {model}` to use it",
            model.category()
        );
    }
    let shutdown = CancellationToken::new();
    let mut serving = tokio::spawn(serve(listener, daemon, shutdown.clone()));
    announce(local).map_err(|source| RunError::System {
        doing: "write to stdout",
        source,
    })?;
    warn_of_open_directories(&args.data);
    tracing::info!(address = %local, data = %args.data.display(), version = env!("CARGO_PKG_VERSION"), "listening");
    signals.next().await;
    shutdown.cancel();
    tokio::select! {
        served = &mut serving => match served {
            Ok(result) => result.map_err(RunError::Close),
            Err(error) => Err(RunError::System { doing: "stop", source: io::Error::other(error) }),
        },
        () = signals.next() => Err(RunError::Interrupted),
    }
}

/// Warns of directories of ours that others than their owner may look into.
fn warn_of_open_directories(data: &Path) {
    for directory in [data.to_owned(), data.join("mail"), data.join("read-models")] {
        if let Some(mode) = open_to_others(&directory) {
            tracing::warn!(directory = %directory.display(), mode = format!("{mode:o}"), "users other than its owner can read this directory; `chmod 700` closes it");
        }
    }
}

/// Prints the one line on stdout. The listener is bound: connections are accepted from here on.
fn announce(local: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on http://{local}")?;
    stdout.flush()
}

/// The signals that end a daemon.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    /// The terminal it was started from is gone.
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        // Without a way to listen there is no signal to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
