//! What the daemon reports, as a person says it: runs, projections, warnings.
//!
//! Owns their words, so that commands and screens say the same. Never rounds up to "all of it".

use serde_json::Value;
use whodunit_core::api::pipeline::{ProjectionOut, ProjectionStatus, RunOut, RunStatus};
use whodunit_core::api::warning::Warning;
use whodunit_core::api::what_if::{Continuation, ModeReason, WhatIfOut, WhatIfStep};
use whodunit_core::decider::SAY_PASSWORD_CORRECT;

use crate::text::{counted, number, safe};

/// A warning as a sentence that names its revisions.
pub(crate) fn warning(warning: &Warning) -> String {
    let revisions: Vec<_> = warning.revisions.iter().map(ToString::to_string).collect();
    match revisions.as_slice() {
        [] => warning.detail.clone(),
        [one] => format!("{} (revision {one})", warning.detail),
        all => format!("{} (revisions {})", warning.detail, all.join(", ")),
    }
}

/// What the daemon says of a step, without how a client of its API would answer: each surface says that in its own way.
pub(crate) fn message(step: &WhatIfStep) -> Option<String> {
    let message = step.message.as_deref()?;
    Some(message.replace(SAY_PASSWORD_CORRECT, ""))
}

/// What was done with the later history of a what-if, and why where that was not said; `None` where it was left out.
pub(crate) fn mode(out: &WhatIfOut) -> Option<&'static str> {
    match (out.mode, out.mode_reason) {
        (Continuation::None, _) => None,
        (Continuation::Refold, ModeReason::NoCommandOnRecord) => {
            Some("no command on record is reached: events as recorded, rules not asked")
        }
        (Continuation::Refold, _) => Some("events as recorded, rules not asked"),
        (Continuation::Redecide | Continuation::Auto, _) => {
            Some("rules asked again about later commands")
        }
    }
}

/// The answer of a what-if in a sentence: what the daemon says of deciding again; else what comes of the recorded events.
pub(crate) fn answer(out: &WhatIfOut, title: Option<&str>) -> String {
    if let Some(again) = &out.redecided {
        return again.answer.clone();
    }
    let name = title.unwrap_or(out.stream.as_str());
    let how = match out.mode {
        Continuation::None => "at that moment",
        _ => "with the later events as recorded",
    };
    let status = out.diff.iter().find(|entry| entry.path == "/status");
    let status = status.and_then(|entry| Some((entry.after.as_ref()?, entry.before.as_ref()?)));
    match (out.diff.len() as u64, status) {
        (0, _) => format!("{name} would be the same at the end, {how}."),
        (_, Some((after, before))) => {
            let word = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let (after, before) = (word(after), word(before));
            format!("{name} would be {after}, not {before}, {how}.")
        }
        (n, None) => format!("{name} would differ in {}, {how}.", counted(n, "field")),
    }
}

/// How many documents a read model holds, as far as that can be told.
pub(crate) fn documents(projection: &ProjectionOut) -> String {
    projection.documents.map_or_else(
        || "documents cannot be read".to_owned(),
        |documents| counted(documents, "document"),
    )
}

/// What keeps a projection from going on; what did, and does no more, is said to be the last.
pub(crate) fn trouble(projection: &ProjectionOut) -> Option<(bool, String)> {
    let error = projection.error.as_deref()?;
    let still = projection.status == ProjectionStatus::Stalled;
    let said = safe(error);
    Some(if still {
        (true, said.into_owned())
    } else {
        (false, format!("last error: {said}"))
    })
}

/// Where a run is, such as `61 %  41,000 events/s  4 s left`.
pub(crate) fn sentence(run: &RunOut) -> String {
    let mut parts = vec![format!("{} %", percent(run))];
    if run.events_per_second >= 1.0 {
        parts.push(format!("{} events/s", rate(run.events_per_second)));
    }
    if let Some(seconds) = run.seconds_left {
        parts.push(format!("{} left", duration(seconds)));
    }
    if run.jobs > 0 {
        parts.push(counted(run.jobs, "job"));
    }
    parts.join("  ")
}

/// How much of a run is done, in whole per cent; 100 only when all of it is. One that has only just begun does not know
/// yet how much there is.
pub(crate) fn percent(run: &RunOut) -> u64 {
    if run.total == 0 && run.status == RunStatus::Running {
        return 0;
    }
    if run.done >= run.total {
        return 100;
    }
    let percent = u128::from(run.done) * 100 / u128::from(run.total);
    u64::try_from(percent).unwrap_or(100)
}

/// Events a second as a whole number.
pub(crate) fn rate(events_per_second: f64) -> String {
    number(whole(events_per_second))
}

/// Seconds as a person says them: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 d`.
pub(crate) fn duration(seconds: f64) -> String {
    let n = whole(seconds);
    match n {
        0 if seconds > 0.05 => format!("{seconds:.1} s"),
        0..120 => format!("{n} s"),
        120..7_200 => format!("{} min", n / 60),
        7_200..172_800 => format!("{} h", n / 3_600),
        _ => format!("{} d", n / 86_400),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure for people: clamped to what fits, and 0 for what is no number"
)]
fn whole(value: f64) -> u64 {
    value.clamp(0.0, 1e15) as u64
}

/// How many of `cells` are full when `done` of `total` is: all of them only when all of it is, none only for nothing.
pub(crate) fn part(done: u64, total: u64, cells: usize) -> usize {
    if done >= total {
        return cells;
    }
    let full = u128::from(done) * (cells as u128) / u128::from(total);
    let full = usize::try_from(full).unwrap_or(cells);
    full.max(usize::from(done > 0)).min(cells.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pipeline::run;

    #[test]
    fn what_is_over_is_not_shown_as_if_it_went_on() {
        let mut projection = crate::testing::pipeline::stalled().remove(1);
        assert!(
            trouble(&projection)
                .is_some_and(|(still, said)| still && said.starts_with("event 9,001"))
        );
        projection.status = ProjectionStatus::Live;
        assert!(
            trouble(&projection)
                .is_some_and(|(still, said)| !still && said.starts_with("last error: event 9,001"))
        );
        projection.error = None;
        assert_eq!(trouble(&projection), None);
    }

    #[test]
    fn figures_are_for_people() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.43, "0.4 s"),
            (12.7, "12 s"),
            (400.0, "6 min"),
            (9_000.0, "2 h"),
            (1e9, "11574 d"),
            (f64::NAN, "0 s"),
            (-3.0, "0 s"),
        ] {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
        let mut run = run("rebuild", "users", RunStatus::Running);
        assert_eq!(sentence(&run), "61 %  41,000 events/s  4 s left");
        // All but one is not all.
        (run.done, run.total) = (999_999, 1_000_000);
        assert_eq!(percent(&run), 99);
        (run.done, run.total) = (0, 0);
        assert_eq!(percent(&run), 0, "it has only just begun");
        run.status = RunStatus::Completed;
        assert_eq!(percent(&run), 100, "there was nothing to do");
    }

    #[test]
    fn a_bar_is_full_only_when_all_is_done() {
        assert_eq!(
            (part(0, 9, 20), part(9, 9, 20), part(0, 0, 20)),
            (0, 20, 20)
        );
        assert_eq!((part(18_190, 18_204, 20), part(1, 1_000_000, 20)), (19, 1));
        assert_eq!((part(u64::MAX - 1, u64::MAX, 8), part(3, 4, 0)), (7, 0));
    }
}
