//! The world screen: a category at the moment that is held, filtered by a condition, page by page; or what differs from another
//! moment.

use whodunit_core::predicate::Predicate;

use super::input::edit;
use super::{Effects, complain, line, moved};
use crate::effect::{Effect, Failure};
use crate::keys::Action;
use crate::model::line::field_begun;
use crate::model::world::{ROWS_MAX, World, WorldScreen};
use crate::model::{App, Deeper, Overlay, Remote};
use crate::request::{Reply, Request, Slot};

pub(super) fn load(app: &mut App, screen: &mut WorldScreen) -> Effects {
    screen.at = app.as_of;
    screen.world.reload();
    screen.asked.forget_all();
    let query = screen.query(None);
    let request = if screen.compares() {
        Request::WorldDiff(query)
    } else {
        Request::World(query)
    };
    vec![screen.asked.ask(app, "the states", request)]
}

/// Asks for something else: the streams of before are no answer to it.
fn ask(app: &mut App, screen: &mut WorldScreen) -> Effects {
    screen.world = Remote::Loading(None);
    screen.selected = 0;
    load(app, screen)
}

/// The moment that is held is another one, or none.
pub(super) fn follow_moment(app: &mut App, screen: &mut WorldScreen) -> Effects {
    if screen.at == app.as_of {
        return Vec::new();
    }
    ask(app, screen)
}

/// The next page when the end is near. A page may have no streams at all, when they are far between.
fn more(app: &mut App, screen: &mut WorldScreen) -> Effects {
    let near_end = screen.selected + 50 >= screen.items().len();
    let has_room = screen.items().len() < ROWS_MAX;
    let Some(next) = screen.world.value().and_then(|world| world.next.clone()) else {
        return Vec::new();
    };
    let slots = [
        Slot::World,
        Slot::WorldDiff,
        Slot::MoreWorld,
        Slot::MoreWorldDiff,
    ];
    let is_asked = slots.into_iter().any(|slot| screen.asked.has(slot));
    if !near_end || !has_room || is_asked {
        return Vec::new();
    }
    let query = screen.query(Some(next));
    let request = if screen.compares() {
        Request::MoreWorldDiff(query)
    } else {
        Request::MoreWorld(query)
    };
    let effect: Effect = screen.asked.ask(app, "more states", request);
    vec![effect]
}

/// Selects a row.
pub(super) fn go_to(app: &mut App, screen: &mut WorldScreen, index: usize) -> Effects {
    screen.selected = index;
    more(app, screen)
}

pub(super) fn act(app: &mut App, screen: &mut WorldScreen, action: Action) -> Effects {
    let len = screen.items().len();
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        return go_to(app, screen, index);
    }
    match action {
        Action::Enter => match screen.current() {
            Some(item) => {
                let at = Some(item.revision());
                app.deeper = Some(Deeper::Stream(item.stream().clone(), at));
            }
            None => app.complain("there is no stream to open"),
        },
        Action::Filter => screen.typing = true,
        Action::Whole => match screen.current() {
            Some(_) => app.overlay = Some(Overlay::Detail(Box::default())),
            None => app.complain("there is no stream here"),
        },
        Action::Mark => return mark(app, screen),
        Action::Category => {
            screen.categories.reload();
            app.overlay = Some(Overlay::Category { selected: 0 });
            return vec![screen.asked.ask(app, "categories", Request::Categories())];
        }
        _ => {}
    }
    Vec::new()
}

/// Compares with the moment on screen from now on, or no longer.
fn mark(app: &mut App, screen: &mut WorldScreen) -> Effects {
    if screen.from.take().is_some() {
        app.say("the states are shown again, and no comparison");
        return ask(app, screen);
    }
    let moment = app.as_of.unwrap_or(app.now);
    screen.from = Some(moment);
    app.say(format!(
        "what differs from {}: t goes to the other moment, m ends it",
        app.zone.long(moment)
    ));
    ask(app, screen)
}

/// The category of a row of the choice; the first row is all of them.
pub(super) fn choose_category(app: &mut App, screen: &mut WorldScreen, row: usize) -> Effects {
    let list = screen.categories.value().map_or(&[][..], Vec::as_slice);
    let chosen = row.checked_sub(1).and_then(|index| list.get(index));
    screen.category = chosen.map(|category| category.category.clone());
    ask(app, screen)
}

/// A key while the condition is typed.
pub(super) fn press(app: &mut App, screen: &mut WorldScreen, key: &str) -> Effects {
    match key {
        "enter" => {
            let text = screen.condition.value().trim().to_owned();
            if let Err(error) = read(&text) {
                screen.error = Some(error);
                return Vec::new();
            }
            close(screen);
            if screen.applied == text {
                return Vec::new();
            }
            screen.applied = text;
            ask(app, screen)
        }
        "esc" if screen.completion.is_some() => {
            screen.completion = None;
            screen.asked.forget(Slot::Names);
            Vec::new()
        }
        "tab" => {
            let done = screen
                .completion
                .as_ref()
                .is_some_and(|completion| completion.put_into(&mut screen.condition));
            if done {
                screen.completion = None;
            }
            Vec::new()
        }
        "up" | "down" => {
            line::choose(&mut screen.completion, key);
            Vec::new()
        }
        "esc" => {
            close(screen);
            screen.error = None;
            screen.condition = tui_input::Input::new(screen.applied.clone());
            Vec::new()
        }
        _ => {
            if edit(&mut screen.condition, key) {
                screen.error = None;
            }
            let input = &screen.condition;
            let before: String = input.value().chars().take(input.cursor()).collect();
            let begun = field_begun(&before);
            line::offer(app, &mut screen.asked, &mut screen.completion, begun)
        }
    }
}

/// No keys go into the condition any more.
pub(super) fn close(screen: &mut WorldScreen) {
    screen.typing = false;
    screen.completion = None;
    screen.asked.forget(Slot::Names);
}

fn read(text: &str) -> Result<(), whodunit_core::predicate::PredicateError> {
    if text.is_empty() {
        return Ok(());
    }
    Predicate::parse(text).map(drop)
}

pub(super) fn take(app: &mut App, screen: &mut WorldScreen, reply: Reply) -> Effects {
    match reply {
        Reply::World(out) => first_page(screen, World::of_states(out)),
        Reply::WorldDiff(out) => first_page(screen, World::of_changes(out)),
        Reply::MoreWorld(out) => add(screen, World::of_states(out)),
        Reply::MoreWorldDiff(out) => add(screen, World::of_changes(out)),
        Reply::Names(names) => {
            line::take_names(&mut screen.completion, names);
            return Vec::new();
        }
        Reply::Categories(page) => {
            screen.categories = Remote::Ready(page.items);
            return Vec::new();
        }
        _ => return Vec::new(),
    }
    more(app, screen)
}

fn first_page(screen: &mut WorldScreen, world: World) {
    let kept = screen.current().map(|item| item.stream().clone());
    let index = kept.and_then(|name| world.items.iter().position(|item| *item.stream() == name));
    let last = world.items.len().saturating_sub(1);
    screen.selected = index.unwrap_or(screen.selected).min(last);
    screen.world = Remote::Ready(world);
}

fn add(screen: &mut WorldScreen, more: World) {
    if let Some(world) = screen.world.value_mut() {
        world.add(more);
    }
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut WorldScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::World | Slot::WorldDiff => screen.world.fail(failure, is_away),
        Slot::Names => screen.completion = None,
        Slot::Categories => screen.categories = Remote::Failed(failure),
        _ => complain(app, failure, is_away),
    }
}
