//! Wire types of a verification: what was checked, and what was found.
//!
//! Owns the codes of findings, and for each how severe it is and what to do about it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{Position, Revision, StreamName};

/// How severe a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something is lost or altered, or an answer may be false.
    Error,
    /// Something is not as it should be, but every answer is still right.
    Warning,
    /// Worth knowing; nothing is wrong with the store.
    Info,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident: $word:literal, $severity:ident, $hint:literal;)+) => {
        /// What was found. Codes are stable: scripts may rely on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum VerifyCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl VerifyCode {
            /// All codes, the severe ones first.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as it is written.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// How severe it is.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)+
                }
            }

            /// What to do about it.
            pub const fn hint(self) -> &'static str {
                match self {
                    $(Self::$name => $hint,)+
                }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                }
            }
        }
    };
}

codes! {
    /// Events or decisions were changed, removed, inserted or moved: their hashes do not lead to the hash that was noted when they were written.
    ChainBroken: "chain_broken", Error, "restore the store from a backup; `whodunit salvage` exports what is intact";
    /// Something that is stored cannot be read: its checksum does not match, or its bytes make no sense.
    Unreadable: "unreadable", Error, "restore the store from a backup; `whodunit salvage` exports what is intact";
    /// The log has no event at a position before its head.
    PositionMissing: "position_missing", Error, "restore the store from a backup; `whodunit salvage` exports what is intact";
    /// A stream has no event at a revision before its head.
    RevisionMissing: "revision_missing", Error, "restore the store from a backup; `whodunit salvage` exports what is intact";
    /// The log has no decision at a sequence before its last.
    DecisionMissing: "decision_missing", Error, "restore the store from a backup; `whodunit salvage` exports what is intact";
    /// Events of a stream do not follow each other in the order of the log, or their effective times go back.
    OrderWrong: "order_wrong", Error, "export the log and import it into a new data directory";
    /// Two events, or two decisions, have the same id.
    DuplicateId: "duplicate_id", Error, "only one of the two is found by this id: look at both by their positions";
    /// A segment does not hold what it says it holds, or does not follow the one before it.
    SegmentWrong: "segment_wrong", Error, "restore the store from a backup; `whodunit salvage` exports what is intact";
    /// The file does not end where it says that the write-ahead log was moved up to.
    MarkWrong: "mark_wrong", Error, "restore the store from a backup; `whodunit salvage` exports what is intact";
    /// What was acknowledged cannot be read back from the write-ahead log; it is still in memory.
    FrameUnreadable: "frame_unreadable", Error, "make a backup now, while the daemon still runs: it would not open this store again";
    /// An index lacks an entry: what it leads to is not found, or not listed.
    IndexMissing: "index_missing", Error, "to rebuild the indexes, export the log and import it into a new data directory";
    /// An index has an entry that leads to nothing, or to something else.
    IndexInvented: "index_invented", Error, "to rebuild the indexes, export the log and import it into a new data directory";
    /// An index has the right entry with a wrong value.
    IndexWrong: "index_wrong", Error, "to rebuild the indexes, export the log and import it into a new data directory";
    /// A count that lists show is not the number of what is there.
    CountWrong: "count_wrong", Error, "to rebuild the counts, export the log and import it into a new data directory";
    /// A table does not hold what was written into it: an answer that is taken from it may be of an older moment.
    ContentWrong: "content_wrong", Error, "restore the store from a backup, or export the log and import it into a new data directory";
    /// What lists show of a stream is not what its events say.
    StreamWrong: "stream_wrong", Error, "to rebuild the list of streams, export the log and import it into a new data directory";
    /// A unique key that a stream's state holds is not on record: another stream could take it.
    KeyMissing: "key_missing", Error, "to rebuild the unique keys, export the log and import it into a new data directory";
    /// A unique key is on record for a stream whose state does not hold it.
    KeyInvented: "key_invented", Error, "to rebuild the unique keys, export the log and import it into a new data directory";
    /// A unique key is on record with another holder, or from or until another event.
    KeyWrong: "key_wrong", Error, "to rebuild the unique keys, export the log and import it into a new data directory";
    /// A decision does not fit the events that it says it led to, or that it was decided on.
    DecisionWrong: "decision_wrong", Error, "compare it with the log it was imported from, or with a backup";
    /// A job does not fit the event that it is for.
    JobWrong: "job_wrong", Error, "look at the job and its event before the handler runs it (`whodunit outbox`)";
    /// A saved state is not what its events lead to: states and everything that starts from it are wrong.
    SnapshotWrong: "snapshot_wrong", Error, "to fold all states again, export the log and import it into a new data directory";
    /// Lines of the file of notes are damaged, or the file cannot be used. Notes are no part of the log.
    NoteUnreadable: "note_unreadable", Warning, "take the notes from a backup or an export: an import adds the missing ones";
    /// A note is about an event or a stream that is not in the log, or that is another one. Notes are no part of the log.
    NoteWrong: "note_wrong", Warning, "look at the note (`whodunit note list`), and remove it or write it again";
    /// A saved state cannot be used; readers ignore it and fold from the events.
    SnapshotUnusable: "snapshot_unusable", Warning, "no action needed: it only costs time";
    /// A page of the file cannot be read, but nothing that was checked needed it: it is free, or still in memory.
    PageUnreadable: "page_unreadable", Warning, "restart the daemon and verify again: an error then means that the page is in use";
    /// The file that notes what was acknowledged cannot be used: a store that lies behind would not be noticed.
    HeadNoteWrong: "head_note_wrong", Warning, "restart the daemon: it writes the file again";
    /// Something is left of what was replaced. Nothing refers to it.
    Leftover: "leftover", Warning, "no action needed: it only takes up space";
    /// How lists name a stream is not what its state says.
    LabelWrong: "label_wrong", Warning, "the next event of the stream corrects it";
    /// The payload of an event cannot be decoded.
    PayloadUndecodable: "payload_undecodable", Warning, "states leave the event out and say so: append an event that corrects it";
    /// An upcaster fails on an event.
    UpcastFailed: "upcast_failed", Warning, "states leave the event out and say so: correct the upcaster, or append an event that corrects it";
    /// An event cannot be applied to the state before it.
    EventNotApplied: "event_not_applied", Warning, "states leave the event out and say so: append an event that corrects it";
    /// A state is larger than what is worked on, so the stream was not folded to its end.
    StateTooLarge: "state_too_large", Warning, "its events can still be read, and so can states before that revision";
    /// A stream's clock went back: an event was recorded at an earlier time than one before it.
    ClockBack: "clock_back", Info, "`--as-of` goes by the latest time so far; replies name the events that it leaves out";
}

