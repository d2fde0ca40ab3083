//! Tables that fit the terminal: one line a row, what does not fit ends in `…`.
//!
//! Owns widths and alignment. Makes every cell safe to show.

use std::collections::BTreeMap;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;
use whodunit_core::text::shown;

use super::style::Token;
use crate::text::cut;

/// Space between columns.
const GAP: usize = 2;
/// The width below which no column is cut.
const LEAST: usize = 4;
/// Space before what stands under a row.
const INDENT: usize = 4;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
    /// The width down to which it may shrink; `None`: never.
    least: Option<usize>,
    /// The width it has at least, however short its cells are.
    floor: usize,
    /// Whether cells are cut in the middle: their ends tell them apart.
    middle: bool,
}

impl Column {
    /// A column that is never cut.
    pub(crate) const fn new(title: &'static str) -> Self {
        Self {
            title,
            right: false,
            least: None,
            floor: 0,
            middle: false,
        }
    }

    /// For numbers.
    pub(crate) const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// Has at least this width, for rows that are yet to come.
    pub(crate) const fn at_least(mut self, floor: usize) -> Self {
        self.floor = floor;
        self
    }

    /// Is cut in the middle, as names are whose ends tell them apart.
    pub(crate) const fn cut_in_the_middle(mut self) -> Self {
        self.middle = true;
        self
    }

    /// May be cut down to this width; further only where the table would not fit otherwise.
    pub(crate) const fn shrinks_to(mut self, least: usize) -> Self {
        self.least = Some(least);
        self
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    text: String,
    token: Token,
}

impl Cell {
    /// A cell with a meaning.
    pub(crate) fn new(text: impl AsRef<str>, token: Token) -> Self {
        Self {
            text: shown(text.as_ref()).into_owned(),
            token,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Token::Plain)
    }
}

/// Widths of a table's columns, kept from page to page so that all its rows line up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Widths {
    columns: Vec<usize>,
    /// All there is; `None`: no end.
    whole: Option<usize>,
}

