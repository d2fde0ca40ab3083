//! The pipeline screen in its states, at 80x24, 120x40 and 60x20, as text.

use insta::assert_snapshot;
use whodunit_core::api::pipeline::RunStatus;
use whodunit_core::ids::StreamName;

use crate::client::Pipeline;
use crate::effect::NoAnswer;
use crate::msg::Msg;
use crate::testing::pipeline::{all, run, stalled};
use crate::testing::{Daemon, Harness, now};
use crate::theme::Theme;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (60, 20)];

fn snapshot(name: &str, make: impl Fn((u16, u16)) -> Harness) {
    for size in SIZES {
        let harness = make(size);
        let buffer = harness.buffer();
        let unsafe_cell = buffer
            .content()
            .iter()
            .find(|cell| cell.symbol().chars().any(whodunit_core::text::is_unsafe));
        assert!(
            unsafe_cell.is_none(),
            "{unsafe_cell:?} would reach the terminal"
        );
        assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), harness.screen());
    }
}

/// A daemon with this pipeline.
fn with(pipeline: Pipeline) -> Daemon {
    let mut daemon = Daemon::sarah();
    daemon.pipeline = pipeline;
    daemon
}

#[test]
fn failed_and_held_jobs_beside_projections_on_their_way() {
    snapshot("jobs", |size| {
        Harness::new(size, Daemon::sarah()).press("p tab tab down")
    });
    snapshot("jobs_of_a_handler", |size| {
        Harness::new(size, Daemon::sarah()).press("p tab down down down enter")
    });
}

#[test]
fn a_projection_that_stands_still() {
    snapshot("stalled", |size| {
        let pipeline = Pipeline {
            projections: stalled(),
            jobs: Vec::new(),
            ..all()
        };
        Harness::new(size, with(pipeline)).press("p down")
    });
}

fn busy() -> Pipeline {
    let mut pipeline = all();
    pipeline.projections[0].rebuild = Some(run("rebuild", "users", RunStatus::Running));
    pipeline.projections[1].rebuild = Some(run("rebuild", "states", RunStatus::Failed));
    pipeline.projections[1].check = Some(run("check", "states", RunStatus::Running));
    pipeline.backfills = vec![run("backfill", "webhook:crm", RunStatus::Running)];
    pipeline.more = true;
    pipeline
}

#[test]
fn runs_under_way() {
    snapshot("runs", |size| Harness::new(size, with(busy())).press("p"));
}

#[test]
fn nothing_there_on_its_way_or_to_be_had() {
    snapshot("empty", |size| {
        Harness::new(size, Daemon::empty()).press("p")
    });
    snapshot("loading", |size| {
        Harness::new(size, Daemon::sarah()).silent().press("p")
    });
    snapshot("error", |size| {
        let mut harness = Harness::new(size, Daemon::sarah());
        harness.daemon.failure = Daemon::failing(false).failure;
        harness.press("p")
    });
    snapshot("stale", |size| {
        let lost = |at, retry_at| Msg::Disconnected {
            at,
            retry_at,
            cause: "nothing listens there".to_owned(),
            why: NoAnswer::Unreachable,
        };
        Harness::new(size, Daemon::sarah())
            .press("p")
            .got(lost(now(), now().plus_micros(1_000_000)))
            .got(lost(
                now().plus_micros(12_000_000),
                now().plus_micros(16_000_000),
            ))
    });
}

#[test]
fn text_that_is_long_or_means_harm() {
    let mut pipeline = busy();
    let long = "漢字 and a very long error that goes on and on ".repeat(4);
    let evil = format!("\u{1b}[2J\u{202e}{long}");
    for projection in &mut pipeline.projections {
        projection.name = format!("{}{evil}", projection.name);
        projection.description.clone_from(&evil);
        projection.error = Some(evil.clone());
    }
    for handler in &mut pipeline.handlers {
        handler.handler.push_str(&evil);
        handler.counts.completed = u64::MAX / 8;
    }
    for job in &mut pipeline.jobs {
        job.handler.clone_from(&evil);
        job.stream = StreamName::new(format!("user-{}", "x".repeat(100))).unwrap();
        job.last_error = Some(evil.clone());
        job.id = u64::MAX;
    }
    pipeline.backfills[0].of.clone_from(&evil);
    let pipeline = &pipeline;
    snapshot("hostile", |size| {
        Harness::new(size, with(pipeline.clone())).press("p")
    });
    for keys in [
        "p enter",
        "p C",
        "p B",
        "p tab down A",
        "p b",
        "p tab tab enter",
    ] {
        for size in SIZES {
            let harness = Harness::new(size, with(pipeline.clone())).press(keys);
            let buffer = harness.buffer();
            let mut cells = buffer.content().iter();
            let is_safe =
                cells.all(|cell| !cell.symbol().chars().any(whodunit_core::text::is_unsafe));
            assert!(is_safe, "{keys}");
        }
    }
}

#[test]
fn what_lies_over_the_pipeline() {
    snapshot("projection", |size| {
        let mut pipeline = busy();
        pipeline.projections[1].error = stalled()[1].error.clone();
        Harness::new(size, with(pipeline)).press("p down enter")
    });
    snapshot("findings", |size| {
        let mut harness = Harness::new(size, Daemon::sarah());
        harness.daemon.sound = false;
        harness.press("p C")
    });
    snapshot("check_ok", |size| {
        Harness::new(size, Daemon::sarah()).press("p C")
    });
    snapshot("checking", |size| {
        let mut pipeline = all();
        pipeline.projections[0].check = Some(run("check", "users", RunStatus::Running));
        Harness::new(size, with(pipeline))
            .press("p")
            .silent()
            .press("C")
    });
    snapshot("confirm_rebuild", |size| {
        Harness::new(size, Daemon::sarah()).press("p B")
    });
    snapshot("confirm_retry_all", |size| {
        Harness::new(size, Daemon::sarah()).press("p tab tab A")
    });
    snapshot("backfill", |size| {
        Harness::new(size, Daemon::sarah())
            .press("p tab down b tab")
            .type_text("x")
    });
}

#[test]
fn in_ascii_a_stalled_projection_and_a_held_job_keep_their_marks() {
    let theme = Theme {
        palette: crate::theme::Palette::None,
        ascii: true,
    };
    let pipeline = Pipeline {
        projections: stalled(),
        ..all()
    };
    let screen = Harness::with((120, 40), with(pipeline), theme)
        .press("p")
        .screen();
    assert!(screen.contains("! stalled"), "{screen}");
    assert!(screen.contains("|  8840"), "{screen}");
    let line = screen
        .lines()
        .find(|line| line.contains("! stalled"))
        .unwrap();
    assert!(line.contains("#####") && line.contains("....."), "{line}");
}
