//! Redaction of a payload that stays a text: what is beside the secrets keeps its spelling.

use super::REDACTED;
use crate::json::{Json, Token, Tokens, pointer_token};
use crate::model::Model;

/// Takes the secrets out of a payload. Everything beside them keeps its spelling, to the letter.
pub(super) fn redact_json(model: &Model, json: &mut Json, root: &str) -> Vec<String> {
    if !model.has_secrets() || !may_hold_secret(model, json.as_str()) {
        return Vec::new();
    }
    let text = json.as_str();
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    let mut found = Vec::new();
    let mut place = Place::new(root);
    let mut tokens = json.tokens();
    while let Some(token) = tokens.next() {
        place.enter(token);
        if let Token::Key(key) = token
            && model.is_secret(&key.decoded())
        {
            // After the key and its colon.
            let start = tokens.at() + 1;
            let is_null = skip_value(&mut tokens);
            if !is_null {
                out.push_str(text.get(copied..start).unwrap_or_default());
                out.push('"');
                out.push_str(REDACTED);
                out.push('"');
                copied = tokens.at();
                found.push(place.pointer());
            }
        }
    }
    if !found.is_empty() {
        out.push_str(text.get(copied..).unwrap_or_default());
        // What was cut out and put in are whole values, so this is JSON again; should it not be, nothing is shown.
        *json = Json::from_compact(&out).unwrap_or_else(|_error| Json::empty_object());
    }
    found
}

/// Whether a secret's name may stand in a text: written out, or hidden in escapes.
pub(super) fn may_hold_secret(model: &Model, text: &str) -> bool {
    let spec = model.spec();
    let mut names = spec.secret_fields.iter().chain(&spec.plaintext_fields);
    text.contains('\\') || names.any(|name| text.contains(name.as_str()))
}

/// Moves past a value; returns whether it is `null`.
fn skip_value(tokens: &mut Tokens<'_>) -> bool {
    let mut depth = 0_usize;
    for token in tokens.by_ref() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Word("null") if depth == 0 => return true,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    false
}

/// Where in a payload a walk along its tokens is.
struct Place<'a> {
    root: &'a str,
    /// For each open object its key, for each open array the number of its elements so far.
    levels: Vec<Level>,
}

enum Level {
    /// Not known yet: an empty object or array, or one just begun.
    Begun,
    Key(String),
    Index(usize),
}

impl<'a> Place<'a> {
    fn new(root: &'a str) -> Self {
        Self {
            root,
            levels: Vec::new(),
        }
    }

    fn enter(&mut self, token: Token<'_>) {
        match token {
            Token::Key(key) => {
                if let Some(level) = self.levels.last_mut() {
                    *level = Level::Key(key.decoded().into_owned());
                }
                return;
            }
            Token::Close => {
                self.levels.pop();
                return;
            }
            Token::Open | Token::Text(_) | Token::Number(_) | Token::Word(_) => {}
        }
        // A value: the next element, where the innermost level is an array.
        if let Some(level) = self.levels.last_mut() {
            match level {
                Level::Begun => *level = Level::Index(0),
                Level::Index(index) => *index += 1,
                Level::Key(_) => {}
            }
        }
        if token == Token::Open {
            self.levels.push(Level::Begun);
        }
    }

    fn pointer(&self) -> String {
        let mut out = self.root.to_owned();
        for level in &self.levels {
            match level {
                Level::Begun => {}
                Level::Key(key) => {
                    out.push('/');
                    out.push_str(&pointer_token(key));
                }
                Level::Index(index) => {
                    out.push('/');
                    out.push_str(&index.to_string());
                }
            }
        }
        out
    }
}
