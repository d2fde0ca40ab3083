//! The command line as a whole.

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches_from(line.split(' '))?;
    Cli::from_arg_matches(&matches)
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_stand_anywhere() {
    for line in [
        "whodunit --json --daemon http://h:1 streams",
        "whodunit streams --json --daemon http://h:1 sarah",
    ] {
        let cli = parse(line).unwrap();
        assert!(
            cli.global.json && cli.global.daemon.as_deref() == Some("http://h:1"),
            "{line}"
        );
        assert!(matches!(cli.command, Some(Command::Streams(_))));
    }
    assert!(parse("whodunit").unwrap().command.is_none());
}

#[test]
fn what_excludes_each_other_is_refused() {
    for line in [
        "whodunit state user-1 --at-revision 1 --as-of 2025-03-01T00:00:00Z",
        "whodunit state user-1 --as-of 2025-03-01T00:00:00",
        "whodunit events --all --limit 3",
        "whodunit events --follow --until 2025-03-01T00:00:00Z",
        "whodunit events --limit 0",
        "whodunit decisions --outcome maybe",
        "whodunit what-if --file x.json --drop 1",
        "whodunit what-if",
        "whodunit blame",
        "whodunit outbox 3 --status failed",
        "whodunit outbox --retry 3 --retry-all webhook:crm",
        "whodunit outbox --status done",
        "whodunit rebuild",
        "whodunit rebuild users --no-wait --cancel",
        "whodunit backfill --since 2d",
        "whodunit backfill users --cancel 3",
        "whodunit backfill users --since 2025-03-01T00:00:00",
        "whodunit read-model --match sarah",
        "whodunit read-model users user-1 --match sarah",
        "whodunit read-model users --where status",
        "whodunit read-model users --filter status=active",
        "whodunit read-model users --wait 3",
        "whodunit read-model users --min-position 3 --wait 61",
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), i32::from(Exit::Usage.code()), "{line}");
    }
}

#[test]
fn every_command_says_what_it_does() {
    for command in Cli::command().get_subcommands() {
        let about = command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(!about.is_empty(), "{}", command.get_name());
        for argument in command.get_arguments() {
            let help = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                !help.is_empty(),
                "{} {}",
                command.get_name(),
                argument.get_id()
            );
        }
    }
}

const README: &str = include_str!("../../../README.md");

/// The words of a command line, as a shell would split it: quotes, escapes outside of them and comments, nothing more.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if !quoted => word.get_or_insert_default().extend(characters.next()),
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted && word.is_none() => break,
            ' ' if !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_line_of_the_readme_is_understood() {
    let blocks = README.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    let mut understood = 0;
    for line in lines.filter(|line| line.starts_with("whodunit")) {
        let mut words = words(line);
        words.retain(|word| word != "&");
        if let Some(redirected) = words.iter().position(|word| word == ">") {
            words.truncate(redirected);
        }
        if words[0] == "whodunitd" {
            words.splice(..1, ["whodunit".to_owned(), "serve".to_owned()]);
        }
        let words = bundle::with_file(words.into_iter().map(Into::into).collect());
        let parsed = Cli::command()
            .try_get_matches_from(&words)
            .and_then(|matches| Cli::from_arg_matches(&matches));
        assert!(parsed.is_ok(), "{line}\n{}", parsed.unwrap_err());
        understood += 1;
    }
    assert!(understood > 10, "only {understood} lines were found");
}

/// The table of commands: each is a command, each command has a row, and each option named in a row is one of its own.
#[test]
fn the_readmes_table_of_commands_is_true() {
    let (_, rest) = README
        .split_once("| command | what it answers |\n|---|---|\n")
        .unwrap();
    let (table, _) = rest.split_once("\n\n").unwrap();
    let cli = Cli::command();
    let mut named = Vec::new();
    for row in table.lines() {
        let (_, calls) = row.split_once("| ").unwrap();
        let (calls, _) = calls.split_once(" |").unwrap();
        let calls: Vec<&str> = calls
            .split('`')
            .skip(1)
            .step_by(2)
            .filter_map(|call| call.split(' ').next())
            .collect();
        let commands: Vec<_> = calls
            .iter()
            .map(|name| cli.find_subcommand(name).unwrap_or_else(|| panic!("{row}")))
            .collect();
        let options = row.split(['`', ' ', ',']);
        for option in options.filter_map(|word| word.strip_prefix("--")) {
            let everywhere = cli
                .get_arguments()
                .filter(|argument| argument.is_global_set());
            let mut everywhere = everywhere.filter_map(|argument| argument.get_long());
            let known = everywhere.any(|name| name == option)
                || commands.iter().any(|command| has(command, option));
            assert!(known, "--{option} in {row}");
        }
        named.extend(calls);
    }
    for command in cli.get_subcommands() {
        assert!(
            named.contains(&command.get_name()),
            "no row for {}",
            command.get_name()
        );
    }
}

/// Whether a command, or one below it, has this option.
fn has(command: &clap::Command, option: &str) -> bool {
    let own = command
        .get_arguments()
        .any(|argument| argument.get_long() == Some(option));
    own || command.get_subcommands().any(|below| has(below, option))
}

/// What a screen says is the same on the command line must be a command line.
#[test]
fn every_call_that_a_screen_offers_is_understood() {
    use crate::testing::{Daemon, Harness};
    for (keys, text, after) in [
        ("", "", ""),
        ("/", "o'hara * x", "enter"),
        ("c", "", ""),
        ("s", "", ""),
        ("enter", "", ""),
        ("enter left left", "", ""),
        ("enter d", "", ""),
        ("enter g m G d", "", ""),
        ("enter enter", "", ""),
        ("enter w", "", ""),
        ("enter left left w x", "", ""),
        ("enter left left w m", "", ""),
        ("enter left left w a enter", "it's", ""),
        ("L", "", ""),
        ("L /", "category:user actor:api since:2h it's gone", "enter"),
        ("p", "", ""),
        ("p down", "", ""),
        ("p enter", "", ""),
        ("p C", "", ""),
        ("p B", "", ""),
        ("p b", "", ""),
        ("p tab down", "", ""),
        ("p tab down A", "", ""),
        ("p tab tab", "", ""),
    ] {
        let mut harness = Harness::new((120, 40), Daemon::sarah()).press(keys);
        if !text.is_empty() {
            harness = harness.type_text(text);
        }
        if !after.is_empty() {
            harness = harness.press(after);
        }
        let call = harness.model.call();
        let parsed = Cli::command()
            .try_get_matches_from(words(&call))
            .and_then(|matches| Cli::from_arg_matches(&matches));
        assert!(parsed.is_ok(), "{keys}: {call}\n{}", parsed.unwrap_err());
        assert!(parsed.unwrap().command.is_some(), "{keys}: {call}");
    }
}
