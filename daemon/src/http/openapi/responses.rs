//! The responses of every operation: a description for each, and the problems that its layers may answer with.
//!
//! Owns what is true of whole groups of operations. The responses of a single operation are declared at its handler.

use serde_json::{Map, Value, json};

/// Problems that any operation may answer with, with what they mean.
const ALWAYS: [(&str, &str); 7] = [
    (
        "400",
        "a parameter, or the body, does not fit or goes beyond a bound",
    ),
    (
        "403",
        "`foreign_origin`: the request comes from a page of another origin",
    ),
    ("414", "the address is too long"),
    ("421", "`foreign_host`: the `Host` is not the daemon's"),
    ("431", "the headers are too long"),
    ("500", "`damaged` or `internal`: the daemon failed"),
    ("503", "`busy` or `unavailable`: try again shortly"),
];

/// Problems of operations with a body.
const WITH_BODY: [(&str, &str); 3] = [
    ("408", "`timeout`: the body did not arrive in time"),
    ("413", "`too_large`: the body is beyond its bound"),
    (
        "415",
        "`unsupported_media_type`: the body is not of a type that is taken",
    ),
];

/// Problems of operations that read from a branch where one is named.
const OF_BRANCHES: [(&str, &str); 2] = [
    ("404", "`no_such_branch`: there is no branch of this name"),
    ("409", "`other_history`: the branch is of another log"),
];

/// Completes the responses of one operation.
pub(super) fn complete(operation: &mut Map<String, Value>) {
    let has_body = operation.contains_key("requestBody");
    let has_one = |key: &str, value: &str| {
        let all = operation.get("parameters").and_then(Value::as_array);
        all.is_some_and(|all| all.iter().any(|parameter| parameter[key] == value))
    };
    let names_something = has_one("in", "path");
    let reads_branches = has_one("name", "branch");
    let Some(responses) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for (status, response) in responses.iter_mut() {
        let Some(response) = response.as_object_mut() else {
            continue;
        };
        let described = response
            .get("description")
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty());
        if !described {
            response.insert("description".to_owned(), usual(status).into());
        }
    }
    let with_body = WITH_BODY.iter().filter(|_| has_body);
    let not_found = [("404", usual("404"))];
    let not_found = not_found.iter().filter(|_| names_something && !has_body);
    let of_branches = OF_BRANCHES.iter().filter(|_| reads_branches);
    let all = ALWAYS.iter().chain(with_body).chain(not_found);
    for (status, description) in all.chain(of_branches) {
        responses
            .entry((*status).to_owned())
            .or_insert_with(|| problem(description));
    }
    responses.sort_keys();
}

/// What a status usually means here.
fn usual(status: &str) -> &'static str {
    match status {
        "200" => "the answer",
        "202" => "started, or not there yet",
        "404" => "there is no such thing; `code` says which",
        "409" => "it conflicts with what exists; `code` says how",
        "422" => "`rejected`: a rule refused the command",
        _ => ALWAYS
            .iter()
            .chain(&WITH_BODY)
            .find(|(known, _)| *known == status)
            .map_or("a problem", |(_, description)| description),
    }
}

fn problem(description: &str) -> Value {
    json!({
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}
