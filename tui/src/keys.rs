//! The key table: dispatch, hints, help, palette and the README's table are all made from it.
//!
//! Owns which key does what where, and why one does nothing now.

mod available;
mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::model::Model;

use available::WhyNot;
pub(crate) use table::BINDINGS;

/// Names of keys as [`key_names`] gives them.
type Keys = &'static [&'static str];

/// Where a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Everywhere,
    Streams,
    Stream,
    WhatIf,
    Log,
    Find,
    Causes,
    Diff,
    World,
    Branches,
    Compare,
    Run,
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
            Self::Find => "find",
            Self::Causes => "causes",
            Self::Diff => "diff",
            Self::World => "world",
            Self::Branches => "branches",
            Self::Compare => "compare",
            Self::Run => "answer",
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
    GiveNow,
    Drop,
    ToggleRules,
    KeepCauses,
    Password,
    Save,
    Undo,
    Redo,
    Follow,
    FollowFrom,
    Find,
    Narrow,
    Causes,
    Fold,
    Whole,
    Swap,
    Unchanged,
    Setter,
    LeftSide,
    RightSide,
    World,
    Now,
    RunTo,
    RunNext,
    RunPrevious,
    Inevitable,
    Minimal,
    UndoPlan,
    Backtest,
    ShowBranches,
    KeepBranch,
    BuildUpon,
    ReadStream,
    /// Reads a branch on a log that it was not made on.
    Adopt,
    CompareWith,
    Rename,
    Remove,
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
    /// The first is the one that hints show.
    pub(crate) keys: Keys,
    pub(crate) action: Action,
    /// In a word or two, for hints.
    pub(crate) label: &'static str,
    /// In a sentence, for help and palette.
    pub(crate) help: &'static str,
    /// Whether the bottom line hints at it.
    pub(crate) hint: bool,
    why_not: WhyNot,
}

impl Binding {
    /// The same, where it does nothing at times.
    const fn needs(mut self, why_not: WhyNot) -> Self {
        self.why_not = why_not;
        self
    }

    /// Why it does nothing now, if so.
    pub(crate) fn why_not(&self, model: &Model) -> Option<&'static str> {
        (self.why_not)(model)
    }
}

/// What a key does in a scope.
#[cfg(test)]
pub(crate) fn action(scope: Scope, key: &str) -> Option<Action> {
    binding(scope, key).map(|binding| binding.action)
}

/// The row of a key in a scope: its own first, then the one that holds everywhere.
pub(crate) fn binding(scope: Scope, key: &str) -> Option<&'static Binding> {
    let of = |wanted: Scope| {
        BINDINGS
            .iter()
            .find(|b| b.scope == wanted && b.keys.contains(&key))
    };
    of(scope).or_else(|| of(Scope::Everywhere))
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

/// The keys of a press, by their names in the table: `j`, `G`, `ctrl-r`, `shift-left`, `enter`. `Alt` with a letter is how a
/// terminal reports `Esc` and that letter in quick succession: it is both.
pub(crate) fn key_names(mut event: KeyEvent) -> Vec<String> {
    let is_one_byte = matches!(
        event.code,
        KeyCode::Char(_) | KeyCode::Enter | KeyCode::Tab | KeyCode::Backspace
    );
    let with_alt = event.modifiers.contains(KeyModifiers::ALT);
    let escape = (with_alt && is_one_byte).then(|| "esc".to_owned());
    if escape.is_some() {
        event.modifiers.remove(KeyModifiers::ALT);
    }
    escape.into_iter().chain(key_name(event)).collect()
}

fn key_name(event: KeyEvent) -> Option<String> {
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
mod tests;
