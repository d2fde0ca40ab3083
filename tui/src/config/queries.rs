//! Query lines that are kept by name, and put in place of `@NAME` in another.

use std::collections::BTreeMap;

use super::{ConfigError, load, path, save};

/// A line that is to be kept by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) name: String,
    pub(crate) line: String,
    /// Whether it takes the place of another one of this name.
    pub(crate) over: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) name: String,
    /// All lines that are kept, as they are in the settings now; `None` where these cannot be read.
    pub(crate) all: Option<BTreeMap<String, String>>,
    /// Why it is not kept.
    pub(crate) refused: Option<String>,
    /// Whether that is because another one has the name.
    pub(crate) is_there: bool,
}

/// Keeps a line in the settings.
pub(crate) fn keep(asked: Keep) -> Kept {
    let Keep { name, line, over } = asked;
    let mut kept = Kept {
        name: name.clone(),
        all: None,
        refused: None,
        is_there: false,
    };
    let changed = || -> Result<(BTreeMap<String, String>, bool), String> {
        check_name(&name)?;
        let path = path().ok_or_else(|| ConfigError::NoPlace.to_string())?;
        let mut config = load(&path).map_err(|error| error.to_string())?;
        let known = config.queries.get(&name);
        if known.is_some_and(|known| *known != line) && !over {
            return Ok((config.queries, true));
        }
        config.queries.insert(name.clone(), line);
        expand(&format!("@{name}"), &config.queries)?;
        save(&path, &config).map_err(|error| error.to_string())?;
        Ok((config.queries, false))
    };
    match changed() {
        Ok((all, is_there)) => {
            kept.refused = all
                .get(&kept.name)
                .filter(|_| is_there)
                .map(|line| format!("`@{}` is `{line}` already", kept.name));
            (kept.all, kept.is_there) = (Some(all), is_there);
        }
        Err(why) => kept.refused = Some(why),
    }
    kept
}

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
