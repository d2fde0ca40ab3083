//! What a what-if should come to: edits, actions and what was recorded, one after another.

use serde_json::Value;

use super::{Base, Happening, Log, Password, User, text};

/// What came of a step that an edit or an action made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) kind: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) rule: Option<&'static str>,
    pub(crate) revision: usize,
    /// Times of its events.
    pub(crate) at: Vec<i64>,
}

/// What is left when all is done.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) base: Base,
    pub(crate) steps: Vec<Step>,
    pub(crate) user: User,
    pub(crate) revision: usize,
    pub(crate) actual: (usize, User),
    pub(crate) first_divergence: Option<usize>,
}

struct Run<'a> {
    log: &'a Log,
    stream: &'a str,
    base: Base,
    user: User,
    story: Vec<Happening>,
    steps: Vec<Step>,
}

/// Evaluates a request by brute force: what should come out, or the code of the refusal.
pub(crate) fn evaluate(log: &Log, request: &Value) -> Result<Expected, &'static str> {
    let stream = request["stream"].as_str().unwrap();
    let base = log.base(stream, request)?;
    let refold = request["continue"] == "refold";
    let recorded: Vec<Happening> = log.of(stream).map(|event| event.what.clone()).collect();
    let last = if refold {
        recorded.len()
    } else {
        base.revision
    };
    let edits = Edits::read(request, last)?;
    let mut run = Run {
        log,
        stream,
        base,
        user: User::default(),
        story: Vec::new(),
        steps: Vec::new(),
    };
    run.insert(&edits, 0);
    for revision in 1..=base.revision {
        run.recorded(&edits, revision, &recorded[revision - 1]);
    }
    for action in request["do"].as_array().unwrap() {
        match &action["command"] {
            Value::Null => run.event(&action["event"])?,
            command => run.command(command, &request["password_correct"])?,
        }
    }
    for revision in base.revision + 1..=last {
        run.recorded(&edits, revision, &recorded[revision - 1]);
    }
    let first = (0..run.story.len().max(last)).find(|&index| {
        match (run.story.get(index), recorded[..last].get(index)) {
            (Some(a), Some(b)) => !a.same(b),
            _ => true,
        }
    });
    Ok(Expected {
        base,
        steps: run.steps,
        user: run.user,
        revision: run.story.len(),
        actual: (last, log.user(stream, last)),
        first_divergence: first.map(|index| index + 1),
    })
}

struct Edits<'a> {
    dropped: Vec<usize>,
    replaced: Vec<(usize, &'a Value)>,
    inserted: Vec<(usize, &'a str, &'a Value)>,
}

impl<'a> Edits<'a> {
    fn read(request: &'a Value, last: usize) -> Result<Self, &'static str> {
        let mut edits = Self {
            dropped: Vec::new(),
            replaced: Vec::new(),
            inserted: Vec::new(),
        };
        let mut edited = Vec::new();
        for edit in request["edits"].as_array().unwrap() {
            let (name, edit) = edit.as_object().unwrap().iter().next().unwrap();
            let field = if name == "insert" {
                "after_revision"
            } else {
                "revision"
            };
            let revision = usize::try_from(edit[field].as_u64().unwrap()).unwrap();
            let exists = revision <= last && (revision > 0 || name == "insert");
            if !exists || (name != "insert" && edited.contains(&revision)) {
                return Err("bad_edit");
            }
            match name.as_str() {
                "insert" => {
                    let kind = edit["event_type"].as_str().unwrap();
                    edits.inserted.push((revision, kind, &edit["data"]));
                    continue;
                }
                "drop" => edits.dropped.push(revision),
                _ => edits.replaced.push((revision, &edit["data"])),
            }
            edited.push(revision);
        }
        Ok(edits)
    }
}

impl Run<'_> {
    fn apply(&mut self, kind: &'static str, event: Happening, shown: bool) {
        let applied = self.user.apply(&event);
        let at = vec![event.at];
        self.story.push(event);
        if shown {
            let outcome = if applied { "applied" } else { "failed" };
            self.step(kind, outcome, None, at);
        }
    }

    fn step(
        &mut self,
        kind: &'static str,
        outcome: &'static str,
        rule: Option<&'static str>,
        at: Vec<i64>,
    ) {
        let revision = self.story.len();
        self.steps.push(Step {
            kind,
            outcome,
            rule,
            revision,
            at,
        });
    }

    fn recorded(&mut self, edits: &Edits<'_>, revision: usize, event: &Happening) {
        if edits.dropped.contains(&revision) {
            self.step("recorded", "dropped", None, Vec::new());
        } else if let Some((_, data)) = edits.replaced.iter().find(|edit| edit.0 == revision) {
            let event = Happening::new(&event.kind, (*data).clone(), event.at);
            self.apply("recorded", event, true);
        } else {
            self.apply("recorded", event.clone(), false);
        }
        self.insert(edits, revision);
    }

    fn insert(&mut self, edits: &Edits<'_>, after: usize) {
        let at = if after == self.base.revision {
            self.base.at
        } else {
            self.log.effective(self.stream, after)
        };
        for (_, kind, data) in edits.inserted.iter().filter(|edit| edit.0 == after) {
            self.apply("event", Happening::new(kind, (*data).clone(), at), true);
        }
    }

