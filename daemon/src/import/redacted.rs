//! Import of redacted exports: only into an empty log, unless allowed; the log is labelled as a redacted copy.

use whodunit_core::transfer::ExportHeader;

use super::{ImportFailure, Importer};
use crate::store::Head;

/// Why a redacted export or line was refused.
pub(super) const REFUSED: &str =
    "was redacted on export, so it is not what was recorded, and this log holds other history";
/// What to do about it.
pub(crate) const HINT: &str = "import it into an empty store, which becomes a redacted copy, or export with `reveal=true`; \
     with `allow_redacted` this log becomes a redacted copy";

impl Importer {
    /// Takes what a file says of itself.
    pub(super) async fn header(
        &mut self,
        header: ExportHeader,
        line: &[u8],
    ) -> Result<(), ImportFailure> {
        let redacted = header.redacted;
        self.partial_header(&header);
        self.extent.header(header, line);
        if redacted && !self.may_be_redacted().await? {
            return Err(ImportFailure::Redacted);
        }
        Ok(())
    }

    /// Whether redacted values may go into the log. It is labelled as a redacted copy then.
    pub(super) async fn may_be_redacted(&mut self) -> Result<bool, ImportFailure> {
        if self.parts.store.is_redacted_copy() {
            return Ok(true);
        }
        if self.options.dry_run {
            let empty = *self.parts.store.head().borrow() == Head::default();
            return Ok(empty || self.options.allow_redacted);
        }
        self.await_all().await?;
        let out = &self.report.out;
        let own = Head {
            position: whodunit_core::ids::Position(out.added),
            decision: out.decisions,
        };
        // Empty, or with nothing but what this import has brought.
        let alone = *self.parts.store.head().borrow() == own;
        if alone || self.options.allow_redacted {
            self.parts.store.label_redacted_copy().await?;
            return Ok(true);
        }
        Ok(false)
    }
}
