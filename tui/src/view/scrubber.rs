//! The time scrubber: how events are spread over time, on a real time axis, with the cursor on it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::Paragraph;
use whodunit_core::api::browse::DensityOut;
use whodunit_core::time::Timestamp;

use super::marks;
use crate::model::App;
use crate::model::hits::Hit;
use crate::model::span::Span;
use crate::model::stream::StreamScreen;
use crate::request::Slot;
use crate::text::{fit, width};
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

/// Draws the axis of a stream: a mark for each event of a short history, with its label where there is a line for it; bars for
/// a long one.
pub(super) fn draw_stream(app: &App, frame: &mut Frame<'_>, area: Rect, stream: &StreamScreen) {
    let is_asked = stream.asked.has(Slot::StreamDensity);
    let density = stream.density.as_ref();
    let cells = usize::from(area.width);
    let at = stream.cursor_time();
    let marked = density.and_then(|density| marks::lines(app, stream, density, cells));
    if stream.asked.branch().is_some() {
        let text = "a branch: what would have happened, not what did";
        frame.render_widget(Line::styled(text, app.theme.style(Token::Warn)), area);
        return;
    }
    let (Some(density), Some([marks, labels])) = (density, marked) else {
        return draw(app, frame, area, (density, is_asked), at);
    };
    add_hits(app, area, density);
    let here = at.map(|at| (cell_of(density, at, cells), at));
    let lines = vec![marks, axis(app, density, here, cells), labels];
    frame.render_widget(Paragraph::new(lines), area);
}

/// Draws the axis in two lines: the bars, and dates with the cursor under them.
pub(super) fn draw(
    app: &App,
    frame: &mut Frame<'_>,
    area: Rect,
    (density, is_asked): (Option<&DensityOut>, bool),
    at: Option<Timestamp>,
) {
    let theme = app.theme;
    let Some(density) = density else {
        let text = if is_asked {
            "loading the history …"
        } else {
            "(the history could not be loaded)"
        };
        frame.render_widget(Line::styled(text, theme.style(Token::Muted)), area);
        return;
    };
    add_hits(app, area, density);
    let cells = usize::from(area.width);
    let bars = resample(&density.counts, cells);
    let max = bars.iter().copied().max().unwrap_or(0);
    let here = at.map(|at| cell_of(density, at, cells));
    let spans: Vec<Piece<'_>> = bars
        .iter()
        .enumerate()
        .map(|(index, &count)| {
            let token = match here {
                Some(here) if index == here => Token::Accent,
                Some(here) if index > here => Token::Future,
                _ => Token::Plain,
            };
            let bar = if here == Some(index) && count == 0 {
                if theme.ascii { "|" } else { "│" }
            } else {
                theme.bar(count, max)
            };
            Piece::styled(bar, theme.style(token))
        })
        .collect();
    let axis = axis(app, density, here.zip(at), cells);
    frame.render_widget(Paragraph::new(vec![Line::from(spans), axis]), area);
}

/// Sets the part of the axis off that is taken.
pub(super) fn draw_span(
    app: &App,
    frame: &mut Frame<'_>,
    area: Rect,
    density: &DensityOut,
    span: Span,
) {
    let cells = usize::from(area.width);
    let (first, last) = span.parts();
    let cell = |part: usize| {
        let at = part * cells / density.counts.len().max(1);
        u16::try_from(at).unwrap_or(u16::MAX)
    };
    let (from, to) = (cell(first), cell(last));
    let width = (to - from + 1).min(area.width.saturating_sub(from));
    let taken = Rect::new(area.x + from, area.y, width, area.height.min(1));
    frame
        .buffer_mut()
        .set_style(taken, app.theme.style(Token::Selected));
}

