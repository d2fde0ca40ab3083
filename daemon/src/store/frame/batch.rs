//! Batches as bytes.
//!
//! Owns their encoding. What follows from something else in the batch is not written again: events stand behind each other
//! in one stream, and the stream's record is that of its last event. Payloads are kept as the text they came as.

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use crate::store::bytes::{Read, Reader, Writer};
use crate::store::write::{Batch, JobWrite, KeyWrite, Placed, StreamWrite};
use crate::store::{Job, KeyHold, StreamInfo, StreamLabel};

pub(super) fn write(batch: &Batch, out: &mut Vec<u8>) {
    let mut out = Writer(out);
    write_events(&batch.events, &mut out);
    let last = batch.events.last();
    out.optional(batch.stream.as_ref(), |out, write| {
        write_stream(write, last, out);
    });
    out.count(batch.keys.len());
    for key in &batch.keys {
        write_key(key, &mut out);
    }
    out.optional(batch.decision.as_ref(), |out, decision| {
        write_decision(decision, out);
    });
    out.count(batch.jobs.len());
    for job in &batch.jobs {
        write_job(job, &mut out);
    }
}

pub(super) fn read(from: &mut Reader<'_>) -> Read<Batch> {
    let events = read_events(from)?;
    let last = events.last();
    Ok(Batch {
        stream: from.optional(|from| read_stream(from, last))?,
        keys: from.list(read_key)?,
        decision: from.optional(read_decision)?,
        jobs: from.list(read_job)?,
        events,
    })
}

fn write_events(events: &[Placed], out: &mut Writer<'_>) {
    out.count(events.len());
    let Some(Placed { event: first, .. }) = events.first() else {
        return;
    };
    out.text(first.stream.as_str())
        .u64(first.position.0)
        .u64(first.revision.0);
    for Placed {
        event,
        effective_at,
    } in events
    {
        out.u32(event.schema_version)
            .time(event.recorded_at)
            .i64(effective_at.as_micros() - event.recorded_at.as_micros())
            .text(&event.event_id)
            .text(&event.event_type)
            .optional_text(event.actor.as_deref())
            .optional_text(event.reason.as_deref())
            .optional_text(event.correlation_id.as_deref())
            .optional_text(event.causation_id.as_deref())
            .text(event.data.as_str())
            .optional_text(event.metadata.as_ref().map(Json::as_str));
    }
}

fn read_events(from: &mut Reader<'_>) -> Read<Vec<Placed>> {
    let count = from.count()?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let stream = from.stream()?;
    let (position, revision) = (from.u64()?, from.u64()?);
    let mut events = Vec::new();
    for index in 0..count as u64 {
        let at = |first: u64| first.checked_add(index).ok_or("a number is too large");
        let place = (Position(at(position)?), Revision(at(revision)?));
        events.push(read_event(from, &stream, place)?);
    }
    Ok(events)
}

fn read_event(
    from: &mut Reader<'_>,
    stream: &StreamName,
    (position, revision): (Position, Revision),
) -> Read<Placed> {
    let schema_version = from.u32()?;
    let recorded_at = from.time()?;
    let behind = from.i64()?;
    let effective_at = recorded_at.plus_micros(behind);
    if recorded_at.as_micros().checked_add(behind) != Some(effective_at.as_micros()) {
        return Err("an effective time is outside the years 1 to 9999".into());
    }
    let event = Event {
        position,
        stream: stream.clone(),
        revision,
        schema_version,
        recorded_at,
        event_id: from.owned()?,
        event_type: from.owned()?,
        actor: from.optional_text()?,
        reason: from.optional_text()?,
        correlation_id: from.optional_text()?,
        causation_id: from.optional_text()?,
        data: from.json()?,
        metadata: from.optional(Reader::json)?,
    };
    Ok(Placed {
        event,
        effective_at,
    })
}

/// The part of a stream's record that its last event says.
fn of_last(
    placed: &Placed,
) -> (
    Revision,
    Position,
    Timestamp,
    &str,
    Option<&str>,
    Option<&str>,
) {
    let event = &placed.event;
    (
        event.revision,
        event.position,
        placed.effective_at,
        &event.event_type,
        event.actor.as_deref(),
        event.reason.as_deref(),
    )
}

