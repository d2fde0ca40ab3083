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
    /// Whether it holds the name that the next command needs: others shrink, and go, before it is cut.
    name: bool,
    /// When it goes where there is no room: columns with the least number first. `None`: never.
    goes: Option<u8>,
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
            name: false,
            goes: None,
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

    /// Holds the name that the next command needs: it is cut only where no other column is left to shrink or to go.
    pub(crate) const fn is_name(mut self) -> Self {
        self.name = true;
        self.cut_in_the_middle()
    }

    /// Goes where there is no room for all columns: those with the least number first.
    pub(crate) const fn goes(mut self, order: u8) -> Self {
        self.goes = Some(order);
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
    /// `None` for a column that there is no room for.
    columns: Vec<Option<usize>>,
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

    /// Widths at which the columns fit into `width`: they shrink as far as each allows, then columns go one by one, then names
    /// are cut, and at the very last everything down to almost nothing.
    pub(crate) fn widths(&self, width: Option<usize>) -> Widths {
        let natural = self.natural_widths();
        let Some(whole) = width else {
            return Widths {
                columns: natural,
                whole: None,
            };
        };
        let mut widths = natural.clone();
        let mut left = natural;
        loop {
            widths.clone_from(&left);
            if self.shrink(&mut widths, whole, |column| {
                column.least.filter(|_| !column.name)
            }) {
                break;
            }
            let mut candidates: Vec<usize> =
                (0..left.len()).filter(|i| left[*i].is_some()).collect();
            candidates.retain(|i| self.columns[*i].goes.is_some());
            match candidates.into_iter().min_by_key(|i| self.columns[*i].goes) {
                Some(index) => left[index] = None,
                None => {
                    let _ = self.shrink(&mut widths, whole, |column| column.least)
                        || self.shrink(&mut widths, whole, |column| {
                            column.least.map(|least| least.min(LEAST))
                        });
                    break;
                }
            }
        }
        Widths {
            columns: widths,
            whole: Some(whole),
        }
    }

    fn natural_widths(&self) -> Vec<Option<usize>> {
        let width = |index: usize, column: &Column| {
            self.rows
                .iter()
                .filter_map(|row| row.get(index))
                .map(|cell| cell.text.width())
                .fold(column.title.width().max(column.floor), usize::max)
        };
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(index, column)| Some(width(index, column)))
            .collect()
    }

    /// Takes from the widest columns until all fit, none below its least width; whether they do.
    fn shrink(
        &self,
        widths: &mut [Option<usize>],
        whole: usize,
        least: impl Fn(&Column) -> Option<usize>,
    ) -> bool {
        loop {
            let shown = widths.iter().flatten();
            let (count, sum) = shown.fold((0usize, 0), |(n, sum), width| (n + 1, sum + width));
            if sum + GAP * count.saturating_sub(1) <= whole {
                return true;
            }
            let mut widest: Option<&mut usize> = None;
            for (width, column) in widths.iter_mut().zip(&self.columns) {
                if let Some(width) = width
                    && least(column).is_some_and(|least| *width > least)
                    && widest.as_ref().is_none_or(|widest| *width >= **widest)
                {
                    widest = Some(width);
                }
            }
            match widest {
                Some(width) => *width -= 1,
                None => return false,
            }
        }
    }

    /// The titles of the columns that there is no room for.
    pub(crate) fn left_out(&self, widths: &Widths) -> Option<String> {
        let gone = self.columns.iter().zip(&widths.columns);
        let titles: Vec<&str> = gone
            .filter(|(_, width)| width.is_none())
            .map(|(column, _)| column.title)
            .collect();
        (!titles.is_empty()).then(|| titles.join(", "))
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
        let last = widths.columns.iter().rposition(Option::is_some);
        for (index, (cell, column)) in cells.iter().zip(&self.columns).enumerate() {
            let Some(width) = widths.columns.get(index).copied().flatten() else {
                continue;
            };
            let text = if column.middle {
                cut_middle(&cell.text, width)
            } else {
                cut(&cell.text, width)
            };
            let pad = width.saturating_sub(text.width());
            let painted = cell.token.paint(&text, colours);
            let is_last = Some(index) == last;
            if column.right {
                line.push_str(&" ".repeat(pad));
                line.push_str(&painted);
            } else {
                line.push_str(&painted);
                if !is_last {
                    line.push_str(&" ".repeat(pad));
                }
            }
            if !is_last {
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
    fn columns_go_before_a_name_is_cut() {
        let mut table = Table::new([
            Column::new("stream").shrinks_to(6).is_name(),
            Column::new("status").goes(2),
            Column::new("why").shrinks_to(4).goes(1),
        ]);
        table.row([
            Cell::from("user-7f3c7329-aaaa"),
            "suspended".into(),
            "inactive for 90 days".into(),
        ]);
        let shown = |width: usize| {
            let widths = table.widths(Some(width));
            let line = table.lines(&widths, false).next().unwrap_or_default();
            assert!(line.width() <= width, "{width}: {line}");
            (line, table.left_out(&widths))
        };
        assert_eq!(shown(60).1, None);
        let (line, gone) = shown(40);
        assert!(
            line.contains("user-7f3c7329-aaaa") && line.ends_with('…'),
            "{line}"
        );
        assert_eq!(gone, None, "what can shrink does not go");
        let (line, gone) = shown(31);
        assert_eq!(line, "user-7f3c7329-aaaa  suspended");
        assert_eq!(gone.as_deref(), Some("why"));
        let (line, gone) = shown(20);
        assert_eq!(line, "user-7f3c7329-aaaa");
        assert_eq!(gone.as_deref(), Some("status, why"));
        assert_eq!(shown(10).0, "user-…aaaa", "at the last, the name too");
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
