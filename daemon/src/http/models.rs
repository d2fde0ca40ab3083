//! Models and categories.

use std::sync::Arc;

use axum::extract::State;
use whodunit_core::api::Page;
use whodunit_core::api::browse::{Category, CommandOut, ModelOut};
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::model::Model;

use super::error::ApiError;
use super::extract::{PathText, Query};
use super::reply::Reply;
use super::streams::NoParams;
use crate::builtin::BuiltIn;
use crate::daemon::Parts;
use crate::reading::read;

/// All models. The last one, of category `*`, folds every category without a model of its own.
#[utoipa::path(get, path = "/v1/models", tag = "models", responses((status = 200, body = Page<ModelOut>)))]
pub(crate) async fn list_models(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
) -> Reply<Page<ModelOut>> {
    let models = parts.models.all().chain([parts.models.merge()]);
    let items: Vec<_> = models.map(described).collect();
    Reply(Page {
        next_cursor: None,
        redacted_copy: parts.store.is_redacted_copy(),
        head: parts.store.head().borrow().position.0,
        scanned: items.len() as u64,
        items,
    })
}

/// The model of a category, with its commands and their JSON Schema.
#[utoipa::path(get, path = "/v1/models/{category}", tag = "models",
    params(("category" = String, Path, description = "the category; `*` for the model of those without one")),
    responses((status = 200, body = ModelOut), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_model(
    State(parts): State<Arc<Parts>>,
    PathText(category): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<ModelOut>, ApiError> {
    if category == "*" {
        return Ok(Reply(described(parts.models.merge())));
    }
    let Some(model) = parts.models.asked_for(&category) else {
        let detail = format!("no model is in use for category `{}`", echo(&category));
        let hint = format!(
            "its streams are folded by JSON Merge Patch, which is model `*`; {}",
            BuiltIn::how_to_ask_for(&category)
        );
        return Err(Problem::new(Code::NoSuchModel, detail).hint(hint).into());
    };
    Ok(Reply(described(model)))
}

fn described(model: &Model) -> ModelOut {
    let spec = model.spec();
    let commands = spec.commands.iter().map(|command| CommandOut {
        name: command.name.clone(),
        description: command.description.clone(),
        reason_required: command.reason_required,
        schema: command.schema.clone(),
    });
    ModelOut {
        name: spec.name.clone(),
        category: spec.category.clone().unwrap_or_else(|| "*".to_owned()),
        description: spec.description.clone(),
        rules_hash: model.rules_hash().to_owned(),
        commands: commands.collect(),
        events: spec.events.clone(),
        secrets: spec.secret_fields.clone(),
    }
}

/// All categories that have streams.
#[utoipa::path(get, path = "/v1/categories", tag = "browse", responses((status = 200, body = Page<Category>)))]
pub(crate) async fn list_categories(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<Page<Category>>, ApiError> {
    let models = Arc::clone(&parts.models);
    let redacted_copy = parts.store.is_redacted_copy();
    read(&parts.store, move |view| {
        let items: Vec<_> = view
            .categories()?
            .into_iter()
            .map(|info| Category {
                model: models.for_category(&info.category).name().to_owned(),
                category: info.category,
                streams: info.streams,
                events: info.events,
            })
            .collect();
        Ok(Reply(Page {
            next_cursor: None,
            redacted_copy,
            head: view.head().position.0,
            scanned: items.len() as u64,
            items,
        }))
    })
    .await
}
