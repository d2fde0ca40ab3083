//! A pager for long answers on a terminal.
//!
//! Owns when it starts: with the first line of the answer, so that an error has none. What goes to standard error meanwhile is
//! shown once it has ended, below the answer.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

/// What is used when nothing is set; `LESS` makes it end at once where the answer fits the screen.
const PAGER: &str = "less";
const LESS: &str = "FRX";

/// The pager's command line: what was set, `PAGER`, or `less`. `None` for none.
pub(crate) fn command_line(setting: Option<&str>, variable: Option<&str>) -> Option<String> {
    let line = variable.or(setting).unwrap_or(PAGER).trim();
    (!line.is_empty() && line != "cat").then(|| line.to_owned())
}

/// Standard output, through a pager once something is written.
pub(crate) struct Pager {
    line: Option<String>,
    child: Option<Child>,
}

impl Pager {
    /// Standard output itself.
    pub(crate) fn none() -> Self {
        Self {
            line: None,
            child: None,
        }
    }

    /// A pager of this command line.
    pub(crate) fn new(line: String) -> Self {
        Self {
            line: Some(line),
            child: None,
        }
    }

    fn start(&mut self) {
        let Some(line) = self.line.take() else {
            return;
        };
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", LESS);
        }
        // Ctrl-C is the pager's while it runs: this program would leave the terminal to both.
        #[cfg(unix)]
        if tokio::runtime::Handle::try_current().is_ok() {
            let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        }
        // Where there is no such program, the answer is shown without one.
        self.child = command.spawn().ok();
    }

    /// Ends the answer, and waits until it was read.
    pub(crate) fn finish(mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.start();
        match self.child.as_mut().and_then(|child| child.stdin.as_mut()) {
            Some(pipe) => pipe.write(bytes),
            None => io::stdout().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.child.as_mut().and_then(|child| child.stdin.as_mut()) {
            Some(pipe) => pipe.flush(),
            None => io::stdout().flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_goes_before_the_setting() {
        assert_eq!(command_line(None, None).as_deref(), Some("less"));
        assert_eq!(command_line(Some("more"), None).as_deref(), Some("more"));
        assert_eq!(
            command_line(Some("more"), Some("most -x")).as_deref(),
            Some("most -x")
        );
        for none in ["", " ", "cat"] {
            assert_eq!(command_line(Some("more"), Some(none)), None);
        }
    }

    #[test]
    fn an_answer_goes_through_the_pager_and_an_empty_one_starts_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out");
        let line = format!("cat > {}", file.display());
        Pager::new(line.clone()).finish();
        assert!(!file.exists());
        let mut pager = Pager::new(line);
        pager.write_all(b"one\n").unwrap();
        pager.write_all(b"two\n").unwrap();
        pager.finish();
        assert_eq!(std::fs::read_to_string(file).unwrap(), "one\ntwo\n");
    }
}
