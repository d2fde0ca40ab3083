//! The key table: dispatch, hints, help, palette and the README's table are all made from it.
//!
//! Owns which key does what where. That a key cannot be used right now is said by the update when it is pressed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Everywhere,
    Streams,
    Stream,
    WhatIf,
    Log,
    Pipeline,
}

impl Scope {
    /// As a heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Streams => "streams",
            Self::Stream => "stream",
            Self::WhatIf => "what-if",
            Self::Log => "log",
            Self::Pipeline => "pipeline",
        }
    }
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Quit,
    Back,
    Help,
    Palette,
    CopyCall,
    HistoryBack,
    HistoryForward,
    ToggleZone,
    Retry,
    NextPane,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Enter,
    Filter,
    ShowStreams,
    ShowLog,
    Sort,
    Category,
    StepBack,
    StepForward,
    TimeBack,
    TimeForward,
    GoTo,
    Mark,
    Diff,
    WhatIf,
    AddCommand,
    AddEvent,
    DropEvent,
    ReplaceEvent,
    InsertEvent,
    Remove,
    ToggleRefold,
    BaseEarlier,
    BaseLater,
    Undo,
    Redo,
    Follow,
    ShowPipeline,
    RetryJob,
    RetryAll,
    Rebuild,
    CancelRun,
    Check,
    Backfill,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    pub(crate) scope: Scope,
    /// Key names as [`key_name`] gives them; the first is the one that hints show.
    pub(crate) keys: &'static [&'static str],
    pub(crate) action: Action,
    /// In a word or two, for hints.
    pub(crate) label: &'static str,
    /// In a sentence, for help and palette.
    pub(crate) help: &'static str,
    /// Whether the bottom line hints at it.
    pub(crate) hint: bool,
}

const fn key(
    scope: Scope,
    keys: &'static [&'static str],
    action: Action,
    label: &'static str,
    help: &'static str,
    hint: bool,
) -> Binding {
    Binding {
        scope,
        keys,
        action,
        label,
        help,
        hint,
    }
}

