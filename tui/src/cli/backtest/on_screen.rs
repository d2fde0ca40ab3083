//! A back-test as the screen asks for it: its box takes what the command line has behind `whodunit backtest`.

use std::path::{Path, PathBuf};

use clap::Parser;
use whodunit_core::api::backtest::BacktestIn;

use super::approved::Approved;
use super::{BacktestArgs, LIMIT_DEFAULT, asked};
use crate::cli::exit::CliError;
use crate::model::quote::words;

/// Bytes of a file that is read for a screen.
const FILE_BYTES_MAX: u64 = 8 << 20;

#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line {
    #[command(flatten)]
    args: BacktestArgs,
}

/// What was typed, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OnScreen {
    line: String,
    args: BacktestArgs,
}

impl OnScreen {
    /// Reads the line; why it does not fit.
    pub(crate) fn read(line: &str) -> Result<Self, String> {
        let words = words(line)?;
        let Line { mut args } = Line::try_parse_from(words).map_err(|error| {
            let text = error.to_string();
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let first = lines.next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first).to_owned();
            match lines.next().filter(|_| first.ends_with(':')) {
                Some(second) => format!("{first} {second}"),
                None => first,
            }
        })?;
        if args.save_approved.is_some() || args.limit != LIMIT_DEFAULT {
            return Err("`--save-approved` and `--limit` are for the command line".to_owned());
        }
        args.rules = at_home(&args.rules);
        args.approved = args.approved.as_deref().map(at_home);
        for path in [Some(&args.rules), args.approved.as_ref()]
            .into_iter()
            .flatten()
        {
            plain_file(path)?;
        }
        Ok(Self {
            line: line.trim().to_owned(),
            args,
        })
    }

    /// What was typed.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    /// The rules file.
    pub(crate) fn rules(&self) -> &Path {
        &self.args.rules
    }

    /// Whether a part of the log is asked for.
    pub(crate) fn has_range(&self) -> bool {
        let BacktestArgs {
            category,
            actor,
            since,
            until,
            ..
        } = &self.args;
        category.is_some() || actor.is_some() || since.is_some() || until.is_some()
    }

    /// What is asked of the daemon, and which changes are approved: read from the files.
    pub(crate) fn asked(&self) -> Result<(BacktestIn, Option<Approved>), CliError> {
        let approved = self.args.approved.as_deref().map(Approved::read);
        Ok((asked(&self.args)?, approved.transpose()?))
    }
}

/// A path as a shell would have it, which there is none of here.
fn at_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// Refuses what would keep a screen waiting, or never end.
fn plain_file(path: &Path) -> Result<(), String> {
    let named = |what: &str| format!("{}: {what}", path.display());
    let about = std::fs::metadata(path).map_err(|error| named(&error.to_string()))?;
    if !about.is_file() {
        return Err(named("it is not a file"));
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(named("it is too large"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_takes_what_the_command_line_takes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let (rules, approved) = (at("my rules.toml"), at("approved.toml"));
        std::fs::write(&rules, "[rules]\n\"email.unchanged\" = false\n").unwrap();
        std::fs::write(&approved, "rules_hash = \"a\"\n").unwrap();
        let line = format!(
            "'{rules}' --actor 'job:*' --since 2025-03-01T00:00:00Z --approved={approved} --causes keep"
        );
        let read = OnScreen::read(&line).unwrap();
        assert!(read.has_range());
        let (asked, approved) = read.asked().unwrap();
        assert_eq!(asked.actor.as_deref(), Some("job:*"));
        assert_eq!(asked.since.unwrap().to_string(), "2025-03-01T00:00:00Z");
        assert_eq!(asked.causes, whodunit_core::api::what_if::Causes::Keep);
        assert!(asked.rules.contains_key("rules") && approved.is_some());
        for (wrong, why) in [
            (String::new(), "required"),
            (at("none.toml"), "No such file"),
            (folder.path().display().to_string(), "not a file"),
            (format!("'{rules}"), "not closed"),
            (format!("'{rules}' --sinse x"), "--sinse"),
            (format!("'{rules}' --since yesteryear"), "yesteryear"),
            (format!("'{rules}' --save-approved x"), "command line"),
        ] {
            let error = OnScreen::read(&wrong).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }
}
