//! `whodunit models` and `whodunit health`: what the daemon knows, and how it is.

use clap::Args;
use serde_json::Value;
use whodunit_core::api::browse::{Category, CommandOut, ModelOut};

use super::exit::{CliError, Exit};
use super::show::{number, text, value};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::client::Client;
use crate::text::counted;

/// Arguments of `whodunit models`.
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// Only this category, with its commands
    category: Option<String>,
}

/// Runs `whodunit models`.
pub(crate) async fn run(
    args: &ModelsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    match &args.category {
        Some(category) => {
            let model = client.model(category).await?;
            if terminal.form.json {
                terminal.document(&model)?;
            } else {
                print_model(&model, terminal)?;
            }
        }
        None => {
            let models = client.models().await?;
            if terminal.form.json {
                terminal.document(&models)?;
            } else {
                terminal.table(&models_table(&models.items))?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn models_table(models: &[ModelOut]) -> Table {
    let mut table = Table::new([
        Column::new("category"),
        Column::new("model"),
        Column::new("rules hash"),
        Column::new("commands").right(),
        Column::new("events").right(),
        Column::new("description").shrinks_to(20),
    ]);
    for model in models {
        table.row([
            Cell::new(&model.category, Token::Accent),
            model.name.as_str().into(),
            model.rules_hash.as_str().into(),
            model.commands.len().to_string().into(),
            model.events.len().to_string().into(),
            model.description.as_str().into(),
        ]);
    }
    table
}

fn print_model(model: &ModelOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let heading = format!(
        "{}  for category {}  rules {}",
        model.name, model.category, model.rules_hash
    );
    let heading = terminal.paint(Token::Heading, &value(&Value::String(heading)));
    terminal.line(heading)?;
    terminal.line(value(&Value::String(model.description.clone())))?;
    for command in &model.commands {
        terminal.line("")?;
        let name = terminal.paint(Token::Accent, &value(&Value::String(command.name.clone())));
        let reason = if command.reason_required {
            " (needs a reason)"
        } else {
            ""
        };
        let description = value(&Value::String(command.description.clone()));
        terminal.line(format!("{name}{reason}  {description}"))?;
        let fields = fields_table(command);
        let widths = fields.widths(terminal.form.width);
        let colours = terminal.form.colours;
        for line in fields.lines(&widths, colours) {
            terminal.line(line)?;
        }
    }
    Ok(())
}

/// The fields of a command's payload, from its JSON Schema.
pub(crate) fn fields_table(command: &CommandOut) -> Table {
    let mut table = Table::new([
        Column::new(""),
        Column::new("field"),
        Column::new(""),
        Column::new("rule").shrinks_to(20),
    ]);
    let required: Vec<&str> = command.schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let Some(fields) = command.schema["properties"].as_object() else {
        return table;
    };
    for (name, schema) in fields {
        let mut kind = Vec::new();
        if !required.contains(&name.as_str()) {
            kind.push("optional");
        }
        if schema["writeOnly"] == true {
            kind.push("secret");
        }
        let rule = schema["x-rule"].as_str().or(schema["description"].as_str());
        table.row([
            Cell::from(" "),
            name.as_str().into(),
            Cell::new(kind.join(", "), Token::Muted),
            rule.unwrap_or_default().into(),
        ]);
    }
    table
}

/// Runs `whodunit health`.
pub(crate) async fn run_health(
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let health = client.health().await?;
    if terminal.form.json {
        terminal.document(&health)?;
        return Ok(Exit::Ok);
    }
    let categories = client.categories().await?;
    let mut table = Table::new([Column::new(""), Column::new("")]);
    let mut add =
        |name: &str, value: String| table.row([Cell::new(name, Token::Muted), value.into()]);
    add("daemon", format!("{} {}", client.url(), health.status));
    if let Some(why) = health.read_only_because {
        add("read only", why);
    }
    add("store id", health.store_id);
    add("version", health.version);
    add("head", number(health.head));
    add("decisions", number(health.decisions));
    add("head hash", health.head_hash);
    add("streams", number(health.streams));
    if health.redacted_copy {
        add(
            "copy",
            "redacted: some values are not what was recorded".to_owned(),
        );
    }
    add("store", counted(health.store_bytes, "byte"));
    add("uptime", format!("{} s", number(health.uptime_seconds)));
    let widths = table.widths(None);
    let colours = terminal.form.colours;
    for line in table.lines(&widths, colours) {
        terminal.line(line)?;
    }
    if !categories.items.is_empty() {
        terminal.line("")?;
        terminal.table(&categories_table(&categories.items))?;
    }
    Ok(Exit::Ok)
}

fn categories_table(categories: &[Category]) -> Table {
    let mut table = Table::new([
        Column::new("category").shrinks_to(16),
        Column::new("streams").right(),
        Column::new("events").right(),
        Column::new("model"),
    ]);
    for category in categories {
        table.row([
            Cell::new(&category.category, Token::Accent),
            number(category.streams).into(),
            number(category.events).into(),
            text(Some(&category.model)).into(),
        ]);
    }
    table
}
