//! The rows of the key table: where, which keys, what they do, and how that is said in hints and in help.

use super::Action::{
    self, AddCommand, AddEvent, Back, Backfill, BaseEarlier, BaseLater, CancelRun, Category, Check,
    CopyCall, Diff, Down, DropEvent, Enter, Filter, First, Follow, FollowFrom, GoTo, Help,
    HistoryBack, HistoryForward, InsertEvent, Last, Mark, NextPane, Now, PageDown, PageUp, Palette,
    Password, Quit, Rebuild, Redo, Remove, ReplaceEvent, Retry, RetryAll, RetryJob, RunNext,
    RunPrevious, RunTo, ShowLog, ShowPipeline, ShowStreams, Sort, StepBack, StepForward, TimeBack,
    TimeForward, ToggleRefold, ToggleZone, Undo, Up,
};
use super::Scope::{self, Everywhere, Find, Log, Pipeline, Stream, Streams, WhatIf};
use super::{Binding, Keys, available};

/// A key that the bottom line hints at.
const fn hint(
    scope: Scope,
    keys: Keys,
    action: Action,
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding {
        scope,
        keys,
        action,
        label,
        help,
        hint: true,
        why_not: available::always,
    }
}

/// A key that only help and palette show.
const fn key(
    scope: Scope,
    keys: Keys,
    action: Action,
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding {
        scope,
        keys,
        action,
        label,
        help,
        hint: false,
        why_not: available::always,
    }
}

