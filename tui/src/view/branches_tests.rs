//! Branches on screen, as text: the list, the boxes over it, and the screens that read a branch in place of the log.

use insta::assert_snapshot;

use crate::testing::{Daemon, Harness};

const SIZES: [(u16, u16); 3] = [(60, 20), (80, 24), (120, 40)];

fn snapshot(name: &str, make: impl Fn((u16, u16)) -> Harness) {
    for size in SIZES {
        let harness = make(size);
        assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), harness.screen());
    }
}

fn list(size: (u16, u16)) -> Harness {
    Harness::new(size, Daemon::decided()).press("b down down")
}

#[test]
fn the_list_of_branches() {
    snapshot("branches_selected", list);
    snapshot("branches_empty", |size| {
        Harness::new(size, Daemon::empty()).press("b")
    });
    snapshot("branches_loading", |size| {
        Harness::new(size, Daemon::decided()).silent().press("b")
    });
    snapshot("branches_note", |size| {
        Harness::new(size, Daemon::decided()).press("b down")
    });
}

#[test]
fn what_lies_over_the_branches() {
    snapshot("branches_rename", |size| list(size).press("R"));
    snapshot("branches_delete", |size| list(size).press("x"));
    snapshot("branches_with", |size| list(size).press("D"));
    snapshot("branches_keep", |size| {
        Harness::new(size, Daemon::decided()).press("enter left left w x B")
    });
    snapshot("branches_keep_there", |size| {
        Harness::new(size, Daemon::decided())
            .press("enter left left w x B")
            .type_text("there")
            .press("enter")
    });
}

#[test]
fn screens_that_read_a_branch() {
    snapshot("branch_stream", |size| list(size).press("v"));
    snapshot("branch_world", |size| list(size).press("W"));
    snapshot("branch_causes", |size| list(size).press("v c"));
    snapshot("branch_upon", |size| list(size).press("n x"));
    snapshot("branch_with_another", |size| {
        list(size).press("D").type_text("many").press("enter")
    });
}
