//! Memory under load, and work that ends with its client.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::{Daemon, eventually};
use crate::sized;

fn create_user(n: usize) -> serde_json::Value {
    json!({
        "type": "CreateUser",
        "payload": {"username": format!("user-{n}"), "email": format!("user-{n}@example.com"), "first_name": "Some",
            "last_name": "Body", "password": "correct horse battery"},
        "actor": "api",
    })
}

#[test]
fn password_commands_share_a_few_buffers() {
    let daemon = Arc::new(Daemon::start());
    let before = daemon.resident();
    let (count, at_a_time) = (sized(128, 1_000), 64);
    let watch = daemon.watch();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    let path = format!("/v1/streams/user-{n}/commands");
                    let answer = daemon.post(&path, &create_user(n));
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                }
            });
        }
    });
    let peak = watch.end(&format!("{count} password commands, {at_a_time} at a time"));
    println!(
        "RSS {} MiB before, {} MiB after",
        before >> 20,
        daemon.resident() >> 20
    );
    assert!(
        peak < before + (100 << 20),
        "{} MiB more",
        (peak - before) >> 20
    );
}

fn get(address: &str, path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}connection: close\r\n\r\n")
}

fn steps(address: &str) -> String {
    get(address, "/v1/streams/wide-1/steps?limit=1000", "")
}

