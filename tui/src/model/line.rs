//! A query line as it is typed: what is wrong with it, and the names that may go on from the cursor.

use std::collections::BTreeMap;

use tui_input::Input;
use whodunit_core::api::names::{NameKind, NameOut};
use whodunit_core::query::{Field, Query, QueryError};
use whodunit_core::time::input::Clock;

use super::{App, Remote};
use crate::config::queries::expand;

/// What a term of a line may begin with.
const KEYS: [&str; 17] = [
    "type:",
    "category:",
    "stream:",
    "actor:",
    "correlation:",
    "causation:",
    "id:",
    "reason:",
    "rule:",
    "outcome:",
    "since:",
    "until:",
    "where:",
    "preceded-by(",
    "followed-by(",
    "not-preceded-by(",
    "not-followed-by(",
];
const OUTCOMES: [&str; 2] = ["rejected", "accepted"];

/// A line that is typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct QueryLine {
    pub(crate) input: Input,
    /// Whether keys go into it.
    pub(crate) typing: bool,
    pub(crate) error: Option<QueryError>,
    pub(crate) completion: Option<Completion>,
}

/// Names that go on from the cursor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Completion {
    pub(crate) begun: Begun,
    pub(crate) names: Remote<Vec<NameOut>>,
    /// How many more there are than these.
    pub(crate) more: u64,
    pub(crate) selected: usize,
}

/// What stands before the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) key: Key,
    /// The begun value or key.
    pub(crate) text: String,
}

/// What a completion is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// The key itself.
    Keys,
    Names(NameKind),
    Outcome,
    /// Lines that are kept by name.
    Saved,
}

impl Key {
    /// As a label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Keys => "terms",
            Self::Names(kind) => kind.word(),
            Self::Outcome => "outcome",
            Self::Saved => "saved lines",
        }
    }

    /// A name as it is written in a line.
    fn written(self, name: &str) -> String {
        let field = match self {
            Self::Keys | Self::Outcome | Self::Saved | Self::Names(NameKind::Field) => {
                return name.to_owned();
            }
            Self::Names(NameKind::Type) => Field::Type,
            Self::Names(NameKind::Actor) => Field::Actor,
            Self::Names(NameKind::Category) => Field::Category,
            Self::Names(NameKind::Stream) => Field::Stream,
            Self::Names(NameKind::Correlation) => Field::Correlation,
        };
        let term = term(field, name);
        term.split_once(':')
            .map_or(term.clone(), |(_, value)| value.to_owned())
    }
}

/// A term as it is written in a line.
pub(crate) fn term(field: Field, value: &str) -> String {
    Query::everything().and_field(field, value).to_string()
}

/// Reads a line by the zone shown; what is no query line says so and where.
pub(crate) fn read(app: &App, text: &str) -> Result<Query, QueryError> {
    let at = text.find('@').unwrap_or_default();
    let column = 1 + text.get(..at).map_or(0, |before| before.chars().count());
    let whole = expand(text, &app.queries).map_err(|message| QueryError {
        at,
        column,
        message,
        hint: Some("Tab completes a name after @; s saves a line by a name".to_owned()),
        needs_zone: false,
    })?;
    let clock = Clock {
        now: app.now,
        zone: app.zone.for_input(),
    };
    let read = Query::parse(&whole, &clock);
    read.map_err(|error| {
        if whole == text {
            return error;
        }
        // Its place is one in the whole line, which is not what is on screen.
        QueryError {
            at,
            column,
            message: format!("with the saved lines in their places: {}", error.message),
            ..error
        }
    })
}

impl QueryLine {
    pub(crate) fn of(text: &str) -> Self {
        Self {
            input: Input::new(text.to_owned()),
            ..Self::default()
        }
    }

