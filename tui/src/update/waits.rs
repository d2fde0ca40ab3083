//! What is waited for: when `Esc` ends a wait, and what that means.

use crate::model::Model;
use crate::request::Slot;

/// Whether `Esc` ends a wait instead of going back. What is asked for by itself, and comes soon, is no reason not to go back.
pub(super) fn gives_up(model: &Model) -> bool {
    let asked = model.front.asked();
    asked.shown_slots().any(fills_a_screen)
        || asked
            .long_slots(model.app.now)
            .any(|slot| slot != Slot::Check)
}

/// Whether a request of this kind changes something, also if its reply is not waited for.
pub(super) fn changes_something(slot: Slot) -> bool {
    matches!(
        slot,
        Slot::RetryJob
            | Slot::RetryFailed
            | Slot::Rebuild
            | Slot::CancelRebuild
            | Slot::Backfill
            | Slot::CancelBackfill
            | Slot::SaveScenario
            | Slot::KeepBranch
            | Slot::RenameBranch
            | Slot::AdoptBranch
            | Slot::RemoveBranch
    )
}

/// Whether the reply to a question of this kind fills a whole screen.
fn fills_a_screen(slot: Slot) -> bool {
    matches!(
        slot,
        Slot::Streams
            | Slot::Stream
            | Slot::Log
            | Slot::WhatIf
            | Slot::StateAsOf
            | Slot::Find
            | Slot::Compare
            | Slot::Causes
            | Slot::Correlation
            | Slot::World
            | Slot::WorldDiff
            | Slot::MoreWorld
            | Slot::MoreWorldDiff
            | Slot::MoreFound
            | Slot::Pipeline
            | Slot::Branches
            | Slot::CompareBranch
            | Slot::Run
    )
}
