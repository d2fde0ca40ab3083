//! Query lines that are kept by name, and put in place of `@NAME` in another.

use std::collections::BTreeMap;

/// Lines within lines within lines.
const DEPTH_MAX: usize = 8;

/// Whether a line may have this name.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(fits) {
        return Ok(());
    }
    Err(format!(
        "a saved line's name is made of letters, digits, `-`, `_` and `.`; `{}` is not",
        name.escape_debug()
    ))
}

/// A line with the lines that it names (`@NAME`) in their places. Within quotes nothing is a name.
///
/// # Errors
/// When there is no such line, it would be negated, or lines name each other in a circle.
pub(crate) fn expand(line: &str, saved: &BTreeMap<String, String>) -> Result<String, String> {
    expand_at(line, saved, 0)
}

fn expand_at(line: &str, saved: &BTreeMap<String, String>, depth: usize) -> Result<String, String> {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    let mut before = ' ';
    let mut rest = line.char_indices();
    while let Some((at, c)) = rest.next() {
        let begins = before.is_whitespace() || matches!(before, '(' | '-');
        if c == '@' && !quoted && begins {
            let text = line.get(at + 1..).unwrap_or_default();
            let end = text.find(|c: char| c.is_whitespace() || matches!(c, ')' | ','));
            let name = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
            let Some(own) = saved.get(name) else {
                return Err(format!(
                    "there is no saved line `{}`; in quotes it is text to search for: `\"@{}\"`",
                    name.escape_debug(),
                    name.escape_debug()
                ));
            };
            if before == '-' {
                return Err(format!(
                    "the saved line `{name}` cannot be negated as a whole"
                ));
            }
            if depth == DEPTH_MAX {
                return Err(format!(
                    "the saved line `{name}` leads to itself, or too deep"
                ));
            }
            out.push_str(&expand_at(own, saved, depth + 1)?);
            for c in name.chars() {
                rest.next();
                before = c;
            }
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        out.push(c);
        before = c;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_their_lines_and_quotes_keep_them_out() {
        let saved: BTreeMap<String, String> = [
            ("batch", "actor:job:* reason:inactive"),
            ("deleted", "type:UserDeleted @batch"),
            ("one", "@two"),
            ("two", "@one"),
        ]
        .map(|(name, line)| (name.to_owned(), line.to_owned()))
        .into();
        for (line, whole) in [
            ("@batch since:-7d", "actor:job:* reason:inactive since:-7d"),
            (
                "since:-7d @deleted",
                "since:-7d type:UserDeleted actor:job:* reason:inactive",
            ),
            (
                "preceded-by(@batch, 7d)",
                "preceded-by(actor:job:* reason:inactive, 7d)",
            ),
            (
                "\"@batch\" \"a \\\" @batch\"",
                "\"@batch\" \"a \\\" @batch\"",
            ),
            (
                "actor:@batch sarah@example.com",
                "actor:@batch sarah@example.com",
            ),
            ("", ""),
        ] {
            assert_eq!(expand(line, &saved).unwrap(), whole, "{line}");
        }
        for (line, said) in [
            ("@nope", "no saved line `nope`"),
            ("-@batch", "cannot be negated"),
            ("@one", "leads to itself"),
            ("@", "no saved line ``"),
        ] {
            assert!(expand(line, &saved).unwrap_err().contains(said), "{line}");
        }
        assert!(check_name("last-week.2").is_ok());
        assert!(check_name("").is_err() && check_name("a b").is_err());
    }
}
