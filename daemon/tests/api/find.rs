//! Finding with a query line: pages, lines, live, decisions; and what is wrong with a line.

use axum::body::Body;
use serde_json::{Value, json};

use crate::support::{Api, create_user, request, suspend};

/// A query line in a URL.
pub(crate) fn encoded(line: &str) -> String {
    whodunit_core::api::segment(line)
}

async fn found(api: &Api, line: &str) -> Value {
    api.get(&format!("/v1/events?q={}", encoded(line)))
        .await
        .ok()
}

fn positions(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["position"].as_u64().unwrap())
        .collect()
}

async fn lines(api: &Api, path: &str) -> Vec<Value> {
    let asked = request("GET", path).header("accept", "application/x-ndjson");
    let reply = api.send(asked.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    reply
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Two users, one of whom is suspended and then refused; doors that two persons open.
async fn history(api: &Api) {
    api.user("user-1", "anna").await;
    api.user("user-2", "bert").await;
    api.command("user-1", &suspend("fraud detected")).await.ok();
    let change = json!({"type": "ChangeName", "payload": {"first_name": "Anna"}, "actor": "anna"});
    api.command("user-1", &change)
        .await
        .problem(422, "rejected");
    for (at, stream, by) in [
        ("2025-03-02T10:00:00Z", "door-1", "anna"),
        ("2025-03-02T11:00:00Z", "door-2", "bert"),
        ("2025-03-05T10:00:00Z", "door-1", "bert"),
    ] {
        let event =
            json!({"event_type": "Opened", "actor": by, "data": {"by": by}, "recorded_at": at});
        api.clock.set(at);
        api.append(stream, &json!({"events": [event]})).await.ok();
    }
}

#[tokio::test]
async fn a_line_finds_events_newest_first() {
    let api = Api::start();
    history(&api).await;
    for (line, expected) in [
        ("type:Opened", vec![6, 5, 4]),
        ("actor:bert category:door", vec![6, 5]),
        ("stream:door-*", vec![6, 5, 4]),
        ("stream:door-1 -actor:anna", vec![6]),
        ("type:User* -type:UserSuspended", vec![2, 1]),
        ("\"fraud DETECTED\"", vec![3]),
        ("reason:fraud", vec![3]),
        ("since:2025-03-05T00:00:00Z", vec![6]),
        ("where:state.status == \"suspended\"", vec![3]),
        (
            "where:changed(\"/status\") && before.status == \"active\"",
            vec![3],
        ),
        ("type:Opened preceded-by(actor:anna, 7d)", vec![6]),
        ("type:Opened preceded-by(actor:anna, 1d)", vec![]),
        ("type:Opened not-followed-by(type:Opened)", vec![6, 5]),
        ("-actor:* ", vec![]),
    ] {
        let page = found(&api, line).await;
        assert_eq!(positions(&page), expected, "{line}: {page}");
        assert_eq!(page["next_cursor"], Value::Null, "{line}");
    }
    let oldest_first = api.get("/v1/events?q=type:Opened&order=forward").await.ok();
    assert_eq!(positions(&oldest_first), [4, 5, 6]);
    let both = api.get("/v1/events?q=type:Opened&actor=bert").await.ok();
    assert_eq!(positions(&both), [6, 5]);
    assert_eq!(both["query"], "type:Opened actor:bert");
}

#[tokio::test]
async fn pages_go_on_where_they_ended() {
    let api = Api::start();
    history(&api).await;
    for line in [
        "type:Opened",
        "stream:door-*",
        "where:event.event_type == \"Opened\"",
    ] {
        let (mut all, mut more) = (Vec::new(), String::new());
        loop {
            let page = api
                .get(&format!("/v1/events?q={}&limit=1{more}", encoded(line)))
                .await
                .ok();
            all.extend(positions(&page));
            match page["next_cursor"].as_str() {
                Some(next) => more = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(all, [6, 5, 4], "{line}");
    }
    api.get("/v1/events?q=type:Opened&cursor=f3")
        .await
        .problem(400, "bad_parameter");
}

#[tokio::test]
async fn lines_come_with_progress_and_an_end() {
    let api = Api::start();
    history(&api).await;
    let all = lines(&api, "/v1/events?q=type:Opened").await;
    let events: Vec<_> = all
        .iter()
        .filter_map(|line| line["event"]["position"].as_u64())
        .collect();
    assert_eq!(events, [6, 5, 4]);
    let end = &all.last().unwrap()["end"];
    assert_eq!(end["matches"], 3);
    assert_eq!(end["complete"], true);
    assert_eq!(end["next_cursor"], Value::Null);
    assert_eq!(end["head"], 6);
    let first = lines(&api, "/v1/events?q=type:Opened&limit=2").await;
    let end = &first.last().unwrap()["end"];
    assert_eq!(
        (&end["matches"], &end["complete"]),
        (&json!(2), &json!(false))
    );
    let cursor = end["next_cursor"].as_str().unwrap();
    let rest = lines(&api, &format!("/v1/events?q=type:Opened&cursor={cursor}")).await;
    assert_eq!(rest[0]["event"]["position"], 4);
    let rejected = lines(&api, "/v1/events?q=outcome:rejected").await;
    assert_eq!(rejected[0]["decision"]["rule"], "user.suspended");
}

#[tokio::test]
async fn decisions_are_found_by_outcome_and_rule() {
    let api = Api::start();
    history(&api).await;
    for line in [
        "outcome:rejected",
        "rule:user.*",
        "where:decision.rule == \"user.suspended\"",
        "actor:anna outcome:rejected",
    ] {
        let page = found(&api, line).await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{line}: {page}");
        assert_eq!(items[0]["decision"]["command_type"], "ChangeName");
    }
    let decisions = api.get("/v1/decisions?q=type:ChangeName").await.ok();
    assert_eq!(decisions["items"][0]["rule"], "user.suspended");
    let suspended = "where:state.status == \"suspended\"";
    let on_state = api
        .get(&format!("/v1/decisions?q={}", encoded(suspended)))
        .await
        .ok();
    assert_eq!(on_state["items"].as_array().unwrap().len(), 1);
    let accepted = api
        .get("/v1/decisions?q=outcome:accepted&stream=user-2")
        .await
        .ok();
    assert_eq!(accepted["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_line_says_nothing_of_is_counted() {
    let api = Api::start();
    history(&api).await;
    let page = found(&api, "where:event.data.by == \"anna\"").await;
    assert_eq!(positions(&page), [4]);
    // The events of users have no such field.
    assert_eq!(page["undecided"]["undefined"], 3);
    assert_eq!(page["undecided"]["unknown"], 0);
    assert_eq!(page["undecided"]["first"], 3);
    assert_eq!(page["undecided"]["reason"], "`event.data.by` is not there");
}

#[tokio::test]
async fn what_is_wrong_with_a_line_is_said_with_its_column() {
    let api = Api::start();
    for (line, column, hint) in [
        ("actr:x", 1, "did you mean `actor`?"),
        ("type:A where:state.a = 1", 22, "`==`"),
        ("since:2025-03-24", 7, "`zone=+02:00`"),
    ] {
        let refused = api.get(&format!("/v1/events?q={}", encoded(line))).await;
        let problem = refused.problem(400, "bad_query");
        assert_eq!(problem["actual"]["column"], column, "{problem}");
        let said = format!("{} {}", problem["detail"], problem["hint"]);
        assert!(said.contains(hint), "{problem}");
    }
    let zoned = api
        .get("/v1/events?q=since:2025-03-24&zone=%2B02:00")
        .await
        .ok();
    assert_eq!(zoned["query"], "since:2025-03-23T22:00:00Z");
    api.get("/v1/events?q=x&zone=CET")
        .await
        .problem(400, "bad_parameter");
    let relative = api.get("/v1/events?q=since:-2d").await.ok();
    assert_eq!(relative["query"], "since:2025-02-27T09:00:00Z");
}

#[tokio::test]
async fn secrets_are_found_by_no_line() {
    let api = Api::start();
    let created = api.command("user-1", &create_user("anna")).await.ok();
    assert_eq!(created["events"][0]["data"]["password_hash"], "[redacted]");
    let view = api.daemon.store().view().unwrap();
    let event = view
        .event_at(whodunit_core::ids::Position(1))
        .unwrap()
        .unwrap();
    let hash = event.data.to_value()["password_hash"]
        .as_str()
        .unwrap()
        .to_owned();
    let start: String = hash.chars().take(9).collect();
    for line in [
        format!("\"{start}\""),
        format!("where:event.data.password_hash.startsWith(\"{start}\")"),
        format!("where:state.password_hash.startsWith(\"{start}\")"),
        format!("followed-by(where:state.password_hash.startsWith(\"{start}\"))"),
    ] {
        assert_eq!(
            positions(&found(&api, &line).await),
            [] as [u64; 0],
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_live_feed_takes_a_line() {
    let api = Api::start();
    history(&api).await;
    let refused = api.get("/v1/live?q=followed-by(x)").await;
    refused.problem(400, "bad_query");
    for (line, expected) in [
        ("type:Opened -actor:anna", vec!["5.0", "6.0"]),
        (
            "where:state.status == \"suspended\" type:UserSuspended",
            vec!["3"],
        ),
        ("outcome:rejected", vec!["3."]),
    ] {
        let found = first_messages(&api, line, expected.len()).await;
        for (found, expected) in found.iter().zip(&expected) {
            let start = expected.split('.').next().unwrap();
            assert!(found.starts_with(start), "{line}: {found}");
        }
    }
}

/// The ids of the first messages of a feed from the beginning.
async fn first_messages(api: &Api, line: &str, count: usize) -> Vec<String> {
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    let path = format!("/v1/live?after=0&q={}", encoded(line));
    let asked = request("GET", &path).body(Body::empty()).unwrap();
    let mut body = api.router.clone().oneshot(asked).await.unwrap().into_body();
    let mut text = String::new();
    loop {
        let ids: Vec<String> = text
            .split("\n\n")
            .filter(|message| message.contains("data: {\"") && !message.contains("event: head"))
            .filter_map(|message| {
                Some(message.split_once("id: ")?.1.split('\n').next()?.to_owned())
            })
            .collect();
        if ids.len() >= count {
            return ids;
        }
        let frame = body.frame().await.unwrap().unwrap();
        text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
    }
}
