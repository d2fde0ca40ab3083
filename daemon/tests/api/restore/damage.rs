//! Damages of an export: lines that are missing, cut, doubled, swapped or altered.

use serde_json::{Value, json};

/// Dice with a seed.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// Damages lines in one of the ways that files are damaged.
pub(super) fn damage(lines: &mut Vec<String>, dice: &mut Dice) -> &'static str {
    let at = dice.roll(lines.len());
    match dice.roll(6) {
        0 => {
            lines.remove(at);
            "missing"
        }
        1 => {
            let length = dice.roll(lines[at].len() - 1) + 1;
            let cut = lines[at].floor_char_boundary(length);
            lines[at].truncate(cut.max(1));
            "cut"
        }
        2 => {
            let line = lines[at].clone();
            lines.insert(dice.roll(lines.len()), line);
            "doubled"
        }
        3 => {
            let other = dice.roll(lines.len());
            lines.swap(at, other);
            "swapped"
        }
        4 => {
            let other = (at + 1).min(lines.len() - 1);
            lines.swap(at, other);
            "swapped with the next"
        }
        _ => {
            alter(&mut lines[at], dice);
            "altered"
        }
    }
}

pub(super) fn alter(line: &mut String, dice: &mut Dice) {
    let Ok(mut value) = serde_json::from_str::<Value>(line) else {
        return;
    };
    let inner = ["decision", "export", "export_end"];
    let inner = inner.into_iter().find(|name| value.get(name).is_some());
    let record = match inner {
        Some(name) => &mut value[name],
        None => &mut value,
    };
    let fields = [
        "position",
        "revision",
        "base_revision",
        "base_position",
        "sequence",
        "events",
        "stream",
        "event_id",
        "causation_id",
        "command_id",
        "outcome",
        "decisions",
        "sha256",
        "redacted",
    ];
    let field = fields[dice.roll(fields.len())];
    match record.get_mut(field) {
        Some(Value::Number(number)) => {
            let n = number.as_u64().unwrap();
            record[field] = json!(if dice.roll(2) == 0 {
                n + 1
            } else {
                n.saturating_sub(1)
            });
        }
        Some(Value::String(text)) => {
            let other = match field {
                "stream" => format!("user-{}", dice.roll(12)),
                _ => format!("{text}-altered"),
            };
            record[field] = json!(other);
        }
        Some(Value::Bool(flag)) => *flag = !*flag,
        _ => {}
    }
    *line = value.to_string();
}