/// Draws the axis with what matches a line set off from all that there is.
pub(super) fn draw_within(
    app: &App,
    frame: &mut Frame<'_>,
    area: Rect,
    (density, matches): (&DensityOut, &DensityOut),
    at: Option<Timestamp>,
) {
    let theme = app.theme;
    add_hits(app, area, density);
    let cells = usize::from(area.width);
    let all = resample(&density.counts, cells);
    let mut found = vec![0_u64; cells];
    let span = matches.last.as_micros() - matches.first.as_micros();
    let buckets = i64::try_from(matches.counts.len())
        .unwrap_or(i64::MAX)
        .max(1);
    for (index, count) in (0..buckets).zip(&matches.counts) {
        let middle = i128::from(span) * i128::from(2 * index + 1) / i128::from(2 * buckets);
        let middle = i64::try_from(middle).unwrap_or_default();
        let cell = cell_of(density, matches.first.plus_micros(middle), cells);
        if let Some(sum) = found.get_mut(cell) {
            *sum += count;
        }
    }
    let most = |bars: &[u64]| bars.iter().copied().max().unwrap_or(0);
    let (most_found, most_of_all) = (most(&found), most(&all));
    let bars = found.iter().zip(&all).map(|(&found, &all)| {
        if found > 0 {
            Piece::styled(theme.bar(found, most_found), theme.style(Token::Accent))
        } else {
            Piece::styled(theme.bar(all, most_of_all), theme.style(Token::Future))
        }
    });
    let bars = Line::from(bars.collect::<Vec<_>>());
    let here = at.map(|at| (cell_of(density, at, cells), at));
    let axis = axis(app, density, here, cells);
    frame.render_widget(Paragraph::new(vec![bars, axis]), area);
}

/// Dates along the axis, and the cursor's own time at its place.
fn axis(
    app: &App,
    density: &DensityOut,
    cursor: Option<(usize, Timestamp)>,
    cells: usize,
) -> Line<'static> {
    let (theme, zone) = (app.theme, app.zone);
    let mut row: Vec<char> = vec![' '; cells];
    let mut put = |at: usize, text: &str| {
        for (offset, c) in text.chars().enumerate() {
            if let Some(cell) = row.get_mut(at + offset) {
                *cell = c;
            }
        }
    };
    let span = density.last.as_micros() - density.first.as_micros();
    let mark = cursor.map(|(cell, time)| {
        let glyph = theme.glyph(Glyph::Here);
        let text = zone.long(time);
        // To the right of the mark where there is room, else to its left.
        if cell + width(&text) + 2 <= cells {
            (cell, format!("{glyph} {text}"))
        } else {
            let text = format!("{text} {glyph}");
            ((cell + 1).saturating_sub(width(&text)), text)
        }
    });
    let step = 20.max(cells / 6);
    // On an axis of one moment one label says it all.
    let count = if span == 0 { 1 } else { cells };
    let marks: Vec<(usize, Timestamp)> = (0..cells)
        .step_by(step)
        .take(count)
        .map(|cell| (cell, label_time(density, cell, cells)))
        .collect();
    let label = labels(app, density, &marks);
    for (cell, time) in marks {
        let text = zone.format(time, label);
        let end = cell + width(&text) + 1;
        let free = mark
            .as_ref()
            .is_none_or(|(at, text)| end < *at || cell > at + width(text));
        if free && end <= cells {
            put(cell, &text);
        }
    }
    let Some((at, text)) = mark else {
        return Line::styled(
            row.into_iter().collect::<String>(),
            theme.style(Token::Muted),
        );
    };
    let before: String = row.iter().take(at).collect();
    let after: String = row.iter().skip(at + width(&text)).collect();
    Line::from(vec![
        Piece::styled(before, theme.style(Token::Muted)),
        Piece::styled(text, theme.style(Token::Accent)),
        Piece::styled(fit(&after, width(&after)), theme.style(Token::Muted)),
    ])
}

/// How the labels of the axis are written: a time of day within two days, else a date, with its year where one is not this
/// year's.
fn labels(app: &App, density: &DensityOut, marks: &[(usize, Timestamp)]) -> &'static str {
    let zone = app.zone;
    let span = density.last.as_micros() - density.first.as_micros();
    if span < 2 * 86_400_000_000 {
        let times = marks.iter().map(|(_, time)| *time);
        return Pattern::of_a_day(times, |time, pattern| zone.format(time, pattern)).as_str();
    }
    let year = |time| zone.format(time, "%Y");
    let this_year = year(app.now);
    if [density.first, density.last].map(year) == [this_year.clone(), this_year] {
        "%b %d"
    } else {
        "%Y-%m-%d"
    }
}

/// As many counts as there are cells; none is lost.
fn resample(counts: &[u64], cells: usize) -> Vec<u64> {
    let mut out = vec![0; cells];
    for (index, count) in counts.iter().enumerate() {
        if let Some(slot) = out.get_mut(index * cells / counts.len().max(1)) {
            *slot += count;
        }
    }
    out
}

