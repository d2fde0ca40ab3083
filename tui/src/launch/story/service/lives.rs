//! What users do: sign up, change their minds, mistype. And Sarah.

use serde_json::json;
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::super::calendar::{LAST_DAY, at, date, day_of, daytime, later, office};
use super::super::people::{Person, another_email, last_name, password};
use super::{Account, Beat, By, Care, Service, Standing, creation};

impl Service {
    pub(super) fn take_over(&mut self, at: Timestamp, n: u64) {
        let person = self.people.someone(&mut self.dice);
        let stream = self.people.stream(&mut self.dice);
        let by = By::actor("job:migration")
            .because("taken over from the old system")
            .of(format!("migration-{}", date(0)));
        let who = self.create(at, stream, person, by);
        if n % 6 == 5 {
            if let Some(account) = self.accounts.get_mut(who) {
                account.dormant = true;
            }
        } else {
            self.life(at, who);
        }
    }

    pub(super) fn sign_up(&mut self, at: Timestamp) {
        let person = self.people.someone(&mut self.dice);
        let stream = self.people.stream(&mut self.dice);
        if let Some((wrong, rule)) = self.mistaken(&person) {
            let by = By::actor("api");
            self.scene(at, &stream, "CreateUser", creation(&wrong), by, Some(rule));
            // One in four gives up.
            if self.dice.percent(75) {
                let again = later(at, self.dice.between(20, 150));
                self.queue(again, Beat::SignUpAs(Box::new((stream, person))));
            }
            return;
        }
        self.sign_up_as(at, stream, person);
    }

    pub(super) fn sign_up_as(&mut self, at: Timestamp, stream: StreamName, person: Person) {
        let who = self.create(at, stream, person, By::actor("api"));
        self.life(at, who);
    }

    /// The same person as someone who mistypes, and the rule that notices; mostly nobody does.
    pub(super) fn mistaken(&mut self, person: &Person) -> Option<(Person, &'static str)> {
        let mut wrong = person.clone();
        let rule = match self.dice.below(60) {
            0 => {
                wrong.username.truncate(2);
                "username.too_short"
            }
            1 => {
                wrong.email = format!("{}@example", person.username);
                "email.invalid"
            }
            2 | 3 => {
                wrong.password.truncate(6);
                "password.too_short"
            }
            4 | 5 => {
                let live = |a: &&Account| a.standing != Standing::Deleted;
                let others: Vec<&Account> = self.accounts.iter().filter(live).collect();
                wrong.email = self.dice.pick(&others)?.person.email.to_uppercase();
                "email.taken"
            }
            _ => return None,
        };
        Some((wrong, rule))
    }

    /// What a user will do in the days to come, by chance.
    pub(super) fn life(&mut self, born: Timestamp, who: usize) {
        let today = day_of(born);
        let left = LAST_DAY - today.min(LAST_DAY);
        if left == 0 {
            return;
        }
        let chances = [
            (30, Beat::Rename as fn(usize) -> Beat),
            (28, Beat::ChangeEmail),
            (55, |who| Beat::ChangePassword(who, Care::Careless)),
        ];
        for (percent, beat) in chances {
            if self.dice.percent(percent) {
                let day = today + self.dice.between(1, left);
                let at = daytime(&mut self.dice, day);
                self.queue(at, beat(who));
            }
        }
        for (percent, beat) in [
            (3, Beat::Suspend as fn(usize, u64) -> Beat),
            (5, |who, ticket| Beat::Delete(who, ticket, Care::Careless)),
        ] {
            if self.dice.percent(percent) {
                let day = today + self.dice.between(1, left);
                let at = office(&mut self.dice, day);
                let ticket = self.next_ticket();
                self.queue(at, beat(who, ticket));
            }
        }
    }

