//! The form of a backfill: which events, and whose work on them.
//!
//! Owns how its fields are read. What does not fit is said beside the field, before anything is sent.

use whodunit_core::api::pipeline::BackfillIn;
use whodunit_core::time::Timestamp;

use super::form::Field;
use super::log::moment;

/// The fields, in their order, with what is said about them.
pub(crate) const FIELDS: [(&str, bool, &str); 7] = [
    (
        "handlers",
        true,
        "handlers or projections, separated by commas",
    ),
    (
        "from position",
        false,
        "1: the whole log; mails and webhooks need a range",
    ),
    ("to position", false, "empty: the log's head"),
    ("since", false, "a time with a zone, or 2h (ago)"),
    ("until", false, "a time with a zone, or 2h (ago)"),
    ("category", false, "empty: all"),
    (
        "types",
        false,
        "event types, separated by commas; empty: all",
    ),
];

/// Checks a field that is not empty; times are relative to now.
pub(crate) fn check(title: &str, text: &str, now: Timestamp) -> Option<String> {
    match title {
        "handlers" if words(text).is_empty() => Some("name at least one".to_owned()),
        "from position" | "to position" => match text.parse::<u64>() {
            Ok(1..) => None,
            _ => Some("must be a position: a number from 1".to_owned()),
        },
        "since" | "until" => moment(text, now).err(),
        _ => None,
    }
}

/// What the fields say; `None` when one of them does not fit.
pub(crate) fn read(fields: &[Field], now: Timestamp) -> Option<BackfillIn> {
    let text = |title: &str| {
        let field = fields.iter().find(|field| field.title == title);
        let text = field.map_or("", |field| field.input.value().trim());
        (!text.is_empty()).then(|| text.to_owned())
    };
    let position = |title: &str| match text(title) {
        None => Some(None),
        Some(text) => text.parse().ok().map(Some),
    };
    let time = |title: &str| match text(title) {
        None => Some(None),
        Some(text) => moment(&text, now).ok().map(Some),
    };
    Some(BackfillIn {
        handlers: text("handlers")
            .map(|text| words(&text))
            .unwrap_or_default(),
        from_position: position("from position")?,
        to_position: position("to position")?,
        since: time("since")?,
        until: time("until")?,
        category: text("category"),
        event_types: text("types").map(|text| words(&text)).unwrap_or_default(),
        ..BackfillIn::default()
    })
}

fn words(text: &str) -> Vec<String> {
    text.split([',', ' '])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The command that does the same.
pub(crate) fn call(body: &BackfillIn) -> String {
    use super::stream::quote;
    let mut call = "whodunit backfill".to_owned();
    let mut add = |name: &str, value: &str| {
        call.push_str(name);
        call.push(' ');
        call.push_str(&quote(value));
    };
    for handler in &body.handlers {
        add("", handler);
    }
    let options = [
        (
            " --from-position",
            body.from_position.map(|n| n.to_string()),
        ),
        (" --to-position", body.to_position.map(|n| n.to_string())),
        (" --since", body.since.map(|time| time.to_string())),
        (" --until", body.until.map(|time| time.to_string())),
        (" --category", body.category.clone()),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            add(name, &value);
        }
    }
    for event_type in &body.event_types {
        add(" --type", event_type);
    }
    call
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::{Filled, Form};
    use crate::testing::{now, time};
    use tui_input::Input;

    fn filled(values: &[(&str, &str)]) -> Form {
        let mut form = Form::backfill("", now());
        for (title, value) in values {
            let field = form.fields.iter_mut().find(|field| field.title == *title);
            field.unwrap().input = Input::new((*value).to_owned());
        }
        form.check();
        form
    }

    #[test]
    fn every_field_finds_its_place() {
        let form = filled(&[
            ("handlers", "webhook:crm, users"),
            ("from position", "7"),
            ("to position", "90"),
            ("since", "2h"),
            ("until", "2025-03-25T09:00:00Z"),
            ("category", "user"),
            ("types", "UserCreated,UserDeleted"),
        ]);
        let Some(Filled::Backfill(body)) = form.filled() else {
            panic!("all of it fits: {:?}", form.fields)
        };
        assert_eq!(body.handlers, ["webhook:crm", "users"]);
        assert_eq!((body.from_position, body.to_position), (Some(7), Some(90)));
        assert_eq!(body.since, Some(time("2025-03-25T07:15:00Z")));
        assert_eq!(
            call(&body),
            "whodunit backfill webhook:crm users --from-position 7 --to-position 90 --since 2025-03-25T07:15:00Z --until \
             2025-03-25T09:00:00Z --category user --type UserCreated --type UserDeleted"
        );
    }

    #[test]
    fn what_does_not_fit_is_said_beside_its_field() {
        for (title, value, said) in [
            ("handlers", "", "required"),
            ("handlers", " , ", "at least one"),
            ("from position", "0", "a number from 1"),
            ("to position", "x", "a number from 1"),
            ("since", "yesterday", "2h"),
            ("until", "2025-03-25T09:00:00", "zone"),
        ] {
            let mut values = vec![("handlers", "users")];
            values.push((title, value));
            let form = filled(&values);
            assert!(form.filled().is_none(), "{title} {value}");
            let field = form
                .fields
                .iter()
                .find(|field| field.title == title)
                .unwrap();
            let error = field.error.clone().unwrap_or_default();
            assert!(error.contains(said), "{title} {value}: {error}");
        }
    }
}
