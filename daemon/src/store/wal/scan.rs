//! What the bytes of a file say: its frames, and what stands behind the last of them.
//!
//! Owns the difference between an end and damage. At most one frame is ever under way, behind the last that was
//! acknowledged. So what follows the last whole frame is nothing, or parts of the one frame that was under way when the
//! power went; whatever else it is, it was written and has changed since.

use super::format::{Codec, Frame, SECTOR, Sector, said_sectors};

/// The sector behind the header, where a file's first frame begins.
pub(super) const FIRST: usize = 1;

/// A frame and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The number of its first sector.
    pub(super) sector: usize,
    /// The frame.
    pub(super) frame: Frame,
}

/// What stands behind the last frame of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing.
    Clean,
    /// Parts of a frame that was never acknowledged, up to this sector (without it).
    Torn(usize),
    /// Bytes where nothing was ever written, and no part of any frame, up to this sector (without it).
    Stray(usize),
    /// Something that was written has changed; what, and in which sector.
    Damaged(usize, &'static str),
}

/// The frames of a file, and what follows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    /// Those that follow each other without a gap, from the first that was asked for.
    pub(super) frames: Vec<Found>,
    /// The sector behind the last of them.
    pub(super) end: usize,
    /// What stands there.
    pub(super) ending: Ending,
}

/// Reads a file's frames from sector `from` on. `bytes` is the file from there; `last` the number of the frame before, `None`
/// where that is its reader's to judge.
pub(super) fn scan(codec: Codec, bytes: &[u8], from: usize, mut last: Option<u64>) -> Scan {
    let (mut frames, mut end, mut rest) = (Vec::new(), from, bytes);
    let ending = loop {
        let Some(frame) = codec.decode(end, rest) else {
            break ending(codec, rest, end);
        };
        let follows = last.is_none_or(|last| last == frame.previous);
        if !follows || frame.number <= frame.previous {
            break Ending::Damaged(end, "the frame there does not follow the one before it");
        }
        last = Some(frame.number);
        let sector = end;
        end += frame.sectors;
        rest = rest.get(frame.sectors * SECTOR..).unwrap_or_default();
        frames.push(Found { sector, frame });
    };
    Scan {
        frames,
        end,
        ending,
    }
}

/// What stands from sector `end` on, where no whole frame begins. `behind` is the file from there.
fn ending(codec: Codec, behind: &[u8], end: usize) -> Ending {
    let sectors = || (end..).zip(behind.chunks(SECTOR));
    let Some((_, first)) = sectors().next() else {
        return Ending::Clean;
    };
    let first_is = codec.sector(end, first);
    let frame_end = match first_is {
        Sector::Damaged => return Ending::Damaged(end, "the sector there has changed"),
        // Its head never reached the disk, so nothing says how long it was.
        Sector::Blank => usize::MAX,
        Sector::Whole => match said_sectors(first) {
            Some(sectors) => end.saturating_add(sectors),
            None => return Ending::Damaged(end, "no frame begins there"),
        },
    };
    let (mut written, mut stray) = (None, None);
    for (index, sector) in sectors() {
        match codec.sector(index, sector) {
            Sector::Blank => {}
            Sector::Whole if index >= frame_end => {
                return Ending::Damaged(index, "it is a part of a frame that follows none");
            }
            Sector::Whole => {
                let rest = behind.get((index - end) * SECTOR..).unwrap_or_default();
                if index > end && codec.decode(index, rest).is_some() {
                    return Ending::Damaged(end, "a frame is missing there, before a whole one");
                }
                written = Some(index + 1);
            }
            Sector::Damaged if first_is == Sector::Whole && index < frame_end => {
                return Ending::Damaged(index, "the sector there has changed");
            }
            Sector::Damaged => stray = Some(index + 1),
        }
    }
    match (written, stray) {
        (None, None) => Ending::Clean,
        (None, Some(stray)) => Ending::Stray(stray),
        // Parts of a frame without its head, and something else: too much for one cut of the power.
        (Some(_), Some(stray)) if first_is == Sector::Blank => {
            Ending::Damaged(stray - 1, "the sector there has changed")
        }
        (Some(written), stray) => Ending::Torn(written.max(stray.unwrap_or(0))),
    }
}
