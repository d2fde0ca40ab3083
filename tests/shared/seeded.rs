//! Seeds of property tests: fixed unless the environment names another, and printed, which a failing test shows.

use proptest::test_runner::{Config, RngSeed};

/// The seed where the environment names none.
const SEED: u64 = 20_250_324;

/// A configuration of so many cases for `proptest!` or a `TestRunner`. Run again with the seed that a failure shows:
/// `PROPTEST_RNG_SEED=… cargo test …`.
#[allow(
    clippy::print_stdout,
    reason = "it is shown only when the test fails; some packages allow it in tests"
)]
pub(crate) fn seeded(cases: u32) -> Config {
    let mut config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    if let RngSeed::Random = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    config
}
