//! Live feeds.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Api, create_user, request};

/// An open feed.
struct Feed {
    body: BodyDataStream,
    text: String,
}

/// A message: id, kind, data.
type Message = (String, String, Value);

impl Feed {
    async fn open(api: &Api, query: &str) -> Self {
        Self::with(api, request("GET", &format!("/v1/live{query}"))).await
    }

    async fn with(api: &Api, request: axum::http::request::Builder) -> Self {
        let request = request.body(Body::empty()).unwrap();
        let response = api.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next message; `None` at the end of the feed.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let lines: Vec<_> = message.lines().map(str::to_owned).collect();
                let rest = rest.len();
                self.text.drain(..self.text.len() - rest);
                let field = |name: &str| {
                    let mut lines = lines.iter();
                    lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
                };
                let Some(data) = field("data: ") else {
                    assert_eq!(lines, ["retry: 2000"]);
                    continue;
                };
                // A message without a type is an event.
                let kind = field("event: ").unwrap_or_else(|| "event".to_owned());
                return Some((
                    field("id: ").unwrap(),
                    kind,
                    serde_json::from_str(&data).unwrap(),
                ));
            }
            let piece = tokio::time::timeout(Duration::from_mins(1), self.body.next())
                .await
                .unwrap()?;
            self.text
                .push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        }
    }

    /// What comes up to and with the first head.
    async fn until_head(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await.unwrap();
            let is_head = message.1 == "head";
            messages.push(message);
            if is_head {
                return messages;
            }
        }
    }
}

/// Kinds and ids, without the marks.
fn ids(messages: &[Message]) -> Vec<(&str, &str)> {
    messages
        .iter()
        .map(|(id, kind, _)| (kind.as_str(), id.rsplit_once('.').unwrap().0))
        .collect()
}

/// An event, a rejection, another event.
async fn some_history(api: &Api) {
    api.user("user-1", "sarah").await;
    api.command("user-1", &create_user("sarah"))
        .await
        .problem(422, "rejected");
    api.fact("door-1", "Opened", json!({})).await;
}

#[tokio::test]
async fn a_feed_brings_events_and_rejections_in_order_then_the_head() {
    let api = Api::start();
    some_history(&api).await;
    let mut feed = Feed::open(&api, "?after=0").await;
    let messages = feed.until_head().await;
    assert_eq!(
        ids(&messages),
        [
            ("event", "1.0"),
            ("decision", "1.2"),
            ("event", "2.2"),
            ("head", "2.2")
        ]
    );
    assert_eq!(messages[0].2["data"]["password_hash"], "[redacted]");
    assert_eq!(messages[1].2["rule"], "user.exists");
    assert_eq!(messages[3].2, json!({"position": 2, "decision": 2}));
    api.fact("door-1", "Closed", json!({})).await;
    let more = loop {
        let messages = feed.until_head().await;
        if messages.len() > 1 {
            break messages;
        }
    };
    assert_eq!(ids(&more), [("event", "3.2"), ("head", "3.2")]);
}

#[tokio::test]
async fn a_feed_resumes_after_any_of_its_messages() {
    let api = Api::start();
    some_history(&api).await;
    let all = Feed::open(&api, "?after=0.0").await.until_head().await;
    for (n, (id, _, _)) in all.iter().enumerate().take(3) {
        let rest = Feed::open(&api, &format!("?after={id}"))
            .await
            .until_head()
            .await;
        assert_eq!(ids(&rest), ids(&all[n + 1..]), "after {id}");
        let header = request("GET", "/v1/live?after=0").header("last-event-id", id);
        let rest = Feed::with(&api, header).await.until_head().await;
        assert_eq!(
            ids(&rest),
            ids(&all[n + 1..]),
            "the header is the newer word"
        );
    }
    let by_position = Feed::open(&api, "?after=1").await.until_head().await;
    assert_eq!(
        ids(&by_position),
        [("decision", "1.2"), ("event", "2.2"), ("head", "2.2")]
    );
    let from_now = Feed::open(&api, "").await.until_head().await;
    assert_eq!(ids(&from_now), [("head", "2.2")]);
}

