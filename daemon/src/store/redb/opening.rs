//! Making the data directory and opening the files in it, so that neither a power cut nor a damaged file surprises anyone.
//!
//! Owns which files belong together: the log, and beside it the acknowledged head. Refuses to begin where they contradict
//! each other. Never looks at what the log holds, but for its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::Database;

use super::backend::PageBackend;
use super::file::{check_format, open_error};
use super::sealed::{Mark, mark};
use super::{CACHE_BYTES, FILE_NAME, HEAD_NAME, engine, tables};
use crate::store::StoreError;
use crate::store::disk::head::{Acknowledged, HeadFile, LogEnd};
use crate::store::disk::pages::{Kind, OpenError, PageFile, PageHeader};
use crate::store::disk::{Disk, StoreId};
use crate::store::engine::LOG_NAME;

/// When a store that is not there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewStore {
    /// Where nothing of an older one is left.
    #[default]
    WhereNothingIsLeft,
    /// In any case: the operator insists.
    Insist,
}

/// The file of a store, and what is noted beside it; not compared yet.
pub(super) struct Found {
    pub(super) database: Database,
    pub(super) pages: Arc<PageFile>,
    pub(super) path: PathBuf,
    noting: Noting,
}

/// What is noted beside a store of what it acknowledged, and where.
#[derive(Clone)]
pub(super) struct Noting {
    store: StoreId,
    path: PathBuf,
    noted: Option<Acknowledged>,
    noted_in: PathBuf,
}

impl Found {
    /// What is noted beside it.
    pub(super) fn noting(&self) -> Noting {
        self.noting.clone()
    }
}

pub(super) fn at_directory(directory: &Path) -> impl Fn(std::io::Error) -> StoreError + Copy + '_ {
    move |error| StoreError::Engine {
        doing: "opening the data directory",
        source: format!("{}: {error}", directory.display()).into(),
    }
}

impl Noting {
    /// Compares where the log ends with what was acknowledged, and begins to note what is from now on.
    pub(super) fn begin(
        &self,
        disk: &dyn Disk,
        directory: &Path,
        end: LogEnd,
        marks: &[Mark],
    ) -> Result<HeadFile, StoreError> {
        let now = Acknowledged {
            store: self.store,
            end,
        };
        if let Some(noted) = self.noted {
            compare(noted, now, &self.path, &self.noted_in)?;
            self.compare_history(noted.end, end, marks)?;
        }
        let acknowledged = HeadFile::begin(disk, &self.noted_in, now);
        let acknowledged = acknowledged.map_err(at_directory(directory))?;
        disk.sync_directory(directory)
            .map_err(at_directory(directory))?;
        Ok(acknowledged)
    }
}

impl Noting {
    /// Refuses a log that is not the one whose end was acknowledged, though it is as long.
    fn compare_history(
        &self,
        noted: LogEnd,
        now: LogEnd,
        marks: &[Mark],
    ) -> Result<(), StoreError> {
        let chain_at = |frame: u64| {
            let found = marks.iter().find(|mark| mark.place.frame == frame);
            found.map(|mark| mark.chain.head_hash().0)
        };
        let first = marks.first().map_or(0, |mark| mark.place.frame);
        let (noted_in, frame) = (self.noted_in.display(), noted.frame);
        let detail = if noted.frame > now.frame {
            format!(
                "it ends with frame {}, and frame {frame} was acknowledged: what lies between is lost",
                now.frame
            )
        } else if noted.frame >= first && chain_at(frame) != Some(noted.chain) {
            format!("what it says up to frame {frame} is not what was acknowledged")
        } else {
            return Ok(());
        };
        Err(StoreError::Damaged {
            place: format!("the log of `{}`", self.path.display()),
            detail: format!(
                "{detail}; restore the store from a backup, or remove `{noted_in}` to continue without it"
            ),
        })
    }
}

/// Opens the file of a data directory, or makes it.
pub(super) fn find(disk: &dyn Disk, directory: &Path, new: NewStore) -> Result<Found, StoreError> {
    let at_directory = at_directory(directory);
    disk.make_directory(directory).map_err(at_directory)?;
    let path = directory.join(FILE_NAME);
    let noted_in = directory.join(HEAD_NAME);
    let noted = HeadFile::read(disk, &noted_in).map_err(at_directory)?;
    let (database, pages) = if has_bytes(disk, &path).map_err(at_directory)? {
        open_file(disk, &path)?
    } else {
        if new == NewStore::WhereNothingIsLeft
            && let Some(left) = left_over(disk, directory).map_err(at_directory)?
        {
            let (path, left) = (path.display().to_string(), left.display().to_string());
            return Err(StoreError::Missing { path, left });
        }
        make_file(disk, &path)?
    };
    // Until the log belongs to it, a file holds nothing: the operator's word is about such a file alone.
    let is_new = mark(&database)?.is_none();
    let insists = new == NewStore::Insist && is_new;
    // Every time, not only for a new file: its maker may have died before its own sync. Before the head is noted, too:
    // where it is noted, there is a store.
    disk.sync_directory(directory).map_err(at_directory)?;
    if insists {
        set_read_models_aside(disk, directory, pages.header().store).map_err(at_directory)?;
    } else {
        refuse_foreign_note(noted, pages.header().store, &path, &noted_in)?;
        refuse_foreign_read_models(disk, directory, pages.header().store, &path)?;
    }
    let noting = Noting {
        store: pages.header().store,
        path: path.clone(),
        noted: noted.filter(|_| !insists),
        noted_in,
    };
    Ok(Found {
        database,
        pages,
        path,
        noting,
    })
}