fn write_stream(write: &StreamWrite, last: Option<&Placed>, out: &mut Writer<'_>) {
    let info = &write.info;
    out.optional(write.last_before, |out, last| {
        out.u64(last.0);
    });
    let own = (
        info.revision,
        info.last_position,
        info.last_at,
        info.last_event_type.as_str(),
        info.last_actor.as_deref(),
        info.last_reason.as_deref(),
    );
    let follows = last.is_some_and(|last| of_last(last) == own && last.event.stream == info.stream);
    out.byte(u8::from(follows));
    if !follows {
        out.text(info.stream.as_str())
            .u64(info.revision.0)
            .u64(info.last_position.0)
            .time(info.last_at)
            .text(&info.last_event_type)
            .optional_text(info.last_actor.as_deref())
            .optional_text(info.last_reason.as_deref());
    }
    out.u64(info.first_position.0)
        .time(info.first_at)
        .optional_text(info.label.title.as_deref())
        .optional_text(info.label.status.as_deref())
        .optional(info.clock_back_at, |out, revision| {
            out.u64(revision.0);
        });
}

fn read_stream(from: &mut Reader<'_>, last: Option<&Placed>) -> Read<StreamWrite> {
    let last_before = from.optional(Reader::u64)?.map(Position);
    let (stream, revision, last_position, last_at, last_event_type, last_actor, last_reason) =
        match from.byte()? {
            0 => (
                from.stream()?,
                Revision(from.u64()?),
                Position(from.u64()?),
                from.time()?,
                from.owned()?,
                from.optional_text()?,
                from.optional_text()?,
            ),
            1 => {
                let placed = last.ok_or("a stream follows an event that is not there")?;
                let (revision, position, at, event_type, actor, reason) = of_last(placed);
                (
                    placed.event.stream.clone(),
                    revision,
                    position,
                    at,
                    event_type.to_owned(),
                    actor.map(str::to_owned),
                    reason.map(str::to_owned),
                )
            }
            other => return Err(format!("a stream's record of kind {other} is unknown").into()),
        };
    let info = StreamInfo {
        stream,
        revision,
        first_position: Position(from.u64()?),
        last_position,
        first_at: from.time()?,
        last_at,
        last_event_type,
        last_actor,
        last_reason,
        label: StreamLabel {
            title: from.optional_text()?,
            status: from.optional_text()?,
        },
        clock_back_at: from.optional(Reader::u64)?.map(Revision),
    };
    Ok(StreamWrite {
        last_before,
        info: info.into(),
    })
}

fn write_key(write: &KeyWrite, out: &mut Writer<'_>) {
    let (key, hold) = (&write.key, &write.hold);
    out.text(&key.name)
        .text(&key.value)
        .text(hold.stream.as_str())
        .u64(hold.since.0)
        .time(hold.since_at)
        .optional(hold.until, |out, until| {
            out.u64(until.0);
        })
        .optional(hold.until_at, |out, at| {
            out.time(at);
        });
}

fn read_key(from: &mut Reader<'_>) -> Read<KeyWrite> {
    let key = UniqueKey {
        name: from.owned()?,
        value: from.owned()?,
    };
    let hold = KeyHold {
        stream: from.stream()?,
        since: Position(from.u64()?),
        since_at: from.time()?,
        until: from.optional(Reader::u64)?.map(Position),
        until_at: from.optional(Reader::time)?,
    };
    Ok(KeyWrite { key, hold })
}

fn write_decision(decision: &Decision, out: &mut Writer<'_>) {
    out.u64(decision.sequence)
        .text(&decision.command_id)
        .text(decision.stream.as_str())
        .text(&decision.command_type)
        .text(decision.payload.as_str())
        .optional_text(decision.actor.as_deref())
        .optional_text(decision.reason.as_deref())
        .optional_text(decision.correlation_id.as_deref())
        .optional_text(decision.causation_id.as_deref())
        .u64(decision.base_revision.0)
        .u64(decision.base_position.0)
        .text(&decision.rules_hash)
        .time(decision.decided_at);
    match &decision.result {
        Outcome::Accepted {
            revision,
            position,
            events,
        } => out.byte(0).u64(revision.0).u64(position.0).u32(*events),
        Outcome::Rejected { rule, message } => out.byte(1).text(rule).text(message),
    };
}

