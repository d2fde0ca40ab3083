//! The streams screen.

use super::{Effects, history, moved};
use crate::client::At;
use crate::effect::{Effect, Request, Slot};
use crate::keys::Action;
use crate::model::{Model, Overlay, Remote};

pub(super) fn load(model: &mut Model) -> Effects {
    model.streams.list.reload();
    let request = Request::Streams(model.streams.query());
    vec![model.ask(Slot::Streams, "streams", request)]
}

/// The preview of the selected stream, and the next page when the end is near.
pub(super) fn selected(model: &mut Model) -> Effects {
    let mut effects = Vec::new();
    match model.streams.current() {
        Some(stream) => {
            let name = stream.stream.clone();
            model.streams.preview.reload();
            effects.push(model.ask(Slot::Preview, "state", Request::State(name, At::Head)));
        }
        None => model.streams.preview = Remote::Absent,
    }
    effects.extend(more(model));
    effects
}

fn more(model: &mut Model) -> Option<Effect> {
    let near_end = model.streams.selected + 50 >= model.streams.streams().len();
    let next = model
        .streams
        .list
        .value()
        .and_then(|list| list.next.clone())?;
    if !near_end || model.waiting.contains_key(&Slot::MoreStreams) {
        return None;
    }
    let mut query = model.streams.query();
    query.cursor = Some(next);
    Some(model.ask(Slot::MoreStreams, "more streams", Request::Streams(query)))
}

pub(super) fn act(model: &mut Model, action: Action) -> Effects {
    let len = model.streams.streams().len();
    if let Some(index) = moved(model.streams.selected, len, model.page(), action) {
        if index == model.streams.selected {
            return Vec::new();
        }
        model.streams.selected = index;
        return selected(model);
    }
    match action {
        Action::Enter => match model.streams.current() {
            Some(stream) => {
                let name = stream.stream.clone();
                history::open_stream(model, name, None)
            }
            None => {
                model.complain("there is no stream to open");
                Vec::new()
            }
        },
        Action::Filter => {
            model.streams.filtering = true;
            Vec::new()
        }
        Action::Sort => {
            model.streams.by_name = !model.streams.by_name;
            model.streams.selected = 0;
            load(model)
        }
        Action::Category => {
            model.overlay = Some(Overlay::Category {
                categories: Remote::Loading(None),
                selected: 0,
            });
            vec![model.ask(Slot::Categories, "categories", Request::Categories)]
        }
        _ => Vec::new(),
    }
}
