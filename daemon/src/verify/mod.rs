//! Verification: everything that a store holds, against everything else that it holds, on one read view while writes go on.
//!
//! Owns the order of the work and what is compared above the seam: streams against what lists say of them, states against unique
//! keys, labels and saved states. What is below the seam is the engine's to compare ([`Verifiable::check`]). Never writes, and
//! never repairs.
//!
//! Memory is bounded whatever the store's size: by one state, one segment and a cache below the seam, and some findings of
//! each kind.

mod at_start;
mod keys;
mod stream;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use whodunit_core::api::verify::{Severity, VerifyCode, VerifyOut, VerifyPlace, VerifyProgress};
use whodunit_core::counted::{clause, counted};
use whodunit_core::model::Models;
use whodunit_core::note::Note;
use whodunit_core::stop::Stop;

pub(crate) use self::at_start::AtStart;
use self::stream::{Tally, walk};
use crate::notes;
use crate::store::disk::{Disk, RealDisk};
use crate::store::engine::{LoggedStore, NewStore, StoreOptions};
use crate::store::redb::FILE_NAME;
use crate::store::{Check, Scope, Store, StoreError, Verifiable};

type StoreResult<T> = Result<T, StoreError>;

/// The notes that are kept beside a store, and how many lines of their file are damaged; or why they cannot be used.
pub type NotesBeside = Result<(Vec<Note>, u64), String>;

/// Verifies a store. Blocking, for as long as it takes; ends with [`StoreError::Stopped`] once `stop` is set. `say` hears now and
/// then how far it is.
///
/// # Errors
/// When it could not be finished. What is wrong with the store is no error but in the answer.
pub fn verify(
    store: &dyn Store,
    models: &Models,
    scope: Scope,
    stop: &Stop,
    say: &mut dyn FnMut(VerifyProgress),
) -> StoreResult<VerifyOut> {
    verify_with_notes(store, models, &Ok((Vec::new(), 0)), scope, stop, say)
}

/// The same, with the notes that are kept beside the store.
///
/// # Errors
/// When it could not be finished.
pub fn verify_with_notes(
    store: &dyn Store,
    models: &Models,
    notes: &NotesBeside,
    scope: Scope,
    stop: &Stop,
    say: &mut dyn FnMut(VerifyProgress),
) -> StoreResult<VerifyOut> {
    let begun = Instant::now();
    let mut moment = store.verifiable()?;
    moment.view_mut().set_stop(stop.clone());
    let head = moment.view().head();
    let records = head.position.0 + head.decision;
    let total = match scope {
        Scope::Quick => 0,
        Scope::All => records + head.position.0,
    };
    let mut check = Check::new(stop, total, say);
    moment.check(scope, &mut check)?;
    if scope == Scope::All {
        streams(moment.as_ref(), models, &mut check)?;
        compare_notes(moment.as_ref(), notes, &mut check)?;
    }
    let (errors, warnings, infos) = (
        check.count(Severity::Error),
        check.count(Severity::Warning),
        check.count(Severity::Info),
    );
    let (checked, findings_total) = (check.checked, check.findings());
    let (counts, findings) = check.finish();
    Ok(VerifyOut {
        ok: errors == 0,
        quick: scope == Scope::Quick,
        head: head.position.0,
        decisions: head.decision,
        head_hash: moment.head_hash().to_string(),
        checked,
        errors,
        warnings,
        infos,
        counts,
        findings,
        findings_total,
        milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        redacted_copy: store.is_redacted_copy(),
    })
}

/// Verifies the store in a data directory that no daemon has open. Opens it as a start would, which puts right what a crash left
/// of a write that was never acknowledged.
///
/// # Errors
/// When there is no store, it cannot be opened, or the verification could not be finished.
pub fn verify_directory(
    data: &Path,
    models: &Models,
    scope: Scope,
    stop: &Stop,
    say: &mut dyn FnMut(VerifyProgress),
) -> StoreResult<VerifyOut> {
    if !data.join(FILE_NAME).is_file() {
        return Err(StoreError::NoStore {
            path: data.display().to_string(),
        });
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let new = NewStore::WhereNothingIsLeft;
    let store = LoggedStore::open_on(&disk, data, StoreOptions::Durable, new)?;
    let beside = notes::read(disk.as_ref(), data, store.id());
    let beside = beside.map(|found| (found.items, found.damaged.len() as u64));
    verify_with_notes(&store, models, &beside, scope, stop, say)
}

/// Looks whether there is what each note is about.
fn compare_notes(
    moment: &dyn Verifiable,
    beside: &NotesBeside,
    check: &mut Check<'_>,
) -> StoreResult<()> {
    check.phase("notes");
    let (all, damaged) = match beside {
        Ok((all, damaged)) => (all, *damaged),
        Err(reason) => {
            check.found(VerifyCode::NoteUnreadable, VerifyPlace::default(), reason);
            return Ok(());
        }
    };
    if damaged > 0 {
        let detail = format!(
            "{} damaged in `{}`",
            clause(damaged, "line", "is"),
            notes::FILE_NAME
        );
        check.found(VerifyCode::NoteUnreadable, VerifyPlace::default(), detail);
    }
    for note in all {
        check.tick()?;
        check.checked.notes += 1;
        let place = || VerifyPlace::stream(&note.stream);
        let found = notes::contradicted(moment.view(), note);
        if let Some(Some(why)) = check.readable(place, found)? {
            let detail = format!("note `{}`: {why}", note.note_id);
            check.found(VerifyCode::NoteWrong, place(), detail);
        }
    }
    Ok(())
}

/// Goes through the streams as readers see them, and through what the store keeps of their states.
fn streams(moment: &dyn Verifiable, models: &Models, check: &mut Check<'_>) -> StoreResult<()> {
    check.phase("streams");
    let mut tally = Tally::default();
    let walked = moment.each_stream(&mut |info| {
        let Some(info) = info else {
            tally.broken = true;
            return Ok(());
        };
        check.checked.streams += 1;
        let model = models.for_stream(&info.stream);
        let place = || VerifyPlace::stream(&info.stream);
        let walked = walk(moment, model, info, check, &mut tally);
        tally.broken |= check.readable(place, walked)?.is_none();
        Ok(())
    });
    let walked = check.readable(|| VerifyPlace::table("streams"), walked)?;
    if walked.is_none() || tally.broken {
        return Ok(());
    }
    counts(moment, check, &tally)?;
    check.phase("keys");
    keys::others(moment, models, check, tally.holds)
}

/// Looks whether streams and categories come to the whole log.
fn counts(moment: &dyn Verifiable, check: &mut Check<'_>, tally: &Tally) -> StoreResult<()> {
    let head = moment.view().head().position.0;
    if tally.events != head {
        let detail = format!(
            "the streams have {} in all, but the log has {head}",
            counted(tally.events, "event")
        );
        check.found(VerifyCode::StreamWrong, VerifyPlace::default(), detail);
    }
    let place = || VerifyPlace::table("categories");
    let categories = moment.view().categories();
    let Some(categories) = check.readable(place, categories)? else {
        return Ok(());
    };
    let streams: u64 = categories.iter().map(|own| own.streams).sum();
    let events: u64 = categories.iter().map(|own| own.events).sum();
    if (streams, events) != (check.checked.streams, tally.events) {
        let detail = format!(
            "the categories have {} and {} in all, not {} and {}",
            counted(streams, "stream"),
            counted(events, "event"),
            check.checked.streams,
            tally.events
        );
        check.found(VerifyCode::CountWrong, place(), detail);
    }
    Ok(())
}
