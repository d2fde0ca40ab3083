//! The bytes of segments, held against `docs/STORE_FORMAT.md`: a change of either without the other fails here.

use serde_json::json;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;
use xxhash_rust::xxh3::xxh3_128;

use super::events::{EventBlock, Unsealed, encode};
use super::frame::{Part, Place, wrap};
use super::positions;
use crate::store::StoreId;

const PAGE: &str = include_str!("../../../../docs/STORE_FORMAT.md");

/// The bytes of the page's example with this name: the hexadecimal pairs that its lines begin with.
fn example(name: &str) -> Vec<u8> {
    let (_, rest) = PAGE.split_once(&format!("```text\n{name}\n")).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let bytes = block.lines().map(|line| line.split_once("  ").unwrap().0);
    let pairs = bytes.flat_map(|bytes| bytes.split(' '));
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn event() -> Event {
    Event {
        position: Position(1),
        stream: StreamName::new("order-1").unwrap(),
        revision: Revision(1),
        event_id: "e1".to_owned(),
        event_type: "OrderPlaced".to_owned(),
        schema_version: 1,
        recorded_at: Timestamp::from_micros(1_741_079_524_000_000),
        actor: Some("shop".to_owned()),
        reason: None,
        correlation_id: None,
        causation_id: None,
        data: Json::from(json!({"total": 3})),
        metadata: None,
    }
}

#[test]
fn a_block_has_the_bytes_that_the_page_says() {
    let event = event();
    let unsealed = Unsealed {
        stream: 1,
        event: &event,
        effective_at: event.recorded_at,
    };
    let bytes = encode(&[unsealed]);
    let spelt: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(bytes, example("event block"), "{}", spelt.join(" "));
    let block = EventBlock::decode(&example("event block")).unwrap();
    assert_eq!(block.event(0).map(|event| event.to_event()), Some(event));
}

/// A frame, put together as the page says.
#[test]
fn a_frame_has_the_bytes_that_the_page_says() {
    let place = Place {
        store: StoreId([7; 16]),
        segment: 5,
        part: Part::Events(3),
    };
    let part = example("event block");
    let length = u32::try_from(part.len()).unwrap().to_le_bytes();
    let mut hashed = vec![7; 16];
    hashed.extend(5_u64.to_le_bytes());
    hashed.push(2);
    hashed.extend(3_u32.to_le_bytes());
    // A part as short as this one is kept as it is.
    hashed.push(0);
    hashed.extend(length);
    hashed.extend(&part);
    let mut frame = vec![1, 0];
    frame.extend(length);
    frame.extend(xxh3_128(&hashed).to_le_bytes());
    frame.extend(&part);
    assert_eq!(wrap(place, &part).unwrap(), frame);
}

#[test]
fn columns_have_the_bytes_that_the_page_says() {
    let event = event();
    let bytes = positions::encode(&[(0, &event)]);
    // One event, in the first place; when; three words with their lengths.
    let mut numbers = vec![1, 0];
    crate::store::bytes::Writer(&mut numbers).time(event.recorded_at);
    numbers.extend([1, 11, 1, 4, 1, 5]);
    let mut expected = vec![u8::try_from(numbers.len()).unwrap(), 0];
    expected.extend(numbers);
    expected.extend(b"OrderPlacedshoporder");
    assert_eq!(bytes, expected);
}
