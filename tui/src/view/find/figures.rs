//! The figures of the find screen: how many matches, how far the search is, facets, and what differs from the rest.

use ratatui::text::{Line, Span};

use crate::model::find::{FindScreen, Found, ROWS_MAX};
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{counted, cut, number, safe, width, wrap_to};
use crate::theme::Token;

/// Lines that a note takes at most.
const NOTE_LINES: usize = 3;

/// How many were found, and how far the search is; the latter where the line leaves room for it.
pub(super) fn counts(app: &App, screen: &FindScreen, cells: usize) -> String {
    let (matches, scanned) = both(app, screen);
    let needed = width(&safe(screen.line.text())) + width(&matches) + width(&scanned) + 8;
    if screen.found.value().is_none_or(|found| found.end.is_none()) || needed <= cells {
        return format!("{matches}{scanned} ");
    }
    let short = matches.split(" in ").next().unwrap_or_default();
    if needed - width(&scanned) <= cells {
        format!("{matches} ")
    } else {
        format!("{short} ")
    }
}

/// How many were found, and how far the search is.
fn both(app: &App, screen: &FindScreen) -> (String, String) {
    let Some(found) = screen.found.value() else {
        return (String::new(), String::new());
    };
    let what = if screen.applied.is_of_decisions() {
        "decision"
    } else {
        "event"
    };
    let searching = screen.asked.has(Slot::Find) || screen.asked.has(Slot::MoreFound);
    let summary = screen.summary.value().filter(|summary| summary.complete);
    let matches = match summary {
        Some(summary) => format!(
            "{} in {}",
            counted(summary.matches, what),
            counted(summary.streams, "stream")
        ),
        None => {
            let more = if searching || found.next.is_some() || found.stopped {
                "+"
            } else {
                ""
            };
            counted(found.rows.len() as u64, what).replacen(' ', &format!("{more} "), 1)
        }
    };
    let head = app.head.position;
    let scanned = match (&found.progress, &found.end) {
        (Some(at), _) if searching || found.stopped => {
            let word = if found.stopped {
                "stopped at"
            } else {
                "scanned"
            };
            format!(" · {word} {} of {}", number(at.scanned), number(at.last))
        }
        (None, _) if found.stopped => " · stopped".to_owned(),
        (_, Some(end)) if end.complete => {
            let scanned = number(end.scanned);
            let used = end.index.iter().flat_map(|index| &index.used);
            let field = used.clone().find(|name| name.contains('.'));
            let by = field.map_or_else(String::new, |field| format!(" by {}", safe(field)));
            format!(
                " · scanned {scanned} of {}{by}",
                number(end.head.max(end.scanned))
            )
        }
        (None, None) if searching && head > 0 => format!(" · scanned 0 of {}", number(head)),
        _ => String::new(),
    };
    (matches, scanned)
}

/// What is to be known of what was found: names that are not known, records that the line says nothing of.
pub(super) fn notes(app: &App, found: &Found, cells: usize) -> Vec<Line<'static>> {
    let Some(end) = &found.end else {
        return Vec::new();
    };
    let mut texts = Vec::new();
    for name in &end.unknown_names {
        let meant = match name.did_you_mean.as_slice() {
            [] => String::new(),
            names => format!("; did you mean {}?", names.join(" or ")),
        };
        texts.push(format!("! {}{meant}", name.sentence()));
    }
    if let Some(undecided) = &end.undecided {
        let total = undecided.undefined + undecided.unknown;
        texts.push(format!(
            "! the line could not be evaluated for {}, such as {}: {}",
            counted(total, "record"),
            undecided.first,
            undecided.reason
        ));
    }
    if let Some(why) = end.index.as_ref().and_then(|index| index.not_used.as_ref()) {
        texts.push(format!("! every event was looked at: {why}"));
    }
    if found.rows.len() >= ROWS_MAX {
        let shown = number(found.rows.len() as u64);
        texts.push(format!(
            "! the newest {shown} are listed: narrow the line to see older ones"
        ));
    }
    let style = app.theme.style(Token::Warn);
    let texts = texts.iter();
    texts
        .flat_map(|text| wrap_to(&safe(text), cells.saturating_sub(2), NOTE_LINES))
        .map(|line| Line::styled(format!(" {line}"), style))
        .collect()
}

