//! Opening the log: which of its frames there are, and where it goes on.
//!
//! Owns what is believed of the files after a crash. Reads the file of the last frame that is sealed, from there on, and
//! those after it. Changes nothing before everything is read and found in order; then it clears what was left of a frame that
//! was under way, and syncs what it read, which a process that was killed may not have.

use super::error::WalError;
use super::files::Folder;
use super::format::{BadHeader, Codec, FORMAT, Header, SECTOR};
use super::keeper::{Keeper, Making, Prepared, UNFINISHED, file_name, file_number};
use super::scan::{Ending, FIRST, Found, Scan, scan};
use super::{Behind, Place};
use crate::store::disk::{DiskFile, StoreId};

/// A frame that was in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecoveredFrame {
    /// Where it stands.
    pub(crate) place: Place,
    /// What it carries.
    pub(crate) payload: Vec<u8>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// The frames behind the sealed one, in order, all durable.
    pub(crate) frames: Vec<RecoveredFrame>,
    /// What else there was, for the operator: nothing that was ever acknowledged.
    pub(crate) notes: Vec<String>,
}

/// A log to go on with.
pub(super) struct Opened {
    /// The file that takes the next frame, at sector `end`.
    pub(super) current: Prepared,
    /// See `current`.
    pub(super) end: usize,
    /// The number of the last frame.
    pub(super) last: u64,
    /// Files before the current one that are needed.
    pub(super) behind: Vec<Behind>,
    /// Files that are not.
    pub(super) old: Vec<u64>,
    /// The file after the current one, where it was made already.
    pub(super) spare: Option<Prepared>,
    /// What was found.
    pub(super) recovered: Recovered,
}

/// Opens what is in the folder; see [`Wal::open`](super::Wal::open).
pub(super) fn recover(
    folder: &Folder,
    making: Making,
    sealed: Option<Place>,
) -> Result<Opened, WalError> {
    let doing = "reading the log's folder";
    let names = folder.names().map_err(WalError::failed(doing))?;
    if names.iter().any(|name| name == UNFINISHED) {
        let removed = folder.remove(UNFINISHED);
        removed.map_err(WalError::failed("removing an unfinished file"))?;
    }
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| file_number(name)).collect();
    numbers.sort_unstable();
    match sealed {
        None => create(folder, making, &numbers),
        Some(sealed) => {
            let needed = numbers.partition_point(|number| *number < sealed.file);
            let old = numbers.drain(..needed).collect();
            let walk = Walk::through(folder, making, sealed, &numbers)?;
            walk.finish(folder, making, old)
        }
    }
}

/// Gives the files of a log that is there names that no log has, with this word in them: a new one takes its place.
pub(super) fn set_aside(folder: &Folder, word: &str) -> Result<Vec<String>, WalError> {
    let doing = "setting the old log aside";
    let names = folder.names().map_err(WalError::failed(doing))?;
    let mut set_aside = Vec::new();
    for name in names {
        if file_number(&name).is_some() {
            let aside = format!("{name}.before-{word}");
            folder
                .rename(&name, &aside)
                .map_err(WalError::failed(doing))?;
            set_aside.push(aside);
        }
    }
    folder.sync().map_err(WalError::failed(doing))?;
    Ok(set_aside)
}

/// Makes the log of a new store.
fn create(folder: &Folder, making: Making, numbers: &[u64]) -> Result<Opened, WalError> {
    for &number in numbers {
        let file = ReadFile::read(folder, making, number, FIRST, None)?;
        if !file.scan.frames.is_empty() || file.damage().is_some() {
            return Err(file.damaged(FIRST, "it holds a log, and the store beside it is new"));
        }
        let removed = folder.remove(&file_name(number));
        removed.map_err(WalError::failed("removing an unused file of the log"))?;
    }
    let keeper = Keeper::new(folder.clone(), making, 1, None, false);
    let made = keeper.make(1, making.sectors, None);
    Ok(Opened {
        current: made.map_err(WalError::failed("making the log's first file"))?,
        end: FIRST,
        last: 0,
        behind: Vec::new(),
        old: Vec::new(),
        spare: None,
        recovered: Recovered::default(),
    })
}

/// Reads so many bytes of a file.
fn read_from(file: &dyn DiskFile, offset: u64, bytes: u64) -> Result<Vec<u8>, WalError> {
    if bytes == 0 {
        return Ok(Vec::new());
    }
    let mut read = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    file.read_at(offset, &mut read)
        .map_err(WalError::failed("reading the log"))?;
    Ok(read)
}