/// The table.
#[rustfmt::skip]
pub(crate) const BINDINGS: &[Binding] = &[
    hint(Streams,    &["enter", "l", "right"],      Enter,          "open",      "open the selected stream"),
    hint(Streams,    &["/"],                        Filter,         "filter",    "filter by name or title as you type"),
    hint(Streams,    &["f"],                        FollowFrom,     "follow",    "follow what is under the cursor: its batch, its actor, its type, its cause").needs(available::subject),
    hint(Streams,    &["t"],                        GoTo,           "time",      "show states as of a moment, here and on every screen"),
    hint(Streams,    &["F"],                        Action::Find,   "find",      "find events in all streams"),
    hint(Streams,    &["s"],                        Sort,           "sort",      "sort by last change or by name"),
    hint(Streams,    &["c"],                        Category,       "category",  "show one category, or all"),
    hint(Streams,    &["L"],                        ShowLog,        "log",       "go to the whole log"),
    hint(Streams,    &["p"],                        ShowPipeline,   "pipeline",  "go to the pipeline: projections, outbox, backfills"),

    hint(Stream,     &["left", "h"],                StepBack,       "step",      "go back one row").needs(available::row_before),
    hint(Stream,     &["tab"],                      NextPane,       "fields",    "go to the fields of the state, or back to the history"),
    hint(Stream,     &["f"],                        FollowFrom,     "follow",    "follow what is under the cursor: its batch, its actor, its type, its cause").needs(available::subject),
    key (Stream,     &["right", "l"],               StepForward,    "step on",   "go forward one row").needs(available::row_after),
    hint(Stream,     &["t"],                        GoTo,           "time",      "go to a revision or a time; a time is held on every screen"),
    hint(Stream,     &["m"],                        Mark,           "mark",      "mark this revision to compare another with it"),
    hint(Stream,     &["d"],                        Diff,           "diff",      "compare with the marked revision, or with the one before").needs(available::two_revisions),
    hint(Stream,     &["w"],                        Action::WhatIf, "what-if",   "start a what-if from this revision"),
    hint(Stream,     &["enter"],                    Enter,          "whole",     "show the whole event; of a field, its history"),
    hint(Stream,     &["B"],                        RunTo,          "run to",    "run to the next revision where a condition holds"),
    key (Stream,     &["n"],                        RunNext,        "run on",    "run on to the next revision where it holds"),
    key (Stream,     &["N"],                        RunPrevious,    "run back",  "run back to the previous revision where it holds"),
    key (Stream,     &["F"],                        Action::Find,   "find",      "find events in all streams"),
    key (Stream,     &["shift-left"],               TimeBack,       "",          "jump back along the time axis"),
    key (Stream,     &["shift-right"],              TimeForward,    "",          "jump forward along the time axis"),
    key (Stream,     &["p"],                        ShowPipeline,   "pipeline",  "go to the pipeline: projections, outbox, backfills"),

    hint(WhatIf,     &["a"],                        AddCommand,     "command",   "run a command at the base: the rules decide"),
    hint(WhatIf,     &["E"],                        AddEvent,       "event",     "add a raw event at the base: no rules run"),
    hint(WhatIf,     &["x"],                        DropEvent,      "drop",      "drop the selected recorded event"),
    hint(WhatIf,     &["e", "enter"],               ReplaceEvent,   "edit",      "change the selected event's data, or edit the selected change"),
    hint(WhatIf,     &["i"],                        InsertEvent,    "insert",    "insert an event after the selected one"),
    hint(WhatIf,     &["delete", "backspace"],      Remove,         "remove",    "remove the selected change"),
    hint(WhatIf,     &["m"],                        ToggleRefold,   "re-fold",   "re-fold the events recorded after the base, or stop there"),
    key (WhatIf,     &["p"],                        Password,       "password",  "suppose that the current password is right, then wrong, then leave it open"),
    hint(WhatIf,     &["left", "h", "<"],           BaseEarlier,    "base",      "move the base one revision back"),
    key (WhatIf,     &["right", "l", ">"],          BaseLater,      "",          "move the base one revision forward"),
    hint(WhatIf,     &["u"],                        Undo,           "undo",      "undo the last change"),
    key (WhatIf,     &["ctrl-r"],                   Redo,           "redo",      "redo what was undone"),
    key (WhatIf,     &["tab"],                      NextPane,       "pane",      "go to the next pane"),

    hint(Log,        &["enter", "l", "right"],      Enter,          "open",      "open the stream at this revision"),
    hint(Log,        &["/"],                        Filter,         "filter",    "filter by category: type: actor: correlation: since: until: or text"),
    hint(Log,        &["space"],                    Follow,         "live",      "show new events as they come, or pause"),
    hint(Log,        &["f"],                        FollowFrom,     "follow",    "follow what is under the cursor: its batch, its actor, its type, its cause").needs(available::subject),
    key (Log,        &["t"],                        GoTo,           "time",      "show states as of a moment, here and on every screen"),
    hint(Log,        &["F"],                        Action::Find,   "find",      "find events in all streams"),
    hint(Log,        &["S"],                        ShowStreams,    "streams",   "go to the streams"),
    hint(Log,        &["p"],                        ShowPipeline,   "pipeline",  "go to the pipeline: projections, outbox, backfills"),

    hint(Find,       &["enter", "l", "right"],      Enter,          "open",      "open the stream at this revision"),
    hint(Find,       &["/", "F"],                   Filter,         "query",     "change the query: category: type: actor: correlation: since: until: or text"),
    hint(Find,       &["f"],                        FollowFrom,     "follow",    "follow what is under the cursor: its batch, its actor, its type, its cause").needs(available::subject),
    key (Find,       &["t"],                        GoTo,           "time",      "show states as of a moment, here and on every screen"),
    hint(Find,       &["S"],                        ShowStreams,    "streams",   "go to the streams"),
    hint(Find,       &["L"],                        ShowLog,        "log",       "go to the whole log"),

    hint(Pipeline,   &["enter", "l", "right"],      Enter,          "open",      "open the job's event, the projection, or the handler's jobs"),
    hint(Pipeline,   &["tab"],                      NextPane,       "pane",      "go to the next pane"),
    hint(Pipeline,   &["R"],                        RetryJob,       "retry",     "retry the selected failed job"),
    hint(Pipeline,   &["A"],                        RetryAll,       "retry all", "retry all failed jobs of the handler"),
    hint(Pipeline,   &["C"],                        Check,          "check",     "check that the read model matches the log"),
    hint(Pipeline,   &["B"],                        Rebuild,        "rebuild",   "rebuild the projection's read model from the log"),
    hint(Pipeline,   &["b"],                        Backfill,       "backfill",  "run a range of history through handlers again"),
    hint(Pipeline,   &["K"],                        CancelRun,      "cancel",    "cancel the check, the projection's rebuild, or the backfill"),
    hint(Pipeline,   &["S"],                        ShowStreams,    "streams",   "go to the streams"),
    hint(Pipeline,   &["L"],                        ShowLog,        "log",       "go to the whole log"),

    key (Everywhere, &["up", "k"],                  Up,             "",          "up"),
    key (Everywhere, &["down", "j"],                Down,           "",          "down"),
    key (Everywhere, &["pageup", "ctrl-u"],         PageUp,         "",          "page up"),
    key (Everywhere, &["pagedown", "ctrl-d"],       PageDown,       "",          "page down"),
    key (Everywhere, &["g", "home"],                First,          "",          "go to the first row"),
    key (Everywhere, &["G", "end"],                 Last,           "",          "go to the last row"),
    key (Everywhere, &["T"],                        Now,            "now",       "hold no moment any more: show states as they are now").needs(available::held_moment),
    key (Everywhere, &["z"],                        ToggleZone,     "",          "switch times between UTC and local time"),
    key (Everywhere, &["y"],                        CopyCall,       "copy",      "copy the command that shows the same"),
    key (Everywhere, &["r"],                        Retry,          "",          "reload"),
    key (Everywhere, &["["],                        HistoryBack,    "",          "go back to the previous place").needs(available::earlier_place),
    key (Everywhere, &["]"],                        HistoryForward, "",          "go forward again").needs(available::later_place),
    hint(Everywhere, &[":"],                        Palette,        "palette",   "find an action by name"),
    hint(Everywhere, &["?"],                        Help,           "help",      "show all keys"),
    key (Everywhere, &["esc"],                      Back,           "",          "end what is waited for, or go back one level"),
    key (Everywhere, &["q"],                        Quit,           "",          "go back; from the top level: quit"),
];
