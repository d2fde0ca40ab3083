//! The terminal program's screens: entry and loop.
//!
//! Owns the terminal while it runs, and gives it back whatever happens. One loop: wait for something, take all that has
//! happened, then draw at most once a frame.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
    EventStream, KeyEventKind, MouseButton, MouseEventKind,
};
use crossterm::execute;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, enable_raw_mode,
};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use ratatui::layout::{Position, Rect};
use tokio::sync::mpsc;
use whodunit_core::ids::StreamName;

use crate::background::{Answer, ask};
use crate::client::Client;
use crate::config::Context;
use crate::effect::Effect;
use crate::ending::termination;
use crate::keys::key_names;
use crate::model::Model;
use crate::model::guide::Guide;
use crate::msg::Msg;
use crate::runtime::{Runtime, now};
pub use crate::theme::Palette;
use crate::theme::Theme;
use crate::update::{start, start_at_stream, update};
use crate::view::view;
use crate::zone::machine_offset;

/// Messages that may wait for the loop.
const QUEUE_MAX: usize = 1_024;
/// Shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// How often time is looked at while something on screen depends on it.
const TICK: Duration = Duration::from_millis(250);
/// A turn of the loop that takes longer is worth a line in the log.
const LONG_TURN: Duration = Duration::from_millis(50);

/// How the screens start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The daemon to look at.
    pub client: Client,
    /// The context that names it.
    pub(crate) context: Option<(String, Context)>,
    /// Query lines that are kept by name.
    pub(crate) queries: BTreeMap<String, String>,
    /// Whether to show the newcomer's guide.
    pub guide: bool,
    /// Whether to draw with ASCII only.
    pub ascii: bool,
    /// Which colours to use; `None` asks the terminal.
    pub palette: Option<Palette>,
    /// The stream to open first, at a revision or at its head; the list of streams when absent.
    pub stream: Option<(StreamName, Option<u64>)>,
}

/// Runs the screens until the user quits. The terminal is restored on every way out, a panic included.
pub async fn run(options: Options) -> anyhow::Result<()> {
    // Never dropped: that would print to stderr, and panic, where the terminal is gone. `Restore` does what it would.
    let mut terminal = ManuallyDrop::new(ratatui::try_init()?);
    let restore = Restore;
    execute!(stdout(), EnableMouseCapture, EnableBracketedPaste)?;
    // Before anything reads the terminal.
    let answer = match options.palette {
        Some(palette) => Answer {
            palette,
            ..Answer::default()
        },
        None => ask(),
    };
    let outcome = turn(&mut terminal, options, answer).await;
    drop(restore);
    outcome
}

/// Gives the terminal back when dropped.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to give back.
        let _ = execute!(stdout(), DisableMouseCapture, DisableBracketedPaste);
        let _ = ratatui::try_restore();
        let _ = execute!(stdout(), Show);
    }
}

async fn turn(
    terminal: &mut DefaultTerminal,
    options: Options,
    answer: Answer,
) -> anyhow::Result<()> {
    let size = terminal.size()?;
    let mut model = first_model(&options, answer.palette, (size.width, size.height));
    let (sender, mut messages) = mpsc::channel(QUEUE_MAX);
    let mut runtime = Runtime::start(options.client, sender);
    let mut input = EventStream::new();
    let mut ended = std::pin::pin!(termination());
    for effect in start(&mut model) {
        runtime.run(effect);
    }
    let mut turn = Turn::default();
    for c in answer.typed.chars() {
        turn.take(&mut model, &mut runtime, Msg::Key(typed_key(c)));
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        if turn.quit {
            return Ok(());
        }
        draw(terminal, &model, turn.resized)?;
        turn = Turn::default();
        let drawn = Instant::now();
        let first = tokio::select! {
            event = input.next() => match event {
                Some(event) => translate(&model, event?),
                // The terminal is gone.
                None => return Ok(()),
            },
            message = messages.recv() => message.into_iter().collect(),
            _ = ticks.tick(), if model.animates() => vec![Msg::Tick(now())],
            () = &mut ended => return Ok(()),
        };
        let started = Instant::now();
        for message in first {
            turn.take(&mut model, &mut runtime, message);
        }
        // Whatever else has happened by now belongs into the same frame.
        let pause = FRAME.saturating_sub(drawn.elapsed());
        let mut frame_due = std::pin::pin!(tokio::time::sleep(pause));
        while !turn.quit {
            tokio::select! {
                biased;
                event = input.next() => match event {
                    Some(event) => for message in translate(&model, event?) {
                        turn.take(&mut model, &mut runtime, message);
                    },
                    None => return Ok(()),
                },
                Some(message) = messages.recv() => turn.take(&mut model, &mut runtime, message),
                () = &mut frame_due => break,
            }
        }
        if std::mem::take(&mut turn.suspend) {
            suspend()?;
            turn.resized = true;
        }
        if started.elapsed() > LONG_TURN + FRAME {
            tracing::debug!(ms = started.elapsed().as_millis(), "a long turn");
        }
    }
}