impl std::fmt::Display for VerifyCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where something was found. What does not apply is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct VerifyPlace {
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stream: Option<StreamName>,
    /// The revision of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub revision: Option<Revision>,
    /// The position in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub position: Option<Position>,
    /// The sequence of a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<u64>,
    /// The id of a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<u64>,
    /// The number of a segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<u64>,
    /// The table of the store's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The file of the data directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl VerifyPlace {
    /// A position of the log.
    pub fn position(position: Position) -> Self {
        Self::default().at(position)
    }

    /// A stream.
    pub fn stream(stream: &StreamName) -> Self {
        Self {
            stream: Some(stream.clone()),
            ..Self::default()
        }
    }

    /// A decision.
    pub fn decision(sequence: u64) -> Self {
        Self {
            decision: Some(sequence),
            ..Self::default()
        }
    }

    /// A job.
    pub fn job(id: u64) -> Self {
        Self {
            job: Some(id),
            ..Self::default()
        }
    }

    /// A segment.
    pub fn segment(number: u64) -> Self {
        Self {
            segment: Some(number),
            ..Self::default()
        }
    }

    /// A table.
    pub fn table(table: &str) -> Self {
        Self::default().within(table)
    }

    /// A file.
    pub fn file(file: &str) -> Self {
        Self {
            file: Some(file.to_owned()),
            ..Self::default()
        }
    }

    /// The same, at a position.
    #[must_use]
    pub fn at(self, position: Position) -> Self {
        Self {
            position: Some(position),
            ..self
        }
    }

    /// The same, at a revision.
    #[must_use]
    pub fn rev(self, revision: Revision) -> Self {
        Self {
            revision: Some(revision),
            ..self
        }
    }

    /// The same, of a decision.
    #[must_use]
    pub fn with_decision(self, sequence: u64) -> Self {
        Self {
            decision: Some(sequence),
            ..self
        }
    }

    /// The same, within a table.
    #[must_use]
    pub fn within(self, table: &str) -> Self {
        Self {
            table: Some(table.to_owned()),
            ..self
        }
    }
}

