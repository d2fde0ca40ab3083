//! A real daemon on a free port.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::binaries::binary;
use crate::wait::eventually;

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    url: String,
    log: Option<JoinHandle<String>>,
}

impl Daemon {
    /// Starts a daemon with the model `users` on this data directory and a free port, and waits until it says that it listens.
    pub fn start(data: &Path) -> Result<Self> {
        Self::start_on(data, "127.0.0.1:0")
    }

    /// The same, on a given address.
    pub fn start_on(data: &Path, listen: &str) -> Result<Self> {
        let data = data.to_str().context("a path that is text")?;
        Self::run(
            "whodunitd",
            &["--data", data, "--listen", listen, "--model", "users"],
            None,
        )
    }

    /// Whatever program of ours serves, with these arguments and, if given, this folder for its temporary files.
    pub fn run(program: &str, args: &[&str], temporary: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(binary(program));
        if let Some(temporary) = temporary {
            command.env("TMPDIR", temporary);
        }
        let mut child = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let stdout = child.stdout.take().context("stdout")?;
        let log = child.stderr.take().map(collect);
        let mut first = String::new();
        BufReader::new(stdout)
            .read_line(&mut first)
            .context("read its first line")?;
        if let Some(url) = first.trim_end().strip_prefix("listening on ") {
            return Ok(Self {
                child,
                url: url.to_owned(),
                log,
            });
        }
        let status = child.wait()?;
        let said = log.and_then(|log| log.join().ok()).unwrap_or_default();
        bail!("{program} did not start ({status}): {first:?}\n{said}")
    }

    /// Its address, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `kill -9`. Returns its log.
    pub fn kill(mut self) -> Result<String> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.take_log())
    }

    /// Sends a signal to it, by its name: `CONT` wakes it.
    pub fn signal(&self, name: &str) -> Result<()> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status()?;
        anyhow::ensure!(sent.success(), "SIG{name} could not be sent");
        Ok(())
    }

    /// Makes it hang, and waits until it does: a stop that was sent takes hold when the thread that gets it leaves the kernel, which
    /// a sync may keep it in for a while, and until then the other threads go on answering.
    pub fn hang(&self) -> Result<()> {
        self.signal("STOP")?;
        let pid = self.child.id();
        eventually("the daemon to hang", || is_stopped(pid).then_some(()));
        Ok(())
    }

    /// Asks it to stop with SIGTERM and waits. Returns how it ended, and its log.
    pub fn stop(mut self) -> Result<(ExitStatus, String)> {
        self.signal("TERM")?;
        let child = &mut self.child;
        let status = eventually("the daemon to stop", || child.try_wait().ok().flatten());
        Ok((status, self.take_log()))
    }

    fn take_log(&mut self) -> String {
        self.log
            .take()
            .and_then(|log| log.join().ok())
            .unwrap_or_default()
    }

    /// GET a path; status and JSON body.
    pub async fn get(&self, path: &str) -> Result<(u16, Value)> {
        answer(reqwest::get(format!("{}{path}", self.url)).await?).await
    }

    /// POST a JSON body to a path; status and JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        answer(
            reqwest::Client::new()
                .post(format!("{}{path}", self.url))
                .json(body)
                .send()
                .await?,
        )
        .await
    }
}

async fn answer(response: reqwest::Response) -> Result<(u16, Value)> {
    let status = response.status().as_u16();
    let text = response.text().await?;
    let body = serde_json::from_str(&text)
        .with_context(|| format!("{status} with a body that is not JSON: {text}"))?;
    Ok((status, body))
}

fn collect(mut stderr: ChildStderr) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process is stopped, by `/proc` where there is one.
fn is_stopped(pid: u32) -> bool {
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        let state = stat.rsplit_once(") ");
        return state.is_some_and(|(_, state)| state.starts_with('T'));
    }
    let asked = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output();
    asked.is_ok_and(|asked| asked.stdout.trim_ascii_start().starts_with(b"T"))
}
