//! Connections that cost nothing but themselves: slow, idle, stalled, refused.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::{Daemon, eventually};
use crate::{full, sized};

fn trickling(daemon: &Daemon, count: usize) -> Vec<TcpStream> {
    (0..count)
        .map(|n| {
            let mut socket = daemon.connect();
            let (path, kind) = match n % 3 {
                0 => ("/v1/streams/user-1/commands", "application/json"),
                1 => ("/v1/what-if", "application/json"),
                _ => ("/v1/streams/door-1/events", "application/json"),
            };
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {kind}\r\ncontent-length: 5000\r\n\r\n{{",
                daemon.address
            );
            socket.write_all(head.as_bytes()).unwrap();
            socket
        })
        .collect()
}

#[test]
fn trickling_bodies_cost_no_one_else_anything() {
    let daemon = Daemon::start();
    let mut sockets = trickling(&daemon, sized(300, 1_000));
    let watch = daemon.watch();
    let started = Instant::now();
    let event = json!({"events": [{"event_type": "Opened", "data": {}}]});
    let mut answered = 0;
    while started.elapsed() < Duration::from_secs(sized(2, 10)) {
        for socket in &mut sockets {
            // The slow ones are cut off in the course of it.
            drop(socket.write_all(b" "));
        }
        let answer = daemon.post("/v1/streams/door-2/events", &event);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answered += 1;
    }
    watch.end(&format!("{} trickling bodies", sockets.len()));
    println!("{answered} appends answered beside them");
    // Each is told that it was too slow.
    let mut answer = String::new();
    drop(sockets[0].read_to_string(&mut answer));
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("too slowly"), "{answer}");
}

#[test]
fn a_newcomer_does_not_wait_for_those_that_rest() {
    let daemon = Daemon::start();
    let idle: Vec<_> = (0..1_151).map(|_| daemon.connect()).collect();
    let started = Instant::now();
    let answer = daemon.raw(
        format!(
            "GET /v1/health HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            daemon.address
        )
        .as_bytes(),
    );
    let took = started.elapsed();
    println!(
        "a newcomer beside {} idle connections: {took:?}",
        idle.len()
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    // The first to come had rested longest.
    let mut first = &idle[0];
    assert_eq!(first.read(&mut [0]).unwrap_or(0), 0, "it was closed");
}

/// Sends a request with a large body to its very end, then reads the answer, as simple clients do.
fn whole_body(daemon: &Daemon, path: &str, header: &str, bytes: usize) -> (TcpStream, String) {
    let mut socket = daemon.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\n{header}content-length: {bytes}\r\n\r\n",
        daemon.address
    );
    socket.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'x'; 64 << 10];
    let mut left = bytes;
    while left > 0 {
        let n = left.min(piece.len());
        socket.write_all(&piece[..n]).unwrap();
        left -= n;
    }
    let answer = one_answer(&mut socket);
    (socket, answer)
}

/// One answer of a connection that may go on.
fn one_answer(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    socket.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn what_is_refused_before_its_body_is_read_is_answered_all_the_same() {
    let daemon = Daemon::start();
    let json = "content-type: application/json\r\n";
    for (path, header, status) in [
        ("/v1/nope", json, "404"),
        ("/v1/health", json, "405"),
        ("/v1/what-if", "content-type: text/plain\r\n", "413"),
        ("/v1/what-if", json, "413"),
        ("/v1/import", "content-type: text/plain\r\n", "415"),
        (
            "/v1/import",
            "content-type: application/x-ndjson\r\ncontent-encoding: gzip\r\n",
            "415",
        ),
        ("/v1/events", "origin: http://localhost:3000\r\n", "403"),
    ] {
        let (mut socket, answer) = whole_body(&daemon, path, header, 20 << 20);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {answer}"
        );
        assert!(answer.contains("application/problem+json"), "{answer}");
        // And the connection is as good as before.
        let next = format!(
            "GET /v1/health HTTP/1.1\r\nhost: {}\r\n\r\n",
            daemon.address
        );
        socket.write_all(next.as_bytes()).unwrap();
        assert!(
            one_answer(&mut socket).starts_with("HTTP/1.1 200"),
            "{path}"
        );
    }
}

#[test]
fn heads_that_are_refused_get_problem_documents_too() {
    let daemon = Daemon::start();
    let host = &daemon.address;
    let long = "x".repeat(100 << 10);
    let many = "x: y\r\n".repeat(200);
    for (request, status, code) in [
        (
            format!(
                "GET /v1/health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nx: {long}\r\n\r\n"
            ),
            "431",
            "headers_too_large",
        ),
        (
            format!("GET /v1/health HTTP/1.1\r\nhost: {host}\r\n{many}\r\n"),
            "431",
            "headers_too_large",
        ),
        (
            format!(
                "GET /v1/events?text={} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
                "x".repeat(20 << 10)
            ),
            "414",
            "uri_too_long",
        ),
        (
            "GET /v1/health HTTP/1.1\r\nhost\r\n\r\n".to_owned(),
            "400",
            "malformed",
        ),
        ("what is this\r\n\r\n".to_owned(), "400", "malformed"),
    ] {
        let answer = daemon.raw(request.as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{status}: {answer:.200}"
        );
        assert!(
            answer.contains("content-type: application/problem+json\r\n"),
            "{answer}"
        );
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
        assert!(
            answer.contains("x-content-type-options: nosniff"),
            "{answer}"
        );
    }
}

#[test]
fn stalled_readers_are_closed() {
    let daemon = Daemon::start();
    // More than the system's own buffers take.
    for n in 0..150 {
        daemon.wide_stream(&format!("wide-{n}"), 800 << 10);
    }
    let get = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            daemon.address
        )
    };
    let stalled: Vec<_> = (0..8)
        .map(|_| {
            let mut socket = daemon.connect();
            socket.write_all(get("/v1/export").as_bytes()).unwrap();
            // It has its place before another client asks for one.
            let mut status = [0; 12];
            socket.read_exact(&mut status).unwrap();
            assert_eq!(&status, b"HTTP/1.1 200");
            socket
        })
        .collect();
    eventually("all exports are taken", Duration::from_secs(10), || {
        daemon
            .raw(get("/v1/export?category=none").as_bytes())
            .starts_with("HTTP/1.1 503")
    });
    // It takes the time-out: half a minute is for the full form.
    if full() {
        eventually(
            "the stalled ones were closed",
            Duration::from_secs(40),
            || {
                daemon
                    .raw(get("/v1/export?category=none").as_bytes())
                    .starts_with("HTTP/1.1 200")
            },
        );
    }
    drop(stalled);
    eventually(
        "exports end with their readers",
        Duration::from_secs(10),
        || {
            daemon
                .raw(get("/v1/export?category=none").as_bytes())
                .starts_with("HTTP/1.1 200")
        },
    );
}
