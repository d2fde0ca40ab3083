//! Memory under load, and work that ends with its client.

use std::cell::Cell;
use std::io::{Read, Write};
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

fn steps(address: &str) -> String {
    format!(
        "GET /v1/streams/wide-1/steps?limit=1000 HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
}

fn what_if(address: &str) -> String {
    let body = json!({"stream": "wide-1", "at_revision": 1, "continue": "refold",
        "do": [{"event": {"event_type": "Changed", "data": {"status": "other"}}}]})
    .to_string();
    format!(
        "POST /v1/what-if HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn what_ifs_and_steps_on_a_wide_state_share_a_bounded_memory() {
    let daemon = Daemon::start();
    daemon.wide_stream("wide-1", sized(2 << 20, 10 << 20));
    let watch = daemon.watch();
    let (done, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let parallel = 40;
    let started = Instant::now();
    std::thread::scope(|scope| {
        for n in 0..parallel {
            let (daemon, done, refused) = (&daemon, &done, &refused);
            scope.spawn(move || {
                let request = if n % 2 == 0 {
                    steps(&daemon.address)
                } else {
                    what_if(&daemon.address)
                };
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
    let peak = watch.end(&format!("{parallel} what-ifs and steps on a wide state"));
    println!("{done:?} answered, {refused:?} refused, in {took:?}");
    assert!(done.into_inner() > 0);
    assert!(peak < 1 << 30, "{} MiB", peak >> 20);
}

#[test]
fn work_ends_with_its_client() {
    let daemon = Daemon::start();
    daemon.wide_stream("wide-1", sized(2 << 20, 10 << 20));
    let requests = [steps(&daemon.address), what_if(&daemon.address)];
    for request in &requests {
        let before = daemon.computed();
        let sockets: Vec<_> = (0..8)
            .map(|_| {
                let mut socket = daemon.connect();
                socket.write_all(request.as_bytes()).unwrap();
                socket
            })
            .collect();
        eventually("work began", Duration::from_secs(10), || {
            daemon.computed() > before + Duration::from_millis(30)
        });
        drop(sockets);
        let (left, last) = (Instant::now(), Cell::new(Duration::ZERO));
        let seen = Cell::new(daemon.computed());
        // It rests when it has computed nothing for a while, but for what it always does now and then.
        eventually("it rests", Duration::from_secs(30), || {
            let now = daemon.computed();
            if now > seen.get() + Duration::from_millis(10) {
                last.set(left.elapsed());
                seen.set(now);
            }
            left.elapsed() > last.get() + Duration::from_millis(300)
        });
        let last = last.get();
        println!("it computed for {last:?} after its clients had left");
        assert!(last <= Duration::from_millis(sized(5_000, 110)), "{last:?}");
    }
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
