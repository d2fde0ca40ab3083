//! Queries: what is found, in which order, in which pages.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

use whodunit_core::search::Search;

fn query() -> DocumentQuery {
    DocumentQuery {
        limit: 1_000,
        ..DocumentQuery::default()
    }
}

fn field(projection: &dyn Projection, name: &str, value: &str) -> (Field, String) {
    let fields = projection.fields().iter();
    let field = fields.clone().find(|field| field.name == name).unwrap();
    (*field, (field.wanted)(value))
}

async fn keys(projections: &Projections, name: &str, query: DocumentQuery) -> Vec<String> {
    let page = projections.query(name, query).await.unwrap();
    assert_eq!(page.next_cursor, None);
    page.items.into_iter().map(|item| item.key).collect()
}

/// All pages of a query, each of a few documents.
async fn by_pages(projections: &Projections, name: &str, query: &DocumentQuery) -> Vec<String> {
    let mut query = query.clone();
    let mut keys = Vec::new();
    loop {
        query.limit = 1 + keys.len() % 4;
        let page = projections.query(name, query.clone()).await.unwrap();
        assert!(page.items.len() <= query.limit);
        keys.extend(page.items.into_iter().map(|item| item.key));
        match page.next_cursor {
            None => return keys,
            Some(text) => query.cursor = Some(query.read_cursor(&text).unwrap()),
        }
    }
}

async fn people(store: &Arc<dyn Store>) {
    for (name, first, last) in [
        ("Sarah", "Sarah", "Ko"),
        ("osara", "O", "Sara"),
        ("bob", "Bob", "Zimmer"),
        ("eve", "sarah", "ko"),
    ] {
        let mut event = created(name);
        event.data =
            json!({"username": name, "email": format!("{name}@Example.com"), "first_name": first,
            "last_name": last, "password_hash": SECRET})
            .into();
        append(store, &format!("user-{name}"), vec![event]).await;
    }
    append(
        store,
        "user-eve",
        vec![NewEvent::new("UserSuspended", json!({}))],
    )
    .await;
    append(
        store,
        "door-1",
        vec![NewEvent::new(
            "Opened",
            json!({"n": 1, "by": {"who": "Sarah", "tags": ["red", "In"]}, "a/b": "x=y"}),
        )],
    )
    .await;
    append(
        store,
        "doorman-1",
        vec![NewEvent::new("Hired", json!({"n": 1.0}))],
    )
    .await;
}

#[tokio::test]
async fn users_are_found_by_what_they_are_called() {
    let store = store();
    let projections = start(&store);
    people(&store).await;
    level(&projections, &store).await;
    let by_field = |name, value| {
        let query = DocumentQuery {
            fields: vec![field(&Users, name, value)],
            ..query()
        };
        keys(&projections, "users", query)
    };
    assert_eq!(by_field("username", "SARAH").await, ["user-Sarah"]);
    assert_eq!(by_field("email", " bob@example.COM").await, ["user-bob"]);
    assert_eq!(
        by_field("name", "sarah KO").await,
        ["user-Sarah", "user-eve"]
    );
    assert_eq!(by_field("status", "suspended").await, ["user-eve"]);
    assert!(by_field("status", "Suspended").await.is_empty());
    assert!(by_field("username", "sara").await.is_empty());
    let text = |text: &str| {
        let query = DocumentQuery {
            text: Search::new(text),
            ..query()
        };
        keys(&projections, "users", query)
    };
    assert_eq!(text("SARA").await, ["user-Sarah", "user-eve", "user-osara"]);
    assert_eq!(text("bob zim").await, ["user-bob"]);
    // Neither a status nor a time is a text that people are looked for by, and a secret is not there at all.
    for nothing in ["active", "2025", "argon2", "redacted"] {
        assert!(text(nothing).await.is_empty(), "{nothing}");
    }
    let both = DocumentQuery {
        fields: vec![
            field(&Users, "name", "sarah ko"),
            field(&Users, "status", "active"),
        ],
        sort: Some("created_at"),
        ..query()
    };
    assert_eq!(keys(&projections, "users", both).await, ["user-Sarah"]);
}

