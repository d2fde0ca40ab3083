//! Event types in words: which say that their actor did something, and to what.

/// What an actor did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// In capitals, in the past tense.
    pub verb: String,
    /// What it was done to: a part of what the stream is about, in lower case; `None` for the whole of it.
    pub object: Option<String>,
}

/// Verbs whose subject is the actor wherever they end a type. What happens by itself (`failed`, `expired`) or to the one that
/// acts (`joined`, `registered`) is not among them.
const VERBS: [&str; 134] = [
    "accepted",
    "activated",
    "added",
    "adjusted",
    "allocated",
    "amended",
    "anonymized",
    "applied",
    "approved",
    "archived",
    "assigned",
    "attached",
    "authorized",
    "banned",
    "blocked",
    "booked",
    "cancelled",
    "canceled",
    "captured",
    "changed",
    "charged",
    "checked",
    "claimed",
    "cleared",
    "closed",
    "commented",
    "completed",
    "configured",
    "confirmed",
    "connected",
    "copied",
    "corrected",
    "created",
    "credited",
    "deactivated",
    "debited",
    "declined",
    "decreased",
    "defined",
    "deleted",
    "delivered",
    "demoted",
    "denied",
    "deposited",
    "detached",
    "disabled",
    "disconnected",
    "dismissed",
    "edited",
    "enabled",
    "erased",
    "escalated",
    "extended",
    "filed",
    "fixed",
    "flagged",
    "forwarded",
    "frozen",
    "generated",
    "granted",
    "hidden",
    "imported",
    "increased",
    "inserted",
    "invited",
    "invoiced",
    "issued",
    "linked",
    "listed",
    "locked",
    "marked",
    "merged",
    "modified",
    "moved",
    "muted",
    "named",
    "notified",
    "opened",
    "ordered",
    "packed",
    "paid",
    "patched",
    "paused",
    "picked",
    "placed",
    "posted",
    "printed",
    "promoted",
    "published",
    "purged",
    "put",
    "reactivated",
    "reassigned",
    "reduced",
    "refunded",
    "rejected",
    "released",
    "removed",
    "renamed",
    "reopened",
    "replaced",
    "requested",
    "rescheduled",
    "reserved",
    "reset",
    "restored",
    "resumed",
    "retracted",
    "revoked",
    "scheduled",
    "scored",
    "sent",
    "set",
    "shared",
    "shipped",
    "signed",
    "sold",
    "split",
    "started",
    "stopped",
    "submitted",
    "suspended",
    "tagged",
    "terminated",
    "transferred",
    "unblocked",
    "unlinked",
    "unlocked",
    "updated",
    "uploaded",
    "verified",
    "voided",
    "withdrawn",
    "written",
];

/// Words that turn what a type says around, or leave it open.
const DOUBTFUL: [&str; 38] = [
    "a",
    "about",
    "already",
    "almost",
    "an",
    "and",
    "as",
    "at",
    "auto",
    "be",
    "been",
    "being",
    "by",
    "can",
    "cannot",
    "cant",
    "could",
    "for",
    "from",
    "had",
    "has",
    "have",
    "in",
    "is",
    "itself",
    "never",
    "no",
    "non",
    "not",
    "of",
    "on",
    "or",
    "partially",
    "self",
    "to",
    "was",
    "were",
    "with",
];

/// What an event type says that its actor did; `None` where it does not say that for certain. The category is what its stream
/// is about: `UserDeleted` of category `user` is about all of it, `UserEmailChanged` about a part.
pub fn deed(event_type: &str, category: &str) -> Option<Deed> {
    let mut words = words(event_type);
    // `UserDeletedV2` says what `UserDeleted` says.
    if words.len() > 1 && words.last().is_some_and(|word| is_version(word)) {
        words.pop();
    }
    let last = words.pop()?.to_lowercase();
    let verb = VERBS.iter().find(|verb| **verb == last)?;
    let doubtful = |word: &String| {
        let word = word.to_lowercase();
        DOUBTFUL.contains(&word.as_str()) || VERBS.contains(&word.as_str())
    };
    if words.iter().any(doubtful) {
        return None;
    }
    let rest = without_category(&words, category);
    let object = (!rest.is_empty()).then(|| {
        let words: Vec<String> = rest.iter().map(|word| lower(word)).collect();
        words.join(" ")
    });
    Some(Deed {
        verb: verb.to_uppercase(),
        object,
    })
}

/// The words of a name in any of the usual spellings: `UserDeleted`, `user_deleted`, `user.deleted`, `HTTPServerStarted`.
fn words(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let chars: Vec<char> = name.chars().collect();
    let mut begins = true;
    for (index, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            begins = true;
            continue;
        }
        let before = index.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(index + 1);
        let up = c.is_uppercase()
            && (before.is_some_and(|c| c.is_lowercase() || c.is_numeric())
                || after.is_some_and(|c| c.is_lowercase()));
        match out.last_mut() {
            Some(word) if !begins && !up => word.push(c),
            _ => out.push(c.to_string()),
        }
        begins = false;
    }
    out
}

fn is_version(word: &str) -> bool {
    let digits = word.trim_start_matches(['v', 'V']);
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

/// The words behind those that name the category, in the singular or the plural.
fn without_category<'a>(words: &'a [String], category: &str) -> &'a [String] {
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let category = plain(category);
    let singular = category.strip_suffix('s').unwrap_or(&category);
    let mut joined = String::new();
    for (index, word) in words.iter().enumerate() {
        joined.push_str(&plain(word));
        if joined == category || joined == singular {
            return words.get(index + 1..).unwrap_or_default();
        }
    }
    words
}

/// In lower case, but for an acronym.
fn lower(word: &str) -> String {
    let is_acronym = word.chars().count() > 1 && word.chars().all(char::is_uppercase);
    if is_acronym {
        word.to_owned()
    } else {
        word.to_lowercase()
    }
}