/// Refuses a file beside a note of what another acknowledged.
fn refuse_foreign_note(
    noted: Option<Acknowledged>,
    id: StoreId,
    path: &Path,
    noted_in: &Path,
) -> Result<(), StoreError> {
    match noted {
        Some(noted) if noted.store != id => Err(StoreError::Foreign {
            path: path.display().to_string(),
            found: id,
            other: noted_in.display().to_string(),
            expected: noted.store,
        }),
        _ => Ok(()),
    }
}

/// Refuses a log that ends before what was acknowledged.
fn compare(
    noted: Acknowledged,
    now: Acknowledged,
    path: &Path,
    noted_in: &Path,
) -> Result<(), StoreError> {
    let (path, noted_in) = (path.display().to_string(), noted_in.display().to_string());
    let (noted, now) = (noted.end.head, now.end.head);
    if noted.position > now.position || noted.decision > now.decision {
        return Err(StoreError::Behind {
            path,
            found: now.position.0,
            found_decisions: now.decision,
            acknowledged: noted.position.0,
            acknowledged_decisions: noted.decision,
            noted_in,
        });
    }
    Ok(())
}

/// Refuses a log beside read models that were made from another.
fn refuse_foreign_read_models(
    disk: &dyn Disk,
    directory: &Path,
    id: StoreId,
    path: &Path,
) -> Result<(), StoreError> {
    for read_model in read_models(disk, directory).unwrap_or_default() {
        let header = PageFile::header_of(disk, &read_model);
        // One that cannot be read is moved aside when it is opened.
        if let Ok(header) = header
            && header.store != id
        {
            return Err(StoreError::Foreign {
                path: path.display().to_string(),
                found: id,
                other: read_model.display().to_string(),
                expected: header.store,
            });
        }
    }
    Ok(())
}

/// Gives read models of another store names that no read model has.
fn set_read_models_aside(disk: &dyn Disk, directory: &Path, id: StoreId) -> std::io::Result<()> {
    for read_model in read_models(disk, directory)? {
        let header = PageFile::header_of(disk, &read_model);
        if header.is_ok_and(|header| header.store == id) {
            continue;
        }
        let mut aside = read_model.file_name().unwrap_or_default().to_owned();
        aside.push(format!(".before-{id}"));
        disk.rename(&read_model, &read_model.with_file_name(aside))?;
        tracing::warn!(file = %read_model.display(), "a read model of an older store was set aside");
    }
    Ok(())
}

