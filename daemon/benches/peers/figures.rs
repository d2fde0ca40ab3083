//! What was measured, and how it is printed.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// What was measured of one slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    /// Of one call, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// The figures of calls that took so long each.
pub(crate) fn figures(mut times: Vec<Duration>, since: Instant) -> Figures {
    let seconds = since.elapsed().as_secs_f64();
    times.sort_unstable();
    let at =
        |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e6;
    Figures {
        per_second: float(times.len() as u64) / seconds,
        p50: at(50),
        p99: at(99),
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Lets callers call, each one call after another, for as long as a slice lasts. `call` is given the caller's own things and the
/// number of its call.
pub(crate) async fn measured<T: Send + 'static, W: Future<Output = T> + Send>(
    callers: Vec<T>,
    slice: Duration,
    call: impl Fn(T, u64) -> W + Clone + Send + 'static,
) -> Figures {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for mut caller in callers {
        let call = call.clone();
        running.spawn(async move {
            let mut times = Vec::new();
            while start.elapsed() < slice {
                let before = Instant::now();
                caller = call(caller, times.len() as u64).await;
                times.push(before.elapsed());
            }
            times
        });
    }
    let times = running.join_all().await.concat();
    figures(times, start)
}

/// Rows of a table: each with the figures of its rounds.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<(String, Vec<Figures>)>);

impl Table {
    pub(crate) fn add(&mut self, name: &str, round: Figures) {
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, rounds)) => rounds.push(round),
            None => self.0.push((name.to_owned(), vec![round])),
        }
    }

    /// Prints the rows, each with its ratio to the others that `beside` names.
    pub(crate) fn print(&self, title: &str, beside: &[&str]) {
        print!(
            "\n{title:<38} {:>11} {:>9} {:>9}",
            "per second", "p50 µs", "p99 µs"
        );
        let there = |name: &&&str| self.0.iter().any(|(own, _)| own == **name);
        let beside: Vec<_> = beside.iter().filter(there).collect();
        for other in &beside {
            print!("  of {other}");
        }
        println!();
        for (name, rounds) in &self.0 {
            let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure));
            print!(
                "{name:<38} {:>11.0} {:>9.0} {:>9.0}",
                of(|round| round.per_second),
                of(|round| round.p50),
                of(|round| round.p99)
            );
            for other in &beside {
                let width = other.chars().count() + 5;
                print!("{:>width$.2}", self.ratio(name, other));
            }
            println!();
        }
    }

    /// The median of the rounds' ratios.
    pub(crate) fn ratio(&self, name: &str, other: &str) -> f64 {
        let rounds = |name: &str| self.0.iter().find(|(own, _)| own == name);
        match (rounds(name), rounds(other)) {
            (Some((_, own)), Some((_, other))) => median(
                own.iter()
                    .zip(other)
                    .map(|(own, other)| own.per_second / other.per_second),
            ),
            _ => f64::NAN,
        }
    }
}

/// How much of the last ten seconds processes waited for a processor, as the kernel says it.
pub(crate) fn pressure() -> String {
    let text = std::fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    let some = text.split_whitespace().nth(1).unwrap_or("unknown");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    format!(
        "processes waited for a processor {} % of the last ten seconds (load {load})",
        some.replace("avg10=", "")
    )
}

/// The machine, as far as it tells.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("unknown");
    format!(
        "{cores} processors ({}), files in {}; {}",
        cpu.trim_matches([' ', '\t', ':']),
        std::env::temp_dir().display(),
        pressure()
    )
}
