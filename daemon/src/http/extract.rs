//! Extractors: bodies, query parameters and path segments; each error is a problem that names the field.
//!
//! Owns their bounds and the wording. A message names fields, lines and columns, never a value: it might be a secret.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts as Head;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path as Place, Segment};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::ids::StreamName;
use whodunit_core::json::{Value, check, pointer_token, without_values};
use whodunit_core::time::Timestamp;

use super::error::ApiError;
use super::lists::{check_lists, has_no_misplaced_list};
use crate::limits::{BODY_BYTES_MAX, READ_ASIDE_FROM_BYTES};
use crate::reading::blocking;

/// Fields and parameters that are times. A test holds them against the API's description.
pub(crate) const TIME_FIELDS: [&str; 7] = [
    "as_of",
    "at",
    "changed_at",
    "created_at",
    "recorded_at",
    "since",
    "until",
];

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + Send + 'static, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let kind = content_type(request.headers());
        let subtype = kind.strip_prefix("application/").unwrap_or_default();
        if subtype != "json" && !subtype.ends_with("+json") {
            let problem = Problem::new(
                Code::UnsupportedMediaType,
                "the content type of the body is not JSON",
            );
            return Err(problem.hint("send `Content-Type: application/json`").into());
        }
        // It was received before: see `receive`.
        let bytes = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
        let bytes = bytes.map_err(|_broken| {
            Problem::new(Code::Malformed, "the body ended before it was complete")
        })?;
        if bytes.len() < READ_ASIDE_FROM_BYTES {
            return parse(&bytes).map(Self);
        }
        blocking(move || parse(&bytes)).await.map(Self)
    }
}

/// The media type of a body, lower case, without parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Reads JSON, or says where and why it does not fit.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check(text).map_err(|unfit| {
            let problem = Problem::new(Code::Malformed, unfit.to_string());
            problem.field(unfit.pointer())
        })?;
    }
    // Most bodies are what they should be: where one is not, it is looked for again, for where and why.
    if has_no_misplaced_list(bytes)
        && let Ok(value) = serde_json::from_slice(bytes)
    {
        return Ok(value);
    }
    if let Err((path, error)) = check_lists(bytes)
        && error.is_data()
    {
        return Err(misfit(&pointer(&path), &error).into());
    }
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut text)
        .map_err(|error| refusal(bytes, error.path(), error.inner()))?;
    text.end()
        .map_err(|error| ApiError::from(misfit("", &error)))?;
    Ok(value)
}

/// Why a body does not fit, and where.
fn refusal(bytes: &[u8], place: &Place, error: &serde_json::Error) -> ApiError {
    let pointer = pointer(place);
    // Of an alternative that it does not know, serde says that it is not JSON.
    if !error.is_data()
        && let Ok(whole) = serde_json::from_slice::<Value>(bytes)
    {
        return ApiError::from(no_alternative(&pointer, whole.pointer(&pointer)));
    }
    let refused = || {
        serde_json::from_slice::<Value>(bytes)
            .ok()?
            .pointer(&pointer)
            .cloned()
    };
    let refused = refused_by_type(&pointer, &|| Some(refused()?.as_str()?.to_owned()));
    ApiError::from(refused.unwrap_or_else(|| misfit(&pointer, error)))
}

/// A value that is one of several things, and is none of them.
fn no_alternative(pointer: &str, value: Option<&Value>) -> Problem {
    let said = match value {
        Some(Value::Object(fields)) if fields.len() != 1 => {
            let count = fields.len();
            format!("must have exactly one key, which says what it is; it has {count}")
        }
        Some(Value::Object(_)) => "must have a key that says what it is".to_owned(),
        _ => "is not one of the allowed values; leave it out for the default".to_owned(),
    };
    let problem = Problem::new(Code::Malformed, format!("`{pointer}` {said}")).field(pointer);
    problem.hint("`GET /v1/openapi.json` lists the allowed values")
}

fn misfit(pointer: &str, error: &serde_json::Error) -> Problem {
    let full = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let said = full.strip_suffix(&place).unwrap_or(&full);
    if !error.is_data() {
        let detail = format!("the body is not JSON: {said}{place}");
        return Problem::new(Code::Malformed, detail);
    }
    if let Some(name) = quoted(said, "missing field ") {
        let pointer = format!("{pointer}/{}", pointer_token(name));
        return Problem::new(Code::Malformed, format!("`{pointer}` is required")).field(pointer);
    }
    let said = without_values(said);
    if pointer.is_empty() {
        return Problem::new(Code::Malformed, format!("the body: {said}"));
    }
    Problem::new(Code::Malformed, format!("`{pointer}`: {said}")).field(pointer)
}

