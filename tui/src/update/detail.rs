//! The whole event or decision as a tree: folding, searching, copying, and the event beside it.

use super::input::edit;
use super::overlay::choose;
use super::{Effects, stream};
use crate::effect::Effect;
use crate::model::tree::Tree;
use crate::model::{App, Overlay, Screen};

pub(super) fn press(app: &mut App, front: &mut Screen, mut tree: Box<Tree>, key: &str) -> Effects {
    let value = front.whole();
    if tree.typing.is_some() {
        type_needle(app, &value, &mut tree, key);
        app.overlay = Some(Overlay::Detail(tree));
        return Vec::new();
    }
    let len = tree.nodes(&value).0.len();
    let mut effects = Vec::new();
    match key {
        "q" => return Vec::new(),
        "enter" | "space" => tree.fold(&value, None),
        "left" | "h" => tree.fold(&value, Some(true)),
        "right" | "l" => tree.fold(&value, Some(false)),
        "/" => tree.typing = Some(tui_input::Input::default()),
        "n" | "N" => search(app, &value, &mut tree, key == "N"),
        "y" | "Y" => effects.extend(copy(app, &value, &tree, key == "Y")),
        "<" | ">" => {
            if let Screen::Stream(screen) = front {
                effects = stream::beside(app, screen, key == ">");
                tree.selected = 0;
            }
        }
        "pageup" | "ctrl-u" => tree.selected = tree.selected.saturating_sub(app.page()),
        "pagedown" | "ctrl-d" => {
            tree.selected = (tree.selected + app.page()).min(len.saturating_sub(1));
        }
        _ => tree.selected = choose(tree.selected, len, key),
    }
    app.overlay = Some(Overlay::Detail(tree));
    effects
}

fn type_needle(app: &mut App, value: &serde_json::Value, tree: &mut Tree, key: &str) {
    let Some(mut input) = tree.typing.take() else {
        return;
    };
    if key == "enter" {
        input.value().clone_into(&mut tree.needle);
        // The row one stands on may be it.
        tree.selected = tree.selected.saturating_sub(1);
        search(app, value, tree, false);
        return;
    }
    edit(&mut input, key);
    tree.typing = Some(input);
}

fn search(app: &mut App, value: &serde_json::Value, tree: &mut Tree, backward: bool) {
    if tree.needle.is_empty() {
        app.complain("nothing is searched for: / searches");
    } else if !tree.search(value, backward) {
        app.complain(format!("`{}` is not here", tree.needle));
    }
}

/// Copies the value of the selected row, or its path.
fn copy(app: &mut App, value: &serde_json::Value, tree: &Tree, is_path: bool) -> Option<Effect> {
    let (nodes, _) = tree.nodes(value);
    let node = nodes.get(tree.selected)?;
    let text = match (is_path, node.value) {
        (true, _) => node.path.clone(),
        (false, serde_json::Value::String(text)) => text.clone(),
        (false, other) => other.to_string(),
    };
    let text = whodunit_core::text::shown(&text).into_owned();
    app.say(format!("copied: {text}"));
    Some(Effect::Copy(text))
}
