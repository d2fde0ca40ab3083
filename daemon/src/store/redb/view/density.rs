//! Equal parts of a span of time.

/// Which of `buckets` equal parts of `first..=last` a moment lies in.
pub(crate) fn bucket(at: i64, first: i64, last: i64, buckets: usize) -> usize {
    let span = i128::from(last) - i128::from(first) + 1;
    let offset = (i128::from(at) - i128::from(first)).clamp(0, span - 1);
    usize::try_from(offset * buckets as i128 / span)
        .unwrap_or_default()
        .min(buckets - 1)
}
