//! Salvage: what can be read of a damaged store, as an export, with what is missing.
//!
//! Owns that nothing of the store is opened for writing, that what is written out is what was recorded as far as its checksums and
//! its chain tell, and that every hole is said. Neither the engine nor the write-ahead log's own opening is asked: both refuse a
//! store for one damaged page. What an export does not hold (jobs, unique keys, snapshots) is not salvaged either.

mod pages;
mod records;
mod survey;
#[cfg(test)]
mod tests;
mod write;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use whodunit_core::counted::clause;
use whodunit_core::note::Note;

use self::pages::{Pages, Scan};
use self::records::Records;
pub use self::survey::Range;
use self::survey::Survey;
use super::StoreId;
use super::disk::head::{Acknowledged, HeadFile};
use super::disk::pages::PageFile;
use super::engine::LOG_NAME;
use super::redb::{FILE_NAME, FORMAT, HEAD_NAME};
use super::wal::{SalvagedFrame, is_file_of_the_log, salvage_file};

/// Streams with holes, and decisions without their events, that a report names.
const NAMED_MAX: usize = 1_000;
/// Bytes of the largest file of a log that is read.
const LOG_FILE_BYTES_MAX: u64 = 2 << 30;

/// Why nothing was salvaged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SalvageError {
    /// There is nothing of a store.
    #[error(
        "`{path}` has no file of a store that says which store it is of: neither `events.redb`, `events.head` nor a file of its log"
    )]
    NoStore {
        /// The directory.
        path: String,
    },
    /// A process has it open.
    #[error("`{path}` is open in another process; stop that daemon first")]
    InUse {
        /// The file.
        path: String,
    },
    /// It is of another format.
    #[error(
        "`{path}` has store format {found}, and this version salvages format {known}; use the version that wrote it"
    )]
    Format {
        /// The file.
        path: String,
        /// What it says.
        found: u32,
        /// What this version reads.
        known: u32,
    },
    /// The disk failed.
    #[error("cannot {doing} `{path}`: {source}")]
    Disk {
        /// What, as a verb phrase.
        doing: &'static str,
        /// Which file.
        path: String,
        /// The system's own word.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write what was salvaged: {0}")]
    Write(io::Error),
}

/// What was salvaged, and what was not.
#[derive(Debug, Clone, Serialize)]
pub struct Salvaged {
    /// The store.
    pub store_id: String,
    /// Whether the log is a redacted copy.
    pub redacted_copy: bool,
    /// How many events the log had, as far as anything says.
    pub expected_events: u64,
    /// How many decisions.
    pub expected_decisions: u64,
    /// How many events were written out.
    pub events: u64,
    /// How many decisions.
    pub decisions: u64,
    /// Of the events, how many no chain proves: they stand on their own checksums, beside a hole.
    pub unproven_events: u64,
    /// Of the decisions, how many.
    pub unproven_decisions: u64,
    /// Positions of which there is no event.
    pub missing_events: Vec<Range>,
    /// Sequences of which there is no decision.
    pub missing_decisions: Vec<Range>,
    /// Positions of which there is an event that is not what was written: left out.
    pub altered_events: Vec<Range>,
    /// Sequences of which there is a decision that is not what was written: left out.
    pub altered_decisions: Vec<Range>,
    /// Streams with holes, and the revisions that are missing between others.
    pub streams: Vec<StreamHole>,
    /// How many more streams have holes.
    pub more_streams: u64,
    /// Of the missing events, how many are of streams or revisions that nothing tells: the ends of streams, or whole ones.
    pub unplaced_events: u64,
    /// Sequences of decisions that were written out though events that they name are missing; an import refuses them.
    pub decisions_without_events: Vec<u64>,
    /// How many more of those there are.
    pub more_decisions_without_events: u64,
    /// How many notes that people wrote were written out.
    pub user_notes: u64,
    /// What was found damaged.
    pub notes: Vec<String>,
}

impl Salvaged {
    /// Whether nothing is missing, as far as can be told: where a file is damaged, that is not far enough.
    pub fn is_whole(&self) -> bool {
        self.has_all() && self.notes.is_empty()
    }

    /// Whether every record is there that anything tells of.
    pub fn has_all(&self) -> bool {
        self.events == self.expected_events
            && self.decisions == self.expected_decisions
            && self.decisions_without_events.is_empty()
    }
}

/// A stream with holes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamHole {
    /// The stream.
    pub stream: String,
    /// Revisions that are missing.
    pub revisions: Vec<Range>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many of so many pages were looked at.
    Reading(u64, u64),
    /// So many of so many events were held to the chain.
    Checking(u64, u64),
    /// So many of so many events were written.
    Writing(u64, u64),
}

