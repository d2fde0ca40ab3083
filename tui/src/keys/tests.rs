//! The key table: no key means two things, and the README shows it.

use super::*;

#[test]
fn no_key_means_two_things_in_one_scope() {
    for (index, binding) in BINDINGS.iter().enumerate() {
        for key in binding.keys {
            let again = BINDINGS
                .iter()
                .skip(index + 1)
                .find(|b| b.scope == binding.scope && b.keys.contains(key));
            assert!(
                again.is_none(),
                "`{key}` is bound twice in {:?}",
                binding.scope
            );
        }
        assert!(!binding.help.is_empty());
        assert!(
            !binding.hint || !binding.label.is_empty(),
            "{:?} hints without a label",
            binding.action
        );
    }
}

#[test]
fn a_scope_goes_before_everywhere() {
    assert_eq!(action(Scope::Stream, "left"), Some(Action::StepBack));
    assert_eq!(action(Scope::Stream, "?"), Some(Action::Help));
    assert_eq!(action(Scope::Streams, "up"), Some(Action::Up));
    assert_eq!(action(Scope::Streams, "F5"), None);
}

#[test]
fn key_presses_have_the_names_of_the_table() {
    let press = |code, modifiers| key_names(KeyEvent::new(code, modifiers)).join(" ");
    assert_eq!(press(KeyCode::Char('G'), KeyModifiers::SHIFT), "G");
    assert_eq!(press(KeyCode::Char('r'), KeyModifiers::CONTROL), "ctrl-r");
    assert_eq!(press(KeyCode::Left, KeyModifiers::SHIFT), "shift-left");
    assert_eq!(press(KeyCode::Left, KeyModifiers::ALT), "alt-left");
    // Esc and a key that arrive together.
    assert_eq!(press(KeyCode::Char('/'), KeyModifiers::ALT), "esc /");
    assert_eq!(press(KeyCode::Enter, KeyModifiers::ALT), "esc enter");
}

/// With `UPDATE_README` set, the test puts the table there.
#[test]
fn the_readme_shows_this_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(path).expect("a README");
    let (before, rest) = readme
        .split_once("<!-- keys:begin -->\n")
        .expect("a beginning");
    let (table, after) = rest.split_once("<!-- keys:end -->").expect("an end");
    if std::env::var_os("UPDATE_README").is_some() {
        let table = markdown();
        let text = format!("{before}<!-- keys:begin -->\n{table}<!-- keys:end -->{after}");
        std::fs::write(path, text).expect("written");
        return;
    }
    assert_eq!(table, markdown(), "run this test with UPDATE_README=1");
}