#[tokio::test]
async fn states_are_found_by_category_and_by_any_field() {
    let store = store();
    let projections = start(&store);
    people(&store).await;
    level(&projections, &store).await;
    let filter = |pointer: &str, value: Value| {
        let query = DocumentQuery {
            filters: vec![Filter {
                pointer: pointer.to_owned(),
                value,
            }],
            ..query()
        };
        keys(&projections, "states", query)
    };
    assert_eq!(filter("/n", json!(1)).await, ["door-1", "doorman-1"]);
    assert_eq!(filter("/n", json!(1.0)).await, ["door-1", "doorman-1"]);
    assert!(filter("/n", json!("1")).await.is_empty());
    assert_eq!(filter("/by/who", json!("Sarah")).await, ["door-1"]);
    assert_eq!(filter("/by/tags/1", json!("In")).await, ["door-1"]);
    assert_eq!(filter("/a~1b", json!("x=y")).await, ["door-1"]);
    assert_eq!(filter("/status", json!("suspended")).await, ["user-eve"]);
    assert_eq!(filter("/n", Value::Null).await.len(), 4);
    // A state is searched as it is shown: no filter can guess at a secret.
    assert!(filter("/password_hash", json!(SECRET)).await.is_empty());
    assert_eq!(filter("/password_hash", json!("[redacted]")).await.len(), 4);
    let category = |category: &str, sort| {
        let query = DocumentQuery {
            category: Some(category.to_owned()),
            sort,
            ..query()
        };
        keys(&projections, "states", query)
    };
    for sort in [None, Some("key"), Some("position")] {
        assert_eq!(category("door", sort).await, ["door-1"]);
        assert_eq!(category("user", sort).await.len(), 4);
        assert!(category("doo", sort).await.is_empty());
    }
    let text = DocumentQuery {
        text: Search::new("SARAH"),
        ..query()
    };
    assert_eq!(
        keys(&projections, "states", text).await,
        ["door-1", "user-Sarah", "user-eve"]
    );
}

