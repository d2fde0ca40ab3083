//! The whodunit terminal program.

fn main() {}
