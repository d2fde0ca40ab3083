//! Many clients at once, over real sockets.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use whodunit_daemon::serve;

use crate::support::{Api, create_user};

const CLIENTS: usize = 32;

/// A daemon that listens.
struct Served {
    api: Api,
    url: String,
    stop: CancellationToken,
    done: tokio::task::JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl Served {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let api = Api::start_in(directory.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let serving = serve(listener, api.daemon.clone(), stop.clone());
        let done = tokio::spawn(async { serving.await.unwrap() });
        Self {
            api,
            url,
            stop,
            done,
            _directory: directory,
        }
    }

    /// Sends one request per client at the same time; statuses and bodies.
    async fn race(
        &self,
        path: impl Fn(usize) -> String,
        body: impl Fn(usize) -> Value,
    ) -> Vec<(u16, Value)> {
        let start = Arc::new(tokio::sync::Barrier::new(CLIENTS));
        let mut clients = JoinSet::new();
        for n in 0..CLIENTS {
            let (url, body, start) = (
                format!("{}{}", self.url, path(n)),
                body(n),
                Arc::clone(&start),
            );
            clients.spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                start.wait().await;
                let response = client.post(url).json(&body).send().await.unwrap();
                (response.status().as_u16(), response.json().await.unwrap())
            });
        }
        clients.join_all().await
    }

    async fn stop(self) {
        self.stop.cancel();
        self.done.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_for_a_revision_each_success_has_its_own_and_no_loser_is_stored() {
    let served = Served::start().await;
    let mut wins = BTreeSet::new();
    for round in 0..8_u64 {
        let body = |n: usize| {
            let event = json!({"event_type": "Bid", "data": {"client": n}, "event_id": format!("{round}-{n}")});
            json!({"expected_revision": round, "events": [event]})
        };
        let answers = served
            .race(|_| "/v1/streams/auction-1/events".to_owned(), body)
            .await;
        for (status, answer) in &answers {
            match status {
                200 => assert!(wins.insert(answer["revision"].as_u64().unwrap())),
                409 => {
                    assert_eq!(answer["code"], "wrong_revision");
                    assert_eq!(
                        (&answer["expected"], &answer["actual"]),
                        (&json!(round), &json!(round + 1))
                    );
                }
                _ => panic!("{answer}"),
            }
        }
        assert_eq!(
            answers.iter().filter(|(status, _)| *status == 200).count(),
            1,
            "one wins"
        );
    }
    assert_eq!(wins, (1..=8).collect());
    assert_eq!(served.api.head(), (8, 0));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_precondition_everyone_gets_a_revision_of_their_own() {
    let served = Served::start().await;
    let raw = |n: usize| json!({"events": [{"event_type": "Bid", "data": {"client": n}}]});
    let answers = served
        .race(|_| "/v1/streams/auction-1/events".to_owned(), raw)
        .await;
    let revisions: BTreeSet<_> = answers
        .iter()
        .map(|(status, answer)| (*status, answer["revision"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        revisions,
        (1..=CLIENTS as u64)
            .map(|revision| (200, revision))
            .collect()
    );
    // The same for a category whose keys have to be kept, and for commands.
    served.api.user("user-1", "sarah").await;
    let fact = |n: usize| json!({"events": [{"event_type": "Noted", "data": {"client": n}}]});
    let answers = served
        .race(|_| "/v1/streams/user-1/events".to_owned(), fact)
        .await;
    let revisions: BTreeSet<_> = answers
        .iter()
        .map(|(_, answer)| answer["revision"].as_u64().unwrap())
        .collect();
    assert_eq!(revisions, (2..=CLIENTS as u64 + 1).collect());
    let rename = |n: usize| json!({"type": "ChangeName", "payload": {"first_name": format!("S{n}")}, "actor": "x"});
    let answers = served
        .race(|_| "/v1/streams/user-1/commands".to_owned(), rename)
        .await;
    let revisions: BTreeSet<_> = answers
        .iter()
        .map(|(_, answer)| answer["revision"].as_u64().unwrap())
        .collect();
    assert_eq!(
        revisions,
        (CLIENTS as u64 + 2..=2 * CLIENTS as u64 + 1).collect()
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_for_an_email_one_wins_and_the_others_are_rejected_on_record() {
    let served = Served::start().await;
    let create = |n: usize| {
        let mut command = create_user(&format!("name{n}"));
        command["payload"]["email"] = json!("sarah@example.com");
        command
    };
    let answers = served
        .race(|n| format!("/v1/streams/user-{n}/commands"), create)
        .await;
    let won = answers.iter().filter(|(status, _)| *status == 200).count();
    let lost = answers
        .iter()
        .filter(|(status, answer)| *status == 422 && answer["rule"] == "email.taken")
        .count();
    assert_eq!((won, lost), (1, CLIENTS - 1), "{answers:?}");
    let decisions = served
        .api
        .get("/v1/decisions?outcome=rejected&limit=1000")
        .await
        .ok();
    let rules: Vec<_> = decisions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| decision["rule"].clone())
        .collect();
    assert_eq!(rules, vec![json!("email.taken"); CLIENTS - 1]);
    assert_eq!(served.api.head(), (1, CLIENTS as u64));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_sent_by_everyone_is_decided_once() {
    let served = Served::start().await;
    let same = |_: usize| {
        let mut command = create_user("sarah");
        command["command_id"] = json!("the-one");
        command
    };
    let answers = served
        .race(|_| "/v1/streams/user-1/commands".to_owned(), same)
        .await;
    assert!(
        answers
            .iter()
            .all(|(status, answer)| *status == 200 && answer["revision"] == 1),
        "{answers:?}"
    );
    assert_eq!(
        answers
            .iter()
            .filter(|(_, answer)| answer["repeated"] == false)
            .count(),
        1
    );
    assert_eq!(served.api.head(), (1, 1));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_feeds_and_nobody_listens_any_more() {
    let served = Served::start().await;
    let mut feed = reqwest::get(format!("{}/v1/live?after=0", served.url))
        .await
        .unwrap();
    assert!(feed.chunk().await.unwrap().is_some());
    let url = served.url.clone();
    served.stop().await;
    while feed.chunk().await.unwrap().is_some() {}
    assert!(
        reqwest::get(format!("{url}/v1/health")).await.is_err(),
        "the daemon no longer listens"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_a_request_under_way_finish() {
    let served = Served::start().await;
    let address = served.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let body =
        json!({"events": [{"event_type": "Opened", "data": {}, "event_id": "late"}]}).to_string();
    let (begin, end) = body.split_at(10);
    let head = format!(
        "POST /v1/streams/door-1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(
        &answer, b"HTTP/1.1 100 Continue\r\n\r\n",
        "the body is being read"
    );
    socket.write_all(begin.as_bytes()).await.unwrap();
    served.stop.cancel();
    served.api.daemon.stopping().await;
    socket.write_all(end.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"event_id\":\"late\""),
        "{answer}"
    );
    served.done.await.unwrap();
}
