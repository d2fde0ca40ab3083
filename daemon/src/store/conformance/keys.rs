//! Unique keys: who holds one, since when, and who held it then.

use whodunit_core::command::Outcome;

use super::*;
use crate::store::KeyHold;

fn claiming(mut append: Append, claims: &[&str], releases: &[&str]) -> Append {
    let last = append.events.len().saturating_sub(1);
    let changes = |values: &[&str], taken| -> Vec<KeyChange> {
        let key = |value: &&str| key_change(last, value, taken);
        values.iter().map(key).collect()
    };
    append.keys = [changes(releases, false), changes(claims, true)].concat();
    append
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is compared with what `key_holder` returns"
)]
fn hold(stream: &str, since: u64, until: Option<u64>) -> Option<KeyHold> {
    Some(KeyHold {
        stream: name(stream),
        since: Position(since),
        until: until.map(Position),
        since_at: at(1_000),
        until_at: until.map(|_| at(1_000)),
    })
}

fn holder(view: &dyn View, value: &str, at: Option<u64>) -> Option<KeyHold> {
    view.key_holder("a", &key(value), at.map(Position)).unwrap()
}

pub(super) async fn a_key_is_held_by_one_stream_of_a_category(store: &Arc<dyn Store>) {
    ok(store, claiming(facts("a-1", &["1", "2"]), &["eve"], &[])).await;
    assert_eq!(holder(&*view(store), "eve", None), hold("a-1", 2, None));
    let taken = claiming(facts("a-2", &["3"]), &["free", "eve"], &[]);
    let error = refusal(store, taken).await;
    assert!(
        matches!(&error, AppendError::KeyTaken { key: k, holder } if *k == key("eve") && *holder == name("a-1")),
        "{error}"
    );
    let read_view = view(store);
    assert_eq!(read_view.head(), head(2, 0));
    assert_eq!(holder(&*read_view, "free", None), None, "all or nothing");
    // Its holder may claim it again, which changes nothing; in another category it is another key.
    ok(store, claiming(facts("a-1", &["3"]), &["eve"], &[])).await;
    ok(store, claiming(facts("b-1", &["4"]), &["eve"], &[])).await;
    let read_view = view(store);
    assert_eq!(holder(&*read_view, "eve", None), hold("a-1", 2, None));
    let other = read_view.key_holder("b", &key("eve"), None).unwrap();
    assert_eq!(other, hold("b-1", 4, None));
    // Another name is another key as well.
    let phone = UniqueKey::caseless("phone", "eve");
    assert_eq!(read_view.key_holder("a", &phone, None).unwrap(), None);
}

pub(super) async fn a_taken_key_rejects_a_decided_append(store: &Arc<dyn Store>) {
    ok(store, claiming(facts("a-1", &["1"]), &["eve"], &[])).await;
    let create = claiming(accepted("a-2", "c-1", 0, &["2"]), &["eve"], &[]);
    let appended = ok(store, create.clone()).await;
    assert!(appended.events.is_empty() && !appended.repeated);
    let decision = appended.decision.unwrap();
    assert_eq!(
        decision.result,
        Outcome::Rejected {
            rule: "email.taken".to_owned(),
            message: key("eve").rejection().message,
        }
    );
    assert_eq!(
        (decision.base_revision, decision.base_position),
        (Revision(0), Position(1))
    );
    let read_view = view(store);
    assert_eq!(read_view.head(), head(1, 1));
    assert_eq!(read_view.stream(&name("a-2")).unwrap(), None);
    // The key becomes free; the command's decision stands all the same.
    ok(store, claiming(facts("a-1", &["3"]), &[], &["eve"])).await;
    let again = ok(store, create).await;
    assert!(again.repeated);
    assert_eq!(again.decision, Some(decision));
    // What the rules refused themselves keeps their reason.
    ok(store, claiming(facts("a-1", &["4"]), &["eve"], &[])).await;
    let refused = ok(store, claiming(refused("a-2", "c-2", 0), &["eve"], &[])).await;
    let result = refused.decision.unwrap().result.clone();
    assert!(
        matches!(&result, Outcome::Rejected { rule, .. } if rule == "a.rule"),
        "{result:?}"
    );
}

pub(super) async fn the_history_of_a_key_is_kept(store: &Arc<dyn Store>) {
    ok(store, claiming(facts("a-1", &["1"]), &["eve"], &[])).await; // 1: taken
    ok(store, facts("b-1", &["2"])).await; // 2
    ok(store, claiming(facts("a-1", &["3"]), &["bob"], &["eve"])).await; // 3: changed
    ok(store, facts("b-1", &["4"])).await; // 4
    ok(store, claiming(facts("a-2", &["5", "6"]), &["eve"], &[])).await; // 6: taken by another
    // Releasing a key that the stream does not hold is no error and changes no other stream's hold.
    ok(store, claiming(facts("a-1", &["7"]), &[], &["eve", "none"])).await; // 7
    ok(store, claiming(facts("a-2", &["8"]), &["eve"], &["eve"])).await; // 8: given up and taken again
    ok(store, claiming(facts("a-2", &["9"]), &[], &["eve"])).await; // 9
    ok(store, claiming(facts("a-1", &["10"]), &["eve"], &["bob"])).await; // 10: back
    let read_view = view(store);
    let expected = [
        None,
        hold("a-1", 1, Some(3)),
        hold("a-1", 1, Some(3)),
        None,
        None,
        None,
        hold("a-2", 6, Some(8)),
        hold("a-2", 6, Some(8)),
        hold("a-2", 8, Some(9)),
        None,
        hold("a-1", 10, None),
        hold("a-1", 10, None),
    ];
    for (position, expected) in (0..).zip(expected) {
        assert_eq!(
            holder(&*read_view, "eve", Some(position)),
            expected,
            "at {position}"
        );
    }
    assert_eq!(holder(&*read_view, "eve", None), hold("a-1", 10, None));
    assert_eq!(
        holder(&*read_view, "bob", Some(9)),
        hold("a-1", 3, Some(10))
    );
    assert_eq!(holder(&*read_view, "bob", None), None);
}

