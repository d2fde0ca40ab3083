//! The story holds together, whatever the seed.

use std::collections::BTreeSet;

use super::*;

#[test]
fn the_same_seed_is_the_same_story() {
    assert_eq!(story(7), story(7));
    assert_ne!(story(7).scenes, story(8).scenes);
}

#[test]
fn a_month_of_hundreds_of_users_in_order() {
    for seed in [SEED_DEFAULT, 1, 2, u64::MAX] {
        let story = story(seed);
        let times: Vec<_> = story.scenes.iter().map(|scene| scene.at).collect();
        assert!(times.is_sorted(), "seed {seed}");
        assert_eq!(times[0].to_string(), "2025-02-24T06:00:00Z");
        assert!(times[times.len() - 1] <= calendar::end());
        assert!((900..2000).contains(&times.len()), "{} scenes", times.len());

        let ids: BTreeSet<&str> = story
            .scenes
            .iter()
            .flat_map(|scene| {
                [
                    Some(scene.event_id.as_str()),
                    scene.command.command_id.as_deref(),
                ]
            })
            .flatten()
            .collect();
        assert_eq!(ids.len(), 2 * story.scenes.len(), "ids are unique");
        let users: BTreeSet<_> = story.scenes.iter().map(|scene| &scene.stream).collect();
        assert!(users.len() > 300, "{} users", users.len());
        let rules: BTreeSet<_> = story
            .scenes
            .iter()
            .filter_map(|scene| scene.refused_by)
            .collect();
        assert!(rules.len() >= 6, "{rules:?}");
    }
}

#[test]
fn people_work_when_people_work() {
    for scene in story(SEED_DEFAULT).scenes {
        let actor = scene.command.actor.unwrap();
        let time = scene.at.to_datetime();
        if actor.starts_with("support:") {
            let weekday = time.format("%u").to_string();
            assert!(weekday.as_str() < "6", "{actor} on {time}");
            let hour = time.format("%H").to_string();
            assert!(("08"..="17").contains(&hour.as_str()), "{actor} at {time}");
        }
    }
}

#[test]
fn sarahs_trail() {
    for seed in [SEED_DEFAULT, 3, 99] {
        let story = story(seed);
        let sarah = story.sarah().unwrap().clone();
        let trail: Vec<_> = story
            .scenes
            .iter()
            .filter(|scene| scene.stream == sarah)
            .collect();
        let lines: Vec<String> = trail
            .iter()
            .map(|scene| {
                let command = &scene.command;
                format!(
                    "{} {} by {}, {} {}",
                    scene.at,
                    command.command_type,
                    command.actor.as_deref().unwrap_or("-"),
                    command.reason.as_deref().unwrap_or("-"),
                    scene.refused_by.unwrap_or("ok")
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "2025-03-01T09:12:04Z CreateUser by api, - ok",
                "2025-03-09T11:40:31Z ChangeName by sarah, - ok",
                "2025-03-20T03:00:00Z SuspendUser by fraud-scan, fraud_detected ok",
                "2025-03-22T10:02:18Z ChangeEmail by sarah, - user.suspended",
                "2025-03-24T15:47:23Z DeleteUser by job:inactive-cleanup, inactive for 90 days ok",
            ],
            "seed {seed}"
        );
        let deletion = &trail[4].command;
        assert_eq!(
            deletion.causation_id.as_deref(),
            Some(trail[2].event_id.as_str())
        );

        // She was not the only one that night, and most of the others were cleared.
        let night = trail[2].command.correlation_id.clone();
        let batch: Vec<_> = story
            .scenes
            .iter()
            .filter(|scene| scene.command.correlation_id == night)
            .collect();
        assert_eq!(batch.len(), 9);
        let cleared = story
            .scenes
            .iter()
            .filter(|scene| {
                scene
                    .command
                    .reason
                    .as_deref()
                    .is_some_and(|r| r.contains("fd-17"))
            })
            .count();
        assert!((4..=6).contains(&cleared), "{cleared}");
    }
}
