//! A made-up month of a user service, and the incident in it.
//!
//! Owns who does what when. Pure: a seed in, scenes out, the same for the same seed. Every scene knows what the rules will
//! answer; that they really do is a test. Never plays anything: [`super::play`] does.
//!
//! The incident: Sarah's account is created in early March. On Thursday the 20th at 03:00 the fraud scan suspends nine
//! accounts at once, hers by mistake; support finds most of them out, not hers. On Saturday she tries to change her address
//! and is refused. On Monday the 24th at 15:47 the clean-up job takes long-suspended accounts for inactive ones, and deletes
//! hers. On Tuesday at 9:15 support begins to search.

mod calendar;
mod dice;
mod people;
mod service;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use whodunit_core::api::write::CommandIn;
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

/// The seed when nobody names one.
pub(super) const SEED_DEFAULT: u64 = 1547;

/// A command at its time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    /// When it is given.
    pub at: Timestamp,
    /// To which stream.
    pub stream: StreamName,
    /// What is asked for.
    pub command: CommandIn,
    /// The id of the event it leads to.
    pub event_id: String,
    /// The rule that will refuse it; `None`: it will be accepted.
    pub refused_by: Option<&'static str>,
}

/// A month.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Story {
    /// Its scenes, in the order of their times.
    pub scenes: Vec<Scene>,
}

impl Story {
    /// Sarah's stream.
    pub(super) fn sarah(&self) -> Option<&StreamName> {
        self.scenes
            .iter()
            .find(|scene| {
                scene
                    .command
                    .payload
                    .get("username")
                    .is_some_and(|name| name == "sarah")
            })
            .map(|scene| &scene.stream)
    }

    /// The stream of the user, other than Sarah, who changes the password most often: whoever gets the most mail.
    pub(super) fn most_mail(&self) -> Option<&StreamName> {
        let mut changes: BTreeMap<&StreamName, usize> = BTreeMap::new();
        for scene in &self.scenes {
            if scene.command.command_type == "ChangePassword" && scene.refused_by.is_none() {
                *changes.entry(&scene.stream).or_default() += 1;
            }
        }
        let sarah = self.sarah();
        let others = changes.into_iter().filter(|(own, _)| Some(*own) != sarah);
        others.max_by_key(|(_, n)| *n).map(|(stream, _)| stream)
    }
}

/// The story of this seed.
pub(super) fn story(seed: u64) -> Story {
    service::Service::new(seed).run()
}
