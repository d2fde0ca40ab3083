//! Forms drawn from a schema, and what they say when they are filled in.

use super::*;
use serde_json::json;

fn create() -> CommandOut {
    CommandOut {
        name: "CreateUser".to_owned(),
        description: String::new(),
        reason_required: false,
        schema: json!({
            "type": "object", "required": ["username", "password"], "additionalProperties": false,
            "properties": {
                "username": {"type": "string", "title": "Username", "maxLength": 5, "x-rule": "at least 3 characters"},
                "password": {"type": "string", "writeOnly": true},
                "age": {"type": "integer"},
            },
        }),
    }
}

fn fill(form: &mut Form, title: &str, text: &str) {
    let field = form
        .fields
        .iter_mut()
        .find(|field| field.title == title)
        .unwrap();
    field.input = Input::new(text.to_owned());
    form.check();
}

#[test]
fn a_form_is_drawn_from_the_schema_and_checked_against_it() {
    let mut form = Form::command(&create(), None, Target::Add(Place::Now));
    let titles: Vec<&str> = form
        .fields
        .iter()
        .map(|field| field.title.as_str())
        .collect();
    assert_eq!(titles, ["Username", "password", "age", "reason", "actor"]);
    assert_eq!(form.fields[1].kind, Kind::Secret);
    assert!(form.filled().is_none(), "required fields are empty");
    fill(&mut form, "Username", "toolong");
    assert_eq!(
        form.fields[0].error.as_deref(),
        Some("must be at most 5 characters long")
    );
    fill(&mut form, "Username", "ann");
    fill(&mut form, "password", "secret");
    fill(&mut form, "age", "seven");
    assert!(
        form.fields[2]
            .error
            .as_deref()
            .unwrap()
            .contains("not JSON")
    );
    fill(&mut form, "age", "7");
    fill(&mut form, "reason", "because");
    let Some(Filled::Command(command)) = form.filled() else {
        panic!("well formed")
    };
    assert_eq!(
        Value::Object(command.payload),
        json!({"username": "ann", "password": "secret", "age": 7})
    );
    assert_eq!(command.reason.as_deref(), Some("because"));
}

#[test]
fn event_data_must_be_an_object() {
    let mut form = Form::event("UserWaved", "", Target::Add(Place::Now));
    assert!(matches!(form.filled(), Some(Filled::Event { .. })));
    fill(&mut form, "data", "[1]");
    assert_eq!(
        form.fields[1].error.as_deref(),
        Some("must be a JSON object")
    );
    fill(&mut form, "data", "{");
    assert!(form.filled().is_none());
}
