//! What the pipeline's commands print and how they end, against a server that says exactly what it is told to.

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;
use whodunit_core::api::pipeline::{
    BackfillPlan, EventCount, HandlerPlan, JobOut, JobStatus, RunStatus,
};
use whodunit_core::api::problem::{Code, Problem};

use super::Exit;
use super::terminal::Form;
use crate::client::tests::{ok, reply, server};
use crate::program::run_line;
use crate::testing::pipeline::{HEAD, check, document, jobs, outbox, projections, run, stalled};

/// A command's exit, what it printed on standard output and error, and what it asked.
struct Said {
    exit: Exit,
    out: String,
    err: String,
    asked: Vec<String>,
}

async fn say(line: &str, replies: Vec<Vec<u8>>) -> Said {
    let (client, handle) = server(replies).await;
    let words: Vec<&str> = ["--daemon", client.url()]
        .into_iter()
        .chain(line.split(' '))
        .collect();
    let form = Form {
        width: Some(80),
        ..Form::default()
    };
    let (result, out, err) = run_line(&words, form).await;
    for shown in out.lines().filter(|_| !line.contains("--json")) {
        assert!(
            shown.width() <= 80,
            "`{line}` is wider than 80 columns: {shown}"
        );
    }
    let asked = handle.await.unwrap();
    Said {
        exit: result.unwrap_or_else(|error| error.exit()),
        out,
        err,
        asked: asked
            .iter()
            .map(|request| request.lines().next().unwrap().replace(" HTTP/1.1", ""))
            .collect(),
    }
}

fn value(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

fn accepted(body: impl serde::Serialize) -> Vec<u8> {
    reply(202, "application/json", &value(body).to_string())
}

fn problem(code: Code, detail: &str) -> Vec<u8> {
    let problem = value(Problem::new(code, detail));
    reply(
        code.status(),
        "application/problem+json",
        &problem.to_string(),
    )
}

fn page(items: impl serde::Serialize) -> Vec<u8> {
    ok(&json!({"items": items, "next_cursor": null, "head": HEAD}))
}

#[tokio::test]
async fn a_stalled_projection_stands_out() {
    let mut list = stalled();
    list[0].rebuild = Some(run("rebuild", "users", RunStatus::Running));
    let said = say("projections", vec![page(list)]).await;
    insta::assert_snapshot!(said.out);
    assert_eq!((said.exit, said.err.as_str()), (Exit::Ok, ""));
    let said = say("projections", vec![page([(); 0])]).await;
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        ("", "there are no projections\n")
    );
}

#[tokio::test]
async fn one_projection_in_full() {
    let mut projection = projections().remove(1);
    projection.rebuild = Some(run("rebuild", "states", RunStatus::Failed));
    projection.check = Some(run("check", "states", RunStatus::Running));
    let said = say("projections states", vec![ok(&value(projection))]).await;
    insta::assert_snapshot!(said.out);
    let said = say(
        "projections nobody --json",
        vec![problem(
            Code::NoSuchProjection,
            "there is no projection `nobody`",
        )],
    )
    .await;
    assert_eq!(said.exit, Exit::NotFound);
    let document: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(document["code"], "no_such_projection");
}

#[tokio::test]
async fn a_check_prints_its_findings_and_ends_with_no() {
    let said = say("projections users --check", vec![ok(&value(check(false)))]).await;
    insta::assert_snapshot!(format!("{}---\n{}", said.out, said.err));
    assert_eq!(
        (said.exit, said.asked),
        (
            Exit::No,
            vec!["POST /v1/projections/users/check".to_owned()]
        )
    );
    let said = say("projections users --check", vec![ok(&value(check(true)))]).await;
    assert_eq!(said.exit, Exit::Ok);
    assert_eq!(
        said.out,
        "✓ users matches the log\ncompared 412 documents with 1,604 events, up to position 18,204\n"
    );
    // Without a name, all of them; one finding is enough for a no.
    let replies = vec![
        page(projections()),
        ok(&value(check(true))),
        ok(&value(check(false))),
    ];
    let said = say("projections --check --json", replies).await;
    let all: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (said.exit, all["items"].as_array().unwrap().len()),
        (Exit::No, 2)
    );
}

