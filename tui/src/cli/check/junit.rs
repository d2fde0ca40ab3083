//! The report as a `JUnit` document, the form that CI systems read: <https://github.com/testmoapp/junitxml>.

use crate::text::clause;
use std::fmt::Write as _;

use super::{Checked, Verdict, count};

/// The file.
pub(crate) fn report(checked: &[Checked]) -> String {
    let counts = count(checked);
    let seconds: f64 = checked.iter().map(|one| one.took.as_secs_f64()).sum();
    let numbers = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{seconds:.3}\"",
        checked.len(),
        counts.failed,
        counts.not_asked + counts.no_scenario
    );
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(
        out,
        "<testsuites {numbers}>\n  <testsuite name=\"whodunit check\" {numbers}>\n"
    );
    for one in checked {
        case(one, &mut out);
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn case(one: &Checked, out: &mut String) {
    let name = if one.name.is_empty() {
        &one.file
    } else {
        &one.name
    };
    let _ = write!(
        out,
        "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" time=\"{:.3}\"",
        escaped(name),
        escaped(&one.file),
        escaped(&one.file),
        one.took.as_secs_f64()
    );
    let (element, message, text) = match &one.verdict {
        Verdict::Passed => {
            out.push_str("/>\n");
            return;
        }
        Verdict::Failed(findings) => {
            let text: Vec<String> = findings
                .iter()
                .map(|finding| {
                    format!(
                        "{}\n  expected  {}\n  is        {}",
                        finding.place, finding.expected, finding.actual
                    )
                })
                .collect();
            let message = match findings.as_slice() {
                [one] => format!(
                    "{}: expected {}, is {}",
                    one.place, one.expected, one.actual
                ),
                several => format!(
                    "{} not hold",
                    clause(several.len() as u64, "expectation", "does")
                ),
            };
            ("failure", message, text.join("\n"))
        }
        Verdict::NotAsked { error, hint } => {
            let text = hint
                .as_ref()
                .map_or_else(String::new, |hint| format!("hint: {hint}"));
            ("error", error.clone(), text)
        }
        Verdict::NoScenario(error) => ("error", error.clone(), String::new()),
    };
    let _ = write!(
        out,
        ">\n      <{element} message=\"{}\">{}</{element}>\n    </testcase>\n",
        escaped(&message),
        escaped(&text)
    );
}

/// A text in XML. What XML 1.0 has no place for, control characters mostly, is shown as an escape.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c < ' ' || matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_xml_has_no_place_for_is_escaped() {
        assert_eq!(
            escaped("a<b>&\"\u{1b}[31m\u{0}\n"),
            "a&lt;b&gt;&amp;&quot;\\u{1b}[31m\\u{0}&#10;"
        );
    }
}
