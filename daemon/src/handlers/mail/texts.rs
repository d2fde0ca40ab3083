//! Texts of mails.
//!
//! Owns the words. Names and addresses come from events, that is, from outside: they are put on one line, kept short, and a
//! name that is a link in disguise is not said.

use lettre::Address;
use lettre::message::Mailbox;
use serde_json::{Map, Value};
use whodunit_core::text::{is_unsafe, shown};
use whodunit_core::time::Timestamp;

use super::MailKind;
use crate::handlers::secret::cut;
use crate::limits::MAIL_NAME_CHARS_MAX;
use crate::outbox::Delivery;

/// A mail before it is put into form.
pub(super) struct Letter {
    pub(super) to: Mailbox,
    pub(super) subject: String,
    /// Lines end with `\n`.
    pub(super) text: String,
}

/// The mail of a kind about an event.
///
/// # Errors
/// A sentence, when the event or the state has no address to send it to.
pub(super) fn letter(kind: MailKind, delivery: &Delivery) -> Result<Letter, String> {
    match kind {
        MailKind::Welcome => welcome(delivery),
        MailKind::SecurityNotification => security(delivery),
    }
}

fn welcome(delivery: &Delivery) -> Result<Letter, String> {
    let Value::Object(data) = delivery.event.data.to_value() else {
        return Err("the event's data is not an object".to_owned());
    };
    let person = Person::from_fields(&data, "the event's data")?;
    let at = moment(delivery.event.recorded_at);
    let text = format!(
        "{greeting}\n\
         \n\
         welcome! Your account has been created.\n\
         \n\
         \x20   User name:  {username}\n\
         \x20   Email:      {email}\n\
         \x20   Created:    {at}\n\
         \n\
         You can sign in with your user name and the password that you chose.\n\
         You will never be asked for that password by mail.\n\
         \n\
         If you did not create this account, someone has probably mistyped\n\
         their address. You need not do anything; if it bothers you, answer\n\
         this mail and we will look into it.\n",
        greeting = person.greeting(),
        username = person.username,
        email = person.address,
    );
    let subject = match person.called() {
        Some(name) => format!("Welcome, {name}"),
        None => "Welcome".to_owned(),
    };
    Ok(person.letter(subject, text))
}

fn security(delivery: &Delivery) -> Result<Letter, String> {
    let person = Person::from_fields(&delivery.state, "the user's state")?;
    let at = moment(delivery.event.recorded_at);
    let text = format!(
        "{greeting}\n\
         \n\
         the password of your account has been changed.\n\
         \n\
         \x20   User name:  {username}\n\
         \x20   When:       {at}\n\
         \n\
         If it was you, all is well and there is nothing to do.\n\
         \n\
         If it was not you, someone else may have access to your account:\n\
         \n\
         \x20 1. Reset your password now, to one that you use nowhere else.\n\
         \x20 2. Change the password of this mailbox too if it was the same.\n\
         \x20 3. Answer this mail and tell us, so that we can look into it.\n\
         \n\
         You will never be asked for your password by mail.\n",
        greeting = person.greeting(),
        username = person.username,
    );
    Ok(person.letter("Your password has been changed".to_owned(), text))
}

/// The recipient of a mail, as far as an event or a state names one.
struct Person {
    address: Address,
    username: String,
    first_name: String,
    last_name: String,
}

impl Person {
    fn from_fields(fields: &Map<String, Value>, place: &str) -> Result<Self, String> {
        let email = match fields.get("email") {
            Some(Value::String(email)) => email,
            Some(_) => {
                return Err(format!(
                    "`email` in {place} is not a text, so the mail has no recipient"
                ));
            }
            None => {
                return Err(format!(
                    "{place} has no `email`, so the mail has no recipient"
                ));
            }
        };
        let line = |name: &str| one_line(fields.get(name).and_then(Value::as_str).unwrap_or(""));
        Ok(Self {
            address: address(email)?,
            username: line("username"),
            first_name: line("first_name"),
            last_name: line("last_name"),
        })
    }

