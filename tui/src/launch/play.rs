//! Playing a story: each of its commands through the daemon's real rules, at its own time.

use std::sync::{Arc, Mutex, PoisonError};

use whodunit_daemon::Daemon;
use whodunit_daemon::clock::{Ids, UuidV7};
use whodunit_daemon::commands::CommandResult;

use super::story::{Scene, Story};
use crate::cli::CliError;

/// Gives each scene's event the id that the story has for it, and everything else a fresh one.
#[derive(Default)]
pub(super) struct ScriptedIds {
    next: Mutex<Option<String>>,
}

impl ScriptedIds {
    fn prepare(&self, id: String) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }

    fn clear(&self) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Ids for ScriptedIds {
    fn fresh(&self) -> String {
        let next = self
            .next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        next.unwrap_or_else(|| UuidV7.fresh())
    }
}

/// Plays the story, scene after scene: positions and ids are then the story's, and so is every replay. `after_each` is
/// called with what became of it.
pub(super) async fn play(
    story: Story,
    daemon: &Daemon,
    ids: &Arc<ScriptedIds>,
    mut after_each: impl FnMut(&Scene, &CommandResult),
) -> Result<(), CliError> {
    for scene in story.scenes {
        ids.prepare(scene.event_id.clone());
        let (stream, command) = (scene.stream.clone(), scene.command.clone());
        let answer = daemon
            .commands()
            .handle_at(stream, command, scene.at)
            .await
            .map_err(|error| CliError::daemon(format!("the demo could not be played: {error}")))?;
        after_each(&scene, &answer);
    }
    // A rejected last command leaves its event's id behind.
    ids.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::embedded::{Embedded, Mails, Plan};
    use crate::launch::story::story;
    use whodunit_core::command::Outcome;
    use whodunit_daemon::builtin::BuiltIn;

    async fn played(seed: u64) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let ids = Arc::new(ScriptedIds::default());
        let plan = Plan {
            thrown_away: true,
            models: vec![BuiltIn::Users],
            port: 0,
            ids: Arc::clone(&ids) as Arc<dyn Ids>,
            mails: Mails::None,
        };
        let embedded = Embedded::start(folder.path(), plan).await.unwrap();
        let mut log = Vec::new();
        play(story(seed), &embedded.daemon, &ids, |scene, answer| {
            let (ruled, event) = match answer {
                CommandResult::Accepted(accepted) => (None, Some(&accepted.events[0])),
                CommandResult::Rejected(decision) => match &decision.result {
                    Outcome::Rejected { rule, .. } => (Some(rule.as_str()), None),
                    Outcome::Accepted { .. } => unreachable!(),
                },
            };
            assert_eq!(ruled, scene.refused_by, "{scene:?}");
            if let Some(event) = event {
                assert_eq!(event.event_id, scene.event_id);
                assert_eq!(event.recorded_at, scene.at);
                log.push(format!(
                    "{} {} {}",
                    event.position, event.event_id, event.recorded_at
                ));
            }
        })
        .await
        .unwrap();
        embedded.stop().await.unwrap();
        log
    }

    #[tokio::test]
    async fn the_rules_answer_as_the_story_says_and_a_replay_is_the_same() {
        let first = played(1).await;
        assert_eq!(first, played(1).await);
        played(crate::launch::story::SEED_DEFAULT).await;
        played(4).await;
    }
}
