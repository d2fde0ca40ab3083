//! Names and addresses: which are malformed, deceiving, or the same; who holds their keys.

use super::*;

#[test]
fn keys_follow_the_live_user() {
    let accepted = run(
        &[created()],
        "ChangeEmail",
        json!({"email": "SK@new.org"}),
        None,
    )
    .unwrap();
    let change = |email: &str, taken| KeyChange {
        event: 0,
        key: UniqueKey::caseless("email", email),
        taken,
    };
    assert_eq!(
        accepted.keys,
        [
            change("sarah@example.com", false),
            change("sk@new.org", true)
        ]
    );
    let accepted = run(&[created()], "DeleteUser", json!({}), Some("asked")).unwrap();
    assert_eq!(accepted.keys.len(), 2);
    assert!(accepted.keys.iter().all(|change| !change.taken));
    // Only the spelling changes: the key stays held, so nothing is claimed that could be taken in between.
    let accepted = run(
        &[created()],
        "ChangeEmail",
        json!({"email": "Sarah@Example.com"}),
        None,
    )
    .unwrap();
    assert_eq!(accepted.keys, []);
}

#[test]
fn addresses_are_told_from_nonsense() {
    let invalid = [
        "",
        "@",
        "a@b",
        "a b@c.de",
        "a@b..de",
        "a@-b.de",
        "a@b-.de",
        ".a@b.de",
        "a.@b.de",
        "a@@b.de",
        "a@b.de\n",
        "\u{1b}[2J@b.de",
    ];
    let mut payload = Map::new();
    for (address, rule) in invalid
        .into_iter()
        .map(|a| (a, "email.invalid"))
        .chain([("o'brien+x@sub.example.co.uk", "")])
    {
        payload.insert("email".to_owned(), address.into());
        let answer = run(
            &[created()],
            "ChangeEmail",
            Value::Object(payload.clone()),
            None,
        )
        .map(drop);
        // Surrounding white space is trimmed, so that one is fine.
        let expected = if rule.is_empty() || address == "a@b.de\n" {
            Ok(())
        } else {
            Err(rule.to_owned())
        };
        assert_eq!(answer, expected, "{address:?}");
    }
}

#[test]
fn only_a_live_user_holds_keys() {
    let model = users();
    let keys = |given: &[(&str, Value)]| {
        let state = fold(&model, &history(given)).state;
        let keys = model.unique_keys(&state);
        keys.into_iter().map(|key| key.value).collect::<Vec<_>>()
    };
    let change = |email: &str| ("UserEmailChanged", json!({"email": email}));
    assert_eq!(keys(&[change("x@y.org")]), [""; 0], "there is no user");
    assert_eq!(keys(&[created()]), ["sarah", "sarah@example.com"]);
    let suspended = ("UserSuspended", json!({}));
    let deleted = ("UserDeleted", json!({}));
    let revived = ("UserReactivated", json!({}));
    assert_eq!(keys(&[created(), suspended]).len(), 2);
    assert_eq!(keys(&[created(), deleted.clone()]), [""; 0]);
    let after_deletion = [created(), deleted.clone(), change("x@y.org")];
    assert_eq!(keys(&after_deletion), [""; 0]);
    assert_eq!(keys(&[created(), deleted, revived]).len(), 2);
}

#[test]
fn names_that_read_alike_are_one_name() {
    let key = |text: &str| UniqueKey::caseless("username", text);
    for (a, b) in [
        ("ΟΣ", "οσ"),
        ("ΟΣ", "ος"),
        ("José", "JOSE\u{301}"),
        ("Straße", "STRASSE"),
        ("ﬁn", "fin"),
        (" Ｓａｒａｈ", "sarah"),
        ("ᏣᎳᎩ", "ꮳꮃꭹ"),
        ("\u{212a}im", "kim"),
        ("a\u{323}\u{301}", "a\u{301}\u{323}"),
    ] {
        assert_eq!(key(a), key(b), "{a} {b}");
    }
    for (a, b) in [("jose", "josé"), ("ilk", "ılk"), ("ilk", "İlk")] {
        assert_ne!(key(a), key(b), "{a} {b}");
    }
}

#[test]
fn names_that_deceive_a_reader_are_refused() {
    for name in ["sa\u{200b}rah", "s\u{430}rah", "\u{3164}\u{3164}\u{3164}"] {
        let payload = create_payload(name, "a@b.org", "password");
        assert_eq!(
            run(&[], "CreateUser", payload, None).unwrap_err(),
            "username.invalid"
        );
    }
    for email in [
        "s\u{430}rah@b.org",
        "a@b\u{3164}.org",
        "a@ex\u{430}mple.org",
    ] {
        let payload = create_payload("sarah", email, "password");
        assert_eq!(
            run(&[], "CreateUser", payload, None).unwrap_err(),
            "email.invalid"
        );
        let change = run(&[created()], "ChangeEmail", json!({"email": email}), None);
        assert_eq!(change.unwrap_err(), "email.invalid");
    }
    for email in ["josé@b.org", "jose\u{301}@b.org", "sarah@münchen.example"] {
        let payload = create_payload("sarah", email, "password");
        assert!(run(&[], "CreateUser", payload, None).is_ok(), "{email}");
    }
}
