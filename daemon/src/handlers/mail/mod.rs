//! Mails about users.
//!
//! Owns which mails there are. The same event always makes the same mail, to the byte, under the same `Message-ID` and file
//! name: a receiver that gets it twice can tell.

mod folder;
mod message;
mod smtp;
mod texts;

use std::fmt;
use std::sync::Arc;

use super::HandlersError;
use super::settings::{MailSettings, Transport};
use crate::outbox::{Delivery, EventPattern, Handler, HandlerError};
use crate::store::BoxFuture;
use folder::Folder;
use smtp::Smtp;

/// A mail that is sent about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// To a new user.
    Welcome,
    /// To a user whose password has changed.
    SecurityNotification,
}

impl MailKind {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Welcome, Self::SecurityNotification];

    /// Name of its handler.
    pub fn handler(self) -> &'static str {
        match self {
            Self::Welcome => "send_welcome_email",
            Self::SecurityNotification => "send_security_notification",
        }
    }

    fn takes(self) -> EventPattern {
        match self {
            Self::Welcome => EventPattern::exactly("user", "UserCreated"),
            Self::SecurityNotification => EventPattern::exactly("user", "UserPasswordChanged"),
        }
    }
}

/// A kind of mail as a handler.
pub struct MailHandler {
    kind: MailKind,
    takes: [EventPattern; 1],
    post: Arc<Post>,
}

/// Who mails are from and which way they go.
struct Post {
    settings: MailSettings,
    destination: Destination,
}

enum Destination {
    Folder(Folder),
    Smtp(Box<Smtp>),
}

impl MailHandler {
    /// A handler for each kind of mail.
    ///
    /// # Errors
    /// When the folder cannot be made, or the mail server's settings are of no use.
    pub fn all(settings: &MailSettings) -> Result<Vec<Self>, HandlersError> {
        let destination = match &settings.transport {
            Transport::Folder(path) => Destination::Folder(Folder::open(path)?),
            Transport::Smtp(server) => Destination::Smtp(Box::new(Smtp::new(server)?)),
        };
        let post = Arc::new(Post {
            settings: settings.clone(),
            destination,
        });
        let handler = |kind: MailKind| Self {
            kind,
            takes: [kind.takes()],
            post: Arc::clone(&post),
        };
        Ok(MailKind::ALL.map(handler).into())
    }
}

impl Handler for MailHandler {
    fn name(&self) -> &str {
        self.kind.handler()
    }

    fn kind(&self) -> &'static str {
        "mail"
    }

    fn target(&self) -> String {
        match &self.post.destination {
            Destination::Folder(folder) => folder.target(),
            Destination::Smtp(smtp) => smtp.target(),
        }
    }

    fn takes(&self) -> &[EventPattern] {
        &self.takes
    }

    fn handle(&self, delivery: Delivery) -> BoxFuture<Result<(), HandlerError>> {
        let (kind, post) = (self.kind, Arc::clone(&self.post));
        Box::pin(async move {
            let sent = async {
                let letter = texts::letter(kind, &delivery)?;
                let mail = message::mail(kind, &delivery.event, letter, &post.settings)?;
                match &post.destination {
                    Destination::Folder(folder) => folder.put(mail).await,
                    Destination::Smtp(smtp) => smtp.send(&mail).await,
                }
            };
            sent.await.map_err(HandlerError)
        })
    }
}

impl fmt::Debug for MailHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailHandler")
            .field("kind", &self.kind)
            .field("target", &self.target())
            .finish_non_exhaustive()
    }
}
