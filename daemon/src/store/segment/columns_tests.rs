//! Ids in columns: what goes in comes out, however near its time is to that of its record.

use super::columns::{ColumnsReader, ColumnsWriter, NEAR, TIMED};

/// Milliseconds of the UUID below.
const TIME: i64 = 0x0195_d3a1_7c2e;
const TIMED_ID: &str = "0195d3a1-7c2e-7abc-8def-0123456789ab";

/// The bytes of an id of a record of a time, and what is read of them.
fn there_and_back(id: &str, at: i64) -> (usize, String) {
    let mut out = ColumnsWriter::default();
    out.id(&mut None, Some(id), at);
    let bytes = out.finish();
    let mut columns = ColumnsReader::new(&bytes).unwrap();
    let read = columns.id(&mut None, at).unwrap().unwrap();
    let texts = columns.finish().unwrap();
    assert!(texts.is(read, id));
    (bytes.len(), texts.id(read).as_str().to_owned())
}

#[test]
fn an_id_comes_back_whatever_the_time_of_its_record() {
    let near = [0, 1, 999, 1_000, -1, -1_000_000, (NEAR - 1) * 1_000];
    let far = [NEAR * 1_000 + 1_000, i64::MAX, i64::MIN, i64::MIN / 2];
    for late in near.into_iter().chain(far) {
        let at = (TIME * 1_000).saturating_sub(late);
        let (bytes, id) = there_and_back(TIMED_ID, at);
        assert_eq!(id, TIMED_ID, "{late} µs");
        assert_eq!(bytes < 19, near.contains(&late), "{late} µs: {bytes} bytes");
    }
    for (id, at) in [
        ("00000000-0000-7000-8000-000000000000", 0),
        ("00000000-0000-7000-8000-000000000000", -1),
        (
            "ffffffff-ffff-7fff-bfff-ffffffffffff",
            ((1 << 48) - 1) * 1_000,
        ),
        ("0195d3a1-7c2e-4abc-8def-0123456789ab", TIME * 1_000),
        ("0195D3A1-7c2e-7abc-8def-0123456789ab", TIME * 1_000),
    ] {
        assert_eq!(there_and_back(id, at).1, id);
    }
}

#[test]
fn a_time_that_no_uuid_can_have_is_refused() {
    for (at, later) in [
        (0, -1),
        (((1_i64 << 48) - 1) * 1_000, 1),
        (i64::MAX, i64::MAX),
    ] {
        let mut out = ColumnsWriter::default();
        out.number(TIMED);
        out.signed(later);
        out.raw(&[0; 10]);
        let bytes = out.finish();
        let mut columns = ColumnsReader::new(&bytes).unwrap();
        assert!(columns.id(&mut None, at).is_err(), "{at} {later}");
    }
}
