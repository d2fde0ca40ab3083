//! The client against a server that says exactly what it is told to.

use futures_util::stream;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::ids::Revision;

use super::*;

/// Answers one connection after another with these bytes; returns what was asked.
pub(crate) async fn server(replies: Vec<Vec<u8>>) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handle = tokio::spawn(async move {
        let mut asked = Vec::new();
        for reply in replies {
            let next = tokio::time::timeout(Duration::from_secs(30), listener.accept()).await;
            let Ok(next) = next else {
                panic!("it has a reply more than it was asked for: {asked:?}");
            };
            let (mut socket, _) = next.unwrap();
            asked.push(read_request(&mut socket).await);
            socket.write_all(&reply).await.unwrap();
            socket.shutdown().await.unwrap();
        }
        asked
    });
    (Client::new(&address.to_string()).unwrap(), handle)
}

pub(crate) async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = socket.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(n > 0, "the request ended in its head");
            continue;
        };
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let complete = if head.contains("transfer-encoding: chunked") {
            body.ends_with("\r\n0\r\n\r\n") || body == "0\r\n\r\n"
        } else {
            body.len() >= length
        };
        if complete || n == 0 {
            return text.into_owned();
        }
    }
}

pub(crate) fn reply(status: u16, content_type: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) fn ok(body: &serde_json::Value) -> Vec<u8> {
    reply(200, "application/json", &body.to_string())
}

pub(crate) fn first_line(request: &str) -> &str {
    request.lines().next().unwrap()
}

fn event(position: u64) -> serde_json::Value {
    json!({
        "position": position, "stream": "user-1", "revision": position, "event_id": format!("e{position}"),
        "event_type": "UserCreated", "schema_version": 1, "recorded_at": "2025-03-01T09:12:04Z",
        "actor": "api", "reason": null, "correlation_id": null, "causation_id": null,
        "data": {"a": 1}, "metadata": null
    })
}

#[tokio::test]
async fn parameters_are_encoded_and_replies_typed() {
    let page = json!({"items": [event(3)], "next_cursor": "c", "head": 9, "scanned": 4});
    let (client, asked) = server(vec![ok(&page)]).await;
    let client = client.with_actor(Some("anna"));
    let got = client
        .events(&EventsQuery {
            category: Some("user".to_owned()),
            actor: Some("job:a&b =ü".to_owned()),
            since: Some("2025-03-01T00:00:00+01:00".parse().unwrap()),
            order: Order::Backward,
            limit: Some(5),
            reveal: true,
            ..EventsQuery::default()
        })
        .await
        .unwrap();
    assert_eq!((got.items[0].position.0, got.head), (3, 9));
    let asked = asked.await.unwrap();
    assert!(asked[0].contains("x-whodunit-actor: anna\r\n"));
    assert_eq!(
        first_line(&asked[0]),
        "GET /v1/events?category=user&actor=job%3Aa%26b+%3D%C3%BC&since=2025-02-28T23%3A00%3A00Z&order=backward&limit=5&reveal=true HTTP/1.1"
    );
}

#[tokio::test]
async fn a_stream_name_is_one_path_segment() {
    let diff = json!({"stream": "bucket-a/b", "from": 1, "to": 2, "diff": [{"path": "/x", "op": "add", "after": 1}]});
    let (client, asked) = server(vec![ok(&diff)]).await;
    let stream = "bucket-a/b".parse().unwrap();
    let query = DiffQuery {
        from: At::Revision(Revision(1)),
        to: At::AsOf("2025-03-01T00:00:00Z".parse().unwrap()),
        ..DiffQuery::default()
    };
    let got = client.compare(&stream, &query).await.unwrap();
    assert_eq!(got.diff.len(), 1);
    assert_eq!(
        first_line(&asked.await.unwrap()[0]),
        "GET /v1/streams/bucket-a%2Fb/diff?from=1&to=2025-03-01T00%3A00%3A00Z HTTP/1.1"
    );
}

#[tokio::test]
async fn a_problem_document_is_a_problem() {
    let mut problem = Problem::new(Code::WrongRevision, "expected revision 3, found 4");
    problem.expected = Some(json!(3));
    problem.actual = Some(json!(4));
    let text = serde_json::to_string(&problem).unwrap();
    let (client, _asked) = server(vec![reply(409, "application/problem+json", &text)]).await;
    let stream = "user-1".parse().unwrap();
    let error = client.stream(&stream).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::WrongRevision));
    assert!(matches!(error, ClientError::Problem(got) if *got == problem));
}

#[tokio::test]
async fn something_else_that_answers_is_a_bad_reply() {
    let replies = vec![
        reply(200, "text/html", "<html>"),
        reply(404, "text/html", "nope"),
        reply(302, "text/html", ""),
        b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(),
        reply(200, "text/html", "<html>"),
    ];
    let (client, _asked) = server(replies).await;
    for _ in 0..4 {
        let error = client.health().await.unwrap_err();
        assert!(matches!(error, ClientError::BadReply { .. }), "{error:?}");
    }
    assert!(matches!(
        client.live(None).await.unwrap_err(),
        ClientError::BadReply { .. }
    ));
}

