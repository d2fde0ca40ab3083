//! Mistakes in mapping files: each is refused with its line and field.

use super::*;

fn check_mistake(text: &str, expected: &str) {
    let error = Mapping::parse(text).unwrap_err().to_string();
    assert!(
        error.starts_with(expected),
        "{text}\n  {error}\n  {expected}"
    );
}

#[test]
fn mistakes_in_a_mapping_are_refused_with_their_line() {
    check_mistake("x = ", "line 1: ");
    check_mistake("", "line 1: a mapping needs at least one `[[rule]]`");
    check_mistake("[[rules]]\n", "line 1: `rules` is not a key of a mapping");
    check_mistake(
        "\n[[rule]]\nstream = \"a-b\"\n",
        "line 2: rule \"rule 1\": has no `type`",
    );
    check_mistake(
        "[[rule]]\n[part.p]\nskip = true",
        "line 1: rule \"rule 1\": has no `stream`",
    );
    check_mistake(
        "[[rule]]\nskip = true\n[part.p]\nskip = true",
        "line 4: part \"p\": `skip` is not a key of it",
    );
}

#[test]
fn mistakes_in_a_rule_are_refused_with_line_and_field() {
    let cases = [
        ("corelation = \"x\"", ": `corelation` is not a key of it"),
        ("actor = 3", " / actor: must be a text, not integer"),
        (
            "actor = \"{/a\"",
            " / actor: a placeholder that is not closed with `}`",
        ),
        ("actor = \"a}\"", " / actor: a `}` without `{`"),
        (
            "actor = \"{a}\"",
            " / actor: a placeholder holds JSON Pointers",
        ),
        (
            "actor = \"{lowr(/a)}\"",
            " / actor: there is no function `lowr`",
        ),
        (
            "actor = \"{/a~2}\"",
            " / actor: `/a~2` is not a JSON Pointer",
        ),
        (
            "when = { kind = 1 }",
            " / when / kind: a condition is about",
        ),
        (
            "when = { \"/k\" = { is = 1 } }",
            " / when / /k / is: `is` is not a test",
        ),
        (
            "when = { \"/k\" = [1] }",
            " / when / /k: must be a text, number or boolean",
        ),
        (
            "data = { a = { b = \"{\" } }",
            " / data / a / b: a placeholder holds",
        ),
        ("use = \"p\"", ": uses `p`, but there is no `[part.p]`"),
        (
            "metadata = { a = nan }",
            " / metadata / a: is not a number that JSON can hold",
        ),
    ];
    for (line, expected) in cases {
        check_mistake(
            &format!("[[rule]]\nstream = \"a-{{/b}}\"\ntype = \"T\"\n{line}"),
            &format!("line 4: rule \"rule 1\"{expected}"),
        );
    }
}