#[tokio::test]
async fn every_order_is_the_one_it_says_in_pages_of_any_size() {
    let store = store();
    let projections = start(&store);
    people(&store).await;
    let mut random = Random(11);
    history(&store, &mut random, 80).await;
    level(&projections, &store).await;
    for projection in both() {
        let name = projection.name();
        let all = documents(&read_view(&projections, name));
        let names = std::iter::once(None).chain(projection.sorts().iter().map(Some));
        for sort in names {
            let mut wanted: Vec<_> = all.iter().collect();
            if let Some(sort) = sort {
                wanted.sort_by_key(|(key, document)| {
                    (
                        (sort.value)(&document.state, document.position),
                        (*key).clone(),
                    )
                });
            }
            let mut wanted: Vec<_> = wanted.into_iter().map(|(key, _)| key.clone()).collect();
            for order in [Direction::Forward, Direction::Backward] {
                let query = DocumentQuery {
                    sort: sort.map(|sort| sort.name),
                    order,
                    ..query()
                };
                assert_eq!(by_pages(&projections, name, &query).await, wanted);
                wanted.reverse();
            }
        }
    }
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_other_documents_change() {
    let store = store();
    let projections = start(&store);
    let mut random = Random(12);
    for n in 0..100 {
        user(&store, &format!("u{n:04}")).await;
    }
    level(&projections, &store).await;
    let mut query = DocumentQuery {
        sort: Some("username"),
        limit: 7,
        ..query()
    };
    let mut seen = Vec::new();
    loop {
        let page = projections.query("users", query.clone()).await.unwrap();
        seen.extend(page.items.into_iter().map(|item| item.key));
        let Some(text) = page.next_cursor else { break };
        query.cursor = Some(query.read_cursor(&text).unwrap());
        for _ in 0..5 {
            let n = random.below(100);
            let change = json!({"email": format!("new{n}@x.org")});
            let events = vec![NewEvent::new("UserEmailChanged", change)];
            append(&store, &format!("user-u{n:04}"), events).await;
            user(&store, &format!("x{}", random.next())).await;
        }
        level(&projections, &store).await;
    }
    let old: Vec<_> = seen
        .iter()
        .filter(|key| key.starts_with("user-u"))
        .cloned()
        .collect();
    let wanted: Vec<_> = (0..100).map(|n| format!("user-u{n:04}")).collect();
    assert_eq!(old, wanted);
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
}

#[tokio::test]
async fn a_cursor_is_of_its_list() {
    let sorted = DocumentQuery {
        sort: Some("username"),
        ..query()
    };
    let cursor = sorted.read_cursor("fusername:7.736172:user-x:y").unwrap();
    assert_eq!(sorted.cursor_text(&cursor), "fusername:7.736172:user-x:y");
    for bad in [
        "",
        "fkey::user-1",
        "busername:73:k",
        "fusername:7:k",
        "fusername:xx:k",
        "fusername:73",
    ] {
        assert_eq!(sorted.read_cursor(bad), None, "{bad}");
    }
    let fielded = DocumentQuery {
        fields: vec![field(&Users, "email", "a@b.c")],
        ..query()
    };
    assert!(fielded.read_cursor("femail:0.61:user-1").is_some());
}

#[tokio::test]
async fn long_values_are_found_although_their_index_is_cut() {
    let store = store();
    let projections = start(&store);
    let long = "ü".repeat(400);
    for end in ["a", "b"] {
        let name = format!("{long}{end}");
        append(&store, &format!("user-{end}"), vec![created(&name)]).await;
    }
    level(&projections, &store).await;
    let query = DocumentQuery {
        fields: vec![field(&Users, "username", &format!("{long}B"))],
        ..query()
    };
    assert_eq!(keys(&projections, "users", query).await, ["user-b"]);
}

#[tokio::test]
async fn pages_have_every_document_once_in_the_first_pages_order_whatever_changes_meanwhile() {
    let store = store();
    let projections = start(&store);
    let mut seed = 11_u64;
    let mut random = move |below: u64| {
        // A linear congruential generator does: the seed is fixed, and every run the same.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for n in 0..25 {
        append(
            &store,
            &format!("user-{n}"),
            vec![created(&format!("u{n}"))],
        )
        .await;
    }
    let mut users = 25;
    let sorts = ["position", "email", "name", "status", "username"];
    for round in 0..20 {
        level(&projections, &store).await;
        let mut query = DocumentQuery {
            sort: Some(sorts[round % sorts.len()]),
            order: [Direction::Forward, Direction::Backward][(round / sorts.len()) % 2],
            ..query()
        };
        let expected = keys(&projections, "users", query.clone()).await;
        assert_eq!(expected.len() as u64, users);
        let mut found = Vec::new();
        loop {
            query.limit = usize::try_from(1 + random(7)).unwrap();
            let page = projections.query("users", query.clone()).await.unwrap();
            found.extend(page.items.into_iter().map(|item| item.key));
            let Some(text) = page.next_cursor else { break };
            query.cursor = Some(query.read_cursor(&text).unwrap());
            for _ in 0..random(5) {
                let (stream, value) = (format!("user-{}", random(users)), random(1_000));
                let event = match random(5) {
                    0 => (
                        "UserEmailChanged",
                        json!({"email": format!("{value}@example.com")}),
                    ),
                    1 => (
                        "UserNameChanged",
                        json!({"first_name": format!("n{value}")}),
                    ),
                    2 => ("UserSuspended", json!({"reason": "r"})),
                    3 => ("UserReactivated", json!({})),
                    _ => {
                        let name = format!("u{users}");
                        append(&store, &format!("user-{users}"), vec![created(&name)]).await;
                        users += 1;
                        continue;
                    }
                };
                let event = NewEvent::new(event.0, whodunit_core::json::Json::from(event.1));
                append(&store, &stream, vec![event]).await;
            }
            level(&projections, &store).await;
        }
        assert_eq!(
            found, expected,
            "round {round}: {:?} {:?}",
            query.sort, query.order
        );
    }
}
