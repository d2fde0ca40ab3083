//! Text on a terminal: widths and truncation.
//!
//! Owns the way from untrusted text to cells. Whatever comes from the log passes [`safe`] first.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;
use whodunit_core::text::shown;

pub(crate) use whodunit_core::counted::{clause, counted, noun, number, verb};

/// Untrusted text as it may be shown: no control characters, no disguises.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    shown(text)
}

/// Cells a text takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text cut to at most `cells`, with an ellipsis where something was cut.
pub(crate) fn cut(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = width(grapheme);
        if used + wide + 1 > cells {
            break;
        }
        out.push_str(grapheme);
        used += wide;
    }
    if cells > 0 {
        out.push('…');
    }
    out
}

/// The text cut or padded to exactly `cells`.
pub(crate) fn fit(text: &str, cells: usize) -> String {
    let mut out = cut(text, cells);
    out.push_str(&" ".repeat(cells.saturating_sub(width(&out))));
    out
}

/// The text in lines of at most `cells`, broken at spaces where there are any.
pub(crate) fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_inclusive(' ') {
            if width(&line) + width(word.trim_end()) > cells && !line.is_empty() {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            for grapheme in word.graphemes(true) {
                if width(&line) + width(grapheme) > cells {
                    if grapheme == " " {
                        continue;
                    }
                    lines.push(std::mem::take(&mut line));
                }
                line.push_str(grapheme);
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The text wrapped into at most so many lines; one that is longer ends in an ellipsis.
pub(crate) fn wrap_to(text: &str, cells: usize, lines: usize) -> Vec<String> {
    let mut wrapped = wrap(text, cells);
    if wrapped.len() > lines {
        wrapped.truncate(lines);
        if let Some(last) = wrapped.last_mut() {
            *last = cut(&format!("{last} …"), cells);
        }
    }
    wrapped
}

/// The text in lines of exactly so many cells but for the last, wherever that breaks it: nothing is left out.
pub(crate) fn chunks(text: &str, cells: usize) -> Vec<String> {
    broken(text, cells, 0)
}

/// The same, where it can be broken behind a blank or a sign between words, in the later half of a line. It may take more lines.
pub(crate) fn chunks_at_words(text: &str, cells: usize) -> Vec<String> {
    broken(text, cells, cells.div_ceil(2))
}

/// The text in lines of at most so many cells. A line that ends within a word gives that word to the next one, where at least `keep`
/// cells of it stay; 0 for never.
fn broken(text: &str, cells: usize, keep: usize) -> Vec<String> {
    let cells = cells.max(2);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for grapheme in text.graphemes(true) {
        if width(&line) + width(grapheme) > cells {
            let words = line.rfind(|c: char| " /:-_.,;@=&?#".contains(c));
            let end = words.map_or(0, |last| last + 1);
            let (head, tail) = line.split_at(end);
            if keep > 0 && width(head) >= keep {
                let tail = tail.to_owned();
                line.truncate(end);
                lines.push(std::mem::replace(&mut line, tail));
            } else {
                lines.push(std::mem::take(&mut line));
            }
        }
        line.push_str(grapheme);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_cells() {
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(fit("漢", 4), "漢  ");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("abcd", 0), "");
    }

    #[test]
    fn long_text_wraps_at_words_and_never_exceeds_the_width() {
        assert_eq!(
            wrap("inactive for 90 days", 12),
            ["inactive for", "90 days"]
        );
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("a\nb", 9), ["a", "b"]);
    }

    #[test]
    fn what_does_not_fit_into_so_many_lines_says_so() {
        assert_eq!(wrap_to("a reason", 9, 1), ["a reason"]);
        assert_eq!(wrap_to("a b c d e f", 3, 2), ["a b", "c …"]);
        assert_eq!(wrap_to("abc def", 3, 1), ["ab…"]);
        assert_eq!(wrap_to("a longer one", 8, 1), ["a longe…"]);
        assert_eq!(wrap_to("a b", 9, 0), Vec::<String>::new());
    }

    #[test]
    fn chunks_leave_nothing_out() {
        assert_eq!(
            chunks("18446744073709551616", 9),
            ["184467440", "737095516", "16"]
        );
        assert_eq!(chunks("漢字漢", 5), ["漢字", "漢"]);
        assert_eq!(chunks("", 5), [""]);
    }

    #[test]
    fn a_value_is_broken_between_words_where_there_are_any() {
        let broken = |text| chunks_at_words(text, 15);
        assert_eq!(broken("malicious-iam-user"), ["malicious-iam-", "user"]);
        assert_eq!(broken("2023-07-10T12:24:49Z"), ["2023-07-10T12:", "24:49Z"]);
        assert_eq!(
            broken("AIDATFQR7NSCVHF5KTCK7"),
            ["AIDATFQR7NSCVHF", "5KTCK7"]
        );
        assert_eq!(broken("a-bcdefghijklmnopq"), ["a-bcdefghijklmn", "opq"]);
        assert_eq!(broken("漢字漢字漢字漢-漢"), ["漢字漢字漢字漢-", "漢"]);
    }
}