    fn event(&mut self, event: &Value) -> Result<(), &'static str> {
        let held = self.user.keys();
        let kind = event["event_type"].as_str().unwrap();
        self.apply(
            "event",
            Happening::new(kind, event["data"].clone(), self.base.at),
            true,
        );
        let taken = |key: &(&'static str, u8)| self.log.held(*key, self.stream, self.base.moment);
        let mut new = self
            .user
            .keys()
            .into_iter()
            .filter(|key| !held.contains(key));
        if new.any(|key| taken(&key)) {
            Err("key_taken")
        } else {
            Ok(())
        }
    }

    fn command(&mut self, command: &Value, general: &Value) -> Result<(), &'static str> {
        match &command["expected_revision"] {
            Value::Null => {}
            Value::String(none) if none == "no_stream" && self.story.is_empty() => {}
            wanted if wanted.as_u64() == Some(self.story.len() as u64) => {}
            _ => return Err("wrong_revision"),
        }
        let supposed = command["password_correct"].as_bool().or(general.as_bool());
        let outcome = decide(&self.user, command, supposed, self.base.at);
        let event = match outcome {
            Ok(event) => event,
            Err("unknown") => {
                self.step("command", "unknown", None, Vec::new());
                return Ok(());
            }
            Err(rule) => {
                self.step("command", "rejected", Some(rule), Vec::new());
                return Ok(());
            }
        };
        let held = self.user.keys();
        let mut after = self.user.clone();
        after.apply(&event);
        for key in after.keys().into_iter().filter(|key| !held.contains(key)) {
            if self.log.held(key, self.stream, self.base.moment) {
                let rule = if key.0 == "email" {
                    "email.taken"
                } else {
                    "username.taken"
                };
                self.step("command", "rejected", Some(rule), Vec::new());
                return Ok(());
            }
        }
        let payload = &command["payload"];
        match command["type"].as_str().unwrap() {
            "CreateUser" => after.password = Password::Supposed(text(payload, "password").unwrap()),
            "ChangePassword" => {
                after.password = Password::Supposed(text(payload, "new_password").unwrap());
            }
            _ => {}
        }
        self.user = after;
        let at = event.at;
        self.story.push(event);
        self.step("command", "accepted", None, vec![at]);
        Ok(())
    }
}

/// The rules of users, as far as the commands of these tests meet them.
fn decide(
    user: &User,
    command: &Value,
    supposed: Option<bool>,
    at: i64,
) -> Result<Happening, &'static str> {
    let (payload, reason) = (&command["payload"], &command["reason"]);
    let made = |kind: &str, data: Value| Ok(Happening::new(kind, data, at));
    let exists = user.username.is_some();
    let kind = command["type"].as_str().unwrap();
    if kind == "CreateUser" {
        if exists {
            return Err("user.exists");
        }
        let mut data = payload.clone();
        data.as_object_mut().unwrap().shift_remove("password");
        data["password_hash"] = "x".into();
        let unique = true;
        return Ok(Happening {
            unique,
            ..Happening::new("UserCreated", data, at)
        });
    }
    match (exists, user.status) {
        (false, _) => return Err("user.not_found"),
        (true, Some("deleted")) if kind == "DeleteUser" => return Err("user.already_deleted"),
        (true, Some("deleted")) => return Err("user.deleted"),
        _ => {}
    }
    let suspended = user.status == Some("suspended");
    match kind {
        "DeleteUser" | "SuspendUser" if kind == "SuspendUser" && suspended => Err("user.suspended"),
        "DeleteUser" | "SuspendUser" if reason.is_null() => Err("reason.required"),
        "DeleteUser" => made("UserDeleted", serde_json::json!({ "reason": reason })),
        "SuspendUser" => made("UserSuspended", serde_json::json!({ "reason": reason })),
        "ReactivateUser" if !suspended => Err("user.not_suspended"),
        "ReactivateUser" => made("UserReactivated", serde_json::json!({})),
        _ if suspended => Err("user.suspended"),
        "ChangeEmail" if user.email == text(payload, "email") => Err("email.unchanged"),
        "ChangeEmail" => made("UserEmailChanged", payload.clone()),
        _ => change_password(user, payload, supposed, at),
    }
}

fn change_password(
    user: &User,
    payload: &Value,
    supposed: Option<bool>,
    at: i64,
) -> Result<Happening, &'static str> {
    let given = |name| text(payload, name).unwrap();
    let (current, new) = (given("current_password"), given("new_password"));
    let (correct, unchanged) = match (&user.password, supposed) {
        (Password::None, _) => (false, false),
        (Password::Supposed(known), _) => (*known == current, *known == new),
        (Password::Recorded, Some(correct)) => (correct, correct && current == new),
        (Password::Recorded, None) => return Err("unknown"),
    };
    match (correct, new.chars().count() < 8) {
        (false, _) => Err("password.incorrect"),
        (true, true) => Err("password.too_short"),
        (true, false) if unchanged => Err("password.unchanged"),
        (true, false) => Ok(Happening {
            unique: true,
            ..Happening::new("UserPasswordChanged", serde_json::json!({}), at)
        }),
    }
}
