//! Fixtures of the pipeline: two projections, three handlers, and jobs that stand everywhere a job can stand.

use serde_json::json;
use whodunit_core::api::pipeline::{
    BackfillIn, BackfillPlan, CheckOut, EventCount, FindingKind, FindingOut, HandlerOut,
    HandlerPlan, JobCounts, JobOut, JobStatus, OutboxPage, ProjectionOut, ProjectionStatus, RunOut,
    RunStatus,
};
use whodunit_core::ids::{Position, Revision, StreamName};

use super::time;
use crate::client::Pipeline;

/// The log's head in all of them.
pub(crate) const HEAD: u64 = 18_204;

/// A run at 61 %, or one that has ended so.
pub(crate) fn run(kind: &str, of: &str, status: RunStatus) -> RunOut {
    let running = status == RunStatus::Running;
    RunOut {
        kind: kind.to_owned(),
        id: 3,
        of: of.to_owned(),
        status,
        done: if running { 11_124 } else { HEAD },
        total: HEAD,
        jobs: if kind == "backfill" { 120 } else { 0 },
        events_per_second: 41_000.0,
        seconds_left: running.then_some(4.2),
        started_at: time("2025-03-25T09:14:30Z"),
        ended_at: (!running).then(|| time("2025-03-25T09:14:42Z")),
        error: (status == RunStatus::Failed).then(|| "the disk is full".to_owned()),
    }
}

fn projection(name: &str, description: &str, checkpoint: u64) -> ProjectionOut {
    let lag_events = HEAD - checkpoint;
    ProjectionOut {
        name: name.to_owned(),
        description: description.to_owned(),
        head: HEAD,
        checkpoint,
        lag_events,
        lag_seconds: if lag_events == 0 { 0.0 } else { 0.43 },
        events_per_second: 120.4,
        status: if lag_events == 0 {
            ProjectionStatus::Live
        } else {
            ProjectionStatus::CatchingUp
        },
        documents: Some(412),
        rules_hash: "0011223344556677".to_owned(),
        error: None,
        rebuild: None,
        check: None,
    }
}

/// One level with the head, one a little behind.
pub(crate) fn projections() -> Vec<ProjectionOut> {
    vec![
        projection("users", "the profile of every user, without secrets", HEAD),
        projection("states", "the current state of every stream", 18_190),
    ]
}

/// The second one stands still.
pub(crate) fn stalled() -> Vec<ProjectionOut> {
    let mut list = projections();
    list[1] = ProjectionOut {
        checkpoint: 9_000,
        lag_events: HEAD - 9_000,
        lag_seconds: 312.0,
        events_per_second: 0.0,
        status: ProjectionStatus::Stalled,
        error: Some("event 9,001 could not be applied: the read model's file is full".to_owned()),
        ..list[1].clone()
    };
    list
}

pub(crate) fn handler(name: &str, kind: &str, counts: [u64; 4]) -> HandlerOut {
    let [pending, processing, completed, failed] = counts;
    HandlerOut {
        handler: name.to_owned(),
        kind: kind.to_owned(),
        target: match kind {
            "mail" => "/var/spool/whodunit".to_owned(),
            "webhook" => "https://hooks.example.com/crm".to_owned(),
            _ => String::new(),
        },
        event_types: vec!["user/UserCreated".to_owned()],
        counts: JobCounts {
            pending,
            processing,
            completed,
            failed,
        },
    }
}

pub(crate) fn handlers() -> Vec<HandlerOut> {
    vec![
        handler("send_welcome_email", "mail", [0, 0, 412, 0]),
        handler("send_security_notification", "mail", [1, 0, 37, 1]),
        handler("webhook:crm", "webhook", [1, 1, 17_800, 1]),
        handler("old_audit", "none", [0, 0, 9, 0]),
    ]
}

fn job(id: u64, handler: &str, stream: &str, revision: u64, status: JobStatus) -> JobOut {
    JobOut {
        id,
        handler: handler.to_owned(),
        position: Position(1000 + revision * 100),
        stream: StreamName::new(stream).unwrap(),
        revision: Revision(revision),
        event_id: format!("0195-{revision}"),
        event_type: match revision {
            1 => "UserCreated",
            4 => "UserDeleted",
            _ => "UserPasswordChanged",
        }
        .to_owned(),
        status,
        attempts: 1,
        next_attempt_at: None,
        last_error: None,
        created_at: time("2025-03-25T09:10:00Z"),
        updated_at: time("2025-03-25T09:12:00Z"),
        blocked_by: None,
    }
}

