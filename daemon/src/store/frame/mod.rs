//! What a frame of the write-ahead log carries: the batches of one commit, and the log's chain value behind them.
//!
//! Owns its bytes. The chain value is checked against the batches when a frame is read, so a frame that decodes says what
//! was committed, on top of what it was committed on.

mod batch;
#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;

use crate::store::StoreError;
use crate::store::bytes::{Malformed, Read, Reader};
use crate::store::chain::Chain;
use crate::store::write::Batch;

/// First byte of a frame's payload: the version of its encoding.
const VERSION: u8 = 1;

/// Encodes the batches of a commit. `chain` is the chain's value behind the last of them.
pub(crate) fn encode<'a>(
    batches: impl IntoIterator<Item = &'a Batch>,
    chain: Chain,
    out: &mut Vec<u8>,
) {
    out.push(VERSION);
    for one in batches {
        out.push(1);
        batch::write(one, out);
    }
    out.push(0);
    out.extend(chain.0);
}

/// Decodes a frame that was committed on top of the chain's value `before`, and moves that along.
///
/// # Errors
/// [`StoreError::Damaged`] when it does not decode, or is not what followed.
pub(crate) fn decode(
    number: u64,
    bytes: &[u8],
    chain: &mut Chain,
) -> Result<Vec<Batch>, StoreError> {
    let damaged = |Malformed(detail)| StoreError::Damaged {
        place: format!("frame {number} of the write-ahead log"),
        detail: detail.into_owned(),
    };
    let (batches, said) = read(bytes).map_err(damaged)?;
    let after = batches.iter().fold(*chain, Chain::after);
    if after != said {
        let detail = "its chain value does not match what it holds and what comes before it";
        return Err(damaged(detail.into()));
    }
    *chain = after;
    Ok(batches)
}

/// Reads a frame by itself: its batches, and what it says the chain is behind them. Whether it is, is its reader's to judge.
pub(crate) fn read(bytes: &[u8]) -> Read<(Vec<Batch>, Chain)> {
    let mut from = Reader(bytes);
    let version = from.byte()?;
    if version != VERSION {
        return Err(format!("its version {version} is unknown").into());
    }
    let mut batches = Vec::new();
    loop {
        match from.byte()? {
            0 => break,
            1 => batches.push(batch::read(&mut from)?),
            other => return Err(format!("an entry of kind {other} is unknown").into()),
        }
    }
    let chain = from.array()?;
    from.end()?;
    Ok((batches, Chain(chain)))
}
