//! Stored records: the bytes of a stream and a job.
//!
//! Owns their encoding and its explicit conversion to the core's types. Decoding never panics: a record that does not decode is [`StoreError::Damaged`].

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::counted::counted;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::tables::{status_code, status_of};
use crate::store::{Job, StoreError, StreamInfo, StreamLabel};

/// First byte of every record: the version of its encoding.
const RECORD: u8 = 1;
/// Length that stands for "absent".
const ABSENT: u32 = u32::MAX;
/// Bytes that there is room for without allocating more.
const BYTES_USUAL: usize = 256;

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        let mut bytes = Vec::with_capacity(BYTES_USUAL);
        bytes.push(RECORD);
        Self(bytes)
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        // Bodies are bounded far below 4 GiB.
        self.u32(u32::try_from(text.len()).unwrap_or(ABSENT - 1));
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn option(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.u32(ABSENT),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, String> {
        match bytes.split_first() {
            Some((&RECORD, bytes)) => Ok(Self { bytes }),
            Some((version, _)) => Err(format!("record version {version} is unknown")),
            None => Err("the record is empty".to_owned()),
        }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(n)
            .ok_or("the record ends too early")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?
            .try_into()
            .map_err(|_length| "the record ends too early".to_owned())
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, String> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn option(&mut self) -> Result<Option<&'a str>, String> {
        match self.u32()? {
            ABSENT => Ok(None),
            length => {
                let bytes = self.take(length as usize)?;
                std::str::from_utf8(bytes)
                    .map(Some)
                    .map_err(|error| format!("a text is not UTF-8: {error}"))
            }
        }
    }

    fn text(&mut self) -> Result<&'a str, String> {
        self.option()?.ok_or_else(|| "a text is absent".to_owned())
    }

    fn owned(&mut self) -> Result<Option<String>, String> {
        Ok(self.option()?.map(str::to_owned))
    }

    fn stream(&mut self) -> Result<StreamName, String> {
        StreamName::new(self.text()?).map_err(|error| format!("the stream's name {error}"))
    }

    fn time(&mut self) -> Result<Timestamp, String> {
        Ok(Timestamp::from_micros(self.i64()?))
    }

    fn end(self) -> Result<(), String> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "it has {} too many",
                counted(self.bytes.len(), "byte")
            ))
        }
    }
}

fn damaged(place: String) -> impl FnOnce(String) -> StoreError {
    move |detail| StoreError::Damaged { place, detail }
}

/// The rejections up to a decision, itself included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rejections {
    /// The furthest place of any.
    pub(super) furthest: Position,
    /// The sequence of the last; 0 when there is none.
    pub(super) last: u64,
}

impl Rejections {
    /// Whether all of them stand before a position.
    pub(super) fn all_before(self, position: Position) -> bool {
        self.last == 0 || self.furthest < position
    }

    /// Those up to this decision, which comes right after these.
    pub(super) fn and(self, decision: &Decision) -> Self {
        match decision.result {
            Outcome::Rejected { .. } => Self {
                furthest: self.furthest.max(decision.place()),
                last: decision.sequence,
            },
            Outcome::Accepted { .. } => self,
        }
    }
}

pub(super) fn encode_stream(info: &StreamInfo) -> Vec<u8> {
    let mut out = Writer::new();
    out.u64(info.revision.0)
        .u64(info.first_position.0)
        .u64(info.last_position.0)
        .i64(info.first_at.as_micros())
        .i64(info.last_at.as_micros())
        .u64(info.clock_back_at.map_or(0, |revision| revision.0))
        .text(info.stream.as_str())
        .text(&info.last_event_type)
        .option(info.last_actor.as_deref())
        .option(info.last_reason.as_deref())
        .option(info.label.title.as_deref())
        .option(info.label.status.as_deref());
    out.0
}

pub(super) fn decode_stream(number: u64, bytes: &[u8]) -> Result<StreamInfo, StoreError> {
    let decode = || {
        let mut record = Reader::new(bytes)?;
        let info = StreamInfo {
            revision: Revision(record.u64()?),
            first_position: Position(record.u64()?),
            last_position: Position(record.u64()?),
            first_at: record.time()?,
            last_at: record.time()?,
            clock_back_at: Some(record.u64()?)
                .filter(|&revision| revision > 0)
                .map(Revision),
            stream: record.stream()?,
            last_event_type: record.text()?.to_owned(),
            last_actor: record.owned()?,
            last_reason: record.owned()?,
            label: StreamLabel {
                title: record.owned()?,
                status: record.owned()?,
            },
        };
        record.end()?;
        Ok(info)
    };
    decode().map_err(damaged(format!("the record of stream number {number}")))
}

/// Time that stands for "absent".
const NO_TIME: i64 = i64::MIN;

/// Encodes a job; its id is the key and not in the record.
pub(super) fn encode_job(job: &Job) -> Vec<u8> {
    let mut out = Writer::new();
    out.u32(u32::from(status_code(job.status)))
        .u32(job.attempts)
        .u64(job.position.0)
        .u64(job.revision.0)
        .i64(job.created_at.as_micros())
        .i64(job.updated_at.as_micros())
        .i64(job.next_attempt_at.map_or(NO_TIME, Timestamp::as_micros))
        .text(&job.handler)
        .text(job.stream.as_str())
        .text(&job.event_id)
        .text(&job.event_type)
        .option(job.last_error.as_deref());
    out.0
}

pub(super) fn decode_job(id: u64, bytes: &[u8]) -> Result<Job, StoreError> {
    let decode = || {
        let mut record = Reader::new(bytes)?;
        let status = record.u32()?;
        let job = Job {
            id,
            status: u8::try_from(status)
                .ok()
                .and_then(status_of)
                .ok_or_else(|| format!("status {status} is unknown"))?,
            attempts: record.u32()?,
            position: Position(record.u64()?),
            revision: Revision(record.u64()?),
            created_at: record.time()?,
            updated_at: record.time()?,
            next_attempt_at: Some(record.i64()?)
                .filter(|micros| *micros != NO_TIME)
                .map(Timestamp::from_micros),
            handler: record.text()?.to_owned(),
            stream: record.stream()?,
            event_id: record.text()?.to_owned(),
            event_type: record.text()?.to_owned(),
            last_error: record.owned()?,
            blocked_by: None,
        };
        record.end()?;
        Ok(job)
    };
    decode().map_err(damaged(format!("job {id}")))
}