/// The table.
pub(crate) const BINDINGS: &[Binding] = &[
    key(
        Scope::Streams,
        &["enter", "l", "right"],
        Action::Enter,
        "open",
        "open the selected stream",
        true,
    ),
    key(
        Scope::Streams,
        &["/"],
        Action::Filter,
        "filter",
        "filter by name or title as you type",
        true,
    ),
    key(
        Scope::Streams,
        &["s"],
        Action::Sort,
        "sort",
        "sort by last change or by name",
        true,
    ),
    key(
        Scope::Streams,
        &["c"],
        Action::Category,
        "category",
        "show one category, or all",
        true,
    ),
    key(
        Scope::Streams,
        &["L"],
        Action::ShowLog,
        "log",
        "go to the whole log",
        true,
    ),
    key(
        Scope::Streams,
        &["p"],
        Action::ShowPipeline,
        "pipeline",
        "go to the pipeline: projections, outbox, backfills",
        true,
    ),
    key(
        Scope::Stream,
        &["left", "h", "k", "up"],
        Action::StepBack,
        "step",
        "step to the row before",
        true,
    ),
    key(
        Scope::Stream,
        &["right", "l", "j", "down"],
        Action::StepForward,
        "step on",
        "step to the row after",
        false,
    ),
    key(
        Scope::Stream,
        &["t"],
        Action::GoTo,
        "time",
        "go to a revision or a time",
        true,
    ),
    key(
        Scope::Stream,
        &["m"],
        Action::Mark,
        "mark",
        "mark this revision, to compare another with it",
        true,
    ),
    key(
        Scope::Stream,
        &["d"],
        Action::Diff,
        "diff",
        "compare the marked revision (or the one before) with this one",
        true,
    ),
    key(
        Scope::Stream,
        &["w"],
        Action::WhatIf,
        "what-if",
        "ask what if, from this revision on",
        true,
    ),
    key(
        Scope::Stream,
        &["enter"],
        Action::Enter,
        "event",
        "show the whole event",
        true,
    ),
    key(
        Scope::Stream,
        &["shift-left"],
        Action::TimeBack,
        "",
        "step back along the time axis",
        false,
    ),
    key(
        Scope::Stream,
        &["shift-right"],
        Action::TimeForward,
        "",
        "step forward along the time axis",
        false,
    ),
    key(
        Scope::Stream,
        &["p"],
        Action::ShowPipeline,
        "pipeline",
        "go to the pipeline: projections, outbox, backfills",
        false,
    ),
    key(
        Scope::Stream,
        &["tab"],
        Action::NextPane,
        "pane",
        "go to the next pane",
        false,
    ),
    key(
        Scope::WhatIf,
        &["a"],
        Action::AddCommand,
        "command",
        "run a command at the base: the rules decide",
        true,
    ),
    key(
        Scope::WhatIf,
        &["E"],
        Action::AddEvent,
        "event",
        "add a raw event at the base: no rules run",
        true,
    ),
    key(
        Scope::WhatIf,
        &["x"],
        Action::DropEvent,
        "drop",
        "drop the selected recorded event",
        true,
    ),
    key(
        Scope::WhatIf,
        &["e", "enter"],
        Action::ReplaceEvent,
        "edit",
        "change the selected event's data, or edit an action",
        true,
    ),
    key(
        Scope::WhatIf,
        &["i"],
        Action::InsertEvent,
        "insert",
        "insert an event after the selected one",
        true,
    ),
    key(
        Scope::WhatIf,
        &["delete", "backspace"],
        Action::Remove,
        "remove",
        "remove the selected change",
        true,
    ),
    key(
        Scope::WhatIf,
        &["m"],
        Action::ToggleRefold,
        "re-fold",
        "re-fold the events recorded after the base, or end there",
        true,
    ),
    key(
        Scope::WhatIf,
        &["left", "h", "<"],
        Action::BaseEarlier,
        "base",
        "move the base one revision back",
        true,
    ),
    key(
        Scope::WhatIf,
        &["right", "l", ">"],
        Action::BaseLater,
        "",
        "move the base one revision forward",
        false,
    ),
    key(
        Scope::WhatIf,
        &["u"],
        Action::Undo,
        "undo",
        "undo the last change",
        true,
    ),
    key(
        Scope::WhatIf,
        &["ctrl-r"],
        Action::Redo,
        "redo",
        "redo what was undone",
        false,
    ),
    key(
        Scope::WhatIf,
        &["tab"],
        Action::NextPane,
        "pane",
        "go to the next pane",
        false,
    ),
    key(
        Scope::Log,
        &["enter", "l", "right"],
        Action::Enter,
        "open",
        "open the stream at this revision",
        true,
    ),
    key(
        Scope::Log,
        &["/"],
        Action::Filter,
        "filter",
        "filter: category: type: actor: correlation: since: until: and text",
        true,
    ),
    key(
        Scope::Log,
        &["F", "space"],
        Action::Follow,
        "follow",
        "follow the log, or pause it",
        true,
    ),
    key(
        Scope::Log,
        &["S"],
        Action::ShowStreams,
        "streams",
        "go to the streams",
        true,
    ),
    key(
        Scope::Log,
        &["p"],
        Action::ShowPipeline,
        "pipeline",
        "go to the pipeline: projections, outbox, backfills",
        true,
    ),
    key(
        Scope::Pipeline,
        &["enter", "l", "right"],
        Action::Enter,
        "open",
        "open the event behind the job; the projection; the handler's jobs",
        true,
    ),
    key(
        Scope::Pipeline,
        &["tab"],
        Action::NextPane,
        "pane",
        "go to the next pane",
        true,
    ),
    key(
        Scope::Pipeline,
        &["R"],
        Action::RetryJob,
        "retry",
        "try the selected failed job again",
        true,
    ),
    key(
        Scope::Pipeline,
        &["A"],
        Action::RetryAll,
        "retry all",
        "try all failed jobs of the handler again",
        true,
    ),
    key(
        Scope::Pipeline,
        &["C"],
        Action::Check,
        "check",
        "check that the read model matches the log",
        true,
    ),
    key(
        Scope::Pipeline,
        &["B"],
        Action::Rebuild,
        "rebuild",
        "rebuild the projection's read model from the log",
        true,
    ),
    key(
        Scope::Pipeline,
        &["b"],
        Action::Backfill,
        "backfill",
        "run a range of history through handlers again",
        true,
    ),
    key(
        Scope::Pipeline,
        &["K"],
        Action::CancelRun,
        "cancel",
        "cancel the projection's rebuild, or the backfill",
        true,
    ),
    key(
        Scope::Pipeline,
        &["S"],
        Action::ShowStreams,
        "streams",
        "go to the streams",
        true,
    ),
    key(
        Scope::Pipeline,
        &["L"],
        Action::ShowLog,
        "log",
        "go to the whole log",
        true,
    ),
    key(Scope::Everywhere, &["up", "k"], Action::Up, "", "up", false),
    key(
        Scope::Everywhere,
        &["down", "j"],
        Action::Down,
        "",
        "down",
        false,
    ),
    key(
        Scope::Everywhere,
        &["pageup", "ctrl-u"],
        Action::PageUp,
        "",
        "a page up",
        false,
    ),
    key(
        Scope::Everywhere,
        &["pagedown", "ctrl-d"],
        Action::PageDown,
        "",
        "a page down",
        false,
    ),
    key(
        Scope::Everywhere,
        &["g", "home"],
        Action::First,
        "",
        "to the first row",
        false,
    ),
    key(
        Scope::Everywhere,
        &["G", "end"],
        Action::Last,
        "",
        "to the last row",
        false,
    ),
    key(
        Scope::Everywhere,
        &["z"],
        Action::ToggleZone,
        "",
        "show times in UTC or in the local zone",
        false,
    ),
    key(
        Scope::Everywhere,
        &["y"],
        Action::CopyCall,
        "copy",
        "copy the command that gives the same answer",
        false,
    ),
    key(
        Scope::Everywhere,
        &["r"],
        Action::Retry,
        "",
        "reload",
        false,
    ),
    key(
        Scope::Everywhere,
        &["["],
        Action::HistoryBack,
        "",
        "back to where you were",
        false,
    ),
    key(
        Scope::Everywhere,
        &["]"],
        Action::HistoryForward,
        "",
        "forward again",
        false,
    ),
    key(
        Scope::Everywhere,
        &[":"],
        Action::Palette,
        "palette",
        "find an action by its name",
        true,
    ),
    key(
        Scope::Everywhere,
        &["?"],
        Action::Help,
        "help",
        "show all keys",
        true,
    ),
    key(
        Scope::Everywhere,
        &["esc"],
        Action::Back,
        "",
        "one level back",
        false,
    ),
    key(
        Scope::Everywhere,
        &["q"],
        Action::Quit,
        "",
        "back, and from the top: quit",
        false,
    ),
];

