//! Columns of a list: each as wide as what stands in it, narrower where there is no room, and lost in a known order.
//!
//! Owns how the width of a row is shared. Nothing is cut while there is room on the row.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::text::{cut, fit, width};
use crate::theme::{Theme, Token};

/// Blanks between two columns.
const GAP: usize = 2;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// How narrow it may get before another one is lost.
    pub(super) least: usize,
    /// Columns with a higher number are lost first; 0 never is.
    pub(super) lost: u8,
    pub(super) right: bool,
}

/// For a column that is shown whole or not at all: half a time is none.
pub(super) const WHOLE: usize = usize::MAX;

pub(super) const fn column(title: &'static str, least: usize, lost: u8) -> Column {
    Column {
        title,
        least,
        lost,
        right: false,
    }
}

impl Column {
    pub(super) const fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// A text and how it looks.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) style: Style,
}

pub(super) fn cell(text: impl Into<String>, style: Style) -> Cell {
    Cell {
        text: text.into(),
        style,
    }
}

/// The columns of a list with their widths; 0 for one that is not shown.
#[derive(Debug, Clone)]
pub(super) struct Columns<const N: usize> {
    columns: [Column; N],
    widths: [usize; N],
}

impl<const N: usize> Columns<N> {
    /// Shares so many cells among the columns of these rows. One in which nothing stands is not shown.
    pub(super) fn of<'a>(
        columns: [Column; N],
        rows: impl IntoIterator<Item = &'a [Cell; N]>,
        cells: usize,
    ) -> Self {
        let mut natural = [0; N];
        for row in rows {
            for (most, cell) in natural.iter_mut().zip(row) {
                *most = (*most).max(width(&cell.text));
            }
        }
        for (most, column) in natural.iter_mut().zip(&columns) {
            if *most > 0 {
                *most = (*most).max(width(column.title));
            }
        }
        while !Self::fits(&natural, &columns, cells) {
            let shown = (0..N).filter(|&index| natural[index] > 0 && columns[index].lost > 0);
            let Some(last) = shown.max_by_key(|&index| columns[index].lost) else {
                break;
            };
            natural[last] = 0;
        }
        let widths = Self::shrunk(natural, &columns, cells);
        Self { columns, widths }
    }

    /// Whether they fit when each that may is narrow.
    fn fits(natural: &[usize; N], columns: &[Column; N], cells: usize) -> bool {
        let least = natural.iter().zip(columns);
        let least = least.map(|(most, column)| (*most).min(column.least.max(1)));
        taken(least) <= cells
    }

    /// The widest gives way first; one that is never lost gives way last.
    fn shrunk(mut widths: [usize; N], columns: &[Column; N], cells: usize) -> [usize; N] {
        while taken(widths.iter().copied()) > cells {
            let may = |index: &usize| widths[*index] > columns[*index].least.max(1);
            let by_turn = |&index: &usize| (columns[index].lost > 0, widths[index]);
            let Some(widest) = (0..N).filter(may).max_by_key(by_turn) else {
                break;
            };
            widths[widest] -= 1;
        }
        widths
    }

    /// The titles.
    pub(super) fn heading(&self, theme: Theme) -> Line<'static> {
        let style = theme.style(Token::Muted);
        let titles = self.columns.map(|column| cell(column.title, style));
        self.line(&titles)
    }

    /// A row; it ends with its last text.
    pub(super) fn line(&self, row: &[Cell; N]) -> Line<'static> {
        let shown = (0..N).filter(|&index| self.widths[index] > 0);
        let last = shown.clone().next_back();
        let mut spans = Vec::new();
        for index in shown {
            if !spans.is_empty() {
                spans.push(Span::raw(" ".repeat(GAP)));
            }
            let (cells, Cell { text, style }) = (self.widths[index], &row[index]);
            let text = match (self.columns[index].right, Some(index) == last) {
                (true, _) => {
                    let text = cut(text, cells);
                    format!("{}{text}", " ".repeat(cells.saturating_sub(width(&text))))
                }
                (false, true) => cut(text, cells),
                (false, false) => fit(text, cells),
            };
            spans.push(Span::styled(text, *style));
        }
        Line::from(spans)
    }

    /// Cells that a row takes at most.
    #[cfg(test)]
    fn taken(&self) -> usize {
        taken(self.widths.iter().copied())
    }
}

fn taken(widths: impl Iterator<Item = usize>) -> usize {
    let shown = widths.filter(|width| *width > 0);
    let (columns, cells) = shown.fold((0, 0), |(n, sum), width| (n + 1, sum + width));
    cells + GAP * usize::saturating_sub(columns, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        column("STREAM", 20, 0),
        column("REV", 3, 2).right(),
        column("EVENT", 8, 3),
        column("WHY", 8, 1),
    ];

    fn row(texts: [&str; 4]) -> [Cell; 4] {
        texts.map(|text| cell(text, Style::new()))
    }

    #[test]
    fn nothing_is_cut_while_there_is_room_and_the_name_stays() {
        let rows = [
            row([
                "user-7f3c7329-aaaa-bb",
                "12",
                "UserDeleted",
                "inactive for 90 days",
            ]),
            row(["user-1", "3", "UserCreated", ""]),
        ];
        let shown = |cells| {
            let columns = Columns::of(COLUMNS, &rows, cells);
            assert!(columns.taken() <= cells.max(20), "{cells}");
            columns.line(&rows[0]).to_string()
        };
        let whole = "user-7f3c7329-aaaa-bb   12  UserDeleted  inactive for 90 days";
        assert_eq!(shown(80), whole);
        assert_eq!(
            shown(60),
            "user-7f3c7329-aaaa-bb   12  UserDeleted  inactive for 90 da…"
        );
        // The event goes first, then the revision, then the reason; the name never.
        assert_eq!(shown(42), "user-7f3c7329-aaaa-bb   12  inactive for …");
        assert_eq!(shown(33), "user-7f3c7329-aaaa-bb  inactive …");
        assert_eq!(shown(21), "user-7f3c7329-aaaa-bb");
        let empty = [row(["a", "", "", ""])];
        let columns = Columns::of(COLUMNS, &empty, 80);
        assert_eq!(
            columns
                .heading(Theme {
                    palette: crate::theme::Palette::None,
                    ascii: false
                })
                .to_string(),
            "STREAM"
        );
    }
}