fn what_if(address: &str, headers: &str) -> String {
    let body = json!({"stream": "wide-1", "at_revision": 1, "continue": "refold",
        "do": [{"event": {"event_type": "Changed", "data": {"status": "other"}}}]})
    .to_string();
    format!(
        "POST /v1/what-if?steps=all&limit=1000 HTTP/1.1\r\nhost: {address}\r\n{headers}connection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Everything that works on whole states of a stream, `wide-1`.
fn heavy(address: &str, headers: &str) -> Vec<String> {
    let stream = "/v1/streams/wide-1";
    vec![
        get(address, &format!("{stream}/steps?limit=1000"), headers),
        what_if(address, headers),
        get(
            address,
            &format!("{stream}/steps?limit=1000&order=backward"),
            headers,
        ),
        get(address, &format!("{stream}/diff?from=1"), headers),
        get(address, &format!("{stream}/state"), headers),
        get(address, &format!("{stream}/events?limit=1000"), headers),
    ]
}

/// Asks all of this, in turn, 40 at a time, and says how memory and health did.
fn under_load(daemon: &Daemon, what: &str, requests: &[String]) {
    let watch = daemon.watch();
    let (done, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for request in requests.iter().cycle().take(sized(6, 40)) {
            let (done, refused) = (&done, &refused);
            scope.spawn(move || {
                let answer = daemon.raw(request.as_bytes());
                if answer.starts_with("HTTP/1.1 200") {
                    done.fetch_add(1, Ordering::Relaxed);
                } else {
                    // Refused clearly, and told when to come again.
                    assert!(answer.contains("application/problem+json"), "{answer:.300}");
                    if answer.starts_with("HTTP/1.1 503") {
                        assert!(answer.contains("retry-after: "), "{answer:.300}");
                    }
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let took = started.elapsed();
    let peak = watch.end(what);
    println!("{done:?} answered, {refused:?} refused, in {took:?}");
    assert!(done.into_inner() > 0);
    assert!(peak < 1 << 30, "{what}: {} MiB", peak >> 20);
}

#[test]
fn what_ifs_and_steps_on_a_wide_state_share_a_bounded_memory() {
    let daemon = Daemon::start();
    daemon.wide_stream("wide-1", sized(2 << 20, 10 << 20));
    let plain = [steps(&daemon.address), what_if(&daemon.address, "")];
    under_load(&daemon, "40 what-ifs and steps on a wide state", &plain);
    let gzip = "accept-encoding: gzip\r\n";
    let compressed = heavy(&daemon.address, gzip);
    under_load(&daemon, "40 large replies, compressed", &compressed);
}

#[test]
fn steps_that_each_change_a_large_part_of_the_state_share_a_bounded_memory() {
    let daemon = Daemon::start();
    // Each event replaces what the one before it brought.
    for n in 0..sized(10, 300) {
        let value = |field: usize| json!(format!("{n}-{field}-{}", "x".repeat(70)));
        let data: serde_json::Map<_, _> = (0..8_000)
            .map(|field| (format!("field-{field}"), value(field)))
            .collect();
        daemon.append("wide-1", &json!({"event_type": "Changed", "data": data}));
    }
    for headers in ["", "accept-encoding: gzip\r\n"] {
        let requests = heavy(&daemon.address, headers);
        let what = format!("40 of all kinds on changes of a whole state, {headers:?}");
        under_load(&daemon, &what, &requests);
    }
    // A page of them ends early, and the pages together have them all.
    let (mut pages, mut revisions) = (0, Vec::new());
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/streams/wide-1/steps?limit=1000{cursor}");
        let answer = daemon.raw(get(&daemon.address, &path, "").as_bytes());
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let page: serde_json::Value = serde_json::from_str(body).unwrap();
        let items = page["items"].as_array().unwrap();
        assert!(body.len() < 64 << 20);
        assert_eq!(page["scanned"], items.len());
        revisions.extend(
            items
                .iter()
                .map(|step| step["event"]["revision"].as_u64().unwrap()),
        );
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let count = revisions.len() as u64;
    assert_eq!(revisions, (1..=count).collect::<Vec<_>>());
    assert!(
        pages > 1 && count == sized(10, 300),
        "{pages} pages of {count} steps"
    );
}

#[test]
fn a_state_beyond_its_bound_is_refused_and_its_events_are_not() {
    let daemon = Daemon::start();
    // Small numbers take fifty times their text's bytes.
    let numbers = vec![1; 450_000];
    for n in 0..4 {
        let data = json!({format!("n{n}"): numbers});
        daemon.append("wide-1", &json!({"event_type": "Grown", "data": data}));
    }
    let requests = heavy(&daemon.address, "");
    under_load(
        &daemon,
        "40 of all kinds on a state beyond the bound",
        &requests,
    );
    let answer = daemon.raw(get(&daemon.address, "/v1/streams/wide-1/state", "").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer:.300}");
    assert!(
        answer.contains("limit_exceeded") && answer.contains("48 MiB"),
        "{answer}"
    );
    let path = "/v1/streams/wide-1/state?at_revision=1";
    let answer = daemon.raw(get(&daemon.address, path, "").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.300}");
    let answer = daemon.raw(get(&daemon.address, "/v1/streams/wide-1/events", "").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.300}");
}

/// Waits until it has computed nothing for a while, but for what it always does now and then. How much it computed until then, and
/// when it ended.
fn until_it_rests(daemon: &Daemon) -> (Duration, Duration) {
    let (began, at_first) = (Instant::now(), daemon.computed());
    let (seen, last) = (Cell::new(at_first), Cell::new(Duration::ZERO));
    eventually("it rests", Duration::from_mins(2), || {
        let now = daemon.computed();
        if now > seen.get() + Duration::from_millis(10) {
            last.set(began.elapsed());
            seen.set(now);
        }
        began.elapsed() > last.get() + Duration::from_millis(300)
    });
    (seen.get().saturating_sub(at_first), last.get())
}

/// Whether there is something of its answer.
fn is_being_answered(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    socket.peek(&mut [0]).is_ok_and(|bytes| bytes > 0)
}

#[test]
fn work_ends_with_its_client() {
    let daemon = Daemon::start();
    daemon.wide_stream("wide-1", sized(2 << 20, 10 << 20));
    let mut requests = heavy(&daemon.address, "");
    requests.extend(heavy(&daemon.address, "accept-encoding: gzip\r\n"));
    // Read models follow the log by themselves, and a state that took long is saved once: no client's leaving ends that.
    let host = &daemon.address;
    let state = format!(
        "GET /v1/streams/wide-1/state HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    );
    assert!(daemon.raw(state.as_bytes()).starts_with("HTTP/1.1 200"));
    until_it_rests(&daemon);
    let mut longest = Duration::ZERO;
    for request in &requests {
        let before = daemon.computed();
        let sockets: Vec<_> = (0..8)
            .map(|_| {
                let mut socket = daemon.connect();
                socket.write_all(request.as_bytes()).unwrap();
                socket
            })
            .collect();
        // What is quick may be answered before it has computed that long.
        eventually("work began", Duration::from_secs(10), || {
            daemon.computed() > before + Duration::from_millis(30)
                || sockets.iter().all(is_being_answered)
        });
        drop(sockets);
        let (computed, within) = until_it_rests(&daemon);
        let first = request.lines().next().unwrap();
        println!("{first}: it computed {computed:?} more, within {within:?}");
        longest = longest.max(computed);
    }
    // Of computing, as a busy machine makes a second of any hundredth: alone it ends no later than it has computed.
    let bound = Duration::from_millis(sized(5_000, 100));
    assert!(longest <= bound, "{longest:?}");
}

#[test]
fn large_bodies_that_do_not_come_to_their_end_are_bounded() {
    let daemon = Daemon::start();
    let before = daemon.resident();
    let part = vec![b' '; 6 << 20];
    let sockets: Vec<_> = (0..sized(40, 100))
        .map(|_| {
            let mut socket = daemon.connect();
            let head = format!(
                "POST /v1/what-if HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 8000000\r\n\r\n",
                daemon.address
            );
            socket.write_all(head.as_bytes()).unwrap();
            // It may be refused meanwhile.
            drop(socket.write_all(&part));
            socket
        })
        .collect();
    let peak = daemon.resident();
    let answer = daemon.post(
        "/v1/streams/door-1/events",
        &json!({"events": [{"event_type": "Opened", "data": {}}]}),
    );
    assert!(
        answer.starts_with("HTTP/1.1 200"),
        "a small request gets through: {answer}"
    );
    println!(
        "bodies: RSS {} MiB before, {} MiB with them",
        before >> 20,
        peak >> 20
    );
    assert!(peak < before + (400 << 20), "{} MiB", peak >> 20);
    let mut first = [0; 12];
    let refused = sockets.into_iter().rev().find_map(|mut socket| {
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        socket.read_exact(&mut first).ok().map(|()| first)
    });
    assert_eq!(
        refused.as_ref().map(<[u8; 12]>::as_slice),
        Some(b"HTTP/1.1 503".as_slice())
    );
}
