//! Frames of a log whose files are damaged: every whole one that there is, whatever stands around it.
//!
//! Owns what is made of a file by itself: no frame is refused for its neighbours. Changes nothing.

use super::Place;
use super::format::{Codec, Header, SECTOR, Sector};
use super::keeper::file_number;
use super::scan::FIRST;

/// A frame that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SalvagedFrame {
    /// Where it stands.
    pub(crate) place: Place,
    /// The number of the frame that it follows.
    pub(crate) previous: u64,
    /// What it carries.
    pub(crate) payload: Vec<u8>,
}

/// What there is of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SalvagedFile {
    /// The store that it says it belongs to; `None` where its header is lost, and with it everything.
    pub(crate) store: Option<[u8; 16]>,
    /// Its whole frames.
    pub(crate) frames: Vec<SalvagedFrame>,
    /// Sectors that have changed since they were written.
    pub(crate) damaged: usize,
    /// Whether its header had a byte changed, which was put right.
    pub(crate) header_mended: bool,
}

/// Whether this is the name of a file of the log.
pub(crate) fn is_file_of_the_log(name: &str) -> bool {
    file_number(name).is_some()
}

/// Reads the bytes of a file.
pub(crate) fn salvage_file(bytes: &[u8]) -> SalvagedFile {
    let mut found = SalvagedFile::default();
    let Some((header, mended)) = header(bytes) else {
        return found;
    };
    found.store = Some(header.store);
    found.header_mended = mended;
    let codec = Codec::new(&header);
    let mut sector = FIRST;
    while let Some(rest) = bytes.get(sector * SECTOR..).filter(|rest| !rest.is_empty()) {
        if let Some(frame) = codec.decode(sector, rest) {
            found.frames.push(SalvagedFrame {
                place: Place {
                    frame: frame.number,
                    file: header.number,
                    sector: sector as u64,
                },
                previous: frame.previous,
                payload: frame.payload,
            });
            sector += frame.sectors;
            continue;
        }
        let own = rest.get(..SECTOR).unwrap_or(rest);
        if codec.sector(sector, own) == Sector::Damaged {
            found.damaged += 1;
        }
        sector += 1;
    }
    found
}

/// The header of a file; where one byte of it was changed, as it was. Without it, no frame of the file can be told from chance.
fn header(bytes: &[u8]) -> Option<(Header, bool)> {
    let mut sector = bytes.get(..SECTOR)?.to_vec();
    if let Ok(header) = Header::decode(&sector) {
        return Some((header, false));
    }
    for at in 0..SECTOR {
        let was = *sector.get(at)?;
        for change in 1..=u8::MAX {
            *sector.get_mut(at)? = was ^ change;
            if let Ok(header) = Header::decode(&sector) {
                return Some((header, true));
            }
        }
        *sector.get_mut(at)? = was;
    }
    None
}
