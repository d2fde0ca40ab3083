//! Handlers with effects beyond the daemon: mails and webhooks, and how they are set up.
//!
//! Owns what is sent, to whom, and what must never be sent: a credential, a header that an event smuggled in, a request
//! to an address that the operator did not allow. Retries, order and time limits around an attempt are the outbox's.
//!
//! Entry points: [`PipelineConfig::load`], then [`handlers`].

mod addresses;
mod allow_list;
mod config;
mod mail;
mod secret;
mod settings;
mod tls;
mod webhook;

use std::sync::Arc;

use crate::clock::Clock;
use crate::outbox::Handler;

pub use allow_list::AllowList;
pub use config::PipelineConfigError;
pub use mail::{MailHandler, MailKind};
pub use secret::Secret;
pub use settings::{
    Login, MailSettings, PipelineConfig, Security, SmtpSettings, Transport, WebhookSettings,
    Webhooks,
};
pub use webhook::{Resolve, SystemResolver, Webhook, signature, signing_key};

/// Why the handlers of a configuration cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandlersError {
    /// The folder for mails is not there and cannot be made.
    #[error(
        "the folder for mails `{folder}` cannot be made: {source}\nhint: make it, or name another as `folder` under `[mail]`"
    )]
    Folder {
        /// The folder.
        folder: String,
        /// The error.
        source: std::io::Error,
    },
    /// The certificate authorities to trust cannot be read, or there are none.
    #[error("{0}")]
    Authorities(String),
    /// The mail server cannot be set up.
    #[error("the mail server `{server}` cannot be set up: {reason}")]
    MailServer {
        /// Its host and port.
        server: String,
        /// The error.
        reason: String,
    },
}

/// The handlers of a configuration: the mails unless they are off, then the webhooks in the order of the file.
///
/// # Errors
/// When a folder cannot be made, or when authorities to trust cannot be read. No server is contacted.
pub fn handlers(
    config: &PipelineConfig,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Arc<dyn Handler>>, HandlersError> {
    handlers_by(
        config,
        clock,
        &(Arc::new(SystemResolver) as Arc<dyn Resolve>),
    )
}

/// As [`handlers`], with names of webhooks resolved by this resolver.
///
/// # Errors
/// As for [`handlers`].
pub fn handlers_by(
    config: &PipelineConfig,
    clock: &Arc<dyn Clock>,
    resolver: &Arc<dyn Resolve>,
) -> Result<Vec<Arc<dyn Handler>>, HandlersError> {
    let mut all: Vec<Arc<dyn Handler>> = Vec::new();
    if let Some(mail) = &config.mail {
        for handler in MailHandler::all(mail)? {
            all.push(Arc::new(handler));
        }
    }
    for webhook in Webhook::all(&config.webhooks, clock, resolver)? {
        all.push(Arc::new(webhook));
    }
    Ok(all)
}
