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
            cli.global.json && cli.global.daemon == "http://h:1",
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
        "whodunit state user",
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