/// A file and what its bytes say.
struct ReadFile {
    prepared: Prepared,
    scan: Scan,
}

impl ReadFile {
    /// Reads a file from a sector on, behind the frame `last` (`None`: whichever it was).
    fn read(
        folder: &Folder,
        making: Making,
        number: u64,
        from: usize,
        last: Option<u64>,
    ) -> Result<Self, WalError> {
        let doing = "reading the log";
        let name = file_name(number);
        let at_start = |detail: &str| WalError::Damaged {
            file: name.clone(),
            byte: 0,
            detail: detail.to_owned(),
        };
        let file = folder.open(&name).map_err(WalError::failed(doing))?;
        let length = file.len().map_err(WalError::failed(doing))?;
        let sector = read_from(file.as_ref(), 0, length.min(SECTOR as u64))?;
        let header = match Header::decode(&sector) {
            Ok(header) => header,
            Err(BadHeader::Damaged) => return Err(at_start("its header has changed")),
            Err(BadHeader::Format(found)) => {
                return Err(WalError::Format {
                    file: name,
                    found,
                    known: FORMAT,
                });
            }
        };
        if header.store != making.store {
            return Err(WalError::Foreign {
                file: name,
                found: StoreId(header.store),
                expected: StoreId(making.store),
            });
        }
        if header.number != number {
            return Err(at_start("its name and its header differ"));
        }
        if header.sectors.checked_mul(SECTOR as u64) != Some(length) {
            return Err(at_start("it is not as long as it was made"));
        }
        let start = (from * SECTOR) as u64;
        let bytes = read_from(file.as_ref(), start, length.saturating_sub(start))?;
        let scan = scan(Codec::new(&header), &bytes, from, last);
        let prepared = Prepared::new(header, file).map_err(WalError::failed(doing))?;
        Ok(Self { prepared, scan })
    }

    fn number(&self) -> u64 {
        self.prepared.header.number
    }

    fn behind(&self) -> Behind {
        Behind::of(&self.prepared)
    }

    fn damaged(&self, sector: usize, detail: &str) -> WalError {
        WalError::Damaged {
            file: file_name(self.number()),
            byte: (sector * SECTOR) as u64,
            detail: detail.to_owned(),
        }
    }

    fn damage(&self) -> Option<WalError> {
        match self.scan.ending {
            Ending::Damaged(sector, detail) => Some(self.damaged(sector, detail)),
            Ending::Clean | Ending::Torn(_) | Ending::Stray(_) => None,
        }
    }

    /// Takes the frames out.
    fn frames(&mut self) -> impl Iterator<Item = RecoveredFrame> + use<> {
        let file = self.number();
        let frames = std::mem::take(&mut self.scan.frames);
        frames.into_iter().map(move |Found { sector, frame }| {
            let place = Place {
                frame: frame.number,
                file,
                sector: sector as u64,
            };
            RecoveredFrame {
                place,
                payload: frame.payload,
            }
        })
    }

    /// Fills what is left of a frame that was under way with zeros, and makes all that was read durable.
    fn settle(&self, notes: &mut Vec<String>) -> Result<(), WalError> {
        let (end, what) = match self.scan.ending {
            Ending::Torn(end) => (end, "a write that was under way, and never acknowledged,"),
            Ending::Stray(end) => (end, "bytes that no write left"),
            Ending::Clean | Ending::Damaged(..) => (self.scan.end, ""),
        };
        let file = &self.prepared.file;
        if end > self.scan.end {
            let from = (self.scan.end * SECTOR) as u64;
            notes.push(format!(
                "{what} cleared from byte {from} of `{}`",
                file_name(self.number())
            ));
            file.write_at(from, &vec![0; (end - self.scan.end) * SECTOR])
                .map_err(WalError::failed("clearing the end of the log"))?;
        }
        file.sync_data()
            .map_err(WalError::failed("syncing the log that was read"))
    }
}

/// The log as far as it was read.
struct Walk {
    /// The frame that it was read behind.
    sealed: Place,
    frames: Vec<RecoveredFrame>,
    /// Number of the last frame.
    last: u64,
    /// Files with frames; the last of them is where the log goes on.
    files: Vec<ReadFile>,
    /// Files behind them.
    unused: Vec<ReadFile>,
    notes: Vec<String>,
}

