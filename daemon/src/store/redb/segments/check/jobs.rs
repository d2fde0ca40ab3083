//! Whether jobs fit their events, and are found, ordered and counted by every index.

use std::collections::BTreeMap;

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::counted::counted;

use super::super::super::record::decode_job;
use super::super::super::tables::{PRUNED, status_code};
use super::{SealedCheck, StoreResult};
use crate::store::Job;
use crate::store::check::Check;

/// How many jobs are found in each index.
#[derive(Debug)]
struct Indexed {
    /// Whether all could be read.
    whole: bool,
    by_handler: u64,
    by_stream: u64,
    by_event: u64,
    open: u64,
    /// By handler and status. There are a few handlers.
    counts: BTreeMap<(String, u8), u64>,
}

impl SealedCheck<'_> {
    /// Looks at the outbox.
    pub(super) fn jobs(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let mut indexed = Indexed {
            whole: true,
            by_handler: 0,
            by_stream: 0,
            by_event: 0,
            open: 0,
            counts: BTreeMap::new(),
        };
        let table = ("jobs", &self.tables.jobs);
        let walked = self.walk(check, table, |check, id, bytes| {
            let place = || VerifyPlace::job(id);
            check.checked.jobs += 1;
            match check.readable(place, decode_job(id, bytes))? {
                None => indexed.whole = false,
                Some(job) => {
                    self.job_indexes(check, &job, &mut indexed)?;
                    self.job_fits(check, &job)?;
                }
            }
            Ok(())
        })?;
        if walked.is_none() || !indexed.whole {
            return Ok(());
        }
        self.more_jobs(check, &indexed)?;
        self.open_twice(check)?;
        self.job_counts(check, indexed.counts)
    }

    fn job_indexes(
        &self,
        check: &mut Check<'_>,
        job: &Job,
        indexed: &mut Indexed,
    ) -> StoreResult<()> {
        let (id, status) = (job.id, status_code(job.status));
        let (handler, stream) = (job.handler.as_str(), job.stream.as_str());
        let place = |table| VerifyPlace::job(id).within(table);
        let tables = &self.tables;
        let found = self.read(
            check,
            || VerifyPlace::job(id),
            || {
                Ok([
                    tables.jobs_by_handler.get((handler, status, id))?.is_some(),
                    tables.jobs_by_stream.get((stream, id))?.is_some(),
                    tables.jobs_by_event.get((job.position.0, id))?.is_some(),
                    tables.jobs_open.get((handler, stream, id))?.is_some(),
                ])
            },
        )?;
        let Some([by_handler, by_stream, by_event, open]) = found else {
            indexed.whole = false;
            return Ok(());
        };
        indexed.by_handler += u64::from(by_handler);
        indexed.by_stream += u64::from(by_stream);
        indexed.by_event += u64::from(by_event);
        indexed.open += u64::from(open && job.is_open());
        let counts = &mut indexed.counts;
        *counts.entry((job.handler.clone(), status)).or_default() += 1;
        let lists = [
            ("jobs_by_handler", by_handler),
            ("jobs_by_stream", by_stream),
            ("jobs_by_event", by_event),
            ("jobs_open", open || !job.is_open()),
        ];
        for (table, listed) in lists {
            if !listed {
                let detail = format!("the job of `{handler}` is not listed");
                check.found(VerifyCode::IndexMissing, place(table), detail);
            }
        }
        Ok(())
    }

    /// Looks whether a job's event is the one that it names.
    fn job_fits(&self, check: &mut Check<'_>, job: &Job) -> StoreResult<()> {
        let place = || VerifyPlace::job(job.id).at(job.position);
        if !self.is_sealed(job.position.0) {
            let detail = "the log has no event there";
            check.found(VerifyCode::JobWrong, place(), detail);
            return Ok(());
        }
        let records = self.records();
        let event = self.read(check, place, || records.event_at(job.position))?;
        let Some(Some(event)) = event else {
            return Ok(());
        };
        let said = (&job.stream, job.revision, &job.event_id, &job.event_type);
        let is = (
            &event.stream,
            event.revision,
            &event.event_id,
            &event.event_type,
        );
        if said != is {
            let detail = "the event there is not the one that the job names";
            check.found(VerifyCode::JobWrong, place(), detail);
        }
        Ok(())
    }

    /// Looks whether the indexes of jobs have others.
    fn more_jobs(&self, check: &mut Check<'_>, indexed: &Indexed) -> StoreResult<()> {
        let no_job = |check: &mut Check<'_>,
                      table: &str,
                      id: u64,
                      is: &dyn Fn(&Job) -> bool|
         -> StoreResult<()> {
            let place = || VerifyPlace::job(id).within(table);
            let job = self.read(check, place, || self.tables.job(id))?;
            if job.is_some_and(|job| job.is_none_or(|job| !is(&job))) {
                let detail = "the entry is not that of a job, or of a job as it was";
                check.found(VerifyCode::IndexInvented, place(), detail);
            }
            Ok(())
        };
        let name = "jobs_by_handler";
        let table = (name, &self.tables.jobs_by_handler);
        let entries = self.walk(check, table, |_, _, ()| Ok(()))?;
        if self.has_more(check, name, (entries, indexed.by_handler)) {
            self.walk(check, table, |check, (handler, status, id), ()| {
                no_job(check, name, id, &|job| {
                    job.handler == handler && status_code(job.status) == status
                })
            })?;
        }
        let name = "jobs_by_stream";
        let table = (name, &self.tables.jobs_by_stream);
        let entries = self.walk(check, table, |_, _, ()| Ok(()))?;
        if self.has_more(check, name, (entries, indexed.by_stream)) {
            self.walk(check, table, |check, (stream, id), ()| {
                no_job(check, name, id, &|job| job.stream.as_str() == stream)
            })?;
        }
        let name = "jobs_by_event";
        let table = (name, &self.tables.jobs_by_event);
        let entries = self.walk(check, table, |_, _, ()| Ok(()))?;
        if self.has_more(check, name, (entries, indexed.by_event)) {
            self.walk(check, table, |check, (position, id), ()| {
                no_job(check, name, id, &|job| job.position.0 == position)
            })?;
        }
        let name = "jobs_open";
        let table = (name, &self.tables.jobs_open);
        let entries = self.walk(check, table, |_, _, ()| Ok(()))?;
        if self.has_more(check, name, (entries, indexed.open)) {
            self.walk(check, table, |check, (handler, stream, id), ()| {
                no_job(check, name, id, &|job| {
                    job.is_open() && job.handler == handler && job.stream.as_str() == stream
                })
            })?;
        }
        Ok(())
    }

    /// Looks whether a handler has two open jobs of an event.
    fn open_twice(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let mut of_event: (u64, Vec<String>) = (0, Vec::new());
        let table = ("jobs_by_event", &self.tables.jobs_by_event);
        self.walk(check, table, |check, (position, id), ()| {
            if of_event.0 != position {
                of_event = (position, Vec::new());
            }
            let place = || VerifyPlace::job(id);
            let job = self.read(check, place, || self.tables.job(id))?;
            if let Some(job) = job.flatten().filter(Job::is_open) {
                if of_event.1.contains(&job.handler) {
                    let detail = format!("`{}` has two open jobs of the event", job.handler);
                    check.found(VerifyCode::JobWrong, place().at(job.position), detail);
                } else {
                    of_event.1.push(job.handler);
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Looks at the counts that handlers are listed with.
    fn job_counts(
        &self,
        check: &mut Check<'_>,
        mut counts: BTreeMap<(String, u8), u64>,
    ) -> StoreResult<()> {
        let completed = status_code(JobStatus::Completed);
        let place = || VerifyPlace::table("job_counts");
        let table = ("job_counts", &self.tables.job_counts);
        let walked = self.walk(check, table, |check, (handler, status), count| {
            if status == PRUNED {
                return Ok(());
            }
            let mut expected = counts
                .remove(&(handler.to_owned(), status))
                .unwrap_or_default();
            if status == completed {
                let pruned = self.read(check, place, || self.tables.job_count(handler, PRUNED))?;
                expected += pruned.unwrap_or_default();
            }
            if count != expected {
                let detail = format!(
                    "the count of jobs of `{handler}` with status {status} is {count}, but there are {expected}"
                );
                check.found(VerifyCode::CountWrong, place(), detail);
            }
            Ok(())
        })?;
        if walked.is_some() {
            for ((handler, status), count) in counts {
                let detail = format!(
                    "`{handler}` has {} of status {status}, but no count of them",
                    counted(count, "job")
                );
                check.found(VerifyCode::CountWrong, place(), detail);
            }
        }
        Ok(())
    }
}
