//! `[mail]`: from whom mails are, and which way they go.
//!
//! Owns its keys, and the variables that credentials for a mail server come from.

use std::path::PathBuf;

use lettre::message::Mailbox;
use serde::Deserialize;
use url::{Host, Url};

use super::{Checked, Reading};
use crate::handlers::settings::{Login, MailSettings, Security, SmtpSettings, Transport};
use crate::limits::MAIL_TIMEOUT_DEFAULT;

/// Default folder of the mails, in the data directory.
const MAIL_FOLDER: &str = "mail";
const DEFAULT_FROM: &str = "whodunit <whodunit@localhost>";
const USERNAME: &str = "WHODUNIT_SMTP_USERNAME";
const PASSWORD: &str = "WHODUNIT_SMTP_PASSWORD";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MailTable {
    from: Option<String>,
    reply_to: Option<String>,
    folder: Option<PathBuf>,
    smtp: Option<String>,
    ca_file: Option<PathBuf>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    off: bool,
}

impl Reading<'_> {
    pub(super) fn mail(&self, table: &MailTable) -> Checked<Option<MailSettings>> {
        if table.off {
            return Ok(None);
        }
        if table.folder.is_some() && table.smtp.is_some() {
            return Err(self.wrong(
                "`[mail]`",
                "`folder` and `smtp` cannot both be set; keep the one that mails should go to",
            ));
        }
        let transport = match &table.smtp {
            Some(address) => Transport::Smtp(self.smtp(table, address)?),
            None => Transport::Folder(self.folder(table)?),
        };
        let from = match (&table.from, &transport) {
            (Some(from), _) => from.as_str(),
            (None, Transport::Folder(_)) => DEFAULT_FROM,
            (None, Transport::Smtp(_)) => {
                return Err(self.wrong(
                    "`mail.from`",
                    "mails through a server need a sender; write `from = \"Accounts <accounts@example.com>\"`",
                ));
            }
        };
        let reply_to = table.reply_to.as_deref();
        Ok(Some(MailSettings {
            from: self.mailbox("from", from)?,
            reply_to: reply_to
                .map(|text| self.mailbox("reply_to", text))
                .transpose()?,
            transport,
        }))
    }

    fn mailbox(&self, key: &str, text: &str) -> Checked<Mailbox> {
        text.parse().map_err(|_no_mailbox| {
            self.wrong(
                format!("`mail.{key}`"),
                format!("`{text}` is not a valid sender; write `Accounts <accounts@example.com>` or `accounts@example.com`"),
            )
        })
    }

    fn folder(&self, table: &MailTable) -> Checked<PathBuf> {
        for (key, set) in [
            ("ca_file", table.ca_file.is_some()),
            ("timeout_seconds", table.timeout_seconds.is_some()),
        ] {
            if set {
                return Err(self.wrong(
                    format!("`mail.{key}`"),
                    "this setting is for a mail server, and none is configured; add `smtp`, or remove the setting",
                ));
            }
        }
        let folder = table.folder.as_deref();
        Ok(folder.map_or_else(|| self.data.join(MAIL_FOLDER), |path| self.beside(path)))
    }

    fn smtp(&self, table: &MailTable, address: &str) -> Checked<SmtpSettings> {
        // What was written is not quoted: it may hold a password.
        let wrong = |what: &str| {
            self.wrong(
                "`mail.smtp`",
                format!("{what}; write `smtp+starttls://mail.example.com:587`, `smtps://…` or `smtp://…`, and give credentials as {USERNAME} and {PASSWORD} in the environment"),
            )
        };
        let url = Url::parse(address).map_err(|_no_url| wrong("this is not a server address"))?;
        let security = [Security::Plain, Security::StartTls, Security::Tls]
            .into_iter()
            .find(|security| security.scheme() == url.scheme())
            .ok_or_else(|| wrong("unknown scheme"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("credentials do not belong in the file"));
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
                "{PASSWORD} is set, but `smtp://` would send it over the network unencrypted"
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
        let missing = |set: &str, missing: &str| {
            let message = format!(
                "{set} is set in the environment and {missing} is not; set both or neither"
            );
            Err(self.wrong("`mail.smtp`", message))
        };
        match (self.secret(USERNAME), self.secret(PASSWORD)) {
            (None, None) => Ok(None),
            (Some(username), Some(password)) => Ok(Some(Login { username, password })),
            (Some(_), None) => missing(USERNAME, PASSWORD),
            (None, Some(_)) => missing(PASSWORD, USERNAME),
        }
    }
}

/// Whether a host is this machine, by its name or address alone.
fn is_here(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
