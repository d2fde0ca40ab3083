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
use whodunit_core::json::{check, pointer_token};

use super::error::ApiError;
use crate::limits::BODY_BYTES_MAX;

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
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
        parse(&bytes).map(Self)
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
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut text).map_err(|error| {
        let pointer = pointer(error.path());
        ApiError::from(misfit(&pointer, error.inner()))
    })?;
    text.end()
        .map_err(|error| ApiError::from(misfit("", &error)))?;
    Ok(value)
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
    let code = code_of(&said, pointer);
    if pointer.is_empty() {
        return Problem::new(code, format!("{said}{place}"));
    }
    Problem::new(code, format!("`{pointer}`: {said}{place}")).field(pointer)
}

/// What our own types say when they refuse a text, told apart by the words they use.
fn code_of(said: &str, field: &str) -> Code {
    let time = ["has no zone", "is not a time;", "is outside the years"];
    if time.iter().any(|words| said.contains(words)) {
        Code::BadTime
    } else if field == "/stream" && !said.starts_with("invalid type") {
        Code::BadStreamName
    } else {
        Code::Malformed
    }
}

/// The name in serde's message of this kind, such as "missing field `x`".
fn quoted<'a>(said: &'a str, kind: &str) -> Option<&'a str> {
    said.strip_prefix(kind)?
        .strip_prefix('`')?
        .strip_suffix('`')
}

/// Takes the offending value out of a message of serde's (`invalid type: string "hunter2", expected a map`) or of our own
/// types (``time `hunter2` has no zone``).
fn without_values(said: &str) -> String {
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
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = said.strip_prefix(kind)
            && let (Some((found, _)), Some((_, expected))) = (
                rest.split_once(['`', '"', ',']),
                rest.rsplit_once(", expected "),
            )
        {
            return format!("{kind}{}, expected {expected}", found.trim_end());
        }
    }
    said.to_owned()
}

/// Whether a character occurs in times. What consists of nothing else may be quoted: it was meant as one.
fn is_of_a_time(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | '+' | 'T' | 'Z' | ' ' | '`')
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
        let pairs = form_urlencoded::parse(query.as_bytes());
        let pairs = serde_urlencoded::Deserializer::new(pairs);
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| {
                bad_parameter(
                    error.path().to_string().as_str(),
                    &error.inner().to_string(),
                )
                .into()
            })
    }
}

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
            "" => "this path takes no parameters".to_owned(),
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
        other => other.to_owned(),
    };
    let code = match code_of(&said, &format!("/{name}")) {
        Code::Malformed => Code::BadParameter,
        code => code,
    };
    if name == "." || name.is_empty() {
        return Problem::new(code, said);
    }
    Problem::new(code, format!("`{name}`: {said}")).field(name)
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
