//! Every decoder, fed with samples that were changed at random: it answers or refuses, and neither panics nor takes memory or time
//! without bound. Where a checksum stands for the bytes, what decodes is what some sample is.
//!
//! Samples of texts are in `corpus`, those of stored bytes are made by the store itself. What once made a decoder fail goes into
//! `corpus/found.txt`, a line each: the decoder and the bytes in hexadecimal. It is tried first, always.
//!
//! Two minutes of it: `WHODUNIT_FUZZ_SECONDS=120 cargo test --release -p whodunit-daemon --lib fuzz -- --nocapture`. Other changes than
//! the usual ones: `WHODUNIT_FUZZ_SEED=7`. A failure prints the decoder and the seed.

mod changes;
mod stored;
mod texts;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::store::disk::simulated::Random;

/// Changed samples for each decoder, where no time is given.
const CASES: u64 = 400;
/// KiB of memory that the process of the decoders may take.
const MEMORY_KIB: u64 = 900 << 10;
/// Time that one input may take.
const SLOWEST: Duration = Duration::from_secs(5);
/// Where the process says what it is at, for one that has no time to say it.
const NOTE: &str = "WHODUNIT_FUZZ_NOTE";

type Decode = dyn Fn(&[u8]) -> Option<String>;

/// A decoder, and what it is fed with.
struct Decoder {
    name: &'static str,
    samples: Vec<Vec<u8>>,
    /// What it makes of bytes; `None` where it refuses them.
    decode: Box<Decode>,
    /// Whether a checksum stands for the bytes.
    is_checked: bool,
}

impl Decoder {
    fn new(
        name: &'static str,
        samples: Vec<Vec<u8>>,
        decode: impl Fn(&[u8]) -> Option<String> + 'static,
    ) -> Self {
        Self {
            name,
            samples,
            decode: Box::new(decode),
            is_checked: false,
        }
    }

    fn checked(self) -> Self {
        Self {
            is_checked: true,
            ..self
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap())
}

#[test]
fn decoders_answer_or_refuse_within_bounds() {
    if let Some(note) = std::env::var_os(NOTE) {
        feed_all(&File::options().write(true).open(note).unwrap());
        return;
    }
    // In a process of its own, whose memory is bounded.
    let note = tempfile::NamedTempFile::new().unwrap();
    let test = "fuzz::decoders_answer_or_refuse_within_bounds";
    let bounded = format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"");
    let child = Command::new("sh")
        .args(["-c", &bounded])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(NOTE, note.path())
        .output()
        .unwrap();
    let said = [child.stdout, child.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    print!("{said}");
    let last = std::fs::read_to_string(note.path()).unwrap();
    assert!(child.status.success(), "{}: at {last}", child.status);
}

fn feed_all(note: &File) {
    let mut decoders = stored::decoders();
    decoders.extend(texts::decoders());
    let share = number("WHODUNIT_FUZZ_SECONDS").map(Duration::from_secs);
    let share = share.map(|all| all / u32::try_from(decoders.len()).unwrap());
    let found = include_str!("corpus/found.txt");
    let mut failures = Vec::new();
    for decoder in &decoders {
        let inputs = found.lines().filter_map(|line| line.split_once(' '));
        for (_, hex) in inputs.filter(|(name, _)| *name == decoder.name) {
            let digits = hex.as_bytes().chunks_exact(2);
            let bytes: Vec<u8> = digits
                .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
                .collect();
            let _ = (decoder.decode)(&bytes);
        }
        failures.extend(feed(decoder, share, note).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Feeds a decoder for some time, or with some inputs. The error is the first input that it did not stand.
fn feed(decoder: &Decoder, share: Option<Duration>, note: &File) -> Result<(), String> {
    let name = decoder.name;
    let truths: BTreeSet<String> = decoder
        .samples
        .iter()
        .filter_map(|sample| (decoder.decode)(sample))
        .collect();
    assert!(!truths.is_empty(), "{name}: no sample is one");
    let first = number("WHODUNIT_FUZZ_SEED").unwrap_or(1) << 32;
    let begun = Instant::now();
    let (mut cases, mut decoded) = (0, 0_u64);
    let wanted = number("WHODUNIT_FUZZ_CASES").unwrap_or(CASES);
    while share.map_or(cases < wanted, |share| begun.elapsed() < share) {
        let seed = first + cases;
        cases += 1;
        let line = format!("{name}, seed {seed:<24}");
        note.write_all_at(line.as_bytes(), 0).unwrap();
        let bytes = changes::changed(&mut Random::new(seed), &decoder.samples);
        let at = Instant::now();
        let made = catch_unwind(AssertUnwindSafe(|| (decoder.decode)(&bytes)));
        let hex = || -> String {
            let shown = bytes.iter().take(2_000);
            let shown: Vec<String> = shown.map(|byte| format!("{byte:02x}")).collect();
            shown.concat()
        };
        let Ok(made) = made else {
            return Err(format!("{name}, seed {seed}: it panicked on {}", hex()));
        };
        let took = at.elapsed();
        if took > SLOWEST {
            return Err(format!("{name}, seed {seed}: {took:?} for {}", hex()));
        }
        if let Some(made) = made {
            decoded += 1;
            if decoder.is_checked && !truths.contains(&made) {
                return Err(format!("{name}, seed {seed}: a wrong value of {}", hex()));
            }
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "{name:<24} {cases:>9} inputs, {decoded:>9} decoded").unwrap();
    Ok(())
}