/// Rows under columns.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    /// Lines under rows, by the row's index.
    under: BTreeMap<usize, Cell>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self {
            columns: columns.into(),
            rows: Vec::new(),
            under: BTreeMap::new(),
        }
    }

    /// Adds a row: a cell for each column.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// Puts a line under the last row: what needs more room than a column has.
    pub(crate) fn under(&mut self, cell: Cell) {
        if let Some(last) = self.rows.len().checked_sub(1) {
            self.under.insert(last, cell);
        }
    }

    /// Drops the columns in which no row has anything.
    pub(crate) fn drop_empty_columns(&mut self) {
        let used: Vec<bool> = (0..self.columns.len())
            .map(|index| {
                self.rows
                    .iter()
                    .any(|row| row.get(index).is_some_and(|cell| !cell.text.is_empty()))
            })
            .collect();
        if self.rows.is_empty() {
            return;
        }
        let mut keep = used.iter().copied();
        self.columns.retain(|_| keep.next().unwrap_or(true));
        for row in &mut self.rows {
            let mut keep = used.iter().copied();
            row.retain(|_| keep.next().unwrap_or(true));
        }
    }

    /// Widths at which all columns fit into `width`, as far as their least widths allow.
    pub(crate) fn widths(&self, width: Option<usize>) -> Widths {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(index))
                    .map(|cell| cell.text.width())
                    .fold(column.title.width().max(column.floor), usize::max)
            })
            .collect();
        let Some(width) = width else {
            return Widths {
                columns: widths,
                whole: None,
            };
        };
        let gaps = GAP * self.columns.len().saturating_sub(1);
        let fits = |widths: &[usize]| widths.iter().sum::<usize>() + gaps <= width;
        // First down to what each column asks for, then, on a very narrow terminal, down to almost nothing.
        for last_resort in [false, true] {
            let least = |column: &Column| {
                let asked = column.least?;
                Some(if last_resort { asked.min(LEAST) } else { asked })
            };
            while !fits(&widths) {
                // The widest column that may still give one up.
                let widest = (0..widths.len())
                    .filter(|i| least(&self.columns[*i]).is_some_and(|least| widths[*i] > least))
                    .max_by_key(|i| widths[*i]);
                match widest {
                    Some(index) => widths[index] -= 1,
                    None => break,
                }
            }
        }
        Widths {
            columns: widths,
            whole: Some(width),
        }
    }

    /// The heading's line.
    pub(crate) fn heading(&self, widths: &Widths, colours: bool) -> String {
        let cells: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::new(column.title, Token::Muted))
            .collect();
        self.line(&cells, widths, colours)
    }

    /// The rows' lines, and those under them.
    pub(crate) fn lines<'a>(
        &'a self,
        widths: &'a Widths,
        colours: bool,
    ) -> impl Iterator<Item = String> + 'a {
        self.rows.iter().enumerate().flat_map(move |(index, row)| {
            let under = self.under.get(&index).map(|cell| {
                let room = widths
                    .whole
                    .map_or(usize::MAX, |whole| whole.saturating_sub(INDENT));
                let text = cell.token.paint(&cut(&cell.text, room), colours);
                format!("{}{text}", " ".repeat(INDENT))
            });
            std::iter::once(self.line(row, widths, colours)).chain(under)
        })
    }

    fn line(&self, cells: &[Cell], widths: &Widths, colours: bool) -> String {
        let mut line = String::new();
        let last = cells.len().saturating_sub(1);
        for (index, (cell, column)) in cells.iter().zip(&self.columns).enumerate() {
            let width = widths.columns.get(index).copied().unwrap_or_default();
            let text = if column.middle {
                cut_middle(&cell.text, width)
            } else {
                cut(&cell.text, width)
            };
            let pad = width.saturating_sub(text.width());
            let painted = cell.token.paint(&text, colours);
            if column.right {
                line.push_str(&" ".repeat(pad));
                line.push_str(&painted);
            } else {
                line.push_str(&painted);
                if index != last {
                    line.push_str(&" ".repeat(pad));
                }
            }
            if index != last {
                line.push_str(&" ".repeat(GAP));
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// The text in at most `width` columns, with `…` for its middle when it was cut.
fn cut_middle(text: &str, width: usize) -> String {
    if text.width() <= width || width < 3 {
        return cut(text, width);
    }
    let tail_width = (width - 1) / 2;
    let mut tail = "";
    for (at, _) in text.grapheme_indices(true).rev() {
        let (_, rest) = text.split_at(at);
        if rest.width() > tail_width {
            break;
        }
        tail = rest;
    }
    // `cut` ends in the `…` that stands for the middle.
    format!("{}{tail}", cut(text, width - tail.width()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::new("rev").right(),
            Column::new("type").shrinks_to(6),
            Column::new("who").shrinks_to(4),
            Column::new("from"),
            Column::new("why").shrinks_to(8),
        ]);
        table.row([
            Cell::from("1"),
            "UserCreated".into(),
            "api".into(),
            "".into(),
            "".into(),
        ]);
        table.row([
            Cell::from("12"),
            "UserDeleted".into(),
            "job:inactive-cleanup".into(),
            "".into(),
            "inactive for 90 days, 漢字 and \u{1b}[31mmore".into(),
        ]);
        table.drop_empty_columns();
        table
    }

    fn render(width: Option<usize>) -> String {
        let table = table();
        let widths = table.widths(width);
        let mut lines = vec![table.heading(&widths, false)];
        lines.extend(table.lines(&widths, false));
        lines.join("\n")
    }

    #[test]
    fn a_table_fits_its_width() {
        insta::assert_snapshot!(render(None), @r"
        rev  type         who                   why
          1  UserCreated  api
         12  UserDeleted  job:inactive-cleanup  inactive for 90 days, 漢字 and ␛[31mmore
        ");
        insta::assert_snapshot!(render(Some(50)), @r"
        rev  type         who              why
          1  UserCreated  api
         12  UserDeleted  job:inactive-c…  inactive for 9…
        ");
        for width in 21..90 {
            for line in render(Some(width)).lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn what_stands_under_a_row_has_the_whole_width() {
        let mut table = table();
        table.under(Cell::from("a very long story that no column has room for"));
        let widths = table.widths(Some(40));
        let lines: Vec<String> = table.lines(&widths, false).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[2], "    a very long story that no column ha…");
        let widths = table.widths(None);
        let lines: Vec<String> = table.lines(&widths, false).collect();
        assert!(lines[2].ends_with("has room for"), "{lines:?}");
    }

    #[test]
    fn cutting_never_breaks_a_character() {
        assert_eq!(cut("漢字漢字", 4), "漢…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(
            cut_middle("iamuser-malicious-iam-user", 13),
            "iamuse…m-user"
        );
        assert_eq!(cut_middle("漢字漢字漢字", 6), "漢…字");
        assert_eq!(cut_middle("abcdef", 2), "a…");
    }

    #[test]
    fn colours_do_not_change_widths() {
        let mut table = Table::new([Column::new("a"), Column::new("b")]);
        table.row([Cell::new("x", Token::Rejected), Cell::from("y")]);
        let widths = table.widths(Some(80));
        let line = table.lines(&widths, true).next().unwrap();
        assert_eq!(line, "\u{1b}[31mx\u{1b}[0m  y");
    }
}
