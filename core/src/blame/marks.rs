//! Marks: which revision set which part of a state.
//!
//! Owns a tree beside the state that has only what differs from what is around it: a value that came as a whole is one mark,
//! however large it is.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::ids::Revision;
use crate::json::{State, Value};
use crate::pointer::{index, step};

/// What set a value, and the parts of it that were set by others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mark {
    #[serde(rename = "r")]
    by: Revision,
    #[serde(rename = "b", default, skip_serializing_if = "Below::is_nothing")]
    below: Below,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
enum Below {
    #[default]
    #[serde(rename = "n")]
    Nothing,
    #[serde(rename = "f")]
    Fields(HashMap<String, Mark>),
    /// By index; what lies beyond is as what is around it.
    #[serde(rename = "e")]
    Elements(Vec<Option<Mark>>),
}

impl Below {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

impl Mark {
    /// A value that came as a whole.
    pub(super) fn new(by: Revision) -> Self {
        Self {
            by,
            below: Below::Nothing,
        }
    }

    pub(super) fn by(&self) -> Revision {
        self.by
    }

    /// The mark of a part of its own; `None` where it is as what is around it.
    pub(super) fn below(&self, token: &str, is_list: bool) -> Option<&Self> {
        match &self.below {
            Below::Fields(fields) if !is_list => fields.get(token),
            Below::Elements(_) if is_list => self.element(index(token)?),
            _ => None,
        }
    }

    /// The same of an element.
    pub(super) fn element(&self, index: usize) -> Option<&Self> {
        match &self.below {
            Below::Elements(elements) => elements.get(index)?.as_ref(),
            _ => None,
        }
    }

    /// What set the value at a path below.
    pub(super) fn set_by<'t>(&self, path: impl Iterator<Item = &'t String>) -> Revision {
        let mut mark = self;
        for token in path {
            let below = match &mark.below {
                Below::Nothing => None,
                Below::Fields(fields) => fields.get(token),
                Below::Elements(_) => index(token).and_then(|index| mark.element(index)),
            };
            match below {
                Some(below) => mark = below,
                None => break,
            }
        }
        mark.by
    }

    /// The mark of its own of the value at a path below, which is made where there is none. `state` says what is a list.
    pub(super) fn descend(&mut self, path: &[String], state: &State) -> &mut Self {
        let mut mark = self;
        let mut at: Option<&Value> = None;
        for (depth, token) in path.iter().enumerate() {
            let is_list = at.is_some_and(Value::is_array);
            let by = mark.by;
            mark = match index(token).filter(|_| is_list) {
                Some(index) => mark.elements_up_to(index).get_or_insert(Self::new(by)),
                None => mark
                    .fields()
                    .entry(token.clone())
                    .or_insert_with(|| Self::new(by)),
            };
            at = match depth {
                0 => state.get(token),
                _ => at.and_then(|value| step(value, token)),
            };
        }
        mark
    }

    pub(super) fn add(&mut self, token: &str, is_list: bool, by: Revision) {
        match index(token).filter(|_| is_list) {
            Some(index) => {
                let elements = self.elements();
                if elements.len() < index {
                    elements.resize(index, None);
                }
                elements.insert(index, Some(Self::new(by)));
            }
            None => self.replace(token, false, by),
        }
    }

    pub(super) fn replace(&mut self, token: &str, is_list: bool, by: Revision) {
        let new = Self::new(by);
        match index(token).filter(|_| is_list) {
            Some(index) => *self.elements_up_to(index) = Some(new),
            None => {
                self.fields().insert(token.to_owned(), new);
            }
        }
    }

    pub(super) fn remove(&mut self, token: &str, is_list: bool) {
        match (&mut self.below, index(token)) {
            (Below::Elements(elements), Some(index)) if is_list && index < elements.len() => {
                elements.remove(index);
            }
            (Below::Fields(fields), _) if !is_list => {
                fields.remove(token);
            }
            _ => {}
        }
    }

    fn fields(&mut self) -> &mut HashMap<String, Self> {
        if !matches!(self.below, Below::Fields(_)) {
            self.below = Below::Fields(HashMap::new());
        }
        match &mut self.below {
            Below::Fields(fields) => fields,
            Below::Nothing | Below::Elements(_) => unreachable!("it was just made so"),
        }
    }

    fn elements(&mut self) -> &mut Vec<Option<Self>> {
        if !matches!(self.below, Below::Elements(_)) {
            self.below = Below::Elements(Vec::new());
        }
        match &mut self.below {
            Below::Elements(elements) => elements,
            Below::Nothing | Below::Fields(_) => unreachable!("it was just made so"),
        }
    }

    fn elements_up_to(&mut self, index: usize) -> &mut Option<Self> {
        let elements = self.elements();
        if elements.len() <= index {
            elements.resize(index + 1, None);
        }
        &mut elements[index]
    }
}