pub(super) async fn keys_change_hands_with_their_events(store: &Arc<dyn Store>) {
    ok(store, claiming(facts("a-1", &["1"]), &["eve"], &[])).await; // 1
    // Held by an event in between only: taken by another, so refused as it would be alone.
    let mut passing = facts("a-2", &["2", "3"]);
    passing.keys = vec![key_change(0, "eve", true), key_change(1, "eve", false)];
    let error = refusal(store, passing.clone()).await;
    assert!(matches!(error, AppendError::KeyTaken { .. }), "{error}");
    ok(store, claiming(facts("a-1", &["4"]), &[], &["eve"])).await; // 2
    ok(store, passing).await; // 3, 4
    let read_view = view(store);
    let expected = [None, hold("a-1", 1, Some(2)), None];
    for (position, expected) in (0..).zip(expected) {
        assert_eq!(holder(&*read_view, "eve", Some(position)), expected);
    }
    assert_eq!(holder(&*read_view, "eve", Some(3)), hold("a-2", 3, Some(4)));
    assert_eq!(holder(&*read_view, "eve", None), None);
}

pub(super) async fn at_a_time_a_key_is_its_holders_by_their_own_times(store: &Arc<dyn Store>) {
    let append = |stream: &str, id: &str, moment: i64, claims: &[&str], releases: &[&str]| {
        let mut append = claiming(facts(stream, &[id]), claims, releases);
        append.now = at(moment);
        append
    };
    // Two streams one after another, as an import brings them: each has a history of its own over the same days.
    ok(store, append("a-1", "1", 10, &["eve"], &[])).await;
    ok(store, append("a-1", "2", 20, &[], &["eve"])).await;
    ok(store, append("a-2", "3", 15, &["eve"], &[])).await;
    // The clock goes back: given up at its effective time, 40.
    ok(store, append("a-2", "4", 40, &[], &[])).await;
    ok(store, append("a-2", "5", 30, &[], &["eve"])).await;
    ok(store, append("a-3", "6", 5, &["eve"], &[])).await;
    let read_view = view(store);
    let holder = |moment: i64, except: &str| {
        let hold = read_view.key_holder_as_of("a", &key("eve"), at(moment), &name(except));
        hold.unwrap().map(|hold| hold.stream.to_string())
    };
    for (moment, except, expected) in [
        (4, "a-9", None),
        (5, "a-9", Some("a-3")),
        (5, "a-3", None),
        (10, "a-3", Some("a-1")),
        (17, "a-3", Some("a-2")),
        (19, "a-2", Some("a-3")),
        (20, "a-3", Some("a-2")),
        (39, "a-3", Some("a-2")),
        (40, "a-3", None),
    ] {
        assert_eq!(
            holder(moment, except).as_deref(),
            expected,
            "{moment} {except}"
        );
    }
    let since = |after: u64| {
        let holds = read_view.key_holds_since("a", &key("eve"), Position(after));
        let holds = holds.unwrap().into_iter();
        holds.map(|hold| hold.since.0).collect::<Vec<_>>()
    };
    let all = since(0);
    assert!(all.len() > 2 && all.is_sorted(), "{all:?}");
    assert_eq!(since(all[0]), all[1..], "those that began later");
    assert_eq!(since(u64::MAX), [0; 0]);
}

pub(super) async fn of_racing_claims_one_wins(store: &Arc<dyn Store>) {
    for round in 0..10 {
        let value = format!("key-{round}");
        let claims: Vec<_> = (0..32)
            .map(|n| {
                let (stream, id) = (format!("a-{round}-{n}"), format!("{round}/{n}"));
                store.append(claiming(accepted(&stream, &id, 0, &[&id]), &[&value], &[]))
            })
            .collect();
        let mut winners = Vec::new();
        for claim in claims {
            let appended = claim.await.unwrap();
            match appended.decision.unwrap().result.clone() {
                Outcome::Accepted { .. } => winners.push(appended.events[0].clone()),
                Outcome::Rejected { rule, .. } => assert_eq!(rule, "email.taken"),
            }
        }
        let [winner] = winners.as_slice() else {
            panic!("round {round}: {} winners", winners.len());
        };
        assert_eq!(
            holder(&*view(store), &value, None),
            hold(winner.stream.as_str(), winner.position.0, None)
        );
    }
    assert_eq!(view(store).head(), head(10, 320));
}
