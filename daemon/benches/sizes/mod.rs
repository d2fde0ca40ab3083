//! Where the bytes of a data directory go: file by file, and table by table of the store's own.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

/// What a file or a folder takes on disk: a file may be longer than what of it was ever written.
fn bytes_of(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.map(|entry| bytes_of(&entry.unwrap().path())).sum();
    }
    path.metadata().unwrap().blocks() * 512
}

/// Prints what each file of a data directory takes, for each byte of payload, and each table, for each event. No process may have it
/// open.
pub(crate) fn print(directory: &Path, events: u64, payload: u64) {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let ratio = |bytes: u64, of: u64| bytes as f64 / of.max(1) as f64;
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let all = bytes_of(directory);
    println!(
        "\n{events} events, {payload} bytes of payload ({:.0} each); on disk {:.3} for each byte of payload",
        ratio(payload, events),
        ratio(all, payload)
    );
    for name in names {
        let bytes = bytes_of(&directory.join(&name));
        println!("  {name:<24} {bytes:>12} {:>7.3}", ratio(bytes, payload));
    }
    let store = LoggedStore::open(directory, StoreOptions::Durable).unwrap();
    let mut sizes = store.table_sizes().unwrap();
    drop(store);
    sizes.sort_by_key(|size| std::cmp::Reverse(size.bytes()));
    println!(
        "  {:<24} {:>9} {:>12} {:>10} {:>10} {:>12} {:>7}",
        "table", "entries", "stored", "branches", "unused", "bytes", "/event"
    );
    for size in sizes
        .iter()
        .filter(|size| size.entries > 0 || size.name == "no table")
    {
        println!(
            "  {:<24} {:>9} {:>12} {:>10} {:>10} {:>12} {:>7.2}",
            size.name,
            size.entries,
            size.stored,
            size.branches,
            size.unused,
            size.bytes(),
            ratio(size.bytes(), events)
        );
    }
}