    /// Why a change by the user is refused now; `Err`: the user is gone and does not try.
    pub(super) fn hurdle(&self, who: usize) -> Result<Option<&'static str>, ()> {
        match self.accounts.get(who).map(|account| account.standing) {
            Some(Standing::Active) => Ok(None),
            Some(Standing::Suspended) => Ok(Some("user.suspended")),
            Some(Standing::Deleted) | None => Err(()),
        }
    }

    pub(super) fn rename(&mut self, at: Timestamp, who: usize) {
        let (Ok(hurdle), Some(account)) = (self.hurdle(who), self.accounts.get(who)) else {
            return;
        };
        let (to, username) = (account.stream.clone(), account.person.username.clone());
        let before = account.person.last_name.clone();
        // Some press the button without having changed anything.
        let unchanged = !account.scripted && self.dice.percent(6);
        let name = if unchanged {
            before
        } else {
            last_name(&mut self.dice, &before).to_owned()
        };
        let refused_by = hurdle.or(unchanged.then_some("name.unchanged"));
        let payload = json!({"last_name": name});
        self.scene(
            at,
            &to,
            "ChangeName",
            payload,
            By::actor(&username),
            refused_by,
        );
        if let (None, Some(account)) = (refused_by, self.accounts.get_mut(who)) {
            account.person.last_name = name;
        }
    }

    pub(super) fn change_email(&mut self, at: Timestamp, who: usize) {
        let (Ok(hurdle), Some(account)) = (self.hurdle(who), self.accounts.get(who)) else {
            return;
        };
        let (to, username) = (account.stream.clone(), account.person.username.clone());
        let email = another_email(&mut self.dice, &username, &account.person.email);
        let payload = json!({"email": email});
        self.scene(
            at,
            &to,
            "ChangeEmail",
            payload,
            By::actor(&username),
            hurdle,
        );
        if let (None, Some(account)) = (hurdle, self.accounts.get_mut(who)) {
            account.person.email = email;
        }
    }

    pub(super) fn change_password(&mut self, at: Timestamp, who: usize, care: Care) {
        let (Ok(hurdle), Some(account)) = (self.hurdle(who), self.accounts.get(who)) else {
            return;
        };
        let (to, username) = (account.stream.clone(), account.person.username.clone());
        let current = account.person.password.clone();
        let new = loop {
            let new = password(&mut self.dice);
            if new != current {
                break new;
            }
        };
        let mistake = match (hurdle, care, self.dice.below(100)) {
            (None, Care::Careless, 0..22) => {
                Some(("password.incorrect", format!("{current}?"), new.clone()))
            }
            (None, Care::Careless, 22..28) => {
                Some(("password.too_short", current.clone(), "secret".to_owned()))
            }
            _ => None,
        };
        if let Some((rule, current, new)) = mistake {
            let payload = json!({"current_password": current, "new_password": new});
            let by = By::actor(&username);
            self.scene(at, &to, "ChangePassword", payload, by, Some(rule));
            let again = later(at, self.dice.between(8, 60));
            self.queue(again, Beat::ChangePassword(who, Care::Careful));
            return;
        }
        let payload = json!({"current_password": current, "new_password": new});
        self.scene(
            at,
            &to,
            "ChangePassword",
            payload,
            By::actor(&username),
            hurdle,
        );
        if let (None, Some(account)) = (hurdle, self.accounts.get_mut(who)) {
            account.person.password = new;
        }
    }

    pub(super) fn sarah(&mut self, at_signup: Timestamp) {
        let name = format!("user-7f3c{}", self.dice.hex(4));
        let stream = StreamName::new(name).ok();
        let sarah = self
            .people
            .named(&mut self.dice, "sarah", "Sarah", "Miller");
        let (Some(stream), Some(mut sarah)) = (stream, sarah) else {
            return;
        };
        "sarah@example.com".clone_into(&mut sarah.email);
        self.sarah = self.create(at_signup, stream, sarah, By::actor("api"));
        if let Some(account) = self.accounts.get_mut(self.sarah) {
            account.scripted = true;
        }
        self.queue(at(13, 11, 40, 31), Beat::Rename(self.sarah));
        // By then she is suspended, and does not know it.
        self.queue(at(26, 10, 2, 18), Beat::ChangeEmail(self.sarah));
        // Two others of her name, for whoever searches for it.
        for (day, username, last) in [(7, "sarah.k", "Kim"), (10, "osarah", "Okafor")] {
            let person = self.people.named(&mut self.dice, username, "Sarah", last);
            let stream = self.people.stream(&mut self.dice);
            if let Some(person) = person {
                let when = daytime(&mut self.dice, day);
                self.queue(when, Beat::SignUpAs(Box::new((stream, person))));
            }
        }
    }
}