impl Walk {
    fn through(
        folder: &Folder,
        making: Making,
        sealed: Place,
        numbers: &[u64],
    ) -> Result<Self, WalError> {
        let missing = |number| WalError::Missing {
            file: file_name(number),
        };
        if numbers.first() != Some(&sealed.file) {
            return Err(missing(sealed.file));
        }
        let mut walk = Self {
            sealed,
            frames: Vec::new(),
            last: sealed.frame,
            files: Vec::new(),
            unused: Vec::new(),
            notes: Vec::new(),
        };
        for (&number, expected) in numbers.iter().zip(sealed.file..) {
            if number != expected {
                return Err(missing(expected));
            }
            if number == sealed.file {
                walk.first(folder, making)?;
            } else {
                let file = ReadFile::read(folder, making, number, FIRST, None)?;
                walk.further(file)?;
            }
        }
        Ok(walk)
    }

    /// Reads the file of the sealed frame.
    fn first(&mut self, folder: &Folder, making: Making) -> Result<(), WalError> {
        let Place {
            frame,
            file,
            sector,
        } = self.sealed;
        let is_start = frame == 0;
        let from = usize::try_from(sector).unwrap_or(usize::MAX / SECTOR);
        let last = is_start.then_some(0);
        let mut file = ReadFile::read(folder, making, file, from, last)?;
        let mut frames = file.frames();
        if !is_start && frames.next().is_none_or(|found| found.place != self.sealed) {
            let detail = format!("frame {frame}, which the store was sealed up to, is not there");
            return Err(file.damaged(from, &detail));
        }
        self.frames.extend(frames);
        self.last = self.frames.last().map_or(frame, |last| last.place.frame);
        self.files.push(file);
        Ok(())
    }

    /// Takes a further file.
    fn further(&mut self, mut file: ReadFile) -> Result<(), WalError> {
        let Some(first) = file.scan.frames.first() else {
            return match file.damage() {
                Some(damage) => Err(damage),
                None => {
                    self.unused.push(file);
                    Ok(())
                }
            };
        };
        let previous = first.frame.previous;
        if previous != self.last && !self.revoke(previous, first.frame.number) {
            return Err(file.damaged(FIRST, "frames before it are missing"));
        }
        // What stands behind the frame that it follows is void, whatever it is.
        self.files.append(&mut self.unused);
        self.frames.extend(file.frames());
        self.last = self.frames.last().map_or(previous, |last| last.place.frame);
        self.files.push(file);
        Ok(())
    }

    /// Whether the last frame is one that failed and was never acknowledged: the next one follows the frame before it. It is
    /// dropped then.
    fn revoke(&mut self, previous: u64, next: u64) -> bool {
        let before = match self.frames.as_slice() {
            [] => return false,
            [_] => self.sealed.frame,
            [.., before, _] => before.place.frame,
        };
        if before != previous || next <= self.last {
            return false;
        }
        self.frames.pop();
        self.notes.push(format!(
            "frame {} left out: its write had failed, and the log went on without it",
            self.last
        ));
        self.last = previous;
        true
    }

    fn finish(
        mut self,
        folder: &Folder,
        making: Making,
        old: Vec<u64>,
    ) -> Result<Opened, WalError> {
        let missing = || WalError::Missing {
            file: file_name(self.sealed.file),
        };
        let current = self.files.pop().ok_or_else(missing)?;
        if let Some(damage) = current.damage() {
            return Err(damage);
        }
        for file in &self.files {
            let synced = file.prepared.file.sync_data();
            synced.map_err(WalError::failed("syncing the log that was read"))?;
        }
        current.settle(&mut self.notes)?;
        // A process that was killed may not have made the names durable that it gave.
        folder
            .sync()
            .map_err(WalError::failed("syncing the log's folder"))?;
        let mut spare = None;
        for file in self.unused {
            let is_next = file.number() == current.number() + 1;
            let is_usable =
                file.scan.ending == Ending::Clean && file.prepared.header.sectors == making.sectors;
            if is_next && is_usable {
                spare = Some(file.prepared);
            } else if !is_next {
                let removed = folder.remove(&file_name(file.number()));
                removed.map_err(WalError::failed("removing an unused file of the log"))?;
            }
        }
        Ok(Opened {
            end: current.scan.end,
            current: current.prepared,
            last: self.last,
            behind: self.files.iter().map(ReadFile::behind).collect(),
            old,
            spare,
            recovered: Recovered {
                frames: self.frames,
                notes: self.notes,
            },
        })
    }
}