/// What a key does in a scope: its own binding first, then the one that holds everywhere.
pub(crate) fn action(scope: Scope, key: &str) -> Option<Action> {
    let of = |wanted: Scope| {
        BINDINGS
            .iter()
            .find(|b| b.scope == wanted && b.keys.contains(&key))
    };
    of(scope)
        .or_else(|| of(Scope::Everywhere))
        .map(|binding| binding.action)
}

/// The bindings that work in a scope, its own first.
pub(crate) fn in_scope(scope: Scope) -> impl Iterator<Item = &'static Binding> {
    let own = BINDINGS
        .iter()
        .filter(move |binding| binding.scope == scope);
    own.chain(
        BINDINGS
            .iter()
            .filter(move |b| b.scope == Scope::Everywhere && scope != Scope::Everywhere),
    )
}

/// The bindings of a scope that the palette or the help shows for a filter.
pub(crate) fn matching(scope: Scope, filter: &str) -> Vec<&'static Binding> {
    let filter = filter.trim().to_lowercase();
    in_scope(scope)
        .filter(|binding| {
            filter.is_empty()
                || binding.help.to_lowercase().contains(&filter)
                || binding.label.to_lowercase().contains(&filter)
                || binding.keys.contains(&filter.as_str())
        })
        .collect()
}

