//! Incident files over HTTP: what belongs to an incident, redacted, as NDJSON of one moment of the log.
//!
//! Owns which records belong to it, and the bounds. Secrets never leave here: there is no way to ask for them.

mod checks;
mod collect;
mod select;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::bundle::{
    BUNDLE_SCENARIO_BYTES_MAX, BUNDLE_SCENARIOS_MAX, BundleIn, ScenarioText,
};
use whodunit_core::ids::check_id;
use whodunit_core::scenario::Scenario;

use super::error::{ApiError, busy};
use super::extract::{Json, Query};
use super::streams::NoParams;
use crate::daemon::Parts;

/// An incident file: what belongs to an incident, redacted, as NDJSON. Its first line is that of an export, with `bundle`; then `{"incident": …}` tells
/// what happened: causes, effects, batches, what was done to each stream, what was tried, and what was left out. Events and decisions of the streams follow,
/// each stream from its beginning, then notes, branches (`{"branch": …}`) and scenarios (`{"scenario": …}`); the last line has counts and a
/// SHA-256. `whodunit open` reads it anywhere, and `POST /v1/import` takes the records of it.
#[utoipa::path(post, path = "/v1/bundle", tag = "ops", request_body = BundleIn,
    responses((status = 200, body = Object, content_type = "application/x-ndjson"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`malformed` where not exactly one of `around`, `correlation` and `stream` is given, or a scenario cannot be read; `plaintext_secret`: a scenario holds a secret; `limit_exceeded`: the event's own stream is too large"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_event`, `no_such_correlation` or `no_such_stream`")))]
pub(crate) async fn write_bundle(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
    Json(asked): Json<BundleIn>,
) -> Result<Response, ApiError> {
    check(&asked)?;
    let scenarios = given_scenarios(&parts, &asked)?;
    let Ok(_place) = Arc::clone(&parts.gates.exports).try_acquire_owned() else {
        return Err(busy("too many exports are running"));
    };
    let (own, now) = (Arc::clone(&parts), parts.clock.now());
    let heavy = &parts.gates.heavy;
    let text = heavy.read_owned(&parts.store, move |view| {
        collect::bundle(&own, view, asked, scenarios, now)
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        ),
        (
            HeaderName::from_static("whodunit-redacted"),
            HeaderValue::from_static("true"),
        ),
    ];
    Ok((headers, Body::from(text.await?)).into_response())
}

fn malformed(field: &str, detail: impl Into<String>) -> ApiError {
    Problem::new(Code::Malformed, detail).field(field).into()
}

fn check(asked: &BundleIn) -> Result<(), ApiError> {
    let given = [
        asked.around.is_some(),
        asked.correlation.is_some(),
        asked.stream.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let detail = "exactly one of `/around`, `/correlation` and `/stream` must be given";
        return Err(malformed("", detail));
    }
    for (field, id) in [
        ("/around", &asked.around),
        ("/correlation", &asked.correlation),
    ] {
        if let Some(Err(error)) = id.as_ref().map(|id| check_id(id)) {
            return Err(malformed(field, format!("`{field}` {error}")));
        }
    }
    if asked.scenarios.len() > BUNDLE_SCENARIOS_MAX {
        let detail = format!(
            "`/scenarios` has {} entries, at most {BUNDLE_SCENARIOS_MAX} are taken",
            asked.scenarios.len()
        );
        let problem = Problem::new(Code::LimitExceeded, detail);
        return Err(problem.field("/scenarios").into());
    }
    Ok(())
}

/// The scenarios of a request. A file is passed on, so none may hold a secret.
fn given_scenarios(parts: &Parts, asked: &BundleIn) -> Result<Vec<ScenarioText>, ApiError> {
    let secrets: Vec<String> = parts
        .models
        .all()
        .flat_map(|model| {
            let spec = model.spec();
            spec.secret_fields.iter().chain(&spec.plaintext_fields)
        })
        .cloned()
        .collect();
    let mut scenarios = Vec::new();
    for (index, toml) in asked.scenarios.iter().enumerate() {
        let field = format!("/scenarios/{index}");
        if toml.len() > BUNDLE_SCENARIO_BYTES_MAX {
            let detail = format!("`{field}` is longer than {BUNDLE_SCENARIO_BYTES_MAX} bytes");
            return Err(Problem::new(Code::LimitExceeded, detail)
                .field(field)
                .into());
        }
        let scenario = Scenario::parse(toml)
            .map_err(|error| malformed(&field, format!("`{field}` is not a scenario: {error}")))?;
        if let Some(secret) = scenario.field_among(&secrets) {
            let detail = format!("`{field}` holds a secret, in `{secret}`");
            return Err(Problem::new(Code::PlaintextSecret, detail)
                .field(field)
                .into());
        }
        scenarios.push(ScenarioText {
            name: scenario.name,
            toml: toml.clone(),
        });
    }
    Ok(scenarios)
}
