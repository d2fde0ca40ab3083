//! What callers are promised: an answer each, in the order of their calls, whatever they do meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::*;

const BOUNDS: Bounds = Bounds {
    waiting: 100,
    waiting_bytes: 1_000,
    group: 8,
    group_bytes: 100,
};

/// A request to be counted; answered with how many came before.
struct Count {
    number: usize,
    bytes: usize,
    to: oneshot::Sender<usize>,
}

#[derive(Default)]
struct Counter {
    seen: Arc<Mutex<Vec<usize>>>,
    groups: Arc<AtomicUsize>,
}

impl Commit for Counter {
    type Request = Count;

    fn commit(&mut self, group: Vec<Count>) {
        self.groups.fetch_add(1, Ordering::SeqCst);
        assert!(group.len() <= BOUNDS.group);
        let bytes: usize = group.iter().map(|count| count.bytes).sum();
        assert!(bytes <= BOUNDS.group_bytes || group.len() == 1);
        for count in group {
            assert_ne!(count.number, usize::MAX, "a leader falls");
            let mut seen = self.seen.lock().unwrap();
            count.to.send(seen.len()).unwrap_or_default();
            seen.push(count.number);
        }
    }
}

fn group() -> (Group<Counter>, Arc<Mutex<Vec<usize>>>, Arc<AtomicUsize>) {
    let counter = Counter::default();
    let (seen, groups) = (Arc::clone(&counter.seen), Arc::clone(&counter.groups));
    (Group::new(counter, BOUNDS), seen, groups)
}

fn submit(
    group: &Group<Counter>,
    number: usize,
    bytes: usize,
) -> Result<Answer<usize, Counter>, Refused> {
    group.submit(bytes, |to| Count { number, bytes, to })
}

