//! What serde says of JSON that does not fit, in plain words and without the values that it quotes: one may be a secret.

/// Takes the offending value out of a message of serde's (`invalid type: string "hunter2", expected a map`) or of our own
/// types (``time `hunter2` has no zone``).
pub fn without_values(said: &str) -> String {
    if let Some(rest) = said.strip_prefix("unknown variant `")
        && let Some((_, expected)) = rest.rsplit_once("`, expected ")
    {
        return format!("must be {expected}");
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
            let expected = expected.split(" at line ").next().unwrap_or(expected);
            let must = format!("must be {}", plain_expected(expected));
            return match kind {
                "invalid type: " => format!("{must}, not {}", plain_found(found.trim_end())),
                _ => must,
            };
        }
    }
    said.to_owned()
}

/// What serde expected, which may be the name of a type: "u64", "struct `X` with 9 elements".
fn plain_expected(expected: &str) -> &str {
    match expected {
        "a map" => "a JSON object",
        "a sequence" => "a list",
        "a boolean" => "`true` or `false`",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        other if other.starts_with("struct ") => "a JSON object",
        other => other,
    }
}

/// What serde found.
fn plain_found(found: &str) -> &str {
    match found {
        "unit value" | "unit" => "null",
        "boolean" => "a boolean",
        "integer" => "an integer",
        "floating point" | "number" => "a number",
        "string" => "a string",
        "sequence" => "a list",
        "map" => "an object",
        other => other,
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
            assert!(
                without.starts_with("must be a whole number, 0 or more, not "),
                "{without}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_said_in_plain_words() {
        fn said<T: serde::de::DeserializeOwned>(text: &str) -> String {
            let said = serde_json::from_str::<T>(text).err().unwrap().to_string();
            let at = said.rfind(" at line ").unwrap_or(said.len());
            without_values(said.get(..at).unwrap())
        }
        type Object = std::collections::BTreeMap<String, u8>;
        assert_eq!(said::<Object>("null"), "must be a JSON object, not null");
        assert_eq!(said::<Object>("[]"), "must be a JSON object, not a list");
        assert_eq!(said::<Vec<u8>>("{}"), "must be a list, not an object");
        assert_eq!(
            said::<bool>("7"),
            "must be `true` or `false`, not an integer"
        );
        assert_eq!(said::<String>("7.5"), "must be a string, not a number");
        assert_eq!(said::<u8>("-7"), "must be a whole number, 0 or more");
        let unknown = "unknown variant `hunter2`, expected `accepted` or `rejected`";
        assert_eq!(without_values(unknown), "must be `accepted` or `rejected`");
    }
}
