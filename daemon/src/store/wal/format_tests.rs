//! The bytes of the log's files, held against `docs/STORE_FORMAT.md`: a change of either without the other fails here.

use serde_json::json;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};

use super::format::{Codec, FORMAT, Header, SECTOR, SPACE};
use crate::store::chain::Chain;
use crate::store::frame;
use crate::store::write::{Batch, Placed, StreamWrite};
use crate::store::{StreamInfo, StreamLabel};

const PAGE: &str = include_str!("../../../../docs/STORE_FORMAT.md");

/// The bytes of the page's example with this name: the hexadecimal pairs that its lines begin with.
fn example(name: &str) -> Vec<u8> {
    let (_, rest) = PAGE.split_once(&format!("```text\n{name}\n")).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let pairs = block.lines().flat_map(|line| {
        let (bytes, _) = line.split_once("  ").unwrap();
        bytes.split(' ')
    });
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn header() -> Header {
    Header {
        store: [7; 16],
        number: 1,
        sectors: 16_384,
        salt: 9,
    }
}

/// What the first append of the page's example writes.
fn batch() -> Batch {
    let event = Event {
        position: Position(1),
        stream: StreamName::new("order-1").unwrap(),
        revision: Revision(1),
        event_id: "e1".to_owned(),
        event_type: "OrderPlaced".to_owned(),
        schema_version: 1,
        recorded_at: "2025-03-04T09:12:04Z".parse().unwrap(),
        actor: Some("shop".to_owned()),
        reason: None,
        correlation_id: None,
        causation_id: None,
        data: json!({"total": 3}).into(),
        metadata: None,
    };
    let info = StreamInfo {
        stream: event.stream.clone(),
        revision: event.revision,
        first_position: event.position,
        last_position: event.position,
        first_at: event.recorded_at,
        last_at: event.recorded_at,
        last_event_type: event.event_type.clone(),
        last_actor: event.actor.clone(),
        last_reason: None,
        label: StreamLabel::default(),
        clock_back_at: None,
    };
    let effective_at = event.recorded_at;
    Batch {
        events: vec![Placed {
            event,
            effective_at,
        }],
        stream: Some(StreamWrite {
            last_before: None,
            info: info.into(),
        }),
        ..Batch::default()
    }
}

#[test]
fn the_header_has_the_bytes_of_the_page() {
    let bytes = header().encode();
    let example = example("wal header");
    assert_eq!(bytes[..example.len()], example);
    assert_eq!(
        bytes[example.len()..SECTOR - 16],
        vec![0; SECTOR - 16 - example.len()]
    );
    assert_eq!(FORMAT, 1);
    // As another program computes it.
    assert_eq!(bytes[SECTOR - 16..][..4], [0x31, 0x2e, 0xa5, 0xd1]);
    assert_eq!(Header::decode(&bytes), Ok(header()));
}

#[test]
fn a_frame_has_the_bytes_of_the_page() {
    let batch = batch();
    let chain = Chain::START.after(&batch);
    let mut payload = Vec::new();
    frame::encode([&batch], chain, &mut payload);
    let mut bytes = Vec::new();
    Codec::new(&header()).encode(1, (1, 0), &payload, &mut bytes);
    let example = example("wal frame");
    assert_eq!(bytes.len(), SECTOR);
    assert_eq!(bytes[..example.len()], example);
    assert_eq!(bytes[example.len()..SPACE], vec![0; SPACE - example.len()]);
    // As another program computes them.
    assert_eq!(bytes[SPACE..], [0xdc, 0x22, 0xed, 0x80]);
    let hash = "027d2aa6a980efc49b385f4c1be13f68cdf767ff973b9242a66cfaa3f833e2d6";
    assert_eq!(chain.head_hash().to_string(), hash);
}