/// What the three questions about jobs that are not done are answered with.
fn not_done(jobs: &[JobOut]) -> Vec<Vec<u8>> {
    ["failed", "processing", "pending"]
        .into_iter()
        .map(|status| {
            let of = jobs
                .iter()
                .filter(|job| job.status.as_str() == status)
                .cloned();
            ok(&value(outbox(of.collect())))
        })
        .collect()
}

#[tokio::test]
async fn the_outbox_counts_first_and_then_lists_what_is_not_done() {
    let said = say("outbox", not_done(&jobs())).await;
    insta::assert_snapshot!(format!("{}---\n{}", said.out, said.err));
    assert_eq!(said.exit, Exit::Ok);
    assert!(
        said.asked[0].ends_with("?status=failed&order=backward&limit=50"),
        "{:?}",
        said.asked
    );
    let said = say("outbox", not_done(&[])).await;
    assert!(said.err.contains("none has failed"), "{}", said.err);
    for line in ["outbox --handler nobody", "outbox --handler nobody --json"] {
        let said = say(line, not_done(&[])).await;
        assert_eq!(
            said.exit,
            Exit::NotFound,
            "{line}: {}{}",
            said.out,
            said.err
        );
    }
    let replies = vec![ok(&value(outbox(Vec::new())))];
    let said = say("outbox --handler nobody --status failed", replies).await;
    assert_eq!(said.exit, Exit::NotFound, "{}{}", said.out, said.err);
    let said = say("outbox --handler webhook:crm", not_done(&[])).await;
    assert_eq!(said.exit, Exit::Ok);
    let said = say("outbox --limit 2 --json", not_done(&jobs())).await;
    let document: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (
            document["items"].as_array().unwrap().len(),
            document["handlers"].as_array().unwrap().len()
        ),
        (2, 4)
    );
    assert!(said.err.contains("there are more"), "{}", said.err);
}

