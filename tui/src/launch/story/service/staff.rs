//! What is done to accounts: by support, by the jobs of the night, and by mistake.

use serde_json::json;
use whodunit_core::time::Timestamp;

use super::super::calendar::{date, day_of, later, office};
use super::super::people::last_name;
use super::{Account, Beat, By, Care, Service, Standing};

const SUPPORT: [&str; 4] = ["support:anna", "support:luis", "support:mei", "support:tom"];
const COMPLAINTS: [&str; 4] = [
    "spam reports from three users",
    "chargeback dispute",
    "account shared in a public forum",
    "terms of service: automated sign-ups",
];
const CLEARED: [&str; 3] = [
    "verified by phone",
    "dispute settled",
    "documents checked, all in order",
];
const FALSE_ALARM: &str = "false positive: scan rule fd-17 matched a shared office address";
const INACTIVE: &str = "inactive for 90 days";
const CLEAN_UP: &str = "job:inactive-cleanup";

/// Accounts never seen that the clean-up job deletes at a time.
const UNSEEN_PER_RUN: usize = 4;
/// The night of the incident: Thursday, 20 March.
const INCIDENT_DAY: u64 = 24;

impl Service {
    pub(super) fn next_ticket(&mut self) -> u64 {
        self.ticket += self.dice.between(1, 9);
        self.ticket
    }

    pub(super) fn suspend(&mut self, at: Timestamp, who: usize, ticket: u64) {
        let agent = self.dice.word(&SUPPORT);
        let reason = self.dice.word(&COMPLAINTS);
        let by = By::actor(agent)
            .because(reason)
            .of(format!("ticket-{ticket}"));
        if self.suspended(at, who, by) && self.dice.percent(60) {
            let day = day_of(at) + self.dice.between(1, 4);
            let lifted = office(&mut self.dice, day);
            let reason = self.dice.word(&CLEARED);
            self.queue(lifted, Beat::Reactivate(who, ticket, reason));
        }
    }

    /// Suspends an account, or is told that it is suspended; whether it was suspended by this.
    pub(super) fn suspended(&mut self, at: Timestamp, who: usize, by: By<'_>) -> bool {
        let (Ok(hurdle), Some(account)) = (self.hurdle(who), self.accounts.get(who)) else {
            return false;
        };
        let to = account.stream.clone();
        let event_id = self.scene(at, &to, "SuspendUser", json!({}), by, hurdle);
        if let (None, Some(account)) = (hurdle, self.accounts.get_mut(who)) {
            account.standing = Standing::Suspended;
            account.since = at;
            account.suspension = Some(event_id);
        }
        hurdle.is_none()
    }

    pub(super) fn reactivate(
        &mut self,
        at: Timestamp,
        who: usize,
        ticket: u64,
        reason: &'static str,
    ) {
        let agent = self.dice.word(&SUPPORT);
        let Some(account) = self.accounts.get(who) else {
            return;
        };
        let refused_by = match account.standing {
            Standing::Suspended => None,
            Standing::Active => Some("user.not_suspended"),
            Standing::Deleted => Some("user.deleted"),
        };
        let (to, cause) = (account.stream.clone(), account.suspension.clone());
        let by = By::actor(agent)
            .because(reason)
            .of(format!("ticket-{ticket}"))
            .caused_by(cause);
        self.scene(at, &to, "ReactivateUser", json!({}), by, refused_by);
        if let (None, Some(account)) = (refused_by, self.accounts.get_mut(who)) {
            account.standing = Standing::Active;
            account.suspension = None;
            account.since = at;
        }
    }

    pub(super) fn delete(&mut self, at: Timestamp, who: usize, ticket: u64, care: Care) {
        let agent = self.dice.word(&SUPPORT);
        let Some(account) = self.accounts.get_mut(who) else {
            return;
        };
        let (to, gone) = (
            account.stream.clone(),
            account.standing == Standing::Deleted,
        );
        let by = By::actor(agent).of(format!("ticket-{ticket}"));
        if !gone && care == Care::Careless && self.dice.percent(20) {
            self.scene(
                at,
                &to,
                "DeleteUser",
                json!({}),
                by,
                Some("reason.required"),
            );
            let again = later(at, self.dice.between(10, 40));
            self.queue(again, Beat::Delete(who, ticket, Care::Careful));
            return;
        }
        account.standing = Standing::Deleted;
        let by = by.because("asked for by the user");
        let refused_by = gone.then_some("user.already_deleted");
        self.scene(at, &to, "DeleteUser", json!({}), by, refused_by);
    }

