//! The frame in ASCII: whatever was drawn, nothing else reaches the terminal.
//!
//! Owns the stand-ins. Marks of the screens' own have one each; a character from the log that has none becomes `?`.

use ratatui::buffer::Buffer;

/// Replaces every cell that is not ASCII.
pub(super) fn only(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let plain = stand_in(cell.symbol());
            cell.set_symbol(plain);
        }
    }
}

fn stand_in(symbol: &str) -> &'static str {
    match symbol {
        "…" => "~",
        "·" => "-",
        "─" | "━" | "┄" | "—" | "–" => "-",
        "│" | "┃" | "┆" | "▏" | "‖" => "|",
        "┌" | "┐" | "└" | "┘" | "┏" | "┓" | "┗" | "┛" => "+",
        "→" | "▶" | "›" | "»" => ">",
        "←" => "<",
        "↑" | "▲" => "^",
        "↓" => "v",
        "●" => "*",
        "✗" => "x",
        "✓" => "v",
        "⇄" => "%",
        "○" => "o",
        "▌" => "|",
        "“" | "”" => "\"",
        "‘" | "’" => "'",
        _ => "?",
    }
}
