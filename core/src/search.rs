//! Text search in events and states: over decoded texts, without regard to case.
//!
//! Owns what is searched of an event and of JSON: keys, texts and numbers, each by itself, never the punctuation between
//! them. What may be seen at all is decided before (see [`crate::shown`]).

use memchr::memmem::Finder;

use crate::caseless::fold;
use crate::command::{Decision, Outcome};
use crate::event::Event;
use crate::json::{Json, State, Token, Value};

/// A text that is sought.
#[derive(Debug, Clone)]
pub struct Search(Finder<'static>);

impl Search {
    /// Looks for this text; `None` when it is empty, as it would be found in everything.
    pub fn new(text: &str) -> Option<Self> {
        let text = fold(text);
        (!text.is_empty()).then(|| Self(Finder::new(text.as_bytes()).into_owned()))
    }

    /// Whether it occurs in a text.
    pub fn in_text(&self, text: &str) -> bool {
        // What folding makes longer (`ß`, `ss`) may be found in a text that is shorter than what is sought.
        if text.is_ascii() && text.len() < self.0.needle().len() {
            return false;
        }
        self.0.find(fold(text).as_bytes()).is_some()
    }

    /// Whether it occurs in a key, a text or a number of a payload.
    pub fn in_json(&self, json: &Json) -> bool {
        json.tokens().any(|token| match token {
            Token::Key(text) | Token::Text(text) => self.in_text(&text.decoded()),
            Token::Number(digits) => self.in_text(digits),
            Token::Open | Token::Close | Token::Word(_) => false,
        })
    }

    /// Whether it occurs in a key, a text or a number of a state.
    pub fn in_state(&self, state: &State) -> bool {
        state
            .iter()
            .any(|(key, value)| self.in_text(key) || self.in_value(value))
    }

    fn in_value(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.in_text(text),
            Value::Number(number) => self.in_text(number.as_str()),
            Value::Array(items) => items.iter().any(|item| self.in_value(item)),
            Value::Object(map) => self.in_state(map),
            Value::Null | Value::Bool(_) => false,
        }
    }

    /// Whether it occurs in what a person sees of an event: stream, type, actor, reason, ids, data, metadata.
    pub fn in_event(&self, event: &Event) -> bool {
        let texts = [
            Some(event.stream.as_str()),
            Some(event.event_type.as_str()),
            Some(event.event_id.as_str()),
            event.actor.as_deref(),
            event.reason.as_deref(),
            event.correlation_id.as_deref(),
            event.causation_id.as_deref(),
        ];
        texts.into_iter().flatten().any(|text| self.in_text(text))
            || self.in_json(&event.data)
            || event
                .metadata
                .as_ref()
                .is_some_and(|metadata| self.in_json(metadata))
    }

    /// Whether it occurs in what a person sees of a decision: stream, type, actor, reason, ids, rule, message, payload.
    pub fn in_decision(&self, decision: &Decision) -> bool {
        let (rule, message) = match &decision.result {
            Outcome::Rejected { rule, message } => (Some(rule.as_str()), Some(message.as_str())),
            Outcome::Accepted { .. } => (None, None),
        };
        let texts = [
            Some(decision.stream.as_str()),
            Some(decision.command_type.as_str()),
            Some(decision.command_id.as_str()),
            decision.actor.as_deref(),
            decision.reason.as_deref(),
            decision.correlation_id.as_deref(),
            decision.causation_id.as_deref(),
            rule,
            message,
        ];
        texts.into_iter().flatten().any(|text| self.in_text(text))
            || self.in_json(&decision.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, text: &str) -> bool {
        let json = Json::parse(json).unwrap();
        let search = Search::new(text).unwrap();
        let Value::Object(state) = json.to_value() else {
            unreachable!()
        };
        let (in_json, in_state) = (search.in_json(&json), search.in_state(&state));
        assert_eq!(in_json, in_state, "{text}");
        in_json
    }

    const DATA: &str = r#"{"city":"Stra\u00dfe","n":1524831183200260097,"path":"C:\\temp","quote":"say \"hi\"",
        "nl":"a\nb","M\u00fcller":[{"tel\/fax":null,"ok":true}],"price":19.90,"neg":-1e-7,"smile":"\ud83d\ude00"}"#;

    #[test]
    fn text_is_found_as_it_reads() {
        for text in [
            "STRASSE",
            "straße",
            "1183200260097",
            "c:\\TEMP",
            "say \"HI\"",
            "a\nb",
            "müller",
            "MU\u{308}LLER",
            "Tel/Fax",
            "19.90",
            "-1e-7",
            "😀",
            "quote",
        ] {
            assert!(found(DATA, text), "{text}");
        }
    }

    #[test]
    fn the_spelling_of_json_is_not_found() {
        for text in [
            "\":\"", "\\u00fc", "\\\"", "\\n", "},", "{", ",", "true", "null", "u00df", "19.9019",
            "cityStra",
        ] {
            assert!(!found(DATA, text), "{text}");
        }
        assert!(Search::new("").is_none());
    }
}
