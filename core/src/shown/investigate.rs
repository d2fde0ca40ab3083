//! Redaction of blame and field histories.

use super::{
    Redact, Redaction, below, in_value, is_secret_path, mark, marked, redact_diff, redact_json,
    redact_state_by,
};
use crate::api::branch::{BranchOut, BranchStream};
use crate::api::causes::StreamImpact;
use crate::api::investigate::{BlameOut, FieldOut};
use crate::api::what_if::{Action, Edit};
use crate::api::why::WhyOut;
use crate::api::world::{WorldChange, WorldItem};
use crate::blame::FieldPath;
use crate::diff::IDENTITIES;
use crate::ids::StreamName;
use crate::json::Value;

/// Takes the secrets out of the value at a path; whether there were any.
fn redact_at(by: &Redaction<'_>, path: &str, value: &mut Value) -> Vec<String> {
    let mut found = Vec::new();
    if is_secret_path(by.model, path) {
        mark(value, "", &mut found);
    } else {
        in_value(by, value, &mut String::new(), &mut found);
    }
    found
}

impl Redact for BlameOut {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        if !by.model.has_secrets() {
            return Vec::new();
        }
        // An element is named by what may be a secret.
        let tells = IDENTITIES.iter().any(|field| by.model.is_secret(field));
        for field in &mut self.fields {
            if by.stop.is_set() {
                return Vec::new();
            }
            if !redact_at(by, &field.path, &mut field.value).is_empty() {
                self.redacted.push(field.path.clone());
            }
            field.label = field.label.take().filter(|_| !tells);
        }
        for field in self.removed.iter_mut().flatten() {
            if !redact_at(by, &field.path, &mut field.value).is_empty() {
                self.redacted.push(field.path.clone());
            }
            field.label = field.label.take().filter(|_| !tells);
        }
        Vec::new()
    }
}

impl Redact for BranchOut {
    fn stream(&self) -> &StreamName {
        &self.branch.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        for (index, layer) in self.branch.layers.iter_mut().enumerate() {
            let model = by.for_stream(&layer.stream).model;
            let at = format!("/branch/layers/{index}");
            for (index, edit) in layer.edits.iter_mut().enumerate() {
                let (name, data) = match edit {
                    Edit::Replace(edit) => ("replace", &mut edit.data),
                    Edit::Insert(edit) => ("insert", &mut edit.data),
                    // Commands that are kept hold no secret.
                    _ => continue,
                };
                let place = format!("{at}/edits/{index}/{name}/data");
                self.redacted.extend(redact_json(model, data, &place));
            }
            for (index, action) in layer.actions.iter_mut().enumerate() {
                let Action::Event(event) = action else {
                    continue;
                };
                let place = format!("{at}/do/{index}/event");
                let data = redact_json(model, &mut event.data, &format!("{place}/data"));
                self.redacted.extend(data);
                if let Some(metadata) = &mut event.metadata {
                    let place = format!("{place}/metadata");
                    self.redacted.extend(redact_json(model, metadata, &place));
                }
            }
        }
        Vec::new()
    }
}

impl Redact for BranchStream {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        redact_diff(by, &mut self.diff);
        self.redacted = marked(&self.diff);
        Vec::new()
    }
}

impl Redact for StreamImpact {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        below("/diff", redact_diff(by, &mut self.diff)).collect()
    }
}

impl Redact for WhyOut {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        if !by.model.has_secrets() {
            return Vec::new();
        }
        if IDENTITIES.iter().any(|field| by.model.is_secret(field)) {
            self.label = None;
        }
        // A path that names an element by its identity stands where the field is no longer there.
        let path = self.path.parse::<FieldPath>();
        let is_secret = path.is_ok_and(|path| path.names().any(|name| by.model.is_secret(name)));
        let without = self
            .necessity
            .as_mut()
            .and_then(|told| told.without.as_mut());
        let values = [
            ("/value", Some(&mut self.value)),
            ("/necessity/without", without),
        ];
        for (place, value) in values {
            let Some(value) = value else { continue };
            let mut found = Vec::new();
            if is_secret {
                mark(value, "", &mut found);
            } else {
                in_value(by, value, &mut String::new(), &mut found);
            }
            self.redacted.extend(below(place, found));
        }
        Vec::new()
    }
}

impl Redact for WorldItem {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        self.redacted = redact_state_by(by, &mut self.state);
        Vec::new()
    }
}

impl Redact for WorldChange {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        redact_diff(by, &mut self.diff);
        self.redacted = marked(&self.diff);
        Vec::new()
    }
}

impl Redact for FieldOut {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        if !by.model.has_secrets() {
            return Vec::new();
        }
        // It may name an element by its identity: `/secret[id=7]`.
        let path = self.path.parse::<FieldPath>();
        let is_secret = path.is_ok_and(|path| path.names().any(|name| by.model.is_secret(name)));
        for (index, value) in self.values.iter_mut().enumerate() {
            if by.stop.is_set() {
                return Vec::new();
            }
            let mut found = Vec::new();
            if is_secret {
                mark(&mut value.value, "", &mut found);
            } else {
                in_value(by, &mut value.value, &mut String::new(), &mut found);
            }
            self.redacted
                .extend(below(&format!("/{index}/value"), found));
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::REDACTED;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_blame_and_histories_tell_of_secrets_is_their_mark() {
        let model = crate::merge::hiding(&["secret", "id"]);
        let by = Redaction::new(&model);
        let mut blame: BlameOut = serde_json::from_value(json!({
            "stream": "a-1", "revision": 1, "head_revision": 1, "model": "merge", "snapshot_revision": 0,
            "fields": [
                {"path": "/secret/0", "value": "s", "revision": 1, "event": null},
                {"path": "/lines/0/n", "label": "/lines[id=7]/n", "value": "n", "revision": 1, "event": null},
                {"path": "/secret", "value": null, "revision": 1, "event": null},
            ],
            "removed": [{"path": "/a/secret", "value": "s", "set_by": 1, "revision": 2, "event": null}],
        }))
        .unwrap();
        blame.redact(&by);
        assert_eq!(blame.redacted, ["/secret/0", "/a/secret"]);
        let values: Vec<_> = blame.fields.iter().map(|field| &field.value).collect();
        assert_eq!(values, [&json!(REDACTED), &json!("n"), &Value::Null]);
        assert_eq!(blame.fields[1].label, None);
        assert_eq!(blame.removed.unwrap()[0].value, json!(REDACTED));

        let mut field: FieldOut = serde_json::from_value(json!({
            "stream": "a-1", "path": "/user", "revision": 2, "next_cursor": null,
            "values": [{"revision": 1, "absent": false, "value": {"secret": 1, "x": 2}, "event": null}],
        }))
        .unwrap();
        field.redact(&by);
        assert_eq!(field.values[0].value, json!({"secret": REDACTED, "x": 2}));
        assert_eq!(field.redacted, ["/0/value/secret"]);
        field.path = "/secret[name=x]/y".to_owned();
        field.redact(&by);
        assert_eq!(field.values[0].value, json!(REDACTED));
    }
}
