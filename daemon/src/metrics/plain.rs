//! The text format 0.0.4, for scrapers that do not know `OpenMetrics`.
//!
//! Owns the differences: counters are declared by the name of their samples, and nothing marks the end.

use std::fmt::Write;

/// `OpenMetrics` text in the older format.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let declared = line
            .strip_prefix("# HELP ")
            .or_else(|| line.strip_prefix("# TYPE "));
        let Some((name, rest)) = declared.and_then(|declared| declared.split_once(' ')) else {
            if line != "# EOF" && !line.starts_with("# UNIT ") {
                out.push_str(line);
                out.push('\n');
            }
            continue;
        };
        let is_type = line.starts_with("# TYPE ");
        let counter = format!("# TYPE {name} counter");
        let is_counter = line == counter || lines.peek().is_some_and(|next| **next == counter);
        let word = if is_type { "TYPE" } else { "HELP" };
        let suffix = if is_counter { "_total" } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(out, "# {word} {name}{suffix} {rest}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_declared_by_their_samples_names() {
        let text = "# HELP a_events Events.\n# TYPE a_events counter\na_events_total{x=\"1\"} 3\n# HELP b Bytes.\n# TYPE b gauge\nb 1\n# EOF\n";
        assert_eq!(
            plain(text),
            "# HELP a_events_total Events.\n# TYPE a_events_total counter\na_events_total{x=\"1\"} 3\n# HELP b Bytes.\n# TYPE b gauge\nb 1\n"
        );
    }
}