/// Gives the terminal back to the shell, stops until the shell continues the program, and takes the terminal again.
fn suspend() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        drop(Restore);
        kill_process(getpid(), Signal::TSTP)?;
        enable_raw_mode()?;
        execute!(
            stdout(),
            EnterAlternateScreen,
            EnableMouseCapture,
            EnableBracketedPaste
        )?;
    }
    Ok(())
}

/// The name of a key that was typed before the screens were there.
fn typed_key(c: char) -> String {
    if c == ' ' {
        "space".to_owned()
    } else {
        c.to_string()
    }
}

/// What is known before anything was asked.
fn first_model(options: &Options, palette: Palette, size: (u16, u16)) -> Model {
    let theme = Theme {
        palette,
        ascii: options.ascii,
    };
    let url = options.client.url();
    let address = url.trim_start_matches("http://").to_owned();
    let mut model = Model::new(address, size, theme, now(), machine_offset);
    model.app.context.clone_from(&options.context);
    model.app.queries.clone_from(&options.queries);
    model.app.guide = options.guide.then(Guide::default);
    if let Some((stream, at)) = &options.stream {
        start_at_stream(&mut model, stream.clone(), *at);
    }
    model
}

/// What has happened between two frames.
#[derive(Debug, Default)]
struct Turn {
    quit: bool,
    suspend: bool,
    /// Whether the terminal had another size meanwhile, even if it is the old one again: what it showed may be gone.
    resized: bool,
}

impl Turn {
    /// Takes a message and does what it leads to.
    fn take(&mut self, model: &mut Model, runtime: &mut Runtime, message: Msg) {
        self.resized |= matches!(message, Msg::Resized { .. });
        // What is asked for now is waited for from now on.
        model.app.now = now();
        for effect in update(model, message) {
            match effect {
                Effect::Quit => self.quit = true,
                Effect::Suspend => self.suspend = true,
                Effect::Copy(text) => copy(&text),
                effect => runtime.run(effect),
            }
        }
    }
}

/// Draws a frame: what has changed since the one before, or all of it.
fn draw(terminal: &mut DefaultTerminal, model: &Model, whole: bool) -> std::io::Result<()> {
    execute!(stdout(), BeginSynchronizedUpdate)?;
    let drawn = if whole {
        // Not `clear`, which asks the terminal where its cursor is and would wait for an answer that the input has taken.
        let area = terminal.size()?;
        terminal.resize(Rect::from((Position::ORIGIN, area)))
    } else {
        Ok(())
    };
    let drawn = drawn.and_then(|()| terminal.draw(|frame| view(model, frame)).map(drop));
    execute!(stdout(), EndSynchronizedUpdate)?;
    drawn
}

fn translate(model: &Model, event: Event) -> Vec<Msg> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            key_names(key).into_iter().map(Msg::Key).collect()
        }
        Event::Paste(text) => vec![Msg::Pasted(text)],
        Event::Resize(columns, rows) => vec![Msg::Resized { columns, rows }],
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                let hit = model.app.hits.press(mouse.column, mouse.row);
                hit.map(Msg::Clicked).into_iter().collect()
            }
            MouseEventKind::Drag(MouseButton::Left) => {
                let from = model.app.hits.pressed();
                let to = model.app.hits.at(mouse.column, mouse.row);
                let dragged = from.zip(to);
                dragged
                    .map(|(from, to)| Msg::Dragged { from, to })
                    .into_iter()
                    .collect()
            }
            kind @ (MouseEventKind::ScrollUp | MouseEventKind::ScrollDown) => {
                let up = kind == MouseEventKind::ScrollUp;
                let over = model.app.hits.at(mouse.column, mouse.row);
                vec![Msg::Scrolled { up, over }]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Asks the terminal to put a text on the clipboard (OSC 52); one that cannot ignores it.
fn copy(text: &str) {
    let request = crossterm::clipboard::CopyToClipboard::to_clipboard_from(text);
    let _ = execute!(stdout(), request);
    let _ = stdout().flush();
}
