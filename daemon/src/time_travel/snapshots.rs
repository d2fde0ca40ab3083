//! Snapshots: their encoding, when one is worth saving, and how a damaged one is recognised.
//!
//! Owns the encoding and the spacing. A snapshot is derived data: whatever is wrong with one, the reader folds from an
//! earlier one or from the beginning, and says so in the log.
//!
//! # Encoding
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format, `2` |
//! | 8 | first bytes of SHA-256 over stream, rules hash, revision and the rest |
//! | rest | JSON: position and id of the event it stands after, the state, faults on the way and their count, what set the fields |
//!
//! # Spacing
//!
//! A snapshot is due once the payloads folded since the last one reach [`SPACING_BYTES_MIN`] *and*
//! [`SPACING_STATES`] times the snapshot's own size. Hence two bounds, whatever the stream: a read folds no more payload
//! than that beyond its snapshot, and the snapshots of one rules hash take at most a quarter of the bytes of the payloads
//! (those with blame at most a sixteenth: [`BLAME_SPACING_STATES`]).
//! Where they lie depends on the history alone, not on who reads what: readers fill each other's gaps.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use whodunit_core::blame::Blame;
use whodunit_core::event::Event;
use whodunit_core::fold::{Fault, Folded};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::model::Model;
use whodunit_core::stop::{Stop, Stopped};

use crate::store::Snapshot;

const FORMAT: u8 = 2;
const CHECKSUM_BYTES: usize = 8;
/// Snapshots of fewer bytes are read at one go, which is quicker.
const STOPPABLE_FROM_BYTES: usize = 1 << 20;

/// Payload bytes between two snapshots, at least.
pub const SPACING_BYTES_MIN: usize = 4 << 10;
/// Payload bytes between two snapshots, in sizes of the later one, at least.
pub const SPACING_STATES: usize = 4;
/// The same between two snapshots with blame.
pub const BLAME_SPACING_STATES: usize = 16;

#[derive(Serialize, Deserialize)]
struct Body {
    position: Position,
    event_id: String,
    state: serde_json::Map<String, Value>,
    faults: Vec<Fault>,
    faults_total: u64,
    #[serde(default)]
    blame: Option<Blame>,
}

/// A decoded snapshot. It is used only if its anchor event is the one that the log has at that revision.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) folded: Folded,
    pub(super) blame: Option<Blame>,
    pub(super) anchor: AnchorEvent,
}

/// The anchor event of a snapshot: the last one folded into it.
#[derive(Debug)]
pub(super) struct AnchorEvent {
    revision: Revision,
    position: Position,
    event_id: String,
}

impl AnchorEvent {
    /// Whether it is this very event.
    pub(super) fn fits(&self, event: &Event) -> bool {
        (event.revision, event.position) == (self.revision, self.position)
            && event.event_id == self.event_id
    }
}

/// Encodes the state after `last`.
pub fn encode(rules_hash: &str, last: &Event, folded: &Folded) -> Result<Snapshot, String> {
    encode_with_blame(rules_hash, last, folded, None)
}

/// The same, with what set the state's fields.
pub(super) fn encode_with_blame(
    rules_hash: &str,
    last: &Event,
    folded: &Folded,
    blame: Option<&Blame>,
) -> Result<Snapshot, String> {
    #[derive(Serialize)]
    struct BodyRef<'a> {
        position: Position,
        event_id: &'a str,
        state: &'a serde_json::Map<String, Value>,
        faults: &'a [Fault],
        faults_total: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        blame: Option<&'a Blame>,
    }
    let body = serde_json::to_vec(&BodyRef {
        position: last.position,
        event_id: &last.event_id,
        state: &folded.state,
        faults: &folded.faults,
        faults_total: folded.faults_total,
        blame,
    })
    .map_err(|error| error.to_string())?;
    let mut state = Vec::with_capacity(1 + CHECKSUM_BYTES + body.len());
    state.push(FORMAT);
    state.extend(checksum(&last.stream, rules_hash, folded.revision, &body));
    state.extend(body);
    Ok(Snapshot {
        stream: last.stream.clone(),
        revision: folded.revision,
        rules_hash: rules_hash.to_owned(),
        state,
    })
}

/// Under what snapshots with blame are kept, instead of the rules hash.
pub(crate) fn blame_key(model: &Model) -> String {
    format!("{}+blame", model.rules_hash())
}

/// Why a snapshot is not decoded.
#[derive(Debug)]
pub(super) enum Undecoded {
    /// Something is wrong with it.
    Unusable(String),
    /// The reader no longer waits for it.
    Stopped(Stopped),
}

impl From<&str> for Undecoded {
    fn from(reason: &str) -> Self {
        Self::Unusable(reason.to_owned())
    }
}

impl From<serde_json::Error> for Undecoded {
    fn from(error: serde_json::Error) -> Self {
        Self::Unusable(error.to_string())
    }
}