#[tokio::test]
async fn nobody_there_and_a_cut_connection_are_unreachable_in_plain_words() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let error = Client::new(&address.to_string())
        .unwrap()
        .health()
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no daemon reachable at http://{address}: nothing listens there")
    );
    assert!(error.is_transient());

    let replies = vec![
        Vec::new(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec(),
    ];
    let (client, _asked) = server(replies).await;
    for _ in 0..2 {
        let error = client.health().await.unwrap_err();
        assert!(
            matches!(&error, ClientError::Unreachable { cause, .. } if cause.contains("closed")),
            "{error:?}"
        );
    }
}

#[test]
fn impossible_addresses_are_refused() {
    for url in [
        "https://localhost:1",
        "ftp://x",
        "http://",
        "http://x:99999",
        "http://x/?a=1",
    ] {
        let error = Client::new(url).unwrap_err();
        assert!(matches!(error, ClientError::BadUrl { .. }), "{url}");
    }
    let client = Client::new(" localhost:4780/ ").unwrap();
    assert_eq!(client.url(), "http://localhost:4780");
}

#[tokio::test]
async fn the_live_feed_brings_items_with_their_cursor() {
    let body = format!(
        ": hi\n\nevent: head\ndata: {{\"position\":1,\"decision\":0}}\n\nid: 2.0.00000000000000ab\ndata: {}\n\nevent: later\ndata: ?\n\n",
        event(2)
    );
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let (client, asked) = server(vec![format!("{head}{body}").into_bytes()]).await;
    let after = LiveCursor {
        position: 1,
        decision: 0,
        mark: Some(9),
    };
    let mut live = client.live(Some(after)).await.unwrap();
    let first = live.next().await.unwrap().unwrap();
    assert!(matches!(first.item, LiveItem::Head(head) if head.position == 1));
    assert_eq!(first.cursor, after);
    let second = live.next().await.unwrap().unwrap();
    assert!(matches!(&second.item, LiveItem::Event(event) if event.position.0 == 2));
    assert_eq!(live.cursor().to_string(), "2.0.00000000000000ab");
    assert_eq!(live.next().await.unwrap(), None);
    assert_eq!(
        first_line(&asked.await.unwrap()[0]),
        "GET /v1/live?after=1.0.0000000000000009 HTTP/1.1"
    );
}

#[tokio::test]
async fn an_export_cut_short_is_an_error() {
    let cut = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec();
    let (client, _asked) = server(vec![cut]).await;
    let mut export = client.export(&ExportQuery::default()).await.unwrap();
    assert_eq!(export.next().await.unwrap(), Some(b"hello".to_vec()));
    assert!(matches!(
        export.next().await,
        Err(ClientError::Unreachable { .. })
    ));
}

fn pieces(pieces: &[&str]) -> impl futures_util::Stream<Item = std::io::Result<Vec<u8>>> + use<> {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|piece| Ok(piece.as_bytes().to_vec()))
        .collect();
    stream::iter(pieces)
}

#[tokio::test]
async fn an_import_streams_its_records_after_the_mapping() {
    let report = json!({"read": 2, "added": 2, "repeated": 0, "decisions": 0, "skipped": 0, "failed": 0,
        "errors": [], "stopped": false, "head": 2});
    let (client, asked) = server(vec![ok(&report), ok(&report)]).await;
    let plain = ImportQuery::default();
    assert_eq!(
        client
            .import(&plain, pieces(&["{}\n", "{}\n"]))
            .await
            .unwrap()
            .added,
        2
    );
    let mapped = ImportQuery {
        strict: true,
        mapping: Some("[[rule]]".to_owned()),
        ..ImportQuery::default()
    };
    client.import(&mapped, pieces(&["{}\n"])).await.unwrap();

    let asked = asked.await.unwrap();
    assert_eq!(first_line(&asked[0]), "POST /v1/import HTTP/1.1");
    assert!(asked[0].contains("content-type: application/x-ndjson"));
    assert_eq!(
        first_line(&asked[1]),
        "POST /v1/import?strict=true HTTP/1.1"
    );
    let mapping = asked[1].find("name=\"mapping\"").unwrap();
    let records = asked[1].find("name=\"records\"").unwrap();
    assert!(mapping < asked[1].find("[[rule]]").unwrap());
    assert!(asked[1].find("[[rule]]").unwrap() < records);
}

#[tokio::test]
async fn a_source_that_fails_is_named() {
    let (client, _asked) = server(vec![Vec::new()]).await;
    let broken = stream::iter([
        Ok(b"{}\n".to_vec()),
        Err(std::io::Error::other("disk on fire")),
    ]);
    let error = client
        .import(&ImportQuery::default(), broken)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot read the input: disk on fire");
}