impl std::fmt::Display for VerifyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first = true;
        let mut part = |text: String| {
            let comma = if std::mem::take(&mut first) { "" } else { ", " };
            write!(f, "{comma}{text}")
        };
        if let Some(file) = &self.file {
            part(file.clone())?;
        }
        if let Some(table) = &self.table {
            part(format!("table {table}"))?;
        }
        if let Some(segment) = self.segment {
            part(format!("segment {segment}"))?;
        }
        if let Some(stream) = &self.stream {
            part(stream.as_str().to_owned())?;
        }
        if let Some(revision) = self.revision {
            part(format!("revision {revision}"))?;
        }
        if let Some(position) = self.position {
            part(format!("position {position}"))?;
        }
        if let Some(decision) = self.decision {
            part(format!("decision {decision}"))?;
        }
        if let Some(job) = self.job {
            part(format!("job {job}"))?;
        }
        if first {
            f.write_str("the store")
        } else {
            Ok(())
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyFinding {
    /// How severe it is.
    pub severity: Severity,
    /// What it is.
    pub code: VerifyCode,
    /// Where.
    pub place: VerifyPlace,
    /// What is wrong there, in a sentence.
    pub detail: String,
    /// What it means.
    pub meaning: String,
    /// What to do about it.
    pub hint: String,
}

/// How much was looked at. A quick verification looks at the ends and at counts alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct VerifyChecked {
    /// Events whose hash was computed again.
    pub events: u64,
    /// Decisions whose hash was computed again.
    pub decisions: u64,
    /// Streams that were folded.
    pub streams: u64,
    /// Holds of unique keys that were compared with the states.
    pub keys: u64,
    /// Jobs.
    pub jobs: u64,
    /// Saved states.
    pub snapshots: u64,
    /// Saved states that were compared with a fold of the same events: those of the rules in use.
    pub snapshots_compared: u64,
    /// Segments.
    pub segments: u64,
    /// Entries of indexes.
    pub index_entries: u64,
    /// Frames of the write-ahead log that are not in segments yet.
    pub frames: u64,
    /// Pages of the store's file.
    pub pages: u64,
    /// Notes that were compared with the log.
    #[serde(default)]
    pub notes: u64,
}

/// How often something was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyCount {
    /// What.
    pub code: VerifyCode,
    /// How severe it is.
    pub severity: Severity,
    /// How often.
    pub count: u64,
}

/// What a verification came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyOut {
    /// Whether there is no error. Warnings may be there.
    pub ok: bool,
    /// Whether only the ends and the counts were looked at.
    pub quick: bool,
    /// The log's head when it began: what was recorded later was not looked at.
    pub head: u64,
    /// The last decision then.
    pub decisions: u64,
    /// The head's hash then.
    pub head_hash: String,
    /// How much was looked at.
    pub checked: VerifyChecked,
    /// How many errors were found.
    pub errors: u64,
    /// How many warnings.
    pub warnings: u64,
    /// How much else that is worth knowing.
    pub infos: u64,
    /// How often each code was found.
    pub counts: Vec<VerifyCount>,
    /// What was found, errors first; of each code the first ones.
    pub findings: Vec<VerifyFinding>,
    /// How much was found in all.
    pub findings_total: u64,
    /// How long it took.
    pub milliseconds: u64,
    /// Whether the log is a redacted copy.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub redacted_copy: bool,
}

/// How far a verification is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyProgress {
    /// What is looked at now, such as `events` or `indexes`.
    pub phase: String,
    /// How many records were looked at.
    pub done: u64,
    /// How many there are to look at, each twice: in the order of the log, and stream by stream.
    pub total: u64,
    /// How much was found so far.
    pub findings: u64,
}

/// A line of the answer of `POST /v1/verify`. The last one is `end`; a reply without it was cut short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerifyLine {
    /// How far it is.
    Progress(VerifyProgress),
    /// What it came to: the last line.
    End(VerifyOut),
    /// It could not be finished, and why: the last line.
    Failed(VerifyFailure),
}

/// Why a verification could not be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyFailure {
    /// A sentence.
    pub detail: String,
}

/// The verification that a daemon makes when it starts: ends and counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StartVerification {
    /// `running`, `ok`, `findings` when there are errors, or `failed` when it could not be finished.
    pub status: String,
    /// How many errors were found.
    pub errors: u64,
    /// How many warnings.
    pub warnings: u64,
    /// The first findings, errors first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<VerifyFinding>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_they_are_named_and_stand_by_severity() {
        for code in VerifyCode::ALL {
            assert_eq!(
                serde_json::to_value(code).unwrap(),
                serde_json::Value::from(code.as_str())
            );
            assert!(!code.hint().is_empty() && code.meaning().ends_with('.'));
        }
        assert!(VerifyCode::ALL.is_sorted_by_key(|code| code.severity()));
    }

    #[test]
    fn a_place_is_told_in_words() {
        let stream = StreamName::new("order-1").unwrap();
        let place = VerifyPlace::stream(&stream)
            .rev(Revision(2))
            .at(Position(9));
        assert_eq!(place.to_string(), "order-1, revision 2, position 9");
        assert_eq!(VerifyPlace::default().to_string(), "the store");
        assert_eq!(VerifyPlace::table("keys").to_string(), "table keys");
    }
}
