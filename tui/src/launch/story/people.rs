//! Who lives in the story: names, addresses, passwords.

use std::collections::BTreeSet;

use whodunit_core::ids::StreamName;

use super::dice::Dice;

const FIRST: [&str; 64] = [
    "Amara", "Anders", "Anna", "Aylin", "Beatriz", "Ben", "Carla", "Chen", "Chloe", "Daniel",
    "Daria", "David", "Elena", "Elif", "Emil", "Emma", "Farah", "Felix", "Fiona", "Gabriel",
    "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jack", "Jana", "Jonas", "Julia", "Kai", "Karim",
    "Katya", "Kofi", "Lara", "Leo", "Lina", "Lucas", "Lucia", "Maja", "Marco", "Maria", "Mateo",
    "Maya", "Mila", "Nadia", "Nils", "Noah", "Nora", "Olga", "Oscar", "Paula", "Priya", "Quentin",
    "Rosa", "Ruth", "Samir", "Sara", "Sofia", "Tariq", "Tessa", "Tomas", "Vera", "Yuki", "Zoe",
];
const LAST: [&str; 60] = [
    "Adams", "Ahmed", "Almeida", "Andersen", "Baker", "Bauer", "Becker", "Berg", "Bianchi",
    "Brown", "Carter", "Castro", "Clark", "Costa", "Dahl", "Diaz", "Dubois", "Evans", "Ferrari",
    "Fischer", "Garcia", "Green", "Haas", "Hansen", "Hill", "Hoffmann", "Ito", "Jansen", "Johnson",
    "Kaya", "Keller", "Khan", "Kim", "Klein", "Kowalski", "Larsen", "Lee", "Lopez", "Martin",
    "Mensah", "Meyer", "Miller", "Moreau", "Nakamura", "Nguyen", "Novak", "Okafor", "Olsen",
    "Patel", "Popov", "Ricci", "Rossi", "Sato", "Schmidt", "Silva", "Smith", "Tanaka", "Weber",
    "Wilson", "Young",
];
const DOMAINS: [&str; 5] = [
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "post.example.org",
];
const COLOURS: [&str; 8] = [
    "amber", "cobalt", "coral", "indigo", "olive", "scarlet", "teal", "violet",
];
const ANIMALS: [&str; 8] = [
    "badger", "falcon", "heron", "lynx", "marten", "otter", "puffin", "stoat",
];

/// What a person says of themselves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Person {
    pub(super) username: String,
    pub(super) email: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) password: String,
}

/// Makes up people, no two with the same name or address.
#[derive(Debug, Default)]
pub(super) struct People {
    usernames: BTreeSet<String>,
    streams: BTreeSet<StreamName>,
}

impl People {
    pub(super) fn someone(&mut self, dice: &mut Dice) -> Person {
        loop {
            let (first, last) = (dice.word(&FIRST), dice.word(&LAST));
            let (given, family) = (first.to_lowercase(), last.to_lowercase());
            let initial: String = given.chars().take(1).collect();
            let base = match dice.below(4) {
                0 => format!("{given}.{family}"),
                1 => format!("{initial}{family}"),
                2 => format!("{given}{}", dice.between(10, 99)),
                _ => format!("{given}_{family}"),
            };
            if let Some(person) = self.named(dice, &base, first, last) {
                return person;
            }
        }
    }

    /// A person of this username; `None` when there is one already.
    pub(super) fn named(
        &mut self,
        dice: &mut Dice,
        username: &str,
        first: &str,
        last: &str,
    ) -> Option<Person> {
        if !self.usernames.insert(username.to_owned()) {
            return None;
        }
        Some(Person {
            username: username.to_owned(),
            email: format!("{username}@{}", dice.word(&DOMAINS)),
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            password: password(dice),
        })
    }

    /// The name of a stream that nobody has. Sarah's begins with 7f3c, and no other.
    pub(super) fn stream(&mut self, dice: &mut Dice) -> StreamName {
        loop {
            let digits = dice.hex(8);
            if digits.starts_with("7f3c") {
                continue;
            }
            if let Ok(name) = StreamName::new(format!("user-{digits}"))
                && self.streams.insert(name.clone())
            {
                return name;
            }
        }
    }
}

/// A password that nobody uses.
pub(super) fn password(dice: &mut Dice) -> String {
    format!(
        "{}-{}-{}",
        dice.word(&COLOURS),
        dice.word(&ANIMALS),
        dice.between(100, 999)
    )
}

/// Another last name, as after a wedding.
pub(super) fn last_name(dice: &mut Dice, but: &str) -> &'static str {
    loop {
        let name = dice.word(&LAST);
        if name != but {
            return name;
        }
    }
}

/// Another address of the same person.
pub(super) fn another_email(dice: &mut Dice, username: &str, but: &str) -> String {
    loop {
        let email = format!("{username}@{}", dice.word(&DOMAINS));
        if email != but {
            return email;
        }
    }
}
