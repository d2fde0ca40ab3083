//! The choice of the model for a category.

use std::collections::BTreeMap;

use super::{Model, ModelError};
use crate::ids::StreamName;
use crate::merge;

/// The models that a daemon was asked for, one per category, and the merge model for every other.
#[derive(Debug, Clone)]
pub struct Models {
    by_category: BTreeMap<String, Model>,
    /// Merge models of categories whose own model is known and was not asked for: its secrets stay hidden.
    not_asked_for: BTreeMap<String, Model>,
    merge: Model,
}

impl Default for Models {
    /// No model was asked for: every category is folded by merge.
    fn default() -> Self {
        Self {
            by_category: BTreeMap::new(),
            not_asked_for: BTreeMap::new(),
            merge: merge::model(),
        }
    }
}

impl Models {
    /// These models, and merge for every other category.
    ///
    /// # Errors
    /// When two are for the same category.
    pub fn new(models: impl IntoIterator<Item = Model>) -> Result<Self, ModelError> {
        let mut all = Self::default();
        for model in models {
            let Some(category) = model.spec.category.clone() else {
                all.merge = model;
                continue;
            };
            if let Some(first) = all.by_category.get(&category) {
                return Err(ModelError::CategoryTwice {
                    first: first.name().to_owned(),
                    second: model.name().to_owned(),
                    category,
                });
            }
            all.by_category.insert(category, model);
        }
        Ok(all)
    }

    /// The same, where a category without a model has these fields hidden: a log that was written under a model may be read
    /// without it, and its secrets are secrets still.
    #[must_use]
    pub fn hiding(mut self, category: &str, secret_fields: &[&str]) -> Self {
        self.not_asked_for
            .insert(category.to_owned(), merge::hiding(secret_fields));
        self
    }

    /// The same, with this model in place of the one of its category.
    pub(super) fn replacing(mut self, model: Model) -> Self {
        if let Some(category) = model.spec.category.clone() {
            self.by_category.insert(category, model);
        }
        self
    }

    /// The model that folds this stream.
    pub fn for_stream(&self, stream: &StreamName) -> &Model {
        self.for_category(stream.category())
    }

    /// The model that folds this category.
    pub fn for_category(&self, category: &str) -> &Model {
        self.by_category
            .get(category)
            .or_else(|| self.not_asked_for.get(category))
            .unwrap_or(&self.merge)
    }

    /// The model that was asked for this category, if one was.
    pub fn asked_for(&self, category: &str) -> Option<&Model> {
        self.by_category.get(category)
    }

    /// Whether any of them knows secret fields: then what is shown is not all that is stored.
    pub fn have_secrets(&self) -> bool {
        self.all().any(Model::has_secrets)
    }

    /// All models that were asked for, by category.
    pub fn all(&self) -> impl Iterator<Item = &Model> {
        self.by_category.values()
    }

    /// The model of categories without one.
    pub fn merge(&self) -> &Model {
        &self.merge
    }
}