/// What our own types say to the text of a field that is theirs, and in their own words. `None` where they have nothing against
/// it, or it is no text.
fn refused_by_type(pointer: &str, text: &dyn Fn() -> Option<String>) -> Option<Problem> {
    let name = pointer.rsplit('/').next()?;
    let (code, said) = if TIME_FIELDS.contains(&name) {
        let error = text()?.parse::<Timestamp>().err()?;
        (Code::BadTime, error.without_secret().to_string())
    } else if name == "stream" {
        let error = StreamName::new(text()?).err()?;
        (Code::BadStreamName, error.to_string())
    } else {
        return None;
    };
    Some(Problem::new(code, format!("`{pointer}`: {said}")).field(pointer))
}

/// The name in serde's message of this kind, such as "missing field `x`".
fn quoted<'a>(said: &'a str, kind: &str) -> Option<&'a str> {
    said.strip_prefix(kind)?
        .strip_prefix('`')?
        .strip_suffix('`')
}

fn pointer(path: &Place) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.extend(["/", &index.to_string()]),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                pointer.push('/');
                pointer.push_str(&pointer_token(name));
            }
            Segment::Unknown => {}
        }
    }
    pointer
}

/// The query's parameters.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Head, _state: &S) -> Result<Self, ApiError> {
        let query = head.uri.query().unwrap_or_default();
        check_encoding(query)?;
        let read = read_query(query).map(Self);
        read.map_err(|problem| ApiError::from(*problem))
    }
}

/// Reads parameters from a query, or says which does not fit.
fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Box<Problem>> {
    let given = form_urlencoded::parse(query.as_bytes());
    let pairs = serde_urlencoded::Deserializer::new(given);
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let (name, said) = (error.path().to_string(), error.inner().to_string());
        Box::new(query_refusal(query, &name, &said))
    })
}

/// Why a parameter does not fit.
fn query_refusal(query: &str, name: &str, said: &str) -> Problem {
    let text = || {
        let mut given = form_urlencoded::parse(query.as_bytes());
        let (_, text) = given.find(|(key, _)| key == name)?;
        Some(text.into_owned())
    };
    refused_by_type(name, &text).unwrap_or_else(|| bad_parameter(name, said))
}

/// The query's parameters, of which some are those of every path of its kind, by their names.
pub(crate) fn read_two<C: DeserializeOwned, T: DeserializeOwned>(
    head: &Head,
    common: &[&str],
) -> Result<(C, T), ApiError> {
    let query = head.uri.query().unwrap_or_default();
    check_encoding(query)?;
    let mut parts = [const { String::new() }; 2].map(form_urlencoded::Serializer::new);
    let [of_all, of_own] = &mut parts;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let part = if common.contains(&&*name) {
            &mut *of_all
        } else {
            &mut *of_own
        };
        part.append_pair(&name, &value);
    }
    let [of_all, of_own] = parts.map(|mut part| part.finish());
    let own = read_query(&of_own).map_err(|mut problem| {
        if let Some(hint) = problem
            .hint
            .as_mut()
            .filter(|hint| hint.starts_with("this path takes"))
        {
            let names = common
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            *hint = match hint.as_str() {
                NO_PARAMETERS => format!("this path takes {names}"),
                own => format!("{own}, {names}"),
            };
        }
        ApiError::from(*problem)
    })?;
    let of_all = read_query(&of_all).map_err(|problem| ApiError::from(*problem))?;
    Ok((of_all, own))
}

/// What a path says that takes none.
const NO_PARAMETERS: &str = "this path takes no parameters";

/// The query's parameters one by one, in the order given, for paths whose parameters depend on what they name.
#[derive(Debug)]
pub(crate) struct Pairs(pub(crate) Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Head, _state: &S) -> Result<Self, ApiError> {
        let query = head.uri.query().unwrap_or_default();
        check_encoding(query)?;
        let pairs = form_urlencoded::parse(query.as_bytes());
        Ok(Self(pairs.into_owned().collect()))
    }
}

fn bad_parameter(name: &str, said: &str) -> Problem {
    // serde's own words speak of fields; to a caller they are parameters.
    if let Some(rest) = said.strip_prefix("unknown field ") {
        let known = rest
            .split_once(", expected ")
            .map_or("", |(_, known)| known);
        let takes = match known.strip_prefix("one of ").unwrap_or(known) {
            "" => NO_PARAMETERS.to_owned(),
            known => format!("this path takes {known}"),
        };
        let problem = Problem::new(Code::BadParameter, format!("unknown parameter `{name}`"));
        return problem.field(name).hint(takes);
    }
    if let Some(name) = quoted(said, "duplicate field ") {
        let problem = Problem::new(Code::BadParameter, format!("`{name}` is given twice"));
        return problem.field(name);
    }
    let said = match said {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "must be a whole number".to_owned()
        }
        "number too large to fit in target type" => "is too large a number".to_owned(),
        "provided string was not `true` or `false`" => "must be `true` or `false`".to_owned(),
        other if other.starts_with("unknown variant ") => without_values(other),
        other => other.to_owned(),
    };
    if name == "." || name.is_empty() {
        return Problem::new(Code::BadParameter, said);
    }
    Problem::new(Code::BadParameter, format!("`{name}`: {said}")).field(name)
}