/// The cell of the bar that a moment is counted in: the daemon counts by equal parts of the time between the first and the
/// last event, and [`resample`] puts these into cells.
pub(super) fn cell_of(density: &DensityOut, at: Timestamp, cells: usize) -> usize {
    let (first, last) = (density.first.as_micros(), density.last.as_micros());
    let buckets = density.counts.len().max(1);
    let span = i128::from(last) - i128::from(first) + 1;
    let offset = i128::from(at.as_micros().clamp(first, last)) - i128::from(first);
    let bucket = usize::try_from(offset * buckets as i128 / span).unwrap_or(0);
    bucket.min(buckets - 1) * cells / buckets
}

/// The moment that a label under a cell names.
fn label_time(density: &DensityOut, cell: usize, cells: usize) -> Timestamp {
    let (first, last) = (density.first.as_micros(), density.last.as_micros());
    let offset = i128::from(last - first) * cell as i128 / cells.saturating_sub(1).max(1) as i128;
    Timestamp::from_micros(first + i64::try_from(offset).unwrap_or(0))
}

/// The last moment that is counted in a cell or in one before it: the state then is that after all its events.
fn time_of(density: &DensityOut, cell: usize, cells: usize) -> Timestamp {
    let (first, last) = (density.first.as_micros(), density.last.as_micros());
    let buckets = density.counts.len().max(1);
    // The first part that lies in a later cell, and its first moment.
    let next = ((cell + 1) * buckets).div_ceil(cells.max(1)).min(buckets);
    let span = i128::from(last) - i128::from(first) + 1;
    let begins = (next as i128 * span).div_euclid(buckets as i128)
        + i128::from((next as i128 * span).rem_euclid(buckets as i128) > 0);
    let end = i64::try_from(i128::from(first) + begins - 1).unwrap_or(last);
    Timestamp::from_micros(end.clamp(first, last))
}

/// Each cell of the axis stands for its moment.
fn add_hits(app: &App, area: Rect, density: &DensityOut) {
    let cells = usize::from(area.width);
    for (x, cell) in (area.left()..area.right()).zip(0..cells) {
        let column = Rect::new(x, area.y, 1, area.height);
        app.hits
            .add(column, Hit::Time(time_of(density, cell, cells)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_is_lost_when_the_axis_is_resampled() {
        for cells in [1, 7, 80, 240, 300] {
            let counts: Vec<u64> = (0..240).collect();
            assert_eq!(
                resample(&counts, cells).iter().sum::<u64>(),
                counts.iter().sum::<u64>(),
                "{cells}"
            );
        }
    }

    fn density(counts: usize) -> DensityOut {
        DensityOut {
            first: "2025-03-01T00:00:00Z".parse().unwrap(),
            last: "2025-03-31T00:00:00Z".parse().unwrap(),
            counts: vec![1; counts],
        }
    }

    #[test]
    fn the_cursor_stands_at_the_bar_that_counts_its_event() {
        let mut one = density(240);
        let span = one.last.as_micros() - one.first.as_micros();
        for cells in [38, 78, 118, 240, 300] {
            for part in 0..=1_000 {
                let at = one.first.plus_micros(span / 1_000 * part);
                let bucket = usize::try_from(
                    i128::from(at.as_micros() - one.first.as_micros()) * 240 / i128::from(span + 1),
                )
                .unwrap();
                one.counts = vec![0; 240];
                one.counts[bucket] = 1;
                let bar = resample(&one.counts, cells)
                    .iter()
                    .position(|count| *count > 0);
                assert_eq!(bar, Some(cell_of(&one, at, cells)), "{part} of {cells}");
            }
        }
    }

    #[test]
    fn a_click_on_a_bar_comes_after_its_last_event() {
        for counts in [1, 7, 240] {
            let density = density(counts);
            for cells in [38, 78, 118, 240, 300] {
                for part in 0..=1_000 {
                    let span = density.last.as_micros() - density.first.as_micros();
                    let at = density.first.plus_micros(span / 1_000 * part);
                    let cell = cell_of(&density, at, cells);
                    let clicked = time_of(&density, cell, cells);
                    assert!(clicked >= at, "{part} of {cells}");
                    assert_eq!(cell_of(&density, clicked, cells), cell, "{part} of {cells}");
                }
            }
        }
    }
}
