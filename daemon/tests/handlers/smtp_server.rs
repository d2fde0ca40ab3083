//! A small mail server: it speaks what the daemon needs, keeps what it is told, and misbehaves as told.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::Stream;

/// What to do at some point of the conversation instead of the usual.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answer this.
    Say(&'static str),
    /// Answer `535` and what the client just said.
    Echo,
    /// Say nothing more.
    Hang,
    /// Close the connection.
    Drop,
}

/// How the server is to be.
#[derive(Clone, Default)]
pub(crate) struct Habits {
    /// It offers and does STARTTLS.
    pub(crate) starttls: Option<Arc<ServerConfig>>,
    /// It speaks TLS from the first byte.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Who may log in, and must.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// It knows `AUTH LOGIN` only.
    pub(crate) login_only: bool,
    /// What it sends right behind its answer to STARTTLS, unprotected.
    pub(crate) slipped_in: &'static str,
    /// By verb; `GREETING` before the first, `MESSAGE` after the mail itself.
    pub(crate) acts: HashMap<&'static str, Act>,
}

/// A mail as it was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    pub(crate) protected: bool,
    pub(crate) logged_in: bool,
}

/// What the server has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) mails: Vec<Taken>,
    /// Lines that came unprotected.
    pub(crate) in_clear: Vec<String>,
    /// Lines that came under TLS.
    pub(crate) protected: Vec<String>,
}

pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl SmtpServer {
    pub(crate) async fn start(habits: Habits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let talk = Talk {
                    habits: habits.clone(),
                    seen: Arc::clone(&kept),
                    stream: BufReader::new(Box::new(stream)),
                    protected: false,
                    mail: Taken::default(),
                };
                // How a conversation ends is in what was seen of it.
                tokio::spawn(async move { drop(talk.whole().await) });
            }
        });
        Self { port, seen }
    }

    pub(crate) fn mails(&self) -> Vec<Taken> {
        self.seen.lock().unwrap().mails.clone()
    }

    pub(crate) fn in_clear(&self) -> Vec<String> {
        self.seen.lock().unwrap().in_clear.clone()
    }

    pub(crate) fn protected(&self) -> Vec<String> {
        self.seen.lock().unwrap().protected.clone()
    }
}

/// One conversation.
struct Talk {
    habits: Habits,
    seen: Arc<Mutex<Seen>>,
    stream: BufReader<Box<dyn Stream>>,
    protected: bool,
    mail: Taken,
}

impl Talk {
    async fn whole(mut self) -> io::Result<()> {
        if let Some(tls) = self.habits.tls.clone() {
            self = self.protect(tls).await?;
        }
        self.answer("GREETING", "220 test.example ESMTP", "")
            .await?;
        while let Some(line) = self.line().await? {
            let verb = line.split(' ').next().unwrap_or("").to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.ehlo().await?,
                "STARTTLS" => {
                    let Some(tls) = self.habits.starttls.clone() else {
                        self.say("502 no").await?;
                        continue;
                    };
                    let usual = format!("220 go ahead\r\n{}", self.habits.slipped_in);
                    if self.answer("STARTTLS", usual.trim_end(), &line).await? {
                        self = self.protect(tls).await?;
                    }
                }
                "AUTH" => self.auth(&line).await?,
                "MAIL" => {
                    self.mail.from = bracketed(&line);
                    let usual = if self.habits.login.is_some() && !self.mail.logged_in {
                        "530 log in first"
                    } else {
                        "250 ok"
                    };
                    self.answer("MAIL", usual, &line).await?;
                }
                "RCPT" => {
                    if self.answer("RCPT", "250 ok", &line).await? {
                        self.mail.to.push(bracketed(&line));
                    }
                }
                "DATA" => {
                    if self.answer("DATA", "354 go ahead", "").await? {
                        self.message().await?;
                    }
                }
                "QUIT" => {
                    self.answer("QUIT", "221 bye", "").await?;
                    return Ok(());
                }
                _ => self.say("500 what").await?,
            }
        }
        Ok(())
    }

    async fn ehlo(&mut self) -> io::Result<()> {
        let mut lines = vec!["250-test.example", "250-8BITMIME", "250-SMTPUTF8"];
        if self.habits.starttls.is_some() && !self.protected {
            lines.push("250-STARTTLS");
        }
        if self.habits.login.is_some() {
            lines.push(if self.habits.login_only {
                "250-AUTH LOGIN"
            } else {
                "250-AUTH PLAIN LOGIN"
            });
        }
        lines.push("250 SIZE 1000000");
        self.answer("EHLO", &lines.join("\r\n"), "").await.map(drop)
    }

    async fn auth(&mut self, line: &str) -> io::Result<()> {
        let mut said = line.to_owned();
        let given = if let Some(initial) = line.strip_prefix("AUTH PLAIN ") {
            decode(initial)
        } else {
            self.say(&format!("334 {}", STANDARD.encode("Username:")))
                .await?;
            let username = self.line().await?.unwrap_or_default();
            self.say(&format!("334 {}", STANDARD.encode("Password:")))
                .await?;
            let password = self.line().await?.unwrap_or_default();
            said = format!("{username} {password}");
            format!("\0{}\0{}", decode(&username), decode(&password))
        };
        let right = self
            .habits
            .login
            .is_some_and(|(username, password)| given == format!("\0{username}\0{password}"));
        let usual = if right {
            "235 welcome"
        } else {
            "535 wrong credentials"
        };
        self.mail.logged_in = self
            .answer("AUTH", usual, &format!("{said} that is {given}"))
            .await?
            && right;
        Ok(())
    }

    async fn message(&mut self) -> io::Result<()> {
        let mut text = String::new();
        while let Some(line) = self.line().await? {
            if line == "." {
                break;
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push_str("\r\n");
        }
        if self.answer("MESSAGE", "250 taken", "").await? {
            let mut mail = std::mem::take(&mut self.mail);
            mail.text = text;
            mail.protected = self.protected;
            self.seen.lock().unwrap().mails.push(mail);
        }
        Ok(())
    }

    /// Answers the usual, or does what it was told; whether it was the usual.
    async fn answer(&mut self, at: &str, usual: &str, said: &str) -> io::Result<bool> {
        match self.habits.acts.get(at).cloned() {
            None => self.say(usual).await.map(|()| true),
            Some(Act::Say(text)) => self.say(text).await.map(|()| false),
            Some(Act::Echo) => {
                let said = said.replace(['\0', '\r', '\n'], " ");
                self.say(&format!("535 not with {said}"))
                    .await
                    .map(|()| false)
            }
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Drop) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream
            .write_all(format!("{text}\r\n").as_bytes())
            .await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        if self.stream.read_until(b'\n', &mut bytes).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\r', '\n'])
            .to_owned();
        let mut seen = self.seen.lock().unwrap();
        if self.protected {
            seen.protected.push(line.clone());
        } else {
            seen.in_clear.push(line.clone());
        }
        Ok(Some(line))
    }

    async fn protect(self, tls: Arc<ServerConfig>) -> io::Result<Self> {
        let stream = TlsAcceptor::from(tls)
            .accept(self.stream.into_inner())
            .await?;
        Ok(Self {
            stream: BufReader::new(Box::new(stream)),
            protected: true,
            ..self
        })
    }
}

fn bracketed(line: &str) -> String {
    let inner = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inner
        .map(|(address, _)| address.to_owned())
        .unwrap_or_default()
}

fn decode(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}