/// A failed one, the one it holds back, one that will be tried again, one under way, and Sarah's own two.
pub(crate) fn jobs() -> Vec<JobOut> {
    let security = "send_security_notification";
    let failed = JobOut {
        attempts: 4,
        last_error: Some("smtp: 550 mailbox unavailable".to_owned()),
        ..job(8812, security, "user-19aa", 2, JobStatus::Failed)
    };
    let held = JobOut {
        attempts: 0,
        blocked_by: Some(8812),
        ..job(8840, security, "user-19aa", 3, JobStatus::Pending)
    };
    let retried = JobOut {
        attempts: 2,
        next_attempt_at: Some(time("2025-03-25T09:15:12Z")),
        last_error: Some("status 503 Service Unavailable: try later".to_owned()),
        ..job(8841, "webhook:crm", "user-c410", 7, JobStatus::Pending)
    };
    vec![
        failed,
        JobOut {
            attempts: 4,
            last_error: Some("status 410 Gone".to_owned()),
            ..job(8830, "webhook:crm", "user-sarah", 4, JobStatus::Failed)
        },
        job(8842, "webhook:crm", "user-c411", 9, JobStatus::Processing),
        held,
        retried,
        job(
            41,
            "send_welcome_email",
            "user-sarah",
            1,
            JobStatus::Completed,
        ),
    ]
}

/// A page of these jobs.
pub(crate) fn outbox(items: Vec<JobOut>) -> OutboxPage {
    OutboxPage {
        items,
        next_cursor: None,
        head: HEAD,
        handlers: handlers(),
    }
}

/// All of it, as the screen asks for it.
pub(crate) fn all() -> Pipeline {
    Pipeline {
        head: HEAD,
        projections: projections(),
        handlers: handlers(),
        jobs: jobs(),
        more: false,
        backfills: Vec::new(),
    }
}

/// A check that found nothing, or two things.
pub(crate) fn check(ok: bool) -> CheckOut {
    let finding = |kind, revision: u64, detail: &str| FindingOut {
        kind,
        key: "user-sarah".to_owned(),
        position: if revision == 0 {
            0
        } else {
            1000 + revision * 100
        },
        revision,
        event_type: if revision == 0 { "" } else { "UserSuspended" }.to_owned(),
        detail: detail.to_owned(),
    };
    let findings = vec![
        finding(
            FindingKind::AppliedTwice,
            3,
            "revision 3 was applied again after revision 4",
        ),
        FindingOut {
            key: "user-ghost".to_owned(),
            ..finding(FindingKind::Orphan, 0, "there is no such stream in the log")
        },
    ];
    CheckOut {
        projection: "users".to_owned(),
        checkpoint: HEAD,
        documents: 412,
        events: 1_604,
        ok,
        findings_total: if ok { 0 } else { 7 },
        findings: if ok { Vec::new() } else { findings },
    }
}

/// A document of `users`, as JSON.
pub(crate) fn document(key: &str, username: &str) -> serde_json::Value {
    json!({
        "key": key, "revision": 4, "position": 1400, "checkpoint": HEAD,
        "document": {"username": username, "email": format!("{username}@example.com"), "status": "active", "deleted_at": null}
    })
}

/// The plan of a backfill: one handler is one with effects, unless it is a projection.
pub(crate) fn plan(body: &BackfillIn) -> BackfillPlan {
    let (projections, handlers): (Vec<_>, Vec<_>) = body
        .handlers
        .iter()
        .cloned()
        .partition(|name| ["users", "states"].contains(&name.as_str()));
    BackfillPlan {
        from_position: body.from_position.unwrap_or(1),
        to_position: body.to_position.unwrap_or(HEAD),
        head: HEAD,
        events: 120,
        jobs: 120 * handlers.len() as u64,
        handlers: handlers
            .into_iter()
            .map(|handler| HandlerPlan {
                handler,
                kind: "webhook".to_owned(),
                target: "https://hooks.example.com/…".to_owned(),
                jobs: 120,
                event_types: vec![EventCount {
                    event_type: "UserCreated".to_owned(),
                    events: 120,
                }],
            })
            .collect(),
        projections,
    }
}
