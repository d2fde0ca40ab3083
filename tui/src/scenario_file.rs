//! Scenario files: a what-if with the answer that it has now, written for `whodunit check`.
//!
//! Owns what may be written where: no secret, and over no file unless that is asked for.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use whodunit_core::api::browse::CommandOut;
use whodunit_core::api::problem::Code;
use whodunit_core::api::what_if::{WhatIfIn, WhatIfOut};
use whodunit_core::scenario::Scenario;
use whodunit_core::text::shown;

use crate::client::{Client, ClientError};

/// A what-if to be saved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SaveIn {
    pub(crate) path: String,
    /// Whether a file that is there is written over.
    pub(crate) over: bool,
    pub(crate) asked: WhatIfIn,
}

/// What came of that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Saved {
    pub(crate) path: String,
    pub(crate) asked: WhatIfIn,
    /// Why nothing was written.
    pub(crate) not_written: Option<String>,
    /// Whether that is because the file is there already.
    pub(crate) is_there: bool,
}

/// Asks a what-if once more, and writes it down with the whole answer.
pub(crate) async fn save(client: &Client, save: SaveIn) -> Result<Saved, ClientError> {
    let SaveIn { path, over, asked } = save;
    let whole = client.what_if_whole(&asked).await?;
    let scenario = Scenario::of(&name(&whole), &asked, &whole);
    let secrets = secrets(client, &scenario).await?;
    let written =
        check_secrets(&scenario, &secrets).and_then(|()| write(&scenario, Path::new(&path), over));
    let failure = written.err();
    Ok(Saved {
        is_there: matches!(failure, Some(NotWritten::IsThere(_))),
        not_written: failure.map(|why| why.to_string()),
        path,
        asked,
    })
}

/// What a scenario says, where it was not given a name: its answer, or what it is about.
pub(crate) fn name(out: &WhatIfOut) -> String {
    match &out.redecided {
        Some(again) if again.counts.flips + again.counts.not_issued > 0 => again.answer.clone(),
        _ => format!(
            "what if: {} from revision {}",
            out.stream, out.base_revision
        ),
    }
}

/// Why a scenario is not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    /// It holds a secret: files are passed on.
    #[error("`{0}` is a secret: it is not written into a scenario")]
    Secret(String),
    /// The file is there already.
    #[error("`{0}` already exists")]
    IsThere(String),
    /// The file cannot be written.
    #[error("`{0}` cannot be written: {1}")]
    File(String, io::Error),
}

/// Names of the fields that no scenario of this stream may hold; none where its category has no model.
pub(crate) async fn secrets(
    client: &Client,
    scenario: &Scenario,
) -> Result<Vec<String>, ClientError> {
    let model = match client.model(scenario.stream.category()).await {
        Ok(model) => model,
        Err(error) if error.code() == Some(Code::NoSuchModel) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let written = model.commands.iter().flat_map(secrets_of);
    Ok(written.chain(model.secrets).collect())
}

/// Whether a scenario may be written down.
pub(crate) fn check_secrets(scenario: &Scenario, secrets: &[String]) -> Result<(), NotWritten> {
    match scenario.field_among(secrets) {
        Some(field) => Err(NotWritten::Secret(shown(&field).into_owned())),
        None => Ok(()),
    }
}

fn secrets_of(command: &CommandOut) -> Vec<String> {
    let fields = command.schema["properties"].as_object();
    let secret = fields
        .into_iter()
        .flatten()
        .filter(|(_, schema)| schema["writeOnly"] == true);
    secret.map(|(name, _)| name.clone()).collect()
}

/// Writes a scenario to a file: a new one, unless it is to be written over.
pub(crate) fn write(scenario: &Scenario, path: &Path, over: bool) -> Result<(), NotWritten> {
    let mut options = OpenOptions::new();
    options.write(true);
    if over {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let file = options.open(path);
    let written = file.and_then(|mut file| file.write_all(scenario.to_toml().as_bytes()));
    written.map_err(|error| {
        let place = path.display().to_string();
        match error.kind() {
            io::ErrorKind::AlreadyExists => NotWritten::IsThere(place),
            _ => NotWritten::File(place, error),
        }
    })
}