    pub(super) fn name_sync(&mut self, at: Timestamp) {
        let mut n = 0;
        for who in 0..self.accounts.len() {
            if self.dice.percent(14) {
                self.queue(later(at, n), Beat::NameSyncOne(who));
                n += 1;
            }
        }
    }

    pub(super) fn name_sync_one(&mut self, at: Timestamp, who: usize) {
        let Some(account) = self.accounts.get_mut(who) else {
            return;
        };
        if account.standing != Standing::Active || account.scripted || account.dormant {
            return;
        }
        let to = account.stream.clone();
        let name = format!(
            "{}-{}",
            account.person.last_name,
            last_name(&mut self.dice, &account.person.last_name)
        );
        account.person.last_name.clone_from(&name);
        let by = By::actor("job:crm-sync").of(format!("crm-sync-{}", date(day_of(at))));
        self.scene(at, &to, "ChangeName", json!({"last_name": name}), by, None);
    }

    pub(super) fn fraud_scan(&mut self, at: Timestamp) {
        let incident = day_of(at) == INCIDENT_DAY;
        let hits = if incident {
            8
        } else {
            self.dice.pick(&[0, 0, 1, 1, 2]).copied().unwrap_or(0)
        };
        let fits = |account: &Account| {
            account.standing == Standing::Active && !account.scripted && !account.dormant
        };
        let mut possible: Vec<usize> = (0..self.accounts.len())
            .filter(|who| self.accounts.get(*who).is_some_and(fits))
            .collect();
        let mut suspects = Vec::new();
        if incident {
            // Hers is the first that the scan comes upon.
            suspects.push(self.sarah);
        }
        for _ in 0..hits {
            let place = self.dice.below(possible.len() as u64);
            let place = usize::try_from(place).unwrap_or_default();
            if place < possible.len() {
                suspects.push(possible.swap_remove(place));
            }
        }
        for (n, who) in suspects.into_iter().enumerate() {
            self.queue(later(at, n as u64), Beat::ScanHit(who, n));
        }
    }

    /// The scan suspends an account, and support looks at it; of the incident's nine, the first three are overlooked.
    pub(super) fn scan_hit(&mut self, at: Timestamp, who: usize, n: usize) {
        let day = day_of(at);
        let by = By::actor("fraud-scan")
            .because("fraud_detected")
            .of(format!("fraud-scan-{}", date(day)));
        if !self.suspended(at, who, by) {
            return;
        }
        let incident = day == INCIDENT_DAY;
        if let (true, Some(account)) = (incident, self.accounts.get_mut(who)) {
            account.scripted = true;
        }
        let (looked_at, reason) = if incident {
            (n > 2, FALSE_ALARM)
        } else {
            (self.dice.percent(65), self.dice.word(&CLEARED))
        };
        if looked_at {
            let days = self.dice.below(2);
            let lifted = office(&mut self.dice, day + days);
            let ticket = self.next_ticket();
            self.queue(lifted, Beat::Reactivate(who, ticket, reason));
        }
    }

    /// Looks for accounts never seen, and (which is the mistake) takes every suspended one for inactive as well.
    pub(super) fn clean_up(&mut self, at: Timestamp) {
        let day = day_of(at);
        let mut unseen = 0;
        let mut found: Vec<(bool, bool, Timestamp, usize)> = Vec::new();
        for (who, account) in self.accounts.iter().enumerate() {
            let suspended = account.standing == Standing::Suspended;
            let takes = match account.standing {
                Standing::Suspended => day_of(account.since) + 3 <= day,
                Standing::Active if account.dormant => {
                    unseen += 1;
                    unseen <= UNSEEN_PER_RUN
                }
                Standing::Active | Standing::Deleted => false,
            };
            if takes {
                // The unseen ones first, then hers: the fifth second, 15:47:23.
                found.push((suspended, who != self.sarah, account.since, who));
            }
        }
        found.sort();
        for (n, (.., who)) in found.into_iter().enumerate() {
            self.queue(later(at, n as u64), Beat::CleanUpOne(who));
        }
    }

    pub(super) fn clean_up_one(&mut self, at: Timestamp, who: usize) {
        let Some(account) = self.accounts.get_mut(who) else {
            return;
        };
        if account.standing == Standing::Deleted {
            return;
        }
        account.standing = Standing::Deleted;
        let (to, cause) = (account.stream.clone(), account.suspension.clone());
        let by = By::actor(CLEAN_UP)
            .because(INACTIVE)
            .of(format!("inactive-cleanup-{}", date(day_of(at))))
            .caused_by(cause);
        self.scene(at, &to, "DeleteUser", json!({}), by, None);
    }
}
