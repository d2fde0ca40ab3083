//! Whatever planning comes to is read as it was written; nothing else is taken for it, and no bytes make reading panic.

use sha2::{Digest, Sha256};
use whodunit_core::json::Json;

use super::samples::{History, Random};
use super::*;
use crate::store::chain::{HeadHash, decision_leaf, event_leaf};

fn written(batches: &[&Batch], before: Chain) -> (Vec<u8>, Chain) {
    let after = batches
        .iter()
        .fold(before, |chain, batch| chain.after(batch));
    let mut bytes = Vec::new();
    encode(batches.iter().copied(), after, &mut bytes);
    (bytes, after)
}

#[test]
fn a_frame_is_read_as_it_was_written() {
    let mut chain = Chain::START;
    let mut kinds = [0; 5];
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let history = History::new(&mut random, 200);
        for batches in history.batches.chunks(3) {
            let batches: Vec<&Batch> = batches.iter().map(|batch| &**batch).collect();
            let (bytes, after) = written(&batches, chain);
            let decoded = decode(1, &bytes, &mut chain).unwrap();
            assert_eq!(chain, after);
            assert!(decoded.iter().eq(batches.iter().copied()), "seed {seed}");
            for batch in decoded {
                let has = [
                    !batch.events.is_empty(),
                    batch.stream.is_some(),
                    !batch.keys.is_empty(),
                    batch.decision.is_some(),
                    !batch.jobs.is_empty(),
                ];
                for (kind, has) in kinds.iter_mut().zip(has) {
                    *kind += u32::from(has);
                }
            }
        }
    }
    assert!(kinds.iter().all(|kind| *kind > 100), "{kinds:?}");
    let (bytes, _) = written(&[], Chain::START);
    assert_eq!(decode(1, &bytes, &mut Chain::START.clone()).unwrap(), []);
}

#[test]
fn a_frame_on_another_ground_is_refused() {
    let history = History::new(&mut Random::new(7), 20);
    let with_event = history
        .batches
        .iter()
        .find(|batch| !batch.events.is_empty());
    let (bytes, _) = written(&[with_event.unwrap()], Chain::START);
    let mut other = Chain([1; 64]);
    let refused = decode(4, &bytes, &mut other).unwrap_err();
    assert!(refused.to_string().contains("frame 4"), "{refused}");
    assert_eq!(other, Chain([1; 64]));
}

#[test]
fn no_bytes_make_reading_panic_and_no_change_passes_for_a_record() {
    let mut random = Random::new(9);
    let history = History::new(&mut random, 60);
    let batches: Vec<&Batch> = history.batches.iter().map(|batch| &**batch).collect();
    let (bytes, _) = written(&batches, Chain::START);
    let logged = |batches: &[Batch]| {
        let events = batches.iter().flat_map(|batch| &batch.events);
        let events: Vec<_> = events.map(|placed| placed.event.clone()).collect();
        let decisions = batches.iter().filter_map(|batch| batch.decision.clone());
        (events, decisions.collect::<Vec<_>>())
    };
    let whole = logged(&decode(1, &bytes, &mut Chain::START.clone()).unwrap());
    for _ in 0..4_000 {
        let mut changed = bytes.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(changed.len());
            changed[at] ^= 1 << random.below(8);
        }
        changed.truncate(bytes.len() - random.below(4) * random.below(200));
        // What is in the chain is as it was; the rest is the frame's hash to guard.
        if let Ok(batches) = decode(1, &changed, &mut Chain::START.clone()) {
            assert_eq!(logged(&batches), whole);
        }
    }
    for _ in 0..2_000 {
        let length = random.below(300);
        let mut bytes: Vec<u8> = (0..length)
            .map(|_| u8::try_from(random.below(256)).unwrap())
            .collect();
        if let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        assert!(decode(1, &bytes, &mut Chain::START.clone()).is_err());
    }
}

/// The chain's definition in other words, as another program would have it.
#[test]
fn the_chain_is_what_it_is_said_to_be() {
    let history = History::new(&mut Random::new(3), 150);
    let mut chains = [[0; 32]; 2];
    for batch in &history.batches {
        let mut leaves = Vec::new();
        for event in batch.events.iter().map(|placed| &placed.event) {
            let mut bytes = vec![1];
            bytes.extend(event.position.0.to_le_bytes());
            bytes.extend(event.revision.0.to_le_bytes());
            bytes.extend(event.recorded_at.as_micros().to_le_bytes());
            bytes.extend(u64::from(event.schema_version).to_le_bytes());
            for text in [event.stream.as_str(), &event.event_id, &event.event_type] {
                bytes.extend((text.len() as u64).to_le_bytes());
                bytes.extend(text.as_bytes());
            }
            for text in [
                &event.actor,
                &event.reason,
                &event.correlation_id,
                &event.causation_id,
            ] {
                optional(text.as_deref(), &mut bytes);
            }
            bytes.extend((event.data.as_str().len() as u64).to_le_bytes());
            bytes.extend(event.data.as_str().as_bytes());
            optional(event.metadata.as_ref().map(Json::as_str), &mut bytes);
            let leaf: [u8; 32] = Sha256::digest(&bytes).into();
            assert_eq!(leaf, event_leaf(event));
            leaves.push(leaf);
        }
        let decided: Vec<_> = batch.decision.iter().map(decision_leaf).collect();
        for (chain, leaves) in chains.iter_mut().zip([leaves, decided]) {
            for leaf in leaves {
                let joined = [*chain, leaf].concat();
                *chain = Sha256::digest(&joined).into();
            }
        }
    }
    let computed = history
        .batches
        .iter()
        .fold(Chain::START, |chain, batch| chain.after(batch));
    assert_eq!(computed.0, *chains.concat());
    let hash: [u8; 32] = Sha256::digest(chains.concat()).into();
    assert_eq!(computed.head_hash(), HeadHash(hash));
    assert_eq!(computed.head_hash().to_string().len(), 64);
}

fn optional(text: Option<&str>, bytes: &mut Vec<u8>) {
    bytes.push(u8::from(text.is_some()));
    if let Some(text) = text {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
}

#[test]
fn every_field_counts_in_the_chain() {
    let history = History::new(&mut Random::new(5), 300);
    let mut leaves = std::collections::HashSet::new();
    for batch in &history.batches {
        for placed in &batch.events {
            let leaf = event_leaf(&placed.event);
            assert!(leaves.insert(leaf));
            let mut event = placed.event.clone();
            event.actor = match event.actor {
                None => Some(String::new()),
                Some(_) => None,
            };
            assert!(leaves.insert(event_leaf(&event)), "absent is not empty");
        }
        if let Some(decision) = &batch.decision {
            assert!(leaves.insert(decision_leaf(decision)));
            let mut decision = decision.clone();
            decision.base_position.0 += 1;
            assert!(leaves.insert(decision_leaf(&decision)));
        }
    }
}
