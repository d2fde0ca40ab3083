//! Words of a command line, for the commands that screens show and copy.

use whodunit_core::text::is_unsafe;

/// A text as one word of a shell. What cannot be seen is written as an escape (`$'…'`), which is the same word.
pub(crate) fn quote(text: &str) -> String {
    use std::fmt::Write;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    if !text.chars().any(is_unsafe) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut out = "$'".to_owned();
    for c in text.chars() {
        let _ = match u32::from(c) {
            _ if c == '\'' || c == '\\' => write!(out, "\\{c}"),
            _ if !is_unsafe(c) => write!(out, "{c}"),
            code if code < 0x80 => write!(out, "\\x{code:02x}"),
            code if code <= 0xffff => write!(out, "\\u{code:04x}"),
            code => write!(out, "\\U{code:08x}"),
        };
    }
    out.push('\'');
    out
}

/// The words of a line, as a shell would take them: quotation marks and backslashes, and nothing else of a shell.
pub(crate) fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut within: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (within, c) {
            (Some(mark), c) if c == mark => within = None,
            (None | Some('"'), '\\') => {
                let next = chars.next().ok_or("nothing follows the last backslash")?;
                word.get_or_insert_default().push(next);
            }
            (None, '\'' | '"') => {
                within = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(mark) = within {
        return Err(format!("a quotation mark ({mark}) is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_as_a_shell_does() {
        let line = r#" a 'b c'd  "e\"f\\" g\ h ''"#;
        assert_eq!(words(line).unwrap(), ["a", "b cd", "e\"f\\", "g h", ""]);
        for broken in ["'a", "\"a'", "a\\"] {
            assert!(words(broken).is_err(), "{broken}");
        }
        for text in ["it's", "a b", "", "\"x\""] {
            assert_eq!(words(&quote(text)).unwrap(), [text]);
        }
    }

    #[test]
    fn a_command_line_can_be_seen_and_means_the_same() {
        assert_eq!(quote("user-sarah"), "user-sarah");
        assert_eq!(quote("it's Ünïcode"), r"'it'\''s Ünïcode'");
        assert_eq!(
            quote("a\u{1b}'\\\u{3164}\u{e0001}é"),
            r"$'a\x1b\'\\\u3164\U000e0001é'"
        );
    }
}