    /// With the cursor in it.
    pub(crate) fn open() -> Self {
        Self {
            typing: true,
            ..Self::default()
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.input.value()
    }

    /// What is begun before the cursor, if it can be completed.
    pub(crate) fn begun(&self) -> Option<Begun> {
        let before: String = self
            .input
            .value()
            .chars()
            .take(self.input.cursor())
            .collect();
        let is_in_quotes = before.matches('"').count() % 2 == 1;
        if !is_in_quotes && before.contains("where:") {
            let field = field_begun(&before);
            if field.is_some() {
                return field;
            }
        }
        let word = before.rsplit([' ', '(', ',']).next().unwrap_or_default();
        let word = word.strip_prefix('-').unwrap_or(word);
        if is_in_quotes || word.is_empty() {
            return None;
        }
        if let Some(name) = word.strip_prefix('@') {
            return Some(Begun {
                key: Key::Saved,
                text: name.to_owned(),
            });
        }
        let Some((key, values)) = word.split_once(':') else {
            let begun = |key: &&str| key.starts_with(word);
            return KEYS.iter().any(begun).then(|| Begun {
                key: Key::Keys,
                text: word.to_owned(),
            });
        };
        let key = match key {
            "type" => Key::Names(NameKind::Type),
            "actor" => Key::Names(NameKind::Actor),
            "category" => Key::Names(NameKind::Category),
            "stream" => Key::Names(NameKind::Stream),
            "correlation" => Key::Names(NameKind::Correlation),
            "outcome" => Key::Outcome,
            _ => return None,
        };
        let text = values.rsplit('|').next().unwrap_or_default().to_owned();
        (!text.contains('*')).then_some(Begun { key, text })
    }

    /// Puts a name in the place of what is begun.
    pub(crate) fn complete(&mut self) -> bool {
        let done = self
            .completion
            .as_ref()
            .is_some_and(|completion| completion.put_into(&mut self.input));
        if done {
            self.completion = None;
        }
        done
    }
}

/// The field of a condition that is begun at the end of a text.
pub(crate) fn field_begun(before: &str) -> Option<Begun> {
    let ends = |c: char| c.is_whitespace() || "(,!&|=<>:[?".contains(c);
    let word = before.rsplit(ends).next().unwrap_or_default();
    let is_field = ["state.", "before.", "event.", "/"]
        .iter()
        .any(|root| word.starts_with(root));
    is_field.then(|| Begun {
        key: Key::Names(NameKind::Field),
        text: word.to_owned(),
    })
}

impl Completion {
    /// Of what needs no daemon to be known; of what does, still to be asked for.
    pub(crate) fn of(begun: Begun, saved: &BTreeMap<String, String>) -> Self {
        let fixed: Vec<&str> = match begun.key {
            Key::Keys => KEYS.to_vec(),
            Key::Outcome => OUTCOMES.to_vec(),
            Key::Saved => saved.keys().map(String::as_str).collect(),
            Key::Names(_) => Vec::new(),
        };
        let found = fixed
            .into_iter()
            .filter(|name| name.starts_with(&begun.text));
        let names = found.map(|name| NameOut {
            name: name.to_owned(),
            events: 0,
        });
        let names = match begun.key {
            Key::Keys | Key::Outcome | Key::Saved => Remote::Ready(names.collect()),
            Key::Names(_) => Remote::Loading(None),
        };
        Self {
            begun,
            names,
            more: 0,
            selected: 0,
        }
    }

    /// Puts the selected name in the place of what is begun.
    pub(crate) fn put_into(&self, input: &mut Input) -> bool {
        let names = self.names.value();
        let Some(name) = names.and_then(|names| names.get(self.selected)) else {
            return false;
        };
        let key = self.begun.key;
        let mut written = key.written(&name.name);
        if key != Key::Keys {
            written.push(' ');
        }
        let cursor = input.cursor();
        let chars: Vec<char> = input.value().chars().collect();
        let from = cursor.saturating_sub(self.begun.text.chars().count());
        let before: String = chars.iter().take(from).collect();
        let after: String = chars.iter().skip(cursor).collect();
        let at = from + written.chars().count();
        let value = format!("{before}{written}{}", after.trim_start());
        *input = Input::new(value).with_cursor(at);
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.names.value().map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(text: &str) -> Option<(Key, String)> {
        QueryLine::of(text)
            .begun()
            .map(|begun| (begun.key, begun.text))
    }

    #[test]
    fn what_is_begun_is_known_by_its_key() {
        let types = Key::Names(NameKind::Type);
        assert_eq!(begun("ty"), Some((Key::Keys, "ty".to_owned())));
        assert_eq!(begun("a type:Us"), Some((types, "Us".to_owned())));
        assert_eq!(begun("-type:A|"), Some((types, String::new())));
        assert_eq!(begun("preceded-by(type:U"), Some((types, "U".to_owned())));
        assert_eq!(begun("outcome:"), Some((Key::Outcome, String::new())));
        assert_eq!(begun("a @ba"), Some((Key::Saved, "ba".to_owned())));
        let fields = Key::Names(NameKind::Field);
        for (text, field) in [
            ("where:state.em", "state.em"),
            ("where:(state.n > 3 && !before.st", "before.st"),
            ("type:A where:/add", "/add"),
            ("where:/a == 1 && event.data.", "event.data."),
        ] {
            assert_eq!(begun(text), Some((fields, field.to_owned())), "{text}");
        }
        // Nothing goes on from a text, from within quotes, or from a pattern.
        for text in [
            "",
            "zzz",
            "\"type:U",
            "type:U*",
            "since:2025",
            "state.em",
            "where:state.a == \"/sta",
        ] {
            assert_eq!(begun(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_takes_the_place_of_what_is_begun() {
        let mut line = QueryLine::of("actor:jo");
        let mut completion = Completion::of(line.begun().unwrap(), &BTreeMap::new());
        completion.names = Remote::Ready(vec![NameOut {
            name: "job: night".to_owned(),
            events: 3,
        }]);
        line.completion = Some(completion);
        assert!(line.complete());
        assert_eq!(line.text(), "actor:\"job: night\" ");
        assert!(!line.complete());
    }
}
