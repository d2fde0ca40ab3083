//! Incident files that are opened here: their models, and their branches as the copy has them.

use std::path::Path;

use whodunit_core::api::branch::BranchPatch;
use whodunit_core::branch::BranchFile;
use whodunit_core::bundle::{self, BUNDLE_BYTES_MAX, Bundle};
use whodunit_core::text::shown;
use whodunit_daemon::builtin::BuiltIn;

use super::embedded::Embedded;
use crate::cli::CliError;
use crate::cli::files::read_bytes;
use crate::cli::terminal::Terminal;
use crate::text::{counted, number};

/// Bytes in which the first line of an incident file ends.
const FIRST_BYTES: u64 = 4 << 10;

/// What a file is that may be an incident file: nothing of the kind, one, or a damaged one and why.
pub(super) fn at(path: &Path) -> Result<Option<Result<Box<Bundle>, String>>, CliError> {
    use std::io::Read as _;
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let mut first = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FIRST_BYTES)
        .read_to_end(&mut first)
        .map_err(failed)?;
    if !bundle::is_bundle(&first) {
        return Ok(None);
    }
    let bytes = read_bytes(path, BUNDLE_BYTES_MAX as u64)?;
    let read = bundle::read(&bytes);
    Ok(Some(read.map(Box::new).map_err(|bad| bad.to_string())))
}

/// The models that a file was made with, as far as this program has them.
pub(super) fn models(bundle: &Bundle) -> Vec<BuiltIn> {
    let names = bundle.incident.models.iter();
    names.filter_map(|model| model.name.parse().ok()).collect()
}

/// Keeps the file's branches in the copy, and says what it is.
pub(super) async fn fill(
    bundle: &Bundle,
    embedded: &Embedded,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let client = &embedded.client;
    let in_use = client.models().await?;
    for model in &bundle.incident.models {
        let here = in_use.items.iter().find(|own| own.name == model.name);
        let (name, category) = (shown(&model.name), shown(&model.category));
        match here {
            None => terminal.warn(format!(
                "category `{category}` has the model `{name}`, which this program does not have: its states are merged from the events"
            ))?,
            Some(here) if here.rules_hash != model.rules_hash => terminal.warn(format!(
                "the rules of `{name}` here differ from those that the file was made with: states and what-ifs may differ too"
            ))?,
            Some(_) => {}
        }
    }
    let mut kept = 0;
    for branch in &bundle.branches {
        let name = shown(&branch.name).into_owned();
        let done = match bundle.branch_here(branch) {
            Err(why) => Err(why),
            Ok(branch) => keep(branch, embedded)
                .await
                .map_err(|error| error.to_string()),
        };
        match done {
            Ok(()) => kept += 1,
            Err(why) => terminal.warn(format!(
                "the branch `{name}` cannot be read here: {}",
                shown(&why)
            ))?,
        }
    }
    let log = &bundle.incident.log;
    terminal.note(format!(
        "an incident file without secrets, from store {}: {} of {}, {} of {}; {}, {}, {}. Changes made here are gone when you leave",
        shown(&log.store_id),
        number(bundle.events.len() as u64),
        counted(log.position.0, "event"),
        number(bundle.decisions.len() as u64),
        counted(log.decision, "decision"),
        counted(bundle.notes.len() as u64, "note"),
        counted(kept, "branch"),
        counted(bundle.scenarios.len() as u64, "scenario"),
    ))?;
    if !bundle.scenarios.is_empty() {
        terminal.note("`whodunit check FILE` asks its scenarios again")?;
    }
    if kept > 0 {
        terminal.note(
            "its branches are computed without the streams that were left out: whatever goes through those is missing",
        )?;
    }
    Ok(())
}

async fn keep(branch: whodunit_core::branch::Branch, embedded: &Embedded) -> Result<(), CliError> {
    let name = branch.name.clone();
    let file = crate::json::line(&BranchFile::of(branch));
    let file = file.map_err(|error| CliError::daemon(format!("it cannot be written: {error}")))?;
    embedded.client.import_branch(file, None).await?;
    // The copy is the log that it is to be read over: only this program knows that.
    let adopt = BranchPatch {
        adopt: Some(true),
        ..BranchPatch::default()
    };
    if let Err(error) = embedded.client.change_branch(&name, &adopt).await {
        embedded.client.remove_branch(&name).await?;
        return Err(error.into());
    }
    Ok(())
}