#[tokio::test]
async fn a_filter_passes_over_what_is_not_wanted_and_its_ids_go_on() {
    let api = Api::start();
    some_history(&api).await;
    let colour = json!({"events": [{"event_type": "Painted", "data": {"colour": "Crimson"}, "actor": "jo",
        "correlation_id": "c-1"}]});
    api.append("door-2", &colour).await.ok();
    for (query, wanted) in [
        ("category=door", vec![("event", "2.2"), ("event", "3.2")]),
        ("category=user", vec![("event", "1.0"), ("decision", "1.2")]),
        ("type=Painted", vec![("event", "3.2")]),
        ("actor=jo", vec![("event", "3.2")]),
        ("stream=door-1", vec![("event", "2.2")]),
        ("correlation=c-1", vec![("event", "3.2")]),
        ("text=cRIMson", vec![("event", "3.2")]),
        ("category=door&text=nothing", vec![]),
    ] {
        let messages = Feed::open(&api, &format!("?after=0&{query}"))
            .await
            .until_head()
            .await;
        let head = [("head", "3.2")];
        let wanted: Vec<_> = wanted.into_iter().chain(head).collect();
        assert_eq!(ids(&messages), wanted, "{query}");
    }
    // The head's id is behind what was passed over.
    let rest = Feed::open(&api, "?after=3.2&type=Painted")
        .await
        .until_head()
        .await;
    assert_eq!(ids(&rest), [("head", "3.2")]);
}

#[tokio::test]
async fn a_feed_brings_every_event_of_a_log_longer_than_its_batches() {
    let api = Api::start();
    let events: Vec<_> = (0..600)
        .map(|n| json!({"event_type": "T", "data": {"n": n}}))
        .collect();
    api.append("door-1", &json!({"events": events})).await.ok();
    for _ in 0..300 {
        api.command("user-1", &json!({"type": "ReactivateUser", "actor": "a"}))
            .await
            .problem(422, "rejected");
    }
    api.append("door-2", &json!({"events": events})).await.ok();
    let messages = Feed::open(&api, "?after=0").await.until_head().await;
    let of = |kind: &str| messages.iter().filter(|message| message.1 == kind).count();
    assert_eq!((of("event"), of("decision"), of("head")), (1200, 300, 1));
    let kinds: Vec<_> = messages.iter().map(|message| message.1.as_str()).collect();
    assert!(kinds[..600].iter().all(|kind| *kind == "event"));
    assert!(kinds[600..900].iter().all(|kind| *kind == "decision"));
}

#[tokio::test]
async fn an_idle_feed_repeats_the_head_and_ends_when_the_daemon_stops() {
    let api = Api::start();
    let mut feed = Feed::open(&api, "?after=0").await;
    for _ in 0..3 {
        assert_eq!(feed.until_head().await.len(), 1);
    }
    api.daemon.begin_to_stop();
    while feed.next().await.is_some() {}
}

#[tokio::test]
async fn a_feed_that_cannot_begin_says_why() {
    let api = Api::start();
    some_history(&api).await;
    for query in [
        "?after=x",
        "?after=1.x",
        "?after=-1",
        "?after=3",
        "?after=2.9",
        "?after=1.0.12",
        "?after=1.0.zzzzzzzzzzzzzzzz",
        "?after=1.0.0000000000000000.1",
        "?aft=1",
    ] {
        api.get(&format!("/v1/live{query}"))
            .await
            .problem(400, "bad_parameter");
    }
    let mut open = Vec::new();
    for _ in 0..whodunit_daemon::limits::LIVE_FEEDS_MAX {
        open.push(Feed::open(&api, "").await);
    }
    api.get("/v1/live").await.problem(503, "busy");
    open.pop();
    Feed::open(&api, "").await;
}

/// A client that comes back with an id that another log gave is told so, and never brought into another history: not with that
/// of another store, though the events are the same, and not with one of a place that this log no longer has.
#[tokio::test]
async fn an_id_of_another_history_is_refused() {
    let (one, other) = (Api::start(), Api::start());
    some_history(&one).await;
    let export = one.get("/v1/export?reveal=true").await.text;
    other
        .post_text("/v1/import", "application/x-ndjson", &export)
        .await
        .ok();
    let messages = Feed::open(&one, "?after=0").await.until_head().await;
    assert_eq!(messages.len(), 4);
    for (id, _, _) in &messages {
        let refused = other.get(&format!("/v1/live?after={id}")).await;
        let problem = refused.problem(409, "other_history");
        let detail = problem["detail"].as_str().unwrap();
        let store = other.get("/v1/health").await.ok()["store_id"].clone();
        assert!(detail.contains(store.as_str().unwrap()), "{detail}");
        let header = request("GET", "/v1/live?after=0").header("last-event-id", id);
        let header = header.body(Body::empty()).unwrap();
        let answer = other.router.clone().oneshot(header).await.unwrap();
        assert_eq!(answer.status(), 409);
        // The log that gave it knows it.
        Feed::open(&one, &format!("?after={id}")).await;
    }
    // A place that the log has not come to, such as after an older backup of it was restored.
    let (id, _, _) = &messages[3];
    let mark = id.rsplit('.').next().unwrap();
    one.get(&format!("/v1/live?after=9.2.{mark}"))
        .await
        .problem(409, "other_history");
}