/// Writes what can be read of the store in a directory as an export.
///
/// # Errors
/// When there is nothing of a store, a process has it open, or the disk fails.
pub fn salvage(
    directory: &Path,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<Salvaged, SalvageError> {
    let found = Found::read(directory, progress)?;
    let Found {
        store,
        records,
        redacted_copy,
        end,
        notes,
    } = found;
    let survey = Survey::of(&records, end, &mut |done, all| {
        progress(Progress::Checking(done, all));
    });
    let mut salvaged = report(store, redacted_copy, end, &survey);
    salvaged.notes = notes;
    let (beside, damaged) = notes_beside(directory, store, &mut salvaged.notes);
    salvaged.user_notes = beside.len() as u64;
    write::export(
        (&records, &beside, damaged),
        &survey,
        &mut salvaged,
        out,
        &mut |done, all| {
            progress(Progress::Writing(done, all));
        },
    )
    .map_err(SalvageError::Write)?;
    Ok(salvaged)
}

/// The notes beside the store, as far as they can be read, and how many of their lines cannot; both are said.
fn notes_beside(directory: &Path, store: StoreId, said: &mut Vec<String>) -> (Vec<Note>, u64) {
    let name = crate::notes::FILE_NAME;
    let bytes = match std::fs::read(directory.join(name)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Vec::new(), 0),
        Err(error) => {
            said.push(format!("`{name}` cannot be read: {error}"));
            return (Vec::new(), 0);
        }
    };
    match crate::notes::parse(&bytes, store) {
        Ok(found) => {
            let damaged = found.damaged.len();
            if damaged > 0 {
                said.push(format!(
                    "{} damaged in `{name}`",
                    clause(damaged, "line", "is")
                ));
            }
            (found.items, damaged as u64)
        }
        Err(why) => {
            said.push(format!("`{name}` {why}"));
            (Vec::new(), 0)
        }
    }
}

/// What is missing.
fn report(store: StoreId, redacted_copy: bool, end: (u64, u64), survey: &Survey) -> Salvaged {
    let (mut streams, mut placed) = (Vec::new(), 0);
    for (stream, revisions) in &survey.revisions {
        let mut holes: Vec<Range> = Vec::new();
        for (revision, position) in (1_u64..).zip(revisions) {
            match holes.last_mut() {
                _ if *position > 0 => {}
                Some(last) if last.to + 1 == revision => last.to = revision,
                _ => holes.push(Range {
                    from: revision,
                    to: revision,
                }),
            }
        }
        placed += survey::count(&holes);
        if !holes.is_empty() {
            streams.push(StreamHole {
                stream: stream.to_string(),
                revisions: holes,
            });
        }
    }
    streams.sort_by(|one, other| one.stream.cmp(&other.stream));
    let more_streams = streams.len().saturating_sub(NAMED_MAX) as u64;
    streams.truncate(NAMED_MAX);
    let (events, decisions) = (&survey.events, &survey.decisions);
    let lost = survey::count(&events.missing) + survey::count(&events.altered);
    Salvaged {
        store_id: store.to_string(),
        redacted_copy,
        expected_events: end.0,
        expected_decisions: end.1,
        events: 0,
        decisions: 0,
        unproven_events: events.unproven,
        unproven_decisions: decisions.unproven,
        missing_events: events.missing.clone(),
        missing_decisions: decisions.missing.clone(),
        altered_events: events.altered.clone(),
        altered_decisions: decisions.altered.clone(),
        streams,
        more_streams,
        unplaced_events: lost.saturating_sub(placed),
        decisions_without_events: Vec::new(),
        more_decisions_without_events: 0,
        user_notes: 0,
        notes: Vec::new(),
    }
}

/// What is in a directory.
struct Found {
    store: StoreId,
    records: Records,
    redacted_copy: bool,
    /// The last position and decision that anything tells of.
    end: (u64, u64),
    notes: Vec<String>,
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SalvageError {
    move |source| SalvageError::Disk {
        doing,
        path: path.display().to_string(),
        source,
    }
}

/// Opens a file to be read; `None` where there is none.
fn open(path: &Path) -> Result<Option<File>, SalvageError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(disk("read", path)(error)),
    }
}

