//! *Did you mean*: which of the names there are is the one that was mistyped.

use whodunit_core::text::shown;

/// Names offered at most.
const OFFERED_MAX: usize = 3;
/// How much alike two texts are at least, from 0 to 1.
const ALIKE: f64 = 0.7;

/// The names most like what was typed, the likeliest first, without regard to case.
pub(crate) fn similar<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let typed = typed.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (likeness(&typed, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.cmp(other)));
    scored.dedup_by(|(_, one), (_, other)| one == other);
    scored
        .into_iter()
        .take(OFFERED_MAX)
        .map(|(_, name)| name)
        .collect()
}

fn likeness(typed: &str, name: &str) -> f64 {
    // What was left unfinished is as likely as what was mistyped.
    let unfinished = typed.chars().count() >= 3 && (name.contains(typed) || typed.contains(name));
    let alike = strsim::normalized_damerau_levenshtein(typed, name);
    if unfinished { alike.max(ALIKE) } else { alike }
}

/// The sentence that offers them.
pub(crate) fn did_you_mean<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let names: Vec<String> = similar(typed, known)
        .into_iter()
        .map(|name| format!("`{}`", shown(name)))
        .collect();
    (!names.is_empty()).then(|| format!("did you mean {}?", names.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_through() {
        let known = ["UserCreated", "UserDeleted", "OrderPlaced", "UserDeleted"];
        assert_eq!(similar("UserDeletd", known), ["UserDeleted"]);
        assert_eq!(similar("userdeleted", known), ["UserDeleted"]);
        assert_eq!(similar("placed", known), ["OrderPlaced"], "a part of it");
        assert!(similar("xyz", known).is_empty());
        assert!(similar("", known).is_empty());
        assert_eq!(
            did_you_mean("fraudscan", ["fraud-scan", "api"]).as_deref(),
            Some("did you mean `fraud-scan`?")
        );
        let odd = did_you_mean("ab\u{1b}c", ["ab\u{1b}cd"]).unwrap();
        assert!(!odd.contains('\u{1b}'), "{odd}");
    }
}
