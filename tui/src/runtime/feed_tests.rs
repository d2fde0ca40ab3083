//! A daemon that hangs and comes to again, as the loop is told of it.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::*;
use crate::client::tests::read_request;

const SOON: Patience = Patience {
    every: Duration::from_millis(5),
    within: Duration::from_millis(50),
    open: Duration::from_mins(1),
};

/// A daemon whose feed stays open, and which answers nothing else until it is told to.
async fn hanging() -> (Client, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&listener.local_addr().unwrap().to_string()).unwrap();
    let wakes = Arc::new(Notify::new());
    let woken = Arc::clone(&wakes);
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            if read_request(&mut socket).await.starts_with("GET /v1/live") {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
                socket.write_all(head.as_bytes()).await.unwrap();
            } else {
                woken.notified().await;
                let refusal = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
                socket.write_all(refusal.as_bytes()).await.unwrap();
            }
            open.push(socket);
        }
    });
    (client, wakes)
}

#[tokio::test]
async fn a_daemon_that_hangs_is_said_to_until_it_answers_whatever_it_says() {
    let (client, wakes) = hanging().await;
    let (sender, mut messages) = mpsc::channel(16);
    let (_reconnect, asked) = watch::channel(0);
    let feed = tokio::spawn(follow(client, sender, asked, SOON));
    let first = messages.recv().await.unwrap();
    assert!(matches!(first, Msg::Connected(_)), "{first:?}");
    // The feed stays open: only the question without an answer tells.
    let then = messages.recv().await.unwrap();
    let Msg::Silent { at, since } = then else {
        panic!("{then:?}")
    };
    let waited = at.as_micros() - since.as_micros();
    assert!(waited >= 50_000, "{waited} µs");
    wakes.notify_one();
    let last = messages.recv().await.unwrap();
    assert!(matches!(last, Msg::Answered(_)), "{last:?}");
    feed.abort();
}

#[tokio::test]
async fn a_feed_that_does_not_open_is_no_answer_and_not_offline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&listener.local_addr().unwrap().to_string()).unwrap();
    let (sender, mut messages) = mpsc::channel(16);
    let (_reconnect, asked) = watch::channel(0);
    let patience = Patience {
        open: Duration::from_millis(50),
        ..SOON
    };
    let feed = tokio::spawn(follow(client, sender, asked, patience));
    // The connection is taken by the system, as that of a stopped process is; no one reads from it.
    let first = messages.recv().await.unwrap();
    let Msg::Disconnected { why, .. } = first else {
        panic!("{first:?}")
    };
    assert_eq!(why, NoAnswer::TimedOut);
    feed.abort();
}