impl Found {
    fn read(directory: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Self, SalvageError> {
        let mut notes = Vec::new();
        let path = directory.join(FILE_NAME);
        let file = open(&path)?;
        let header = file.as_ref().map(store_of).transpose();
        let header = header.map_err(disk("read", &path))?.flatten();
        match (&file, header) {
            (None, _) => notes.push(format!("`{FILE_NAME}` is missing")),
            (Some(_), None) => notes.push(format!("the header of `{FILE_NAME}` is damaged")),
            (Some(_), Some((_, format))) if format != FORMAT => {
                return Err(SalvageError::Format {
                    path: path.display().to_string(),
                    found: format,
                    known: FORMAT,
                });
            }
            (Some(_), Some(_)) => {}
        }
        let header = header.map(|(store, _)| store);
        if let Some(file) = &file
            && matches!(
                file.try_lock_shared(),
                Err(std::fs::TryLockError::WouldBlock)
            )
        {
            let path = path.display().to_string();
            return Err(SalvageError::InUse { path });
        }
        let noted = noted(&directory.join(HEAD_NAME), &mut notes)?;
        let files = log_files(&directory.join(LOG_NAME), &mut notes)?;
        let in_log = files.iter().find_map(|file| file.store).map(StoreId);
        let noted_store = noted.map(|noted| noted.store);
        let Some(store) = header.or(in_log).or(noted_store) else {
            let path = directory.display().to_string();
            return Err(SalvageError::NoStore { path });
        };
        let pages = file.map(Pages::of).transpose();
        let pages = pages.map_err(disk("read", &path))?;
        let scan = pages.as_ref().map_or_else(Scan::default, |pages| {
            pages.scan(store, &mut |done, all| {
                progress(Progress::Reading(done, all));
            })
        });
        let redacted_copy = scan.redacted_copy;
        let mut records = Records::new(store, pages, scan);
        let frames = frames_of(store, files, &mut notes);
        records.log(&frames);
        let mut end = records.end();
        if let Some(noted) = noted {
            if noted.store == store {
                let head = noted.end.head;
                end = (end.0.max(head.position.0), end.1.max(head.decision));
            } else {
                notes.push(format!(
                    "`{HEAD_NAME}` is of another store, {}",
                    noted.store
                ));
            }
        } else {
            notes.push(format!(
                "`{HEAD_NAME}` does not say where the log ended: records after the last one found may be missing too"
            ));
        }
        Ok(Self {
            store,
            records,
            redacted_copy,
            end,
            notes,
        })
    }
}

/// The store and the format that a file says.
fn store_of(file: &File) -> io::Result<Option<(StoreId, u32)>> {
    let mut beginning = Vec::new();
    file.take(64).read_to_end(&mut beginning)?;
    Ok(PageFile::said(&beginning))
}

/// What the note beside the store says was acknowledged.
fn noted(path: &Path, notes: &mut Vec<String>) -> Result<Option<Acknowledged>, SalvageError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(disk("read", path)(error)),
    };
    let said = HeadFile::said(&bytes);
    if said.is_none() {
        notes.push(format!("`{HEAD_NAME}` is damaged"));
    }
    Ok(said)
}

/// A file of the log.
struct LogFile {
    name: String,
    store: Option<[u8; 16]>,
    frames: Vec<SalvagedFrame>,
}

fn log_files(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<LogFile>, SalvageError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            notes.push(format!("the folder `{LOG_NAME}` is missing"));
            return Ok(Vec::new());
        }
        Err(error) => return Err(disk("read", folder)(error)),
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(disk("read", folder))?.path());
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !is_file_of_the_log(&name) {
            continue;
        }
        let length = std::fs::metadata(&path).map_err(disk("read", &path))?.len();
        if length > LOG_FILE_BYTES_MAX {
            notes.push(format!(
                "`{name}` is longer than any file of a log: left out"
            ));
            continue;
        }
        let read = salvage_file(&std::fs::read(&path).map_err(disk("read", &path))?);
        if read.store.is_none() {
            notes.push(format!(
                "the header of `{name}` is lost, and so are its frames"
            ));
        }
        if read.header_mended {
            notes.push(format!("the header of `{name}` had one byte changed"));
        }
        if read.damaged > 0 {
            notes.push(format!(
                "{} damaged in `{name}`",
                clause(read.damaged, "sector", "is")
            ));
        }
        files.push(LogFile {
            name: name.into_owned(),
            store: read.store,
            frames: read.frames,
        });
    }
    Ok(files)
}

/// The frames of a store, in order, without those that are void because the log went on without them.
fn frames_of(store: StoreId, files: Vec<LogFile>, notes: &mut Vec<String>) -> Vec<SalvagedFrame> {
    let mut frames = Vec::new();
    for file in files {
        match file.store {
            Some(own) if own == store.0 => frames.extend(file.frames),
            Some(_) => notes.push(format!("`{}` is of another store: left out", file.name)),
            None => {}
        }
    }
    frames.sort_by_key(|frame| frame.place.frame);
    let void: Vec<(u64, u64)> = frames
        .iter()
        .map(|frame| (frame.previous, frame.place.frame))
        .collect();
    frames.retain(|frame| {
        let number = frame.place.frame;
        !void
            .iter()
            .any(|(previous, next)| *previous < number && number < *next)
    });
    frames
}
