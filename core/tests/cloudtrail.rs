//! The mapping for AWS `CloudTrail`, on a few invented records and, where it is at hand, on a real day's 2,900.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test: the lints know `#[test]` functions only, not their helpers"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::mapping::{Applied, Mapped, Mapping};
use whodunit_core::merge;

fn mapping() -> Mapping {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tui/mappings/cloudtrail.toml");
    Mapping::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn map_all(mapping: &Mapping, records: &[Value]) -> (Vec<Mapped>, usize) {
    let mut mapped = Vec::new();
    let mut skipped = 0;
    for (index, record) in records.iter().enumerate() {
        match mapping.apply(record) {
            Ok(Applied::Mapped(event)) => mapped.push(*event),
            Ok(Applied::Unmatched | Applied::Skipped(_)) => skipped += 1,
            Err(error) => panic!("line {}: {error}", index + 1),
        }
    }
    (mapped, skipped)
}

/// The events of a stream as the log would hold them.
fn stream(mapped: &[Mapped], name: &str) -> Vec<Event> {
    mapped
        .iter()
        .filter(|m| m.stream.as_str() == name)
        .enumerate()
        .map(|(index, m)| {
            let new = m.event.clone();
            Event {
                position: Position(index as u64 + 1),
                stream: m.stream.clone(),
                revision: Revision(index as u64 + 1),
                event_id: new.event_id.unwrap(),
                event_type: new.event_type,
                schema_version: 1,
                recorded_at: new.recorded_at.unwrap(),
                actor: new.actor,
                reason: new.reason,
                correlation_id: new.correlation_id,
                causation_id: new.causation_id,
                data: new.data,
                metadata: new.metadata,
            }
        })
        .collect()
}

/// The state after each event.
fn states(events: &[Event]) -> Vec<Value> {
    let model = merge::model();
    let mut folded = Folded::start(&model);
    events
        .iter()
        .map(|event| {
            folded.push(&model, event);
            Value::Object(folded.state.clone())
        })
        .collect()
}

fn types(events: &[Event]) -> Vec<&str> {
    events.iter().map(|e| e.event_type.as_str()).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_user_lives_and_dies_and_a_refused_call_changes_nothing() {
    let records = lines(include_str!("fixtures/cloudtrail-sample.ndjson"));
    let (mapped, skipped) = map_all(&mapping(), &records);
    assert_eq!((mapped.len(), skipped), (10, 1));

    let bob = stream(&mapped, "iamuser-bob");
    assert_eq!(
        types(&bob),
        [
            "CreateUser",
            "AttachUserPolicy",
            "DeleteUserRefused",
            "DetachUserPolicy",
            "DeleteUser"
        ]
    );
    assert_eq!(bob[0].actor.as_deref(), Some("ops/alice"));
    assert_eq!(bob[4].actor.as_deref(), Some("cleanup/nightly"));
    assert_eq!(
        bob[4].metadata.as_ref().unwrap().to_value()["source_address"],
        "198.51.100.9"
    );
    assert_eq!(bob[4].correlation_id.as_deref(), Some("r-6"));

    let refused = &bob[2];
    assert_eq!(
        refused.reason.as_deref(),
        Some("DeleteConflict: Cannot delete entity, must detach all policies first.")
    );
    assert_eq!(
        refused.metadata.as_ref().unwrap().to_value()["outcome"],
        "refused"
    );
    let states = states(&bob);
    assert_eq!(states[1], states[2]);
    assert_eq!(
        states[1]["policies"],
        json!({"ReadOnlyAccess": "arn:aws:iam::aws:policy/ReadOnlyAccess"})
    );
    assert_eq!(states[3]["policies"], json!({}));
    assert_eq!(states[3]["status"], "active");
    assert_eq!(
        (
            states[4]["status"].as_str(),
            states[4]["deleted_at"].as_str()
        ),
        (Some("deleted"), Some("2024-05-02T09:00:02Z"))
    );
}

#[test]
fn other_resources_have_streams_of_their_own() {
    let records = lines(include_str!("fixtures/cloudtrail-sample.ndjson"));
    let (mapped, _) = map_all(&mapping(), &records);

    let instance = stream(&mapped, "instance-i-0abc");
    assert_eq!(
        instance[0].actor.as_deref(),
        Some("autoscaling.amazonaws.com")
    );
    assert_eq!(states(&instance)[0]["type"], "t3.micro");

    let service = stream(&mapped, "service-ec2");
    assert_eq!(
        types(&service),
        ["RunInstancesRefused", "EnableSerialConsoleAccess"]
    );
    assert_eq!(
        service[0].reason.as_deref(),
        Some("Client.InstanceLimitExceeded: no message")
    );
    assert_eq!(service[1].actor.as_deref(), Some("root"));

    let signin = stream(&mapped, "signin-bob");
    assert_eq!(types(&signin), ["ConsoleLoginRefused"]);
    assert_eq!(signin[0].reason.as_deref(), Some("Failed authentication"));

    let parameter = stream(&mapped, "parameter-/shop/db-password");
    assert_eq!(states(&parameter)[0]["version"], 3);
    assert!(!parameter[0].data.as_str().contains("HIDDEN"));
}

/// The real file: `cloudtrail-2023-07-10.ndjson` in `$WHODUNIT_TEST_DATA` or in `shared/data` beside the repository.
fn real_records() -> Option<Vec<Value>> {
    let folder = std::env::var_os("WHODUNIT_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join("cloudtrail-2023-07-10.ndjson");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(lines(&text)),
        Err(error) => {
            println!(
                "skipped: {}: {error}; set WHODUNIT_TEST_DATA to its folder",
                path.display()
            );
            None
        }
    }
}

#[test]
fn every_write_of_a_real_day_is_in_a_stream() {
    let Some(records) = real_records() else {
        return;
    };
    let mapping = mapping();
    let (mapped, skipped) = map_all(&mapping, &records);
    assert_eq!((records.len(), mapped.len(), skipped), (2900, 574, 2326));

    let ids: BTreeSet<_> = mapped.iter().map(|m| m.event.event_id.clone()).collect();
    assert_eq!(ids.len(), 574);
    let refused: Vec<_> = mapped
        .iter()
        .filter(|m| m.event.event_type.ends_with("Refused"))
        .collect();
    assert_eq!(refused.len(), 94);
    assert!(refused.iter().all(|m| m.event.data.as_str() == "{}"));

    // Calls that name no resource: throttled before their parameters were read, refused before there was one, or about
    // the account as a whole.
    let mut unnamed = BTreeMap::new();
    for m in mapped.iter().filter(|m| m.stream.category() == "service") {
        *unnamed
            .entry((m.stream.as_str(), m.event.event_type.as_str()))
            .or_insert(0) += 1;
    }
    let expected = [
        (("service-ec2", "CreateVpcRefused"), 3),
        (("service-ec2", "RunInstancesRefused"), 6),
        (("service-organizations", "LeaveOrganizationRefused"), 1),
        (("service-ssm", "DeleteParameterRefused"), 38),
        (("service-ssm", "PutParameterRefused"), 25),
    ];
    assert_eq!(unnamed, BTreeMap::from(expected));

    // Nothing changes a state by a rule that knows no better.
    let names: Vec<_> = mapping.rules().collect();
    let vague: BTreeSet<_> = mapped
        .iter()
        .filter(|m| names[m.rule].ends_with("other changes"))
        .map(|m| m.event.event_type.as_str())
        .collect();
    assert_eq!(vague, BTreeSet::new());
    let categories: BTreeSet<_> = mapped.iter().map(|m| m.stream.category()).collect();
    assert_eq!(categories.len(), 32, "{categories:?}");
}

#[test]
fn no_secret_of_a_real_day_gets_into_the_log() {
    let Some(records) = real_records() else {
        return;
    };
    let (mapped, _) = map_all(&mapping(), &records);
    let mut words = vec!["secretAccessKey", "sessionToken", "BEGIN CERTIFICATE"];
    let tokens: Vec<&str> = records
        .iter()
        .filter_map(|r| {
            r.pointer("/responseElements/credentials/sessionToken")?
                .as_str()
        })
        .collect();
    assert!(!tokens.is_empty());
    words.extend(tokens);
    for m in &mapped {
        let text = serde_json::to_string(&m.event).unwrap();
        assert!(!words.iter().any(|word| text.contains(word)), "{text}");
        assert!(!m.event.data.as_str().contains("HIDDEN"), "{text}");
    }
}

#[test]
fn who_deleted_the_malicious_user() {
    let Some(records) = real_records() else {
        return;
    };
    let (mapped, _) = map_all(&mapping(), &records);
    let user = stream(&mapped, "iamuser-malicious-iam-user");
    assert_eq!(
        types(&user),
        [
            "CreateUser",
            "AttachUserPolicy",
            "CreateAccessKey",
            "DeleteUser",
            "DeleteAccessKey",
            "DetachUserPolicy"
        ]
    );
    let deletion = &user[3];
    assert_eq!(deletion.recorded_at.to_string(), "2023-07-10T12:28:24Z");
    assert_eq!(deletion.actor.as_deref(), Some("bert-jan"));
    assert_eq!(
        deletion.metadata.as_ref().unwrap().to_value()["source_address"],
        "192.168.10.20"
    );
    let states = states(&user);
    assert_eq!(states[2]["status"], "active");
    assert_eq!(
        states[2]["policies"],
        json!({"AdministratorAccess": "arn:aws:iam::aws:policy/AdministratorAccess"})
    );
    assert_eq!(
        states[2]["access_keys"],
        json!({"AKIATFQR7NSCQLA2F4OD": "Active"})
    );
    assert_eq!(states[3]["status"], "deleted");
    assert_eq!(states[3]["deleted_at"], "2023-07-10T12:28:24Z");
    assert_eq!(states[5]["policies"], json!({}));
}