/// What a snapshot is decoded to, as a text; `None` where it is not used.
#[cfg(test)]
pub(crate) fn decoded(snapshot: &Snapshot) -> Option<String> {
    let saved = decode(snapshot, &Stop::new()).ok()?;
    Some(format!("{saved:?}"))
}

pub(super) fn decode(snapshot: &Snapshot, stop: &Stop) -> Result<Saved, Undecoded> {
    let [FORMAT, rest @ ..] = snapshot.state.as_slice() else {
        return Err("it is of an unknown format".into());
    };
    let Some((found, body)) = rest.split_at_checked(CHECKSUM_BYTES) else {
        return Err("it is cut short".into());
    };
    let expected = checksum(
        &snapshot.stream,
        &snapshot.rules_hash,
        snapshot.revision,
        body,
    );
    if found != expected {
        return Err("its checksum does not fit".into());
    }
    stop.check().map_err(Undecoded::Stopped)?;
    let body: Body = if body.len() < STOPPABLE_FROM_BYTES {
        serde_json::from_slice(body)?
    } else {
        let read = serde_json::from_reader(io::BufReader::with_capacity(
            64 << 10,
            Stoppable { rest: body, stop },
        ));
        stop.check().map_err(Undecoded::Stopped)?;
        read?
    };
    Ok(Saved {
        folded: Folded {
            state: body.state,
            revision: snapshot.revision,
            faults: body.faults,
            faults_total: body.faults_total,
        },
        blame: body.blame,
        anchor: AnchorEvent {
            revision: snapshot.revision,
            position: body.position,
            event_id: body.event_id,
        },
    })
}

/// What a saved state is beside the state that the same events lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Compared {
    /// It is the same.
    Same,
    /// Readers ignore it, and why.
    Ignored(String),
    /// Readers start from it, and what is wrong with it.
    Wrong(&'static str),
}

/// Compares a saved state with what was folded up to its last event.
pub(crate) fn compare(
    snapshot: &Snapshot,
    last: &Event,
    (folded, blame): (&Folded, Option<&Blame>),
    stop: &Stop,
) -> Result<Compared, Stopped> {
    let saved = match decode(snapshot, stop) {
        Ok(saved) => saved,
        Err(Undecoded::Unusable(why)) => return Ok(Compared::Ignored(why)),
        Err(Undecoded::Stopped(stopped)) => return Err(stopped),
    };
    if !saved.anchor.fits(last) {
        return Ok(Compared::Ignored(
            "it stands after another event".to_owned(),
        ));
    }
    let told = |blame: &Blame| serde_json::to_value(blame).unwrap_or_default();
    Ok(if saved.folded.state != folded.state {
        Compared::Wrong("its state is not the one that the events lead to")
    } else if (&saved.folded.faults, saved.folded.faults_total)
        != (&folded.faults, folded.faults_total)
    {
        Compared::Wrong("it names other events that could not be applied")
    } else {
        match (&saved.blame, blame) {
            (None, Some(_)) => Compared::Ignored("it does not say what set the fields".to_owned()),
            (Some(saved), Some(blame)) if told(saved) != told(blame) => {
                Compared::Wrong("it names other events that set the fields")
            }
            _ => Compared::Same,
        }
    })
}

/// Bytes that are read until it is stopped.
struct Stoppable<'a> {
    rest: &'a [u8],
    stop: &'a Stop,
}

impl io::Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stop.check().map_err(io::Error::other)?;
        self.rest.read(buffer)
    }
}

/// Checksum over the snapshot and its key: a snapshot moved to another stream, revision or rules hash does not match.
fn checksum(
    stream: &StreamName,
    rules_hash: &str,
    revision: Revision,
    body: &[u8],
) -> [u8; CHECKSUM_BYTES] {
    let mut hash = Sha256::new();
    for part in [stream.as_str().as_bytes(), rules_hash.as_bytes(), body] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(revision.0.to_le_bytes());
    let mut checksum = [0; CHECKSUM_BYTES];
    for (to, from) in checksum.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    checksum
}

/// Says when a snapshot is due.
#[derive(Debug)]
pub(super) struct Spacing {
    /// Sizes of a snapshot between two.
    states: usize,
    bytes: usize,
    /// No need to encode the state before this many bytes.
    look_at: usize,
}

impl Spacing {
    /// Nothing folded yet.
    pub(super) fn start(states: usize) -> Self {
        Self {
            states,
            bytes: 0,
            look_at: SPACING_BYTES_MIN,
        }
    }

    /// Counts a folded event; whether it is time to look how large a snapshot would be.
    pub(super) fn add(&mut self, event: &Event) -> bool {
        self.bytes += event.data.as_str().len();
        self.bytes >= self.look_at
    }

    /// Whether a snapshot of this size is due. If so, counting starts again.
    pub(super) fn is_due(&mut self, size: usize) -> bool {
        let spacing = size.saturating_mul(self.states).max(SPACING_BYTES_MIN);
        if self.bytes < spacing {
            self.look_at = spacing;
            return false;
        }
        *self = Self::start(self.states);
        true
    }
}
