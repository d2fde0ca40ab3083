//! `[webhooks]` and `[[webhook]]`: where webhooks may go, and each of them.
//!
//! Owns their keys. A webhook that could not be called is refused here, not at its first event.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use super::{Checked, Reading};
use crate::handlers::allow_list::AllowList;
use crate::handlers::settings::{WebhookSettings, Webhooks};
use crate::handlers::webhook::signing_key;
use crate::limits::{WEBHOOK_LIST_MAX, WEBHOOK_TIMEOUT_DEFAULT, WEBHOOKS_MAX};
use crate::outbox::EventPattern;

const NAME_CHARS_MAX: usize = 64;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhooksTable {
    #[serde(default)]
    allow: Vec<String>,
    ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookTable {
    name: String,
    url: String,
    events: Vec<String>,
    secret_env: Option<String>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    state: bool,
}

impl Reading<'_> {
    pub(super) fn webhooks(
        &self,
        table: WebhooksTable,
        list: Vec<WebhookTable>,
    ) -> Checked<Webhooks> {
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
                format!("name 1 to {WEBHOOK_LIST_MAX} event patterns, such as `user/UserCreated` or `order/*`"),
            ));
        }
        let events = table.events.iter().map(|text| {
            EventPattern::parse(text).map_err(|message| self.wrong(key("events"), message))
        });
        let events = events.collect::<Checked<_>>()?;
        let secret = table.secret_env.as_deref().map(|variable| {
            self.secret(variable).ok_or_else(|| {
                self.wrong(
                    key("secret_env"),
                    format!("the environment variable `{variable}` is not set; set it to the secret that receiver and daemon share"),
                )
            })
        });
        let secret = secret.transpose()?;
        if let (Some(secret), Some(variable)) = (&secret, &table.secret_env) {
            signing_key(secret).map_err(|reason| {
                self.wrong(
                    key("secret_env"),
                    format!("the value of `{variable}` is not a Standard Webhooks secret: {reason}; make one with `echo whsec_$(openssl rand -base64 32)`"),
                )
            })?;
        }
        Ok(WebhookSettings {
            secret,
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
                "credentials do not belong in a URL; sign with `secret_env`",
            ));
        }
        if url.fragment().is_some() {
            return Err(wrong("a `#` and what follows it are never sent"));
        }
        Ok(url)
    }
}