fn read_decision(from: &mut Reader<'_>) -> Read<Decision> {
    Ok(Decision {
        sequence: from.u64()?,
        command_id: from.owned()?,
        stream: from.stream()?,
        command_type: from.owned()?,
        payload: from.json()?,
        actor: from.optional_text()?,
        reason: from.optional_text()?,
        correlation_id: from.optional_text()?,
        causation_id: from.optional_text()?,
        base_revision: Revision(from.u64()?),
        base_position: Position(from.u64()?),
        rules_hash: from.owned()?,
        decided_at: from.time()?,
        result: match from.byte()? {
            0 => Outcome::Accepted {
                revision: Revision(from.u64()?),
                position: Position(from.u64()?),
                events: from.u32()?,
            },
            1 => Outcome::Rejected {
                rule: from.owned()?,
                message: from.owned()?,
            },
            other => return Err(format!("an outcome of kind {other} is unknown").into()),
        },
    })
}

fn write_job(write: &JobWrite, out: &mut Writer<'_>) {
    match write {
        JobWrite::Made(job) => write_job_record(job, out.byte(0)),
        JobWrite::Pruned(job) => write_job_record(job, out.byte(1)),
        JobWrite::Changed { before, after } => {
            write_job_record(before, out.byte(2));
            write_moving(after, out);
        }
    }
}

fn read_job(from: &mut Reader<'_>) -> Read<JobWrite> {
    Ok(match from.byte()? {
        0 => JobWrite::Made(read_job_record(from)?),
        1 => JobWrite::Pruned(read_job_record(from)?),
        2 => {
            let before = read_job_record(from)?;
            // What a job is about never changes.
            let after = read_moving(from, before.clone())?;
            JobWrite::Changed { before, after }
        }
        other => return Err(format!("a change of a job of kind {other} is unknown").into()),
    })
}

fn write_job_record(job: &Job, out: &mut Writer<'_>) {
    out.u64(job.id)
        .text(&job.handler)
        .u64(job.position.0)
        .text(job.stream.as_str())
        .u64(job.revision.0)
        .text(&job.event_id)
        .text(&job.event_type)
        .time(job.created_at);
    write_moving(job, out);
}

/// What changes of a job.
fn write_moving(job: &Job, out: &mut Writer<'_>) {
    out.byte(status_code(job.status))
        .u32(job.attempts)
        .time(job.updated_at)
        .optional(job.next_attempt_at, |out, at| {
            out.time(at);
        })
        .optional_text(job.last_error.as_deref());
}

fn read_job_record(from: &mut Reader<'_>) -> Read<Job> {
    let job = Job {
        id: from.u64()?,
        handler: from.owned()?,
        position: Position(from.u64()?),
        stream: from.stream()?,
        revision: Revision(from.u64()?),
        event_id: from.owned()?,
        event_type: from.owned()?,
        status: JobStatus::Pending,
        attempts: 0,
        next_attempt_at: None,
        last_error: None,
        created_at: from.time()?,
        updated_at: Timestamp::MIN,
        blocked_by: None,
    };
    read_moving(from, job)
}

fn read_moving(from: &mut Reader<'_>, job: Job) -> Read<Job> {
    Ok(Job {
        status: status_of(from.byte()?)?,
        attempts: from.u32()?,
        updated_at: from.time()?,
        next_attempt_at: from.optional(Reader::time)?,
        last_error: from.optional_text()?,
        ..job
    })
}

fn status_code(status: JobStatus) -> u8 {
    match status {
        JobStatus::Pending => 0,
        JobStatus::Processing => 1,
        JobStatus::Completed => 2,
        JobStatus::Failed => 3,
    }
}

fn status_of(code: u8) -> Read<JobStatus> {
    JobStatus::ALL
        .into_iter()
        .find(|status| status_code(*status) == code)
        .ok_or_else(|| format!("status {code} of a job is unknown").into())
}
