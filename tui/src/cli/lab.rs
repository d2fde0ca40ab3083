//! The commands of the lab that ask the rules about a whole log: which of them runs what.

use clap::Subcommand;

use super::exit::{CliError, Exit};
use super::terminal::Terminal;
use super::{backtest, inevitable, minimal, undo};
use crate::client::Client;

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Decide the recorded commands again under other rules
    Backtest(backtest::BacktestArgs),
    /// Show which commands an outcome depended on, and until when one could have avoided it
    Inevitable(inevitable::InevitableArgs),
    /// Find the smallest part of a history that still leads to an outcome
    Minimal(minimal::MinimalArgs),
    /// Find commands that bring fields back to what they were; nothing is written
    UndoPlan(undo::UndoArgs),
}

/// Runs one of them.
pub(crate) async fn run(
    command: &LabCommand,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    match command {
        LabCommand::Backtest(args) => backtest::run(args, client, terminal).await,
        LabCommand::Inevitable(args) => inevitable::run(args, client, terminal).await,
        LabCommand::Minimal(args) => minimal::run(args, client, terminal).await,
        LabCommand::UndoPlan(args) => undo::run(args, client, terminal).await,
    }
}