#[tokio::test]
async fn a_job_that_nobody_does_says_why() {
    let mut job = jobs().pop().unwrap();
    (job.handler, job.status) = ("old_audit".to_owned(), JobStatus::Pending);
    (job.blocked_by, job.next_attempt_at, job.last_error) = (None, None, None);
    let said = say("outbox", not_done(&[job])).await;
    assert!(
        said.out.contains("its handler is not set up"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn the_jobs_of_a_stream_are_all_shown() {
    let sarah: Vec<JobOut> = jobs()
        .into_iter()
        .filter(|job| job.stream.as_str() == "user-sarah")
        .collect();
    let said = say(
        "outbox --stream user-sarah",
        vec![ok(&value(outbox(sarah)))],
    )
    .await;
    assert_eq!(
        said.asked,
        ["GET /v1/outbox?stream=user-sarah&order=backward&limit=50"]
    );
    assert!(
        said.out.contains("✓ completed") && said.out.contains("✗ failed"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn a_job_in_full_and_tried_again() {
    let mut job = jobs().remove(0);
    job.last_error = Some("smtp: 550 \u{1b}[31mmailbox".to_owned());
    let said = say("outbox 8812", vec![ok(&value(&job))]).await;
    insta::assert_snapshot!(format!("{}---\n{}", said.out, said.err));
    let said = say(
        "outbox --retry 8812",
        vec![problem(Code::NotFailed, "job 8812 is completed")],
    )
    .await;
    assert_eq!(said.exit, Exit::Conflict);
    assert!(said.err.contains("--status failed"), "{}", said.err);
    let said = say(
        "outbox --retry-all webhook:crm",
        vec![ok(&json!({"retried": 1}))],
    )
    .await;
    assert_eq!(said.out, "retrying 1 failed job of webhook:crm\n");
}

#[tokio::test]
async fn a_rebuild_is_watched_to_its_end() {
    let mut projection = projections().remove(0);
    projection.rebuild = Some(run("rebuild", "users", RunStatus::Completed));
    let started = run("rebuild", "users", RunStatus::Running);
    let said = say(
        "rebuild users",
        vec![accepted(&started), ok(&value(projection))],
    )
    .await;
    assert_eq!(said.out, "rebuild of users: done, 18,204 events in 12 s\n");
    assert_eq!(
        said.asked,
        [
            "POST /v1/projections/users/rebuild",
            "GET /v1/projections/users"
        ]
    );
    let said = say("rebuild users --no-wait", vec![accepted(&started)]).await;
    assert_eq!(
        (said.exit, said.out.as_str()),
        (
            Exit::Ok,
            "rebuild of users: under way, 61 %  41,000 events/s  4 s left\n"
        )
    );
    let failed = run("rebuild", "users", RunStatus::Failed);
    let said = say("rebuild users", vec![accepted(failed)]).await;
    assert_eq!(said.exit, Exit::No);
    assert!(said.out.contains("the disk is full"), "{}", said.out);
    let cancelled = run("rebuild", "users", RunStatus::Cancelled);
    let said = say("rebuild users --cancel --json", vec![ok(&value(cancelled))]).await;
    let document: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (said.exit, &document["status"]),
        (Exit::Ok, &json!("cancelled"))
    );
    let said = say(
        "rebuild users",
        vec![problem(Code::AlreadyRunning, "`users` is being rebuilt")],
    )
    .await;
    assert_eq!(said.exit, Exit::Conflict);
}

fn plan() -> BackfillPlan {
    BackfillPlan {
        from_position: 1,
        to_position: 18_204,
        head: 18_204,
        events: 18_000,
        jobs: 120,
        handlers: vec![HandlerPlan {
            handler: "webhook:crm".to_owned(),
            kind: "webhook".to_owned(),
            target: "https://hooks.example.com/…".to_owned(),
            jobs: 120,
            event_types: vec![
                EventCount {
                    event_type: "UserCreated".to_owned(),
                    events: 100,
                },
                EventCount {
                    event_type: "UserDeleted".to_owned(),
                    events: 20,
                },
            ],
        }],
        projections: vec!["users".to_owned()],
    }
}

#[tokio::test]
async fn a_backfill_shows_its_plan_and_starts_only_what_was_confirmed() {
    let said = say(
        "backfill webhook:crm users --all-history --dry-run",
        vec![ok(&value(plan()))],
    )
    .await;
    assert_eq!(said.exit, Exit::Ok);
    insta::assert_snapshot!(said.out);
    let refused = |detail: &str| Problem {
        plan: Some(Box::new(plan())),
        ..Problem::new(Code::NotConfirmed, detail)
    };
    let answer =
        |problem: &Problem| reply(409, "application/problem+json", &value(problem).to_string());
    let said = say(
        "backfill webhook:crm --since 2d",
        vec![answer(&refused("not started"))],
    )
    .await;
    assert_eq!((said.exit, said.asked.len()), (Exit::Usage, 1));
    assert!(
        said.err.contains("nothing was started") && said.err.contains("--yes"),
        "{}",
        said.err
    );
    assert!(said.out.contains("120"), "{}", said.out);
    let grown = answer(&refused(
        "119 jobs were confirmed, but the plan is now to create 120",
    ));
    let said = say(
        "backfill webhook:crm --since 2d --yes",
        vec![ok(&value(plan())), grown],
    )
    .await;
    assert_eq!(said.exit, Exit::Conflict);
    assert!(said.err.contains("119 jobs were confirmed"), "{}", said.err);
}

#[tokio::test]
async fn a_backfill_says_how_many_jobs_were_made() {
    let done = run("backfill", "webhook:crm", RunStatus::Completed);
    let line = "backfill webhook:crm --yes --from-position 1 --category user --type UserCreated --type UserDeleted";
    let said = say(line, vec![ok(&value(plan())), accepted(done.clone())]).await;
    assert_eq!(
        said.out,
        "backfill 3 of webhook:crm: done, 18,204 events in 12 s, 120 jobs made\n"
    );
    assert!(said.err.contains("whodunit outbox"), "{}", said.err);
    let running = run("backfill", "a, b", RunStatus::Running);
    let said = say("backfill", vec![page([running, done])]).await;
    insta::assert_snapshot!(said.out);
    let cancelled = run("backfill", "webhook:crm", RunStatus::Cancelled);
    let said = say("backfill --cancel 3", vec![ok(&value(cancelled))]).await;
    assert_eq!(
        (said.exit, said.asked),
        (Exit::Ok, vec!["DELETE /v1/backfill/3".to_owned()])
    );
}

#[tokio::test]
async fn read_models_are_listed_and_asked() {
    let models = json!([{"name": "users", "description": "the profile of every user, without secrets", "documents": 412,
        "checkpoint": HEAD, "sorts": ["username", "email", "position"], "fields": ["username", "email", "status"]},
        {"name": "bare", "description": "nothing to ask for", "documents": 0, "checkpoint": 0, "sorts": ["key"], "fields": []}]);
    let said = say("read-model", vec![page(models)]).await;
    insta::assert_snapshot!(said.out);
    let documents = ok(
        &json!({"items": [document("user-7f3c7329", "sarah"), document("user-1", "ev\u{1b}il")],
        "next_cursor": null, "checkpoint": HEAD - 4, "head": HEAD}),
    );
    let said = say(
        "read-model users --where status=active --sort email",
        vec![documents],
    )
    .await;
    insta::assert_snapshot!(format!("{}---\n{}", said.out, said.err));
    let said = say(
        "read-model users user-7f3c7329",
        vec![ok(&document("user-7f3c7329", "sarah"))],
    )
    .await;
    insta::assert_snapshot!(said.out);
    let missing = problem(
        Code::NoSuchDocument,
        "there is no document `user-2` in `users`",
    );
    let said = say("read-model users user-2", vec![missing]).await;
    assert_eq!(said.exit, Exit::NotFound);
}

#[tokio::test]
async fn not_yet_is_a_no_in_a_sentence() {
    let behind = json!({"status": "not_yet", "min_position": 18_200, "checkpoint": 18_190, "head": HEAD, "hint": "wait"});
    let said = say(
        "read-model users --min-position 18200 --wait 1",
        vec![accepted(&behind)],
    )
    .await;
    assert_eq!((said.exit, said.out.as_str()), (Exit::No, ""));
    insta::assert_snapshot!(said.err);
    assert_eq!(
        said.asked,
        ["GET /v1/read-models/users?limit=50&min_position=18200&wait_ms=1000"]
    );
    let said = say(
        "read-model users user-1 --min-position 18200 --json",
        vec![accepted(&behind)],
    )
    .await;
    let document: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (said.exit, &document["checkpoint"]),
        (Exit::No, &json!(18_190))
    );
}

#[tokio::test]
async fn pages_that_follow_do_not_wait_again() {
    let first = ok(
        &json!({"items": [document("user-1", "a")], "next_cursor": "c", "checkpoint": HEAD, "head": HEAD}),
    );
    let second = ok(
        &json!({"items": [document("user-2", "b")], "next_cursor": null, "checkpoint": HEAD, "head": HEAD}),
    );
    let said = say(
        "read-model users --min-position 5 --all --json",
        vec![first, second],
    )
    .await;
    assert_eq!(said.out.lines().count(), 2);
    assert_eq!(
        said.asked[1],
        "GET /v1/read-models/users?cursor=c&limit=500"
    );
}