/// The most frequent values, and what tells what was found from the rest: a line each.
pub(super) fn figures(
    app: &App,
    screen: &FindScreen,
    cells: usize,
    roomy: bool,
) -> Vec<Line<'static>> {
    let theme = app.theme;
    let muted = theme.style(Token::Muted);
    let mut lines = Vec::new();
    match &screen.summary {
        Remote::Ready(summary) | Remote::Loading(Some(summary)) => {
            let mut spans = vec![Span::styled(" facets", muted)];
            let facets = summary
                .facets
                .iter()
                .filter(|facet| facet.key != "category");
            for facet in facets {
                spans.push(Span::styled(format!("  {} ", facet.key), muted));
                let values = facet.values.iter().take(3).map(|value| {
                    let name = value.value.as_deref().unwrap_or("(none)");
                    format!("{} {}", safe(name), number(value.events))
                });
                spans.push(Span::raw(values.collect::<Vec<_>>().join(" · ")));
                let rest = facet.more_values + facet.values.len().saturating_sub(3) as u64;
                if rest > 0 {
                    spans.push(Span::styled(format!(" +{}", number(rest)), muted));
                }
            }
            if !summary.complete {
                spans.push(Span::styled(
                    "  of the newest only",
                    theme.style(Token::Warn),
                ));
            }
            lines.push(cut_spans(spans, cells));
        }
        Remote::Loading(None) => lines.push(Line::styled(" facets …", muted)),
        Remote::Failed(why) => {
            let text = format!(" facets: {}", safe(&why.message));
            lines.push(Line::styled(cut(&text, cells), theme.style(Token::Error)));
        }
        Remote::Absent => {}
    }
    if roomy {
        lines.extend(differs(app, screen, cells));
    }
    lines
}

/// What tells what was found from the rest.
fn differs(app: &App, screen: &FindScreen, cells: usize) -> Option<Line<'static>> {
    let theme = app.theme;
    let muted = theme.style(Token::Muted);
    match &screen.differs {
        Remote::Ready(differs) => {
            let mut spans = vec![Span::styled(" differs from the rest  ", muted)];
            if differs.differences.is_empty() {
                spans.push(Span::styled("in nothing that was compared", muted));
            }
            for (index, one) in differs.differences.iter().enumerate() {
                let value = one.value.as_deref().unwrap_or("(none)");
                let gap = if index > 0 { " · " } else { "" };
                let what = format!("{gap}{} {} ", safe(&one.attribute), safe(value));
                spans.push(Span::raw(what));
                let share = format!("{}/{}", one.selected, differs.selected);
                spans.push(Span::styled(share, theme.style(Token::Accent)));
                let rest = format!(" against {}/{}", one.rest, differs.rest);
                spans.push(Span::styled(rest, muted));
            }
            Some(cut_spans(spans, cells))
        }
        Remote::Loading(_) => Some(Line::styled(" differs from the rest …", muted)),
        Remote::Failed(why) => {
            let text = format!(" differs from the rest: {}", safe(&why.message));
            Some(Line::styled(cut(&text, cells), theme.style(Token::Error)))
        }
        Remote::Absent => None,
    }
}

fn cut_spans(spans: Vec<Span<'static>>, cells: usize) -> Line<'static> {
    let total: usize = spans.iter().map(|span| width(&span.content)).sum();
    if total <= cells {
        return Line::from(spans);
    }
    let mut room = cells.saturating_sub(1);
    let mut out = Vec::new();
    for span in spans {
        let wide = width(&span.content);
        if wide > room {
            out.push(Span::styled(cut(&span.content, room + 1), span.style));
            break;
        }
        room -= wide;
        out.push(span);
    }
    Line::from(out)
}
