//! A real `whodunit` in a pseudo-terminal, with an emulated screen to read.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::binaries::binary;
use crate::wait::eventually;

/// A terminal program and what its screen shows.
pub struct Screen {
    parser: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    child: Box<dyn Child + Send + Sync>,
    /// Our end of the terminal, and what is typed into it; none once it is hung up.
    ours: Option<(Box<dyn MasterPty + Send>, Box<dyn Write + Send>)>,
    reader: Option<JoinHandle<()>>,
    hung_up: Arc<AtomicBool>,
}

impl Screen {
    /// Starts `whodunit` with these arguments in a terminal of this size.
    pub fn open(args: &[&str], size: (u16, u16)) -> Result<Self> {
        Self::open_in(args, size, &std::env::temp_dir())
    }

    /// The same, with this folder for its temporary files.
    pub fn open_in(args: &[&str], (columns, rows): (u16, u16), temporary: &Path) -> Result<Self> {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::new(binary("whodunit"));
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("WHODUNIT_CONFIG", temporary.join("none.toml"));
        command.env("TMPDIR", temporary);
        command.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(command)?;
        drop(pair.slave);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let mut output = pair.master.try_clone_reader()?;
        let (to_parser, to_raw) = (Arc::clone(&parser), Arc::clone(&raw));
        let hung_up = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&hung_up);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            let mut waiting = Vec::new();
            let show = |bytes: &[u8]| {
                to_parser
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .process(bytes);
            };
            while !stop.load(Ordering::SeqCst)
                && let Ok(n @ 1..) = output.read(&mut buffer)
            {
                let bytes = buffer.get(..n).unwrap_or_default();
                to_raw
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(bytes);
                waiting.extend_from_slice(bytes);
                let rest = waiting.split_off(shown_at_once(&waiting));
                show(&std::mem::replace(&mut waiting, rest));
            }
            show(&waiting);
        });
        let keys = pair.master.take_writer()?;
        Ok(Self {
            parser,
            raw,
            child,
            ours: Some((pair.master, keys)),
            reader: Some(reader),
            hung_up,
        })
    }

    /// Types: text as it is, or an escape sequence.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        let (_, to) = self.ours.as_mut().context("it is hung up")?;
        to.write_all(keys.as_bytes())?;
        to.flush()?;
        Ok(())
    }

    /// What the screen shows now, line by line.
    pub fn text(&self) -> String {
        self.parser
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .screen()
            .contents()
    }

    /// Everything the program has sent to the terminal.
    pub fn sent(&self) -> Vec<u8> {
        self.raw
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until the screen shows this text, and returns the screen.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("`{text}` on the screen"), |shown| {
            shown.contains(text)
        })
    }

    /// Waits until this holds of what the screen shows, and returns the screen.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(what, || {
                last = self.text();
                holds(&last).then(|| last.clone())
            })
        }));
        match found {
            Ok(screen) => screen,
            Err(_) => unreachable!("{what}: not with this screen:\n{last}"),
        }
    }

    /// Changes the terminal's size.
    pub fn resize(&self, (columns, rows): (u16, u16)) -> Result<()> {
        self.parser
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .screen_mut()
            .set_size(rows, columns);
        let (master, _) = self.ours.as_ref().context("it is hung up")?;
        master.resize(PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        })?;
        Ok(())
    }

    /// Takes the terminal away, as when its window is closed.
    pub fn hang_up(&mut self) -> Result<()> {
        // The reader holds our end as well, and only looks up when something comes.
        self.hung_up.store(true, Ordering::SeqCst);
        self.press("?")?;
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        self.ours = None;
        Ok(())
    }

    /// Waits for the program to end, and until all that it sent is on the screen; its exit code.
    pub fn exit_code(&mut self) -> u32 {
        let child = &mut self.child;
        let status = eventually("whodunit to end", || child.try_wait().ok().flatten());
        // With the program gone, nothing holds the other end: the reader comes to the end of what was sent.
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        status.exit_code()
    }

    /// Whether the terminal is back as it was: main screen, cursor shown, no mouse reports.
    pub fn restored(&self) -> bool {
        let parser = self.parser.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = parser.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    }

    /// The process id of the program.
    pub fn pid(&self) -> Option<u32> {
        self.child.process_id()
    }
}

/// Between these a terminal shows nothing of what it is sent: the program draws a whole frame.
const FRAME_BEGINS: &[u8] = b"\x1b[?2026h";
const FRAME_ENDS: &[u8] = b"\x1b[?2026l";

/// How many of these bytes a terminal that knows synchronised updates shows: not the part of a frame whose end has not come
/// yet, and not what may be the start of its beginning.
fn shown_at_once(bytes: &[u8]) -> usize {
    let last = |mark: &[u8]| bytes.windows(mark.len()).rposition(|found| found == mark);
    match (last(FRAME_BEGINS), last(FRAME_ENDS)) {
        (Some(begins), ends) if ends.is_none_or(|ends| ends < begins) => begins,
        _ => {
            let begun = (1..FRAME_BEGINS.len()).rev().find(|n| {
                FRAME_BEGINS
                    .get(..*n)
                    .is_some_and(|mark| bytes.ends_with(mark))
            });
            bytes.len() - begun.unwrap_or(0)
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::shown_at_once;

    #[test]
    fn a_frame_is_shown_whole_or_not_at_all() {
        for (sent, shown) in [
            ("plain", 5),
            ("a\x1b[?2026hhalf a frame", 1),
            ("a\x1b[?2026hframe\x1b[?2026lb", 23),
            ("\x1b[?2026hframe\x1b[?2026l\x1b[?2026hnext", 21),
            ("a\x1b[?20", 1),
            ("a\x1b[?25h", 7),
            ("", 0),
        ] {
            assert_eq!(shown_at_once(sent.as_bytes()), shown, "{sent:?}");
        }
    }
}
