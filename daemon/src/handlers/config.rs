//! The pipeline's configuration: a TOML file and the environment in, settings that can be used out.
//!
//! Owns the names of keys and variables. Credentials come from the environment only; a file that is shared or committed
//! never needs to hold one. An unknown key is refused: a misspelt one must not be silence.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;
use serde::Deserialize;
use url::{Host, Url};

use super::secret::Secret;
use super::settings::{
    Login, MailSettings, PipelineConfig, Security, SmtpSettings, Transport, WebhookSettings,
    Webhooks,
};
use super::webhook::AllowList;
use crate::limits::{
    HANDLER_TIMEOUT_SECONDS_MAX, MAIL_TIMEOUT_DEFAULT, PIPELINE_CONFIG_BYTES_MAX, WEBHOOK_LIST_MAX,
    WEBHOOK_TIMEOUT_DEFAULT, WEBHOOKS_MAX,
};
use crate::outbox::EventPattern;

/// Folder of the mails, in the data directory, when nothing is said about mails.
const MAIL_FOLDER: &str = "mail";
const USERNAME: &str = "WHODUNIT_SMTP_USERNAME";
const PASSWORD: &str = "WHODUNIT_SMTP_PASSWORD";
const NAME_CHARS_MAX: usize = 64;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineConfigError {
    /// The file cannot be read.
    #[error("the pipeline's configuration `{}` cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("in the pipeline's configuration `{}`, {place}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The key, or the line where there is no key yet.
        place: String,
        /// What is wrong and what would be right.
        message: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mail: Option<MailTable>,
    webhooks: Option<WebhooksTable>,
    #[serde(default)]
    webhook: Vec<WebhookTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailTable {
    from: Option<String>,
    reply_to: Option<String>,
    folder: Option<PathBuf>,
    smtp: Option<String>,
    ca_file: Option<PathBuf>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    off: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhooksTable {
    #[serde(default)]
    allow: Vec<String>,
    ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookTable {
    name: String,
    url: String,
    events: Vec<String>,
    secret_env: Option<String>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    state: bool,
}

impl PipelineConfig {
    /// Reads the configuration: from a file if there is one, and from the environment, of which `env` gives a variable's
    /// value. Without a file, mails go to `mail/` in the data directory, and there are no webhooks.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it is wrong.
    pub fn load(
        path: Option<&Path>,
        data: &Path,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, PipelineConfigError> {
        let text = path.map(read).transpose()?.unwrap_or_default();
        let reading = Reading {
            path: path.unwrap_or(Path::new("")),
            data,
            env: &env,
        };
        let file = reading.parse(&text)?;
        Ok(Self {
            mail: reading.mail(file.mail.unwrap_or_default())?,
            webhooks: reading.webhooks(file.webhooks.unwrap_or_default(), file.webhook)?,
        })
    }
}

fn read(path: &Path) -> Result<String, PipelineConfigError> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| {
            // One byte more than allowed tells a file that is too long from one that just fits.
            file.take(PIPELINE_CONFIG_BYTES_MAX + 1)
                .read_to_string(&mut text)
        })
        .and_then(|bytes| {
            if bytes as u64 > PIPELINE_CONFIG_BYTES_MAX {
                return Err(io::Error::other(format!(
                    "it is larger than {PIPELINE_CONFIG_BYTES_MAX} bytes"
                )));
            }
            Ok(text)
        })
        .map_err(|source| PipelineConfigError::Read {
            path: path.to_owned(),
            source,
        })
}

/// What the checks need to know beside the value they check.
struct Reading<'a> {
    path: &'a Path,
    data: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
}

type Checked<T> = Result<T, PipelineConfigError>;

impl Reading<'_> {
    fn wrong(&self, place: impl Into<String>, message: impl Into<String>) -> PipelineConfigError {
        PipelineConfigError::Invalid {
            path: self.path.to_owned(),
            place: place.into(),
            message: message.into(),
        }
    }

    fn parse(&self, text: &str) -> Checked<File> {
        let line = |error: &toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            before.matches('\n').count() + 1
        };
        let document = toml::Deserializer::parse(text)
            .map_err(|error| self.wrong(format!("line {}", line(&error)), error.message()))?;
        serde_path_to_error::deserialize(document).map_err(|error| {
            let key = error.path().to_string();
            let error = error.into_inner();
            let place = match (key.as_str(), error.span()) {
                (".", _) => format!("line {}", line(&error)),
                (_, None) => format!("`{key}`"),
                (_, Some(_)) => format!("line {}, `{key}`", line(&error)),
            };
            self.wrong(place, error.message())
        })
    }

    /// Paths in the file are meant from where the file is.
    fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    fn mail(&self, table: MailTable) -> Checked<Option<MailSettings>> {
        if table.off {
            return Ok(None);
        }
        if table.folder.is_some() && table.smtp.is_some() {
            return Err(self.wrong(
                "`[mail]`",
                "`folder` and `smtp` exclude each other; keep the one that mails are to go to",
            ));
        }
        let mailbox = |key: &str, text: &str| -> Checked<Mailbox> {
            text.parse().map_err(|_no_mailbox| {
                self.wrong(
                    format!("`mail.{key}`"),
                    format!("`{text}` is no sender; write `Accounts <accounts@example.com>` or `accounts@example.com`"),
                )
            })
        };
        let reply_to = table.reply_to.as_deref();
        let reply_to = reply_to.map(|text| mailbox("reply_to", text)).transpose()?;
        let (from, transport) = match &table.smtp {
            Some(address) => {
                let Some(from) = &table.from else {
                    return Err(self.wrong(
                        "`mail.from`",
                        "mails through a server need a sender; write `from = \"Accounts <accounts@example.com>\"`",
                    ));
                };
                (from.as_str(), Transport::Smtp(self.smtp(&table, address)?))
            }
            None => {
                for (key, set) in [
                    ("ca_file", table.ca_file.is_some()),
                    ("timeout_seconds", table.timeout_seconds.is_some()),
                ] {
                    if set {
                        return Err(self.wrong(
                            format!("`mail.{key}`"),
                            "this is about a mail server, and there is none; add `smtp` or leave it out",
                        ));
                    }
                }
                let folder = table.folder.as_deref();
                let folder =
                    folder.map_or_else(|| self.data.join(MAIL_FOLDER), |path| self.beside(path));
                let from = table.from.as_deref();
                (
                    from.unwrap_or("whodunit <whodunit@localhost>"),
                    Transport::Folder(folder),
                )
            }
        };
        Ok(Some(MailSettings {
            from: mailbox("from", from)?,
            reply_to,
            transport,
        }))
    }

    fn smtp(&self, table: &MailTable, address: &str) -> Checked<SmtpSettings> {
        // What was written is not quoted: somebody may have put a password into it.
        let wrong = |what: &str| {
            self.wrong(
                "`mail.smtp`",
                format!("{what}; write `smtp+starttls://mail.example.com:587`, `smtps://…` or `smtp://…`, and give credentials as {USERNAME} and {PASSWORD} in the environment"),
            )
        };
        let url = Url::parse(address).map_err(|_no_url| wrong("this is no address of a server"))?;
        let security = [Security::Plain, Security::StartTls, Security::Tls]
            .into_iter()
            .find(|security| security.scheme() == url.scheme())
            .ok_or_else(|| wrong("its scheme is not known"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("credentials do not belong into the file"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("nothing may follow host and port"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_ascii_lowercase(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => return Err(wrong("it names no host")),
        };
        let login = self.login()?;
        if login.is_some() && security == Security::Plain && !is_here(&host) {
            return Err(wrong(&format!(
                "{PASSWORD} is set, and over `smtp://` it would cross the network in the clear"
            )));
        }
        if security == Security::Plain && table.ca_file.is_some() {
            return Err(self.wrong(
                "`mail.ca_file`",
                "`smtp://` checks no certificate; use `smtp+starttls://` or `smtps://`, or leave it out",
            ));
        }
        Ok(SmtpSettings {
            host,
            port: url.port().unwrap_or(security.default_port()),
            security,
            ca_file: table.ca_file.as_deref().map(|path| self.beside(path)),
            login,
            timeout: self.timeout(
                "mail.timeout_seconds",
                table.timeout_seconds,
                MAIL_TIMEOUT_DEFAULT,
            )?,
        })
    }

    fn login(&self) -> Checked<Option<Login>> {
        let set = |name: &str| (self.env)(name).filter(|value| !value.is_empty());
        match (set(USERNAME), set(PASSWORD)) {
            (None, None) => Ok(None),
            (Some(username), Some(password)) => Ok(Some(Login {
                username: Secret::new(username),
                password: Secret::new(password),
            })),
            (Some(_), None) => Err(self.wrong(
                "`mail.smtp`",
                format!("{USERNAME} is set in the environment and {PASSWORD} is not; set both or neither"),
            )),
            (None, Some(_)) => Err(self.wrong(
                "`mail.smtp`",
                format!("{PASSWORD} is set in the environment and {USERNAME} is not; set both or neither"),
            )),
        }
    }

    fn timeout(&self, key: &str, seconds: Option<u64>, default: Duration) -> Checked<Duration> {
        match seconds {
            None => Ok(default),
            Some(seconds @ 1..=HANDLER_TIMEOUT_SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
            Some(seconds) => Err(self.wrong(
                format!("`{key}`"),
                format!("{seconds} is out of range; use 1 to {HANDLER_TIMEOUT_SECONDS_MAX}"),
            )),
        }
    }

    fn webhooks(&self, table: WebhooksTable, list: Vec<WebhookTable>) -> Checked<Webhooks> {
        if list.len() > WEBHOOKS_MAX {
            return Err(self.wrong("`webhook`", format!("at most {WEBHOOKS_MAX} webhooks")));
        }
        if table.allow.len() > WEBHOOK_LIST_MAX {
            let message = format!("at most {WEBHOOK_LIST_MAX} entries; list networks instead");
            return Err(self.wrong("`webhooks.allow`", message));
        }
        let allow = AllowList::parse(&table.allow).map_err(|(index, message)| {
            self.wrong(format!("`webhooks.allow[{index}]`"), message)
        })?;
        let mut checked: Vec<WebhookSettings> = Vec::with_capacity(list.len());
        for (index, webhook) in list.into_iter().enumerate() {
            if checked.iter().any(|other| other.name == webhook.name) {
                return Err(self.wrong(
                    format!("`webhook[{index}].name`"),
                    format!(
                        "there is another webhook `{}`; every one needs a name of its own",
                        webhook.name
                    ),
                ));
            }
            checked.push(self.webhook(index, webhook, &allow)?);
        }
        Ok(Webhooks {
            allow,
            ca_file: table.ca_file.map(|path| self.beside(&path)),
            list: checked,
        })
    }

    fn webhook(
        &self,
        index: usize,
        table: WebhookTable,
        allow: &AllowList,
    ) -> Checked<WebhookSettings> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if !(1..=NAME_CHARS_MAX).contains(&table.name.len()) || !table.name.chars().all(fits) {
            return Err(self.wrong(
                format!("`webhook[{index}].name`"),
                format!("use 1 to {NAME_CHARS_MAX} of the characters a-z, 0-9, `-`, `_` and `.`"),
            ));
        }
        let name = table.name;
        let key = |key: &str| format!("webhook \"{name}\", `{key}`");
        let url = self.url(&key("url"), &table.url)?;
        allow
            .check_url(&url)
            .map_err(|message| self.wrong(key("url"), message))?;
        if !(1..=WEBHOOK_LIST_MAX).contains(&table.events.len()) {
            return Err(self.wrong(
                key("events"),
                format!("name 1 to {WEBHOOK_LIST_MAX} kinds of events, such as `user/UserCreated` or `order/*`"),
            ));
        }
        let events = table.events.iter().map(|text| {
            EventPattern::parse(text).map_err(|message| self.wrong(key("events"), message))
        });
        let events = events.collect::<Checked<_>>()?;
        let secret = table.secret_env.as_deref().map(|variable| {
            (self.env)(variable)
                .filter(|value| !value.is_empty())
                .map(Secret::new)
                .ok_or_else(|| {
                    self.wrong(
                        key("secret_env"),
                        format!("the environment variable `{variable}` is not set; set it to the secret that receiver and daemon share"),
                    )
                })
        });
        Ok(WebhookSettings {
            secret: secret.transpose()?,
            timeout: self.timeout(
                &format!("webhook[{index}].timeout_seconds"),
                table.timeout_seconds,
                WEBHOOK_TIMEOUT_DEFAULT,
            )?,
            state: table.state,
            url,
            events,
            name,
        })
    }

    fn url(&self, place: &str, text: &str) -> Checked<Url> {
        // What was written is not quoted here either.
        let wrong = |what: &str| {
            self.wrong(
                place,
                format!("{what}; write it like `https://hooks.example.com/path`"),
            )
        };
        let url = Url::parse(text).map_err(|_no_url| wrong("this is no URL"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(wrong("only `https` and `http` are known"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "credentials do not belong into a URL; sign with `secret_env`",
            ));
        }
        if url.fragment().is_some() {
            return Err(wrong("a `#` and what follows it are never sent"));
        }
        Ok(url)
    }
}

/// Whether a host is this machine, by its name or address alone.
fn is_here(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
