//! Settings of handlers, validated: a value of one of these types can be used as it is.
//!
//! Owns the shapes. How they come out of a file and the environment is `config`'s.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use url::Url;

use super::allow_list::AllowList;
use super::secret::Secret;
use crate::outbox::EventPattern;

/// How the pipeline's handlers are set up.
#[derive(Debug, Clone)]
pub struct PipelineConfig {
    /// Mails; none when they are off.
    pub mail: Option<MailSettings>,
    /// Webhooks.
    pub webhooks: Webhooks,
}

/// Mails: from whom, and which way they go.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Who they are from.
    pub from: Mailbox,
    /// Who answers go to, when it is not `from`.
    pub reply_to: Option<Mailbox>,
    /// Which way they go.
    pub transport: Transport,
}

/// Which way mails go.
#[derive(Debug, Clone)]
pub enum Transport {
    /// Into a folder, one `.eml` file each.
    Folder(PathBuf),
    /// To a mail server.
    Smtp(SmtpSettings),
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Authorities to trust beside the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Who logs in; `None` for no login.
    pub login: Option<Login>,
    /// Time for one attempt.
    pub timeout: Duration,
}

/// Credentials for a mail server.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user's name there.
    pub username: Secret,
    /// The password.
    pub password: Secret,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Unprotected.
    Plain,
    /// By TLS after `STARTTLS`, or nothing is sent.
    StartTls,
    /// By TLS from the first byte.
    Tls,
}

impl Security {
    /// The scheme of an address that asks for it.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "smtp",
            Self::StartTls => "smtp+starttls",
            Self::Tls => "smtps",
        }
    }

    /// The port when none is named.
    pub(super) fn default_port(self) -> u16 {
        match self {
            Self::Plain => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

/// Webhooks, and where they may go.
#[derive(Debug, Clone, Default)]
pub struct Webhooks {
    /// Where they may go.
    pub allow: AllowList,
    /// Authorities to trust beside the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// The webhooks.
    pub list: Vec<WebhookSettings>,
}

/// A webhook.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Its name; its handler is `webhook:` and this.
    pub name: String,
    /// Where it goes, `http` or `https`. Its path and query may well be a capability, so they are not shown.
    pub url: Url,
    /// The events it takes.
    pub events: Vec<EventPattern>,
    /// The key of its signature, if it is to be signed.
    pub secret: Option<Secret>,
    /// Time for one attempt.
    pub timeout: Duration,
    /// Whether the body carries the stream's state after the event.
    pub state: bool,
}

impl WebhookSettings {
    /// Where it goes, for people: scheme, host and port, and a mark where a path follows.
    pub fn target(&self) -> String {
        let origin = self.url.origin().ascii_serialization();
        if self.url.path() == "/" && self.url.query().is_none() {
            origin
        } else {
            format!("{origin}/…")
        }
    }
}

impl std::fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("name", &self.name)
            .field("url", &self.target())
            .field("events", &self.events)
            .field("secret", &self.secret)
            .field("timeout", &self.timeout)
            .field("state", &self.state)
            .finish()
    }
}
