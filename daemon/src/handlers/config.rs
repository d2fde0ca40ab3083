//! The pipeline's configuration: a TOML file and the environment in, settings that can be used out.
//!
//! Owns the names of keys and variables. Credentials come from the environment only; a file that is shared or committed
//! never needs to hold one. An unknown key is refused: a misspelt one must not be silence.

mod mail;
mod webhooks;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::secret::Secret;
use super::settings::PipelineConfig;
use crate::limits::{ATTEMPT_TIMEOUT_SECONDS_MAX, PIPELINE_CONFIG_BYTES_MAX};
use mail::MailTable;
use webhooks::{WebhookTable, WebhooksTable};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineConfigError {
    /// The file cannot be read.
    #[error("the pipeline's configuration `{}` cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error.
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
            mail: reading.mail(&file.mail.unwrap_or_default())?,
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

    /// A secret from the environment; an empty one counts as absent.
    fn secret(&self, variable: &str) -> Option<Secret> {
        (self.env)(variable)
            .filter(|value| !value.is_empty())
            .map(Secret::new)
    }

    /// Paths in the file are meant from where the file is.
    fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    fn timeout(&self, key: &str, seconds: Option<u64>, default: Duration) -> Checked<Duration> {
        match seconds {
            None => Ok(default),
            Some(seconds @ 1..=ATTEMPT_TIMEOUT_SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
            Some(seconds) => Err(self.wrong(
                format!("`{key}`"),
                format!("{seconds} is out of range; use 1 to {ATTEMPT_TIMEOUT_SECONDS_MAX}"),
            )),
        }
    }
}