    /// What the person is called: the first name, or else the user name.
    fn called(&self) -> Option<&str> {
        [&self.first_name, &self.username]
            .into_iter()
            .map(String::as_str)
            .find(|name| !name.is_empty() && !looks_like_a_link(name))
    }

    fn greeting(&self) -> String {
        self.called()
            .map_or_else(|| "Hello,".to_owned(), |name| format!("Hello {name},"))
    }

    fn letter(self, subject: String, text: String) -> Letter {
        let name = one_line(&format!("{} {}", self.first_name, self.last_name));
        let name = Some(name).filter(|name| !name.is_empty() && !looks_like_a_link(name));
        Letter {
            to: Mailbox::new(name, self.address),
            subject,
            text,
        }
    }
}

/// An address, if it is one: what mail servers and headers take as exactly one.
fn address(text: &str) -> Result<Address, String> {
    let wrong = || {
        format!(
            "`{}` is not an email address",
            cut(&shown(text), MAIL_NAME_CHARS_MAX)
        )
    };
    // Quoted local parts are legal and have smuggled many a header; no real address has one.
    let odd = |c: char| {
        c.is_whitespace()
            || is_unsafe(c)
            || matches!(c, '"' | '<' | '>' | '(' | ')' | ',' | ';' | ':' | '\\')
    };
    if text.chars().any(odd) {
        return Err(wrong());
    }
    text.parse().map_err(|_no_address| wrong())
}

/// A name on one line, without what could disguise it, and not long.
fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if is_unsafe(c) { ' ' } else { c })
        .collect();
    let words: Vec<_> = plain.split_whitespace().collect();
    cut(&words.join(" "), MAIL_NAME_CHARS_MAX)
}

/// Whether a mail program would make a link of a name: `evil.example`, `https://…`. Initials (`J.R.`) are none.
fn looks_like_a_link(name: &str) -> bool {
    name.contains("://")
        || name.contains('@')
        || name.split_whitespace().any(|word| {
            word.split_once('.').is_some_and(|(before, after)| {
                let after: String = after.chars().take_while(|c| c.is_alphanumeric()).collect();
                before.chars().count() > 1 && after.chars().count() > 1
            })
        })
}

fn moment(at: Timestamp) -> String {
    at.to_datetime()
        .format("%A, %-d %B %Y at %H:%M:%S UTC")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_exactly_one() {
        for good in [
            "sarah@example.com",
            "o'neil+x@mail.example.org",
            "ü@bücher.example",
        ] {
            assert_eq!(address(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "sarah",
            "sarah@",
            "@example.com",
            "a@b@c",
            "a@example.com, b@example.com",
            "a@example.com\r\nBcc: b@example.com",
            "a@example.com\nX: y",
            "a\0@example.com",
            "<a@example.com>",
            "A <a@example.com>",
            "\"a b\"@example.com",
            "a@example.com>\u{85}",
            "[redacted]",
            "a@exa mple.com",
            "a@example.com RCPT",
        ] {
            let error = address(bad).unwrap_err();
            assert!(error.ends_with("is not an email address"), "{error}");
            assert!(!error.chars().any(is_unsafe), "{error:?}");
        }
    }

    #[test]
    fn a_name_is_one_short_line() {
        assert_eq!(
            one_line(" Sarah\r\nBcc: x\u{202e}\tO\u{200b} "),
            "Sarah Bcc: x O"
        );
        assert_eq!(
            one_line(&"y".repeat(500)).chars().count(),
            MAIL_NAME_CHARS_MAX + 1
        );
    }

    #[test]
    fn a_link_is_no_name() {
        for link in [
            "evil.example",
            "Visit evil.example now",
            "https://x",
            "a@b",
            "www.x1.yz",
        ] {
            assert!(looks_like_a_link(link), "{link}");
        }
        for name in [
            "Sarah",
            "J.R. Smith",
            "Dr. No",
            "Jean-Luc",
            "O'Neil",
            "王小明",
            "Sammy Davis Jr.",
        ] {
            assert!(!looks_like_a_link(name), "{name}");
        }
    }
}
