//! The rows of the key table: where, which keys, what they do, and how that is said in hints and in help.

use super::Action::{
    self, AddCommand, AddEvent, Back, Backfill, BaseEarlier, BaseLater, CancelRun, Category, Check,
    CopyCall, Down, DropEvent, Enter, Filter, First, Fold, Follow, FollowFrom, GoTo, Help,
    HistoryBack, HistoryForward, InsertEvent, Last, LeftSide, Mark, Narrow, NextPane, Now,
    PageDown, PageUp, Palette, Password, Quit, Rebuild, Redo, Remove, ReplaceEvent, Retry,
    RetryAll, RetryJob, RightSide, RunNext, RunPrevious, RunTo, Setter, ShowLog, ShowPipeline,
    ShowStreams, Sort, StepBack, StepForward, Swap, TimeBack, TimeForward, ToggleRefold,
    ToggleZone, Unchanged, Undo, Up, Whole,
};
use super::Scope::{
    self, Causes, Diff, Everywhere, Find, Log, Pipeline, Stream, Streams, WhatIf, World,
};
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
    hint(Streams,    &["W"],                        Action::World,  "world",     "see the states of the whole category at one moment, or what differs between two"),
    hint(Streams,    &["L"],                        ShowLog,        "log",       "go to the whole log"),
    hint(Streams,    &["p"],                        ShowPipeline,   "pipeline",  "go to the pipeline: projections, outbox, backfills"),

    hint(Stream,     &["left", "h"],                StepBack,       "step",      "go back one row").needs(available::row_before),
    hint(Stream,     &["tab"],                      NextPane,       "fields",    "go to the fields of the state, or back to the history"),
    hint(Stream,     &["f"],                        FollowFrom,     "follow",    "follow what is under the cursor: its batch, its actor, its type, its cause").needs(available::subject),
    key (Stream,     &["right", "l"],               StepForward,    "step on",   "go forward one row").needs(available::row_after),
    hint(Stream,     &["t"],                        GoTo,           "time",      "go to a revision or a time; a time is held on every screen"),
    hint(Stream,     &["m"],                        Mark,           "mark",      "mark this revision to compare another with it, of this stream or another"),
    hint(Stream,     &["d"],                        Action::Diff,   "diff",      "compare with what is marked, of this stream or another, or with the revision before").needs(available::two_revisions),
    hint(Stream,     &["c"],                        Action::Causes, "causes",    "see what led to it and what it led to, across streams").needs(available::subject),
    hint(Stream,     &["w"],                        Action::WhatIf, "what-if",   "start a what-if from this revision"),
    hint(Stream,     &["enter"],                    Enter,          "whole",     "show the whole event; of a field, its history"),
    hint(Stream,     &["B"],                        RunTo,          "run to",    "run to the next revision where a condition holds"),
    key (Stream,     &["n"],                        RunNext,        "run on",    "run on to the next revision where it holds"),
    key (Stream,     &["N"],                        RunPrevious,    "run back",  "run back to the previous revision where it holds"),
    key (Stream,     &["F"],                        Action::Find,   "find",      "find events in all streams"),
    key (Stream,     &["W"],                        Action::World,  "world",     "see the states of the whole category at one moment, or what differs between two"),
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
    hint(Log,        &["/"],                        Filter,         "filter",    "filter by a query line; Tab completes names, Esc takes the filter off"),
    key (Log,        &["n"],                        Narrow,         "narrow",    "narrow the filter by type, actor or stream, or take a term off"),
    hint(Log,        &["space"],                    Follow,         "live",      "show new events as they come, or pause"),
    hint(Log,        &["f"],                        FollowFrom,     "follow",    "follow what is under the cursor: its batch, its actor, its type, its cause").needs(available::subject),
    hint(Log,        &["c"],                        Action::Causes, "causes",    "see what led to it and what it led to, across streams").needs(available::subject),
    key (Log,        &["v"],                        Whole,          "whole",     "show the whole event or decision").needs(available::subject),
    key (Log,        &["t"],                        GoTo,           "time",      "show states as of a moment, here and on every screen"),
    hint(Log,        &["F"],                        Action::Find,   "find",      "find events in all streams"),
    hint(Log,        &["S"],                        ShowStreams,    "streams",   "go to the streams"),
    hint(Log,        &["p"],                        ShowPipeline,   "pipeline",  "go to the pipeline: projections, outbox, backfills"),

    hint(Find,       &["enter", "l", "right"],      Enter,          "open",      "open the stream at this revision"),
    hint(Find,       &["/", "F"],                   Filter,         "line",      "change the query line; Tab completes names, Esc leaves it"),
    hint(Find,       &["n"],                        Narrow,         "narrow",    "narrow the line by type, actor or stream, or take a term off; and what differs from the rest"),
    hint(Find,       &["f"],                        FollowFrom,     "follow",    "follow what is under the cursor: its batch, its actor, its type, its cause").needs(available::subject),
    hint(Find,       &["c"],                        Action::Causes, "causes",    "see what led to it and what it led to, across streams").needs(available::subject),
    key (Find,       &["v"],                        Whole,          "whole",     "show the whole event or decision").needs(available::subject),
    key (Find,       &["t"],                        GoTo,           "time",      "show states as of a moment, here and on every screen"),
    hint(Find,       &["S"],                        ShowStreams,    "streams",   "go to the streams"),
    hint(Find,       &["L"],                        ShowLog,        "log",       "go to the whole log"),

    hint(Causes,     &["enter", "l", "right"],      Enter,          "open",      "open the stream at this revision"),
    hint(Causes,     &["space"],                    Fold,           "fold",      "hide what it led to, or show it again"),
    hint(Causes,     &["f"],                        FollowFrom,     "follow",    "follow what is under the cursor: its batch, its actor, its type, its cause").needs(available::subject),
    hint(Causes,     &["c"],                        Action::Causes, "batch",     "see everything of its correlation"),
    hint(Causes,     &["v"],                        Whole,          "whole",     "show the whole event or decision").needs(available::subject),
    hint(Causes,     &["n"],                        RunNext,        "finding",   "go to the next node that something is wrong with"),
    key (Causes,     &["N"],                        RunPrevious,    "",          "go to the node before that something is wrong with"),
    key (Causes,     &["F"],                        Action::Find,   "find",      "find events in all streams"),
    key (Causes,     &["S"],                        ShowStreams,    "streams",   "go to the streams"),
    key (Causes,     &["L"],                        ShowLog,        "log",       "go to the whole log"),

    hint(Diff,       &["enter"],                    Enter,          "whole",     "show the whole value, before and after"),
    hint(Diff,       &["s"],                        Swap,           "swap",      "swap the two sides"),
    hint(Diff,       &["u"],                        Unchanged,      "unchanged", "list what is the same on both sides, too, or not"),
    hint(Diff,       &["l", "right"],               Setter,         "set by",    "open the stream where the value was set"),
    hint(Diff,       &["1"],                        LeftSide,       "left side", "compare from another revision, moment or stream"),
    hint(Diff,       &["2"],                        RightSide,      "right side","compare to another revision, moment or stream"),

    hint(World,      &["enter", "l", "right"],      Enter,          "open",      "open the stream at this moment"),
    hint(World,      &["/"],                        Filter,         "condition", "keep the states for which a condition holds, such as /status == \"active\""),
    hint(World,      &["t"],                        GoTo,           "time",      "go to another moment"),
    hint(World,      &["m"],                        Mark,           "compare",   "see what differs from the moment on screen, or end that"),
    hint(World,      &["c"],                        Category,       "category",  "show one category, or all"),
    hint(World,      &["v"],                        Whole,          "whole",     "show the whole state"),
    key (World,      &["F"],                        Action::Find,   "find",      "find events in all streams"),
    key (World,      &["S"],                        ShowStreams,    "streams",   "go to the streams"),
    key (World,      &["L"],                        ShowLog,        "log",       "go to the whole log"),

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