fn all_at_once(seen: &Mutex<Vec<usize>>) -> Vec<usize> {
    seen.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_caller_is_answered() {
    let (group, seen, groups) = group();
    let mut callers = JoinSet::new();
    for caller in 0..64 {
        let group = group.clone();
        callers.spawn(async move {
            for n in 0..200 {
                let answer = submit(&group, caller * 1_000 + n, 1).unwrap();
                assert!(answer.await.is_some());
            }
        });
    }
    callers.join_all().await;
    let seen = all_at_once(&seen);
    assert_eq!(seen.len(), 64 * 200);
    for caller in 0..64 {
        let own = seen.iter().filter(|number| **number / 1_000 == caller);
        assert!(own.is_sorted(), "its calls were answered one after another");
    }
    assert!(groups.load(Ordering::SeqCst) <= 64 * 200);
}

/// Submits some, and awaits them in an order of its own.
async fn in_order_of_the_calls(group: &Group<Counter>) -> Vec<usize> {
    let mut answers: Vec<_> = (0..50).map(|n| submit(group, n, 20).unwrap()).collect();
    let mut given = vec![0; 50];
    for index in [30, 0, 49, 7] {
        given[index] = (&mut answers[index]).await.unwrap();
        assert_eq!(given[index], index);
    }
    for (index, answer) in answers.into_iter().enumerate() {
        if ![30, 0, 49, 7].contains(&index) {
            given[index] = answer.await.unwrap();
        }
    }
    given
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_submitted_first_is_carried_out_first() {
    let (group, seen, groups) = group();
    assert!(in_order_of_the_calls(&group).await.is_sorted());
    assert!(all_at_once(&seen).is_sorted());
    // Five of twenty bytes fit into a group.
    assert_eq!(groups.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn one_thread_is_enough() {
    let (group, seen, _) = group();
    assert!(in_order_of_the_calls(&group).await.is_sorted());
    assert!(all_at_once(&seen).is_sorted());
}

#[test]
fn no_runtime_is_needed() {
    let (group, ..) = group();
    let answer = submit(&group, 1, 1).unwrap();
    let mut context = Context::from_waker(std::task::Waker::noop());
    let polled = std::pin::pin!(answer).poll(&mut context);
    assert_eq!(polled, Poll::Ready(Some(0)));
    drop(submit(&group, 2, 1));
    assert_eq!(all_at_once(&group.0.committer.lock().unwrap().seen), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_caller_gave_up_is_carried_out_all_the_same() {
    let (group, seen, _) = group();
    for n in 0..20 {
        drop(submit(&group, n, 1).unwrap());
    }
    let last = submit(&group, 20, 1).unwrap().await;
    assert_eq!(last, Some(20));
    assert_eq!(all_at_once(&seen), (0..=20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_bounded_by_requests_and_bytes() {
    let (first, ..) = group();
    let mut waiting = Vec::new();
    while let Ok(answer) = submit(&first, waiting.len(), 1) {
        waiting.push(answer);
    }
    assert_eq!(waiting.len(), BOUNDS.waiting);
    assert!(waiting.pop().unwrap().await.is_some());
    assert!(submit(&first, 0, 1).is_ok());

    let (second, ..) = group();
    // One that is too large alone is taken, so that it gets through at all.
    let large = submit(&second, 0, 5_000).unwrap();
    assert!(matches!(submit(&second, 1, 1), Err(Refused::Full)));
    assert!(large.await.is_some());
    let small = submit(&second, 2, 900).unwrap();
    assert!(matches!(submit(&second, 3, 101), Err(Refused::Full)));
    assert!(small.await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_closing_what_waits_is_carried_out_and_nothing_more_is_taken() {
    let (group, seen, _) = group();
    let waiting = submit(&group, 1, 1).unwrap();
    group.finish();
    assert_eq!(all_at_once(&seen), [1]);
    assert!(matches!(submit(&group, 2, 1), Err(Refused::Closed)));
    let last = |number| {
        group.close_with(|to| Count {
            number,
            bytes: 0,
            to,
        })
    };
    let (first, second) = (last(8), last(9));
    assert_eq!(second.await, Some(2));
    assert_eq!((waiting.await, first.await), (Some(0), Some(1)));
    assert_eq!(all_at_once(&seen), [1, 8, 9]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_leader_panics_nobody_waits_for_ever() {
    let (group, ..) = group();
    let before = submit(&group, 1, 1).unwrap();
    let falls = submit(&group, usize::MAX, 1).unwrap();
    let behind = submit(&group, 2, 100).unwrap();
    let leader = tokio::spawn(falls);
    assert!(leader.await.unwrap_err().is_panic());
    let rest = async { (before.await, behind.await) };
    let rest = tokio::time::timeout(Duration::from_secs(20), rest).await;
    assert_eq!(rest.unwrap(), (Some(0), None));
    assert!(matches!(submit(&group, 3, 1), Err(Refused::Closed)));
}

#[test]
fn a_lone_caller_hands_the_lead_to_no_other_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let (group, seen, groups) = group();
    let own = group;
    let calls = async move {
        for n in 0..500 {
            assert_eq!(submit(&own, n, 1).unwrap().await, Some(n));
            assert!(!own.0.lock().led, "nothing waits");
        }
    };
    runtime.block_on(runtime.spawn(calls)).unwrap();
    assert_eq!(groups.load(Ordering::SeqCst), 500);
    assert_eq!(all_at_once(&seen).len(), 500);
}

/// A commit that lasts until it is told to end.
struct Stalls(std::sync::mpsc::Receiver<()>);

impl Commit for Stalls {
    type Request = oneshot::Sender<()>;

    fn commit(&mut self, group: Vec<Self::Request>) {
        self.0.recv_timeout(Duration::from_secs(30)).unwrap();
        for to in group {
            to.send(()).unwrap_or_default();
        }
    }
}

/// A runtime of two workers of which one rests while the other is in a commit that stalls: what arrives on a socket is
/// answered all the same.
#[test]
fn a_commit_that_stalls_holds_up_no_connection() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (end, stalls) = std::sync::mpsc::channel();
    let group = Group::new(Stalls(stalls), BOUNDS);
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = listener.local_addr().unwrap();
    // Each round begins with a request, after which the worker that took it leads; a second connection must be served.
    runtime.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let group = group.clone();
            tokio::spawn(async move {
                let mut said = [0];
                while stream.read_exact(&mut said).await.is_ok() {
                    if said == *b"c" {
                        group.submit(1, |to| to).unwrap().await.unwrap();
                    }
                    stream.write_all(&said).await.unwrap();
                }
            });
        }
    });
    let connect = || {
        let stream = std::net::TcpStream::connect(address).unwrap();
        let wait = Some(Duration::from_secs(20));
        stream.set_read_timeout(wait).unwrap();
        stream
    };
    let (mut writer, mut other) = (connect(), connect());
    let ask = |stream: &mut std::net::TcpStream, what: &[u8; 1]| {
        std::io::Write::write_all(stream, what).unwrap();
    };
    let answer = |stream: &mut std::net::TcpStream| {
        let mut said = [0];
        std::io::Read::read_exact(stream, &mut said).unwrap();
        said[0]
    };
    for _ in 0..20 {
        ask(&mut writer, b"c");
        for _ in 0..5 {
            ask(&mut other, b"h");
            assert_eq!(answer(&mut other), b'h', "while the commit stalls");
        }
        end.send(()).unwrap();
        assert_eq!(answer(&mut writer), b'c');
    }
    runtime.shutdown_background();
}
