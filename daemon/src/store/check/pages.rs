//! Every page of a file, whether something refers to it or not.

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};

use super::Check;
use crate::store::StoreError;
use crate::store::disk::pages::PageFile;

/// Pages that are read at a time.
const AT_A_TIME: u64 = 64;
/// How often a page is read again before it counts as damaged: a writer may be in the middle of it.
const TRIES: usize = 8;

/// Reads all pages. One that is damaged is a warning: what needs it is found elsewhere, unless it is still in memory.
pub(crate) fn check(pages: &PageFile, check: &mut Check<'_>) -> Result<(), StoreError> {
    check.phase("pages");
    let file = pages.name();
    let failed = |error: std::io::Error| StoreError::Engine {
        doing: "reading the pages of the store's file",
        source: error.into(),
    };
    let count = pages.len().map_err(failed)? / crate::store::disk::pages::PAGE as u64;
    let mut first = 1;
    while first < count {
        check.tick()?;
        let some = AT_A_TIME.min(count - first);
        let mut damaged = pages.damaged_among(first, some);
        for _ in 0..TRIES {
            if damaged.is_empty() {
                break;
            }
            std::thread::yield_now();
            damaged.retain(|page| !pages.damaged_among(*page, 1).is_empty());
        }
        for page in damaged {
            let detail = format!("page {page}: its checksum does not match");
            check.found(VerifyCode::PageUnreadable, VerifyPlace::file(&file), detail);
        }
        check.checked.pages += some;
        first += some;
    }
    Ok(())
}
