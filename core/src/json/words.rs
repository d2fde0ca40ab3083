//! What serde says of JSON that does not fit, without the values that it quotes: one may be a secret.

/// Takes the offending value out of a message of serde's (`invalid type: string "hunter2", expected a map`) or of our own
/// types (``time `hunter2` has no zone``).
pub fn without_values(said: &str) -> String {
    if let Some(rest) = said.strip_prefix("unknown variant `")
        && let Some((_, expected)) = rest.rsplit_once("`, expected ")
    {
        return format!("unknown value, expected {expected}");
    }
    let value = said
        .strip_prefix("time `")
        .or_else(|| said.strip_prefix('`'));
    for words in [
        "has no zone",
        "is not a time;",
        "is outside the years",
        "is neither `any`",
    ] {
        if let Some((value, rest)) = value.and_then(|value| value.rsplit_once(words))
            && !value.chars().all(is_of_a_time)
        {
            return format!("the value {words}{rest}");
        }
    }
    for kind in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some(rest) = said.strip_prefix(kind)
            && let (Some((found, _)), Some((_, expected))) = (
                rest.split_once(['`', '"', ',']),
                rest.rsplit_once(", expected "),
            )
        {
            return format!(
                "{kind}{}, expected {}",
                found.trim_end(),
                without_types(expected)
            );
        }
    }
    said.to_owned()
}

/// What was expected, where serde names a type of ours: "struct `X` with 9 elements".
fn without_types(expected: &str) -> &str {
    match expected.strip_prefix("struct ") {
        Some(_) => "an object",
        None => expected,
    }
}

/// Whether a character occurs in times. What consists of nothing else may be quoted: it was meant as one.
fn is_of_a_time(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | '+' | 'T' | 'Z' | ' ' | '`')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_left_in_a_message() {
        for text in [
            r#""hunter2""#,
            "[\"hunter2\"]",
            "417.5",
            "true",
            r#"{"a":"hunter2"}"#,
        ] {
            let said = serde_json::from_str::<u64>(text).unwrap_err().to_string();
            let without = without_values(&said);
            for value in ["hunter2", "417", "true"] {
                assert!(!without.contains(value), "{said}: {without}");
            }
            assert!(without.contains("expected u64"), "{without}");
        }
    }
}
