//! Process metrics: memory, processor time and open files, from `/proc/self`.
//!
//! Owns the reading of `/proc/self`. On systems without it, nothing is reported.

use std::fs;

/// Ticks of a second in `/proc`: fixed in Linux' interface.
const TICKS_PER_SECOND: f64 = 100.0;

/// The process at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    /// Bytes in memory.
    pub(crate) resident: f64,
    /// Bytes mapped.
    pub(crate) mapped: f64,
    /// Open file descriptors.
    pub(crate) descriptors: f64,
    /// Processor time.
    pub(crate) cpu_seconds: f64,
}

impl Usage {
    /// Reads it; `None` where the system does not say.
    pub(crate) fn read() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let descriptors = fs::read_dir("/proc/self/fd").ok()?.count();
        Some(Self {
            resident: bytes(&status, "VmRSS:")?,
            mapped: bytes(&status, "VmSize:")?,
            descriptors: f64::from(u32::try_from(descriptors).ok()?),
            cpu_seconds: cpu_seconds(&stat)?,
        })
    }
}

fn bytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

/// The 14th and 15th field; the second, a name in parentheses, may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 5 1000 10";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(
            bytes("VmSize:\t 4 kB\nVmRSS:\t 2 kB\n", "VmRSS:"),
            Some(2048.0)
        );
        let usage = Usage::read().unwrap();
        assert!(
            usage.resident > 1e5 && usage.descriptors >= 3.0,
            "{usage:?}"
        );
    }
}