/// A stream's name in the path.
#[derive(Debug)]
pub(crate) struct StreamPath(pub(crate) StreamName);

impl<S: Send + Sync> FromRequestParts<S> for StreamPath {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Head, state: &S) -> Result<Self, ApiError> {
        let PathText(name) = PathText::from_request_parts(head, state).await?;
        StreamName::new(name).map(Self).map_err(|error| {
            Problem::new(Code::BadStreamName, format!("the stream's name {error}"))
                .field("stream")
                .hint("a stream is named `category-id`, such as `user-42`, or just `category`")
                .into()
        })
    }
}

/// The one variable segment of a path, decoded.
#[derive(Debug)]
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Head, state: &S) -> Result<Self, ApiError> {
        check_encoding(head.uri.path())?;
        match Path::<String>::from_request_parts(head, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(_not_utf8) => Err(not_utf8().into()),
        }
    }
}

/// The variable segments of a path, decoded, in their order.
#[derive(Debug)]
pub(crate) struct PathTexts<const N: usize>(pub(crate) [String; N]);

impl<S: Send + Sync, const N: usize> FromRequestParts<S> for PathTexts<N> {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Head, state: &S) -> Result<Self, ApiError> {
        check_encoding(head.uri.path())?;
        let segments = Path::<Vec<String>>::from_request_parts(head, state).await;
        let Path(segments) = segments.map_err(|_not_utf8| not_utf8())?;
        segments
            .try_into()
            .map(Self)
            .map_err(|_another_number| not_utf8().into())
    }
}

fn not_utf8() -> Problem {
    Problem::new(Code::BadParameter, "the URL is not percent-encoded UTF-8")
}

/// A `%` must be followed by two hexadecimal digits, and what is encoded must be UTF-8.
fn check_encoding(text: &str) -> Result<(), ApiError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            let problem = Problem::new(
                Code::BadParameter,
                "the URL has a `%` that is not followed by two hexadecimal digits",
            );
            return Err(problem.hint("write a `%` itself as `%25`").into());
        };
        decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    match std::str::from_utf8(&decoded) {
        Ok(_) => Ok(()),
        Err(_) => Err(not_utf8().into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names of parameters and of fields of request bodies that the API's description calls times.
    fn times(document: &Value) -> BTreeSet<String> {
        fn fields(schema: &Value, document: &Value, found: &mut BTreeSet<String>) {
            if let Some(place) = schema["$ref"].as_str() {
                let place = place.trim_start_matches('#');
                return fields(document.pointer(place).unwrap(), document, found);
            }
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                if field["format"] == "date-time" {
                    found.insert(name.clone());
                }
                fields(field, document, found);
            }
            fields_of_parts(schema, document, found);
        }
        fn fields_of_parts(schema: &Value, document: &Value, found: &mut BTreeSet<String>) {
            for kind in ["oneOf", "anyOf", "allOf"] {
                for part in schema[kind].as_array().into_iter().flatten() {
                    fields(part, document, found);
                }
            }
            if schema["items"].is_object() {
                fields(&schema["items"], document, found);
            }
        }
        let mut found = BTreeSet::new();
        let paths = document["paths"].as_object().unwrap().values();
        for operation in paths.flat_map(|path| path.as_object().unwrap().values()) {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["schema"]["format"] == "date-time" {
                    found.insert(parameter["name"].as_str().unwrap().to_owned());
                }
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            fields(body, document, &mut found);
        }
        found
    }

    #[test]
    fn every_time_that_comes_in_is_known_as_one() {
        let known: BTreeSet<_> = TIME_FIELDS.map(str::to_owned).into();
        assert_eq!(times(&crate::http::openapi()), known);
    }

    #[test]
    fn a_refusal_names_its_type_and_no_value() {
        let said = |pointer: &str, text: &str| {
            let refused = refused_by_type(pointer, &|| Some(text.to_owned()));
            refused.map(|problem| (problem.code, problem.detail))
        };
        let (code, detail) = said("/events/0/recorded_at", "2025-01-01T00:00:00").unwrap();
        assert_eq!(code, Code::BadTime);
        assert!(
            detail.contains("2025-01-01T00:00:00` has no zone"),
            "{detail}"
        );
        let (_, detail) = said("as_of", "hunter2").unwrap();
        assert!(!detail.contains("hunter2"), "{detail}");
        let (code, _) = said("/stream", "a b").unwrap();
        assert_eq!(code, Code::BadStreamName);
        assert_eq!(said("/stream", "user-1"), None);
        assert_eq!(said("/actor", "hunter2"), None);
    }
}
