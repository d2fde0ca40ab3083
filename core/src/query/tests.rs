//! What a line is read as, what it prints as, and what is wrong with one.

use super::*;
use crate::time::input::{Clock, Zone};

fn clock(zone: Zone) -> Clock {
    let now = "2025-03-24T15:47:23Z".parse().unwrap();
    Clock { now, zone }
}

fn printed(line: &str) -> String {
    let query = Query::parse(line, &clock(Zone::UTC));
    query
        .unwrap_or_else(|error| panic!("{line}: {error}"))
        .to_string()
}

fn refused(line: &str) -> QueryError {
    let read = Query::parse(line, &clock(Zone::Unknown));
    read.err().unwrap_or_else(|| panic!("{line} is read"))
}

#[test]
fn a_line_prints_as_it_is_read() {
    for (line, expected) in [
        ("", ""),
        ("type:UserDeleted", "type:UserDeleted"),
        ("Type:UserDeleted|User*", "type:UserDeleted|User*"),
        ("actor:job:*", "actor:job:*"),
        ("-actor:*", "-actor:*"),
        ("stream:\"order-1*\"", "stream:\"order-1*\""),
        (
            "inactive \"for 90 days\" -since",
            "inactive \"for 90 days\" -since",
        ),
        ("reason:inactive|\"a b\"", "reason:inactive|\"a b\""),
        (
            "outcome:rejected rule:user.*",
            "outcome:rejected rule:user.*",
        ),
        (
            "since:yesterday 15:46 type:A",
            "since:2025-03-23T15:46:00Z type:A",
        ),
        ("until:2025-03-24 x", "until:2025-03-24T23:59:59.999999Z x"),
        ("since:Mar 24 2025 3:46 pm", "since:2025-03-24T15:46:00Z"),
        ("since:\"2h ago\" ago", "since:2025-03-24T13:47:23Z ago"),
        ("since:2h ago", "since:2025-03-24T13:47:23Z"),
        (
            "where:/status == \"a b\" actor:x",
            "actor:x where:(/status == \"a b\")",
        ),
        (
            "where:event.actor in [\"a\", \"b\"] && true x",
            "x where:(event.actor in [\"a\", \"b\"] && true)",
        ),
        ("where:(state.n > 1) x", "x where:(state.n > 1)"),
        ("preceded-by(type:A, 7d)", "preceded-by(type:A, 1w)"),
        (
            "-not-followed-by(type:A -x , 90m , correlation)",
            "-not-followed-by(type:A -x, 90m, correlation)",
        ),
        (
            "followed-by(where:event.data.l.exists(v, v > 1))",
            "followed-by(where:(event.data.l.exists(v, v > 1)))",
        ),
        ("f(x) (y) a,b", "\"f(x)\" \"(y)\" \"a,b\""),
    ] {
        let first = printed(line);
        assert_eq!(first, expected, "{line}");
        assert_eq!(printed(&first), first, "{line}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (line, column, words) in [
        ("typ:A", 1, "there is no key `typ`"),
        ("type:A actr:b", 8, "there is no key `actr`"),
        ("type:", 6, "`type:` needs a value"),
        ("type:A|", 8, "`type:` needs a value"),
        ("\"open", 1, "this quote is not closed"),
        ("é actor:\"a", 9, "this quote is not closed"),
        ("\"\"", 1, "an empty text occurs in everything"),
        ("a - b", 3, "nothing follows this `-`"),
        ("outcome:denied", 9, "`denied` is not an outcome"),
        ("reason:a*", 8, "takes no `*`"),
        ("since:soon", 7, "`soon` is not a time"),
        ("since: 2025-03-24Z", 7, "`since:` needs a time"),
        ("since:2025-03-24", 7, "has no zone"),
        ("until:15:46 x", 7, "has no zone"),
        ("where:", 7, "`where:` needs a condition"),
        ("x where:state.a = 1", 17, "`=`"),
        ("preceded-by()", 13, "needs terms for the other event"),
        ("preceded-by(type:A", 1, "is not closed"),
        (
            "preceded-by(type:A, soon)",
            21,
            "`soon` is not a length of time",
        ),
        ("preceded-by(rule:x)", 13, "about decisions"),
        ("preceded-by(followed-by(x))", 13, "cannot be nested"),
        ("preceeded-by(type:A)", 1, "there is no `preceeded-by(…)`"),
        ("type:A type:B", 8, "two different values"),
    ] {
        let error = refused(line);
        assert!(error.message.contains(words), "{line}: {error}");
        assert_eq!(error.column, column, "{line}: {error}");
    }
    assert_eq!(
        refused("acotr:x").hint.unwrap().split('?').next(),
        Some("did you mean `actor`")
    );
    assert!(
        refused("job:cleanup")
            .hint
            .unwrap()
            .contains("in quotes: `\"job:…\"`")
    );
    assert!(
        refused("preceeded-by(x)")
            .hint
            .unwrap()
            .contains("`preceded-by`")
    );
    assert!(refused("since:yesterday").needs_zone);
    assert!(
        refused(&"x ".repeat(QUERY_TERMS_MAX + 1))
            .message
            .contains("at most 64 terms")
    );
    assert!(
        refused(&"x".repeat(QUERY_BYTES_MAX + 1))
            .message
            .contains("bytes")
    );
}

#[test]
fn repeated_terms_that_can_hold_together_are_read() {
    for line in [
        "type:User* type:*Deleted",
        "type:A type:A|B",
        "-type:A -type:B",
        "reason:a reason:b",
        "type:A type:*",
    ] {
        printed(line);
    }
}

#[test]
fn patterns_match_whole_texts() {
    let matches = |pattern: &str, text: &str| {
        let words: Vec<_> = Query::parse(&format!("actor:{pattern}"), &clock(Zone::UTC))
            .unwrap()
            .words()
            .collect();
        words.iter().all(|words| words.admits(Some(text)))
    };
    for (pattern, text, expected) in [
        ("a*", "a", true),
        ("a*", "ba", false),
        ("*a", "ba", true),
        ("*a*", "bab", true),
        ("a*b*c", "a--b--c", true),
        ("a*b*c", "a--c--b", false),
        ("ab*ba", "aba", false),
        ("ab*ba", "abba", true),
        ("\"a*\"", "a*", true),
        ("\"a*\"", "ab", false),
        ("\"\"", "", true),
        ("**", "x", true),
        ("a|b*", "bc", true),
        ("a", "A", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn bounds_of_time_are_known_to_a_plan() {
    let query = Query::parse(
        "since:2025-03-01 until:2025-03-20 -until:2025-03-05",
        &clock(Zone::UTC),
    )
    .unwrap();
    assert_eq!(query.since().unwrap().to_string(), "2025-03-06T00:00:00Z");
    assert_eq!(
        query.until().unwrap().to_string(),
        "2025-03-20T23:59:59.999999Z"
    );
    assert!(!query.asks_for_more_than_fields());
}