#[tokio::test]
async fn a_rejection_is_not_missed_where_restored_decisions_stand_before_it() {
    // Elsewhere: a user is created and a command on it rejected.
    let other = Api::start();
    some_history(&other).await;
    let events = other
        .get("/v1/export?reveal=true&decisions=false")
        .await
        .text;
    let whole = other.get("/v1/export?reveal=true").await.text;

    // Here: the same events, then more, a rejection at the head, and only then the decisions from elsewhere, which stand
    // right after their events.
    let api = Api::start();
    api.post_text("/v1/import", "application/x-ndjson", &events)
        .await
        .ok();
    for n in 0..10 {
        let event = json!({"event_type": "Opened", "data": {}, "event_id": format!("door/{n}")});
        let appended = api.append("door-1", &json!({"events": [event]})).await;
        appended.ok();
    }
    let mut command = create_user("sarah");
    command["command_id"] = json!("own");
    let own = api.command("user-1", &command).await;
    own.problem(422, "rejected");
    let report = api
        .post_text("/v1/import", "application/x-ndjson", &whole)
        .await
        .ok();
    let (position, decisions) = api.head();
    assert!(decisions > 1, "{report}");

    // Whatever the feed begins after, what stands after that comes.
    for after in 0..=position {
        let mut feed = Feed::open(&api, &format!("?after={after}")).await;
        let messages = feed.until_head().await;
        let events = messages.iter().filter(|(_, kind, _)| kind == "event");
        assert_eq!(events.count() as u64, position - after, "after {after}");
        let rejections: Vec<_> = messages
            .iter()
            .filter(|(_, kind, _)| kind == "decision")
            .map(|(_, _, decision)| decision["base_position"].as_u64().unwrap())
            .collect();
        assert!(
            rejections.contains(&position),
            "after {after}, of {position}: {rejections:?}"
        );
    }
}

#[tokio::test]
async fn what_the_line_does_not_decide_is_counted_in_the_heads() {
    let api = Api::start();
    let line = "?after=0&q=where:event.data.by%20==%20%22ann%22";
    api.fact("door-1", "Opened", json!({"by": "ann"})).await;
    api.fact("door-1", "Opened", json!({})).await;
    let mut feed = Feed::open(&api, line).await;
    let messages = feed.until_head().await;
    let (_, _, head) = messages.last().unwrap();
    assert_eq!(
        (messages.len(), &head["undecided"], &head["undecided_from"]),
        (2, &json!(1), &json!(2))
    );
    api.fact("door-1", "Opened", json!({})).await;
    loop {
        let (_, kind, head) = feed.next().await.unwrap();
        assert_eq!(kind, "head");
        if head["undecided"] == 2 {
            break;
        }
    }
    // Nothing undecided, nothing said.
    let mut plain = Feed::open(&api, "?after=0").await;
    assert!(
        plain
            .until_head()
            .await
            .last()
            .unwrap()
            .2
            .get("undecided")
            .is_none()
    );
}

/// Between the last head and the end something may be left out: the feed says so before it ends, and once.
#[tokio::test]
async fn a_feed_that_ends_says_first_what_it_left_out_since_the_last_head() {
    let api = Api::start();
    let mut feed = Feed::open(&api, "?after=0&q=where:event.data.by%20==%20%22ann%22").await;
    feed.until_head().await;
    let of = |data: Value| json!({"event_type": "Opened", "data": data});
    let both = json!({"events": [of(json!({})), of(json!({"by": "ann"}))]});
    api.append("door-1", &both).await.ok();
    loop {
        let (_, kind, said) = feed.next().await.unwrap();
        if kind == "event" {
            assert_eq!(said["position"], 2);
            break;
        }
    }
    api.daemon.begin_to_stop();
    let (_, kind, said) = feed.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &said["undecided"], &said["undecided_from"]),
        ("head", &json!(1), &json!(1))
    );
    assert!(feed.next().await.is_none());
    // One that left nothing out just ends.
    let api = Api::start();
    let mut feed = Feed::open(&api, "?after=0").await;
    feed.until_head().await;
    api.daemon.begin_to_stop();
    assert!(feed.next().await.is_none());
}