/// How a key is written for people.
pub(crate) fn pretty(key: &str, ascii: bool) -> String {
    let glyph = match key {
        "enter" => "⏎",
        "left" => "←",
        "right" => "→",
        "up" => "↑",
        "down" => "↓",
        "tab" => "⇥",
        "delete" => return "del".to_owned(),
        _ => return key.to_owned(),
    };
    if ascii {
        key.to_owned()
    } else {
        glyph.to_owned()
    }
}

/// The name of a key press in the table: `j`, `G`, `ctrl-r`, `shift-left`, `enter`.
pub(crate) fn key_name(event: KeyEvent) -> Option<String> {
    let name = match event.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "enter".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        KeyCode::Tab => "tab".to_owned(),
        KeyCode::BackTab => return Some("shift-tab".to_owned()),
        KeyCode::Backspace => "backspace".to_owned(),
        KeyCode::Delete => "delete".to_owned(),
        KeyCode::Left => "left".to_owned(),
        KeyCode::Right => "right".to_owned(),
        KeyCode::Up => "up".to_owned(),
        KeyCode::Down => "down".to_owned(),
        KeyCode::Home => "home".to_owned(),
        KeyCode::End => "end".to_owned(),
        KeyCode::PageUp => "pageup".to_owned(),
        KeyCode::PageDown => "pagedown".to_owned(),
        _ => return None,
    };
    let is_char = matches!(event.code, KeyCode::Char(_));
    let mut out = String::new();
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        out.push_str("ctrl-");
    }
    if event.modifiers.contains(KeyModifiers::ALT) {
        out.push_str("alt-");
    }
    // A shifted letter is another letter already.
    if event.modifiers.contains(KeyModifiers::SHIFT) && !is_char {
        out.push_str("shift-");
    }
    out.push_str(&name);
    Some(out)
}

/// The key table as it stands in the README.
#[cfg(test)]
pub(crate) fn markdown() -> String {
    use std::fmt::Write;
    let mut out = String::from("| where | keys | what |\n|---|---|---|\n");
    for binding in BINDINGS {
        let keys: Vec<String> = binding
            .keys
            .iter()
            .map(|key| format!("`{}`", pretty(key, false)))
            .collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            binding.scope.title(),
            keys.join(" "),
            binding.help
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_scope() {
        for (index, binding) in BINDINGS.iter().enumerate() {
            for key in binding.keys {
                let again = BINDINGS
                    .iter()
                    .skip(index + 1)
                    .find(|b| b.scope == binding.scope && b.keys.contains(key));
                assert!(
                    again.is_none(),
                    "`{key}` is bound twice in {:?}",
                    binding.scope
                );
            }
            assert!(!binding.help.is_empty());
            assert!(
                !binding.hint || !binding.label.is_empty(),
                "{:?} hints without a label",
                binding.action
            );
        }
    }

    #[test]
    fn a_scope_goes_before_everywhere() {
        assert_eq!(action(Scope::Stream, "left"), Some(Action::StepBack));
        assert_eq!(action(Scope::Stream, "?"), Some(Action::Help));
        assert_eq!(action(Scope::Streams, "up"), Some(Action::Up));
        assert_eq!(action(Scope::Streams, "F5"), None);
    }

    #[test]
    fn key_presses_have_the_names_of_the_table() {
        let press = |code, modifiers| key_name(KeyEvent::new(code, modifiers)).unwrap();
        assert_eq!(press(KeyCode::Char('G'), KeyModifiers::SHIFT), "G");
        assert_eq!(press(KeyCode::Char('r'), KeyModifiers::CONTROL), "ctrl-r");
        assert_eq!(press(KeyCode::Left, KeyModifiers::SHIFT), "shift-left");
    }

    #[test]
    fn the_readme_shows_this_table() {
        let readme = include_str!("../../README.md");
        let (_, rest) = readme
            .split_once("<!-- keys:begin -->\n")
            .expect("a beginning");
        let (table, _) = rest.split_once("<!-- keys:end -->").expect("an end");
        assert_eq!(
            table,
            markdown(),
            "copy this into the README:\n{}",
            markdown()
        );
    }
}
