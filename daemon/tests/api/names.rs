//! Names that are one name, however they are spelt: who holds them, who gives them up, who may take them.

use serde_json::{Value, json};

use crate::support::{Api, create_user};

fn change_email(email: &str) -> Value {
    json!({"type": "ChangeEmail", "payload": {"email": email}, "actor": "a"})
}

fn one(event_type: &str, data: &Value) -> Value {
    json!({"events": [{"event_type": event_type, "data": data}]})
}

async fn rejected(api: &Api, stream: &str, command: &Value, rule: &str) {
    let problem = api.command(stream, command).await.problem(422, "rejected");
    assert_eq!(problem["rule"], rule, "{command}");
    // The what-if at the head says the same.
    let request =
        json!({"stream": stream, "at_position": api.head().0, "do": [{"command": command}]});
    let reply = api.post("/v1/what-if", &request).await;
    if reply.status == 200 {
        assert_eq!(reply.json()["steps"][0]["rule"], rule, "{command}");
    }
}

#[tokio::test]
async fn another_spelling_of_a_held_name_is_taken() {
    for (name, others) in [
        ("müller", ["MÜLLER", "mu\u{308}ller", "ＭÜller"]),
        ("straße", ["STRASSE", "STRAẞE", "stra\u{17f}\u{17f}e"]),
        ("ﬁnley", ["finley", "FINLEY", "ｆinley"]),
        ("kim", ["\u{212a}im", "ＫＩＭ", "Kim"]),
        ("οδος", ["ΟΔΟΣ", "οδοσ", "Οδος"]),
        (
            "a\u{323}\u{301}na",
            ["a\u{301}\u{323}na", "\u{1ea1}\u{301}na", "\u{e1}\u{323}NA"],
        ),
    ] {
        let api = Api::start();
        let mut first = create_user("holder");
        first["payload"]["username"] = json!(name);
        api.command("user-1", &first).await.ok();
        for other in others {
            let mut second = create_user("second");
            second["payload"]["username"] = json!(other);
            rejected(&api, "user-2", &second, "username.taken").await;
        }
    }
    // A dotless `ı` and a dotted `İ` are letters of their own.
    let api = Api::start();
    for (n, name) in ["ilkay", "ılkay", "İlkay"].into_iter().enumerate() {
        let mut command = create_user(&format!("mail{n}"));
        command["payload"]["username"] = json!(name);
        api.command(&format!("user-{n}"), &command).await.ok();
    }
}

#[tokio::test]
async fn ones_own_email_may_change_its_case() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    api.user("user-2", "bert").await;
    api.command("user-1", &change_email("Sarah@Example.com"))
        .await
        .ok();
    rejected(
        &api,
        "user-1",
        &change_email("Sarah@Example.com"),
        "email.unchanged",
    )
    .await;
    rejected(
        &api,
        "user-2",
        &change_email("SARAH@example.COM"),
        "email.taken",
    )
    .await;
    let state = api.get("/v1/streams/user-1/state").await.ok();
    assert_eq!(state["state"]["email"], "Sarah@Example.com");
}

#[tokio::test]
async fn only_a_live_user_holds_a_name_and_a_deleted_one_does_not_come_back_into_it() {
    let api = Api::start();
    let email = |email: &str| one("UserEmailChanged", &json!({"email": email}));
    // Streams without a user: never one, or of another category.
    api.append("user-ghost", &email("sarah@example.com"))
        .await
        .ok();
    api.append("account-1", &email("sarah@example.com"))
        .await
        .ok();
    api.user("user-1", "sarah").await;
    // The ghost becomes a user: not with that name.
    let ghost = json!({"username": "ghost", "email": "SARAH@example.com", "first_name": "G", "last_name": "H"});
    api.append("user-ghost", &one("UserCreated", &ghost))
        .await
        .problem(409, "key_taken");
    let delete = json!({"type": "DeleteUser", "actor": "a", "reason": "r"});
    api.command("user-1", &delete).await.ok();
    api.append("user-1", &email("other@example.com")).await.ok();
    // Free, in any spelling, and then held again.
    let mut again = create_user("SARAH");
    again["payload"]["email"] = json!("Other@example.com");
    api.command("user-2", &again).await.ok();
    rejected(&api, "user-3", &create_user("sarah"), "username.taken").await;
    // What is deleted cannot live again under a name that has gone to another.
    api.append("user-1", &one("UserReactivated", &json!({})))
        .await
        .problem(409, "key_taken");
    api.command("user-2", &delete).await.ok();
    api.append("user-1", &one("UserReactivated", &json!({})))
        .await
        .ok();
    rejected(&api, "user-3", &create_user("Sarah"), "username.taken").await;
}

#[tokio::test]
async fn what_cannot_be_told_apart_by_eye_is_refused() {
    let api = Api::start();
    for name in [
        "sa\u{200b}rah",
        "sa\u{200d}rah",
        "sarah\u{fe0f}",
        "sar\u{e0100}ah",
        "sa\u{180e}rah",
        "sa\u{2060}rah",
        "sar\u{34f}ah",
        "\u{61c}sarah",
        "sa\u{206a}rah",
        "s\u{430}rah",
        "sаrаh",
        "ѕarah",
        "Ꭺnna",
        "αnna",
        "s\u{251}rah",
        "ᏣᎳᎩ",
        "sarah\u{a0}k",
        "sarah\u{3000}k",
        "\u{2800}\u{2800}\u{2800}",
        "sa\u{ad}rah",
    ] {
        let mut command = create_user("plain");
        command["payload"]["username"] = json!(name);
        rejected(&api, "user-1", &command, "username.invalid").await;
        let mut command = create_user("plain");
        command["payload"]["email"] = json!(format!("{name}@example.com"));
        rejected(&api, "user-1", &command, "email.invalid").await;
    }
}
