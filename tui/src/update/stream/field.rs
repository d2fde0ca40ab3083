//! The history of a field: asked from the state, read value by value.

use whodunit_core::ids::Revision;

use super::super::overlay::choose;
use super::super::{Effects, complain_text};
use super::go_to;
use crate::client::At;
use crate::model::stream::{Row, StreamScreen};
use crate::model::{App, Overlay, Remote};
use crate::request::Request;

/// Opens the history of the selected field.
pub(super) fn open(app: &mut App, screen: &mut StreamScreen) -> Effects {
    let Some(field) = screen.current_field() else {
        return complain_text(app, "there is no field here");
    };
    // What the event took away has its history up to then.
    screen.field_path = field.path;
    screen.field = Remote::Loading(None);
    app.overlay = Some(Overlay::Field { selected: 0 });
    let at = At::Revision(Revision(screen.revision()));
    let request = Request::Field(screen.stream.clone(), screen.field_path.clone(), at);
    let what = format!("the history of {}", screen.field_path);
    vec![screen.asked.ask(app, what, request)]
}

/// A key while the history of a field is open.
pub(in crate::update) fn press(
    app: &mut App,
    screen: &mut StreamScreen,
    selected: usize,
    key: &str,
) -> Effects {
    let values = screen.field.value().map_or(&[][..], |field| &field.values);
    match key {
        "q" => Vec::new(),
        "enter" => match values.get(selected) {
            // To the event that set this value.
            Some(value) => {
                let row = Row::Revision(value.revision.0);
                go_to(app, screen, row)
            }
            None => Vec::new(),
        },
        _ => {
            let selected = choose(selected, values.len(), key);
            app.overlay = Some(Overlay::Field { selected });
            Vec::new()
        }
    }
}