fn read_models(disk: &dyn Disk, directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let folder = directory.join(crate::projections::DIRECTORY);
    let names = match disk.list(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    let files = names.into_iter().map(|name| folder.join(name));
    Ok(files
        .filter(|path| path.extension().is_some_and(|it| it == "redb"))
        .collect())
}

fn has_bytes(disk: &dyn Disk, path: &Path) -> std::io::Result<bool> {
    if disk.identity(path)?.is_none() {
        return Ok(false);
    }
    Ok(disk.open(path, crate::store::disk::Open::Existing)?.len()? > 0)
}

/// What is in a data directory that only a store can have left there.
fn left_over(disk: &dyn Disk, directory: &Path) -> std::io::Result<Option<PathBuf>> {
    let noted_in = directory.join(HEAD_NAME);
    if disk.identity(&noted_in)?.is_some() {
        return Ok(Some(noted_in));
    }
    let names = |directory: &Path| match disk.list(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names,
    };
    // A log whose first file alone was made, with nothing in it, belongs to a store that never came to be.
    let log = directory.join(LOG_NAME);
    let files = names(&log)?;
    if files.len() > 1 {
        return Ok(Some(log));
    }
    for file in files {
        if has_frames(disk, &log.join(file))? {
            return Ok(Some(log));
        }
    }
    Ok(read_models(disk, directory)?.into_iter().next())
}

/// Whether anything was written to a file of the log behind its header.
fn has_frames(disk: &dyn Disk, path: &Path) -> std::io::Result<bool> {
    const HEADER: u64 = 512;
    let file = disk.open(path, crate::store::disk::Open::Existing)?;
    let (mut at, len) = (HEADER, file.len()?);
    let mut bytes = vec![0; 64 << 10];
    while at < len {
        let part = usize::try_from(len - at).unwrap_or(usize::MAX);
        let part = bytes.len().min(part);
        let part = bytes.get_mut(..part).unwrap_or_default();
        file.read_at(at, part)?;
        if part.iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
        at += part.len() as u64;
    }
    Ok(false)
}

pub(super) fn open_file(
    disk: &dyn Disk,
    path: &Path,
) -> Result<(Database, Arc<PageFile>), StoreError> {
    let pages = PageFile::open(disk, path, Kind::Events, tables::FORMAT)
        .map_err(|error| page_error(path, tables::FORMAT, error))?;
    open_pages(path, Arc::new(pages))
}

/// Makes the file under another name, and gives it its own once it is whole: no file of that name is ever half made.
fn make_file(disk: &dyn Disk, path: &Path) -> Result<(Database, Arc<PageFile>), StoreError> {
    let failed = |error: std::io::Error| page_error(path, tables::FORMAT, error.into());
    let present = unfinished(path);
    let header = header_of(StoreId::random().map_err(failed)?);
    let pages = PageFile::make(disk, &present, path, header)
        .map_err(|error| page_error(path, tables::FORMAT, error))?;
    if has_bytes(disk, path).map_err(failed)? {
        // Another process was quicker: it gave the file that both began with its name.
        drop(pages);
        return open_file(disk, path);
    }
    let made = open_pages(path, Arc::new(pages))?;
    disk.rename(&present, path).map_err(failed)?;
    Ok(made)
}

/// The header of a store's file.
fn header_of(store: StoreId) -> PageHeader {
    PageHeader {
        format: tables::FORMAT,
        kind: Kind::Events,
        store,
    }
}

/// Makes the file of a store whose id is given, in a directory that has none.
pub(super) fn make_file_of(
    disk: &dyn Disk,
    directory: &Path,
    store: StoreId,
) -> Result<Database, StoreError> {
    let path = directory.join(FILE_NAME);
    let pages = PageFile::make(disk, &path, &path, header_of(store))
        .map_err(|error| page_error(&path, tables::FORMAT, error))?;
    Ok(open_pages(&path, Arc::new(pages))?.0)
}

/// Closes a file that was made, so that it can be opened again at once.
pub(super) fn close_file(database: Database) -> Result<(), StoreError> {
    database.close().map_err(engine("closing a store's file"))
}

/// The storage under a file that is closed, to look into it.
#[cfg(test)]
pub(super) fn storage(path: &Path) -> PageBackend {
    let pages = PageFile::open(
        &crate::store::disk::RealDisk,
        path,
        Kind::Events,
        tables::FORMAT,
    );
    PageBackend(Arc::new(pages.unwrap()))
}

fn open_pages(path: &Path, pages: Arc<PageFile>) -> Result<(Database, Arc<PageFile>), StoreError> {
    let opened = guarded(path, || {
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(PageBackend(Arc::clone(&pages)))
            .map_err(|error| open_error(path, error))?;
        check_format(&database, path)?;
        Ok(database)
    });
    match (opened, pages.damage()) {
        (Ok(database), _) => Ok((database, pages)),
        (Err(_), Some((place, detail))) => Err(StoreError::Damaged { place, detail }),
        (Err(error), None) => Err(error),
    }
}

/// Opens, up to the first read, with the engine's panics, which a damaged file can cause, turned into an error.
pub(crate) fn guarded<T>(
    path: &Path,
    open: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_panic| {
        Err(StoreError::Damaged {
            place: format!("`{}`", path.display()),
            detail: "the engine gave up reading it; restore it from a backup".to_owned(),
        })
    })
}

/// Why a file of pages could not be opened, or made.
pub(super) fn page_error(path: &Path, known: u32, error: OpenError) -> StoreError {
    let path = path.display().to_string();
    let unknown = |path, found| StoreError::UnknownFormat { path, found, known };
    match error {
        OpenError::InUse => StoreError::InUse { path },
        OpenError::Format(found) => unknown(path, found),
        OpenError::NotOurs => unknown(
            path,
            "none (it is not a store, or it is damaged)".to_owned(),
        ),
        OpenError::Damaged(detail) => StoreError::Damaged {
            place: format!("`{path}`"),
            detail: format!("{detail}; restore it from a backup"),
        },
        OpenError::Disk(error) => StoreError::Engine {
            doing: "opening the store",
            source: format!("{path}: {error}").into(),
        },
    }
}

/// The name of a file while it is made.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Makes the directory and those above it where they are absent, each durably.
pub(crate) fn make_directory(directory: &Path) -> std::io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = directory
        .parent()
        .filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        make_directory(above)?;
    }
    match create_private(directory) {
        // Another process was quicker.
        Err(_) if directory.is_dir() => {}
        made => made?,
    }
    sync_directory(above.unwrap_or(Path::new(".")))
}

/// Makes a directory that only its owner can read: a store holds password hashes, names and addresses.
fn create_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Makes a file that only its owner may read or write where it is absent, and keeps one that is there to its owner: what
/// we write can be read by its owner only, whatever the directory around it allows.
pub(crate) fn make_private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    keep_private(&options.open(path)?)
}

/// Keeps a file that others than its owner may read or write to its owner.
pub(crate) fn keep_private(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(mode & !0o077))?;
        }
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// The permissions of a directory that others than its owner may look into; `None` where they may not, or where that
/// cannot be told.
pub(crate) fn open_to_others(directory: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _ = directory;
        None
    }
}

/// Makes the entries of a directory durable: syncing a new file does not, and a power cut could take the whole file.
pub(crate) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}
