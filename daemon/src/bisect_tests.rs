//! A look at all revisions in pieces finds what one at once finds.

use std::sync::Arc;

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::merge;
use whodunit_core::time::Timestamp;

use super::*;
use crate::store::engine::{LoggedStore, StoreOptions};
use crate::store::{Append, Store};

#[tokio::test]
async fn a_look_in_pieces_finds_what_one_at_once_finds() {
    let store: Arc<dyn Store> = Arc::new(LoggedStore::in_memory(StoreOptions::Relaxed).unwrap());
    let stream = StreamName::new("tank-1").unwrap();
    for n in 0..40_u64 {
        let mut event = NewEvent::new("Measured", json!({ "level": n * 7 % 11 }));
        event.event_id = Some(format!("e{n}"));
        let at = Timestamp::from_micros(0);
        let append = Append::facts(stream.clone(), ExpectedRevision::Any, vec![event], at);
        store.append(append).await.unwrap();
    }
    let (travel, view) = (TimeTravel::start(Arc::clone(&store)), store.view().unwrap());
    let model = merge::model();
    for (text, range) in [
        ("/level > 5", (0, 40)),
        ("was(\"/level\") < state.level", (3, 40)),
        ("event.revision == 17", (0, 30)),
        ("/level > 99", (7, 7)),
    ] {
        let predicate = Predicate::parse(text).unwrap();
        let bisect = Bisect {
            travel: &travel,
            view: view.as_ref(),
            model: &model,
            stream: &stream,
            predicate: &predicate,
            range: (Revision(range.0), Revision(range.1)),
        };
        for pick in [Pick::First, Pick::Last, Pick::Flips] {
            let whole = bisect.scan(pick, 3).unwrap();
            for size in [1, 4, 9] {
                let (mut left, mut pieces) = (0, 0);
                let mut under_way = bisect.begin(pick, 3).unwrap();
                while !under_way.is_over() {
                    (left, pieces) = (size, pieces + 1);
                    let before = under_way.revision();
                    let mut pause = || {
                        left -= 1;
                        left == 0
                    };
                    bisect.go_on(&mut under_way, &mut pause).unwrap();
                    assert!(under_way.revision() > before, "{text}");
                }
                let found = bisect.found(under_way);
                assert_eq!(
                    (found.folds, found.revisions),
                    (whole.folds, whole.revisions)
                );
                assert_eq!(found.matches, whole.matches, "{text} {pick:?} {size}");
                assert_eq!(found.matches_total, whole.matches_total);
                assert_eq!(found.holds_at_end, whole.holds_at_end);
                assert_eq!(found.evaluations, whole.evaluations);
                assert_eq!(found.undefined, whole.undefined);
                assert!(pieces <= whole.revisions && left >= 0);
            }
        }
    }
}
