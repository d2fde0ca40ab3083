//! The curve under a time axis: how many of the legal commands still avoid an outcome, moment by moment.

use whodunit_core::api::inevitable::MomentOut;
use whodunit_core::time::Timestamp;

const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_BARS: [char; 9] = [' ', '.', '.', ':', ':', '=', '=', '#', '#'];

/// The lines: bars, an axis with the point of no return, and both ends of time. Each column is a piece of time, and shows the moment that is
/// reached in it; where several are, the last.
pub(crate) fn draw(
    moments: &[MomentOut],
    no_return: Option<&MomentOut>,
    (width, ascii): (usize, bool),
    show: impl Fn(Timestamp) -> String,
) -> Vec<String> {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
        return Vec::new();
    };
    let columns = width.saturating_sub(4).clamp(10, 96);
    let span = last.at.as_micros() - first.at.as_micros();
    let column = |moment: &MomentOut, index: usize| -> usize {
        let (at, of) = if span > 0 {
            (moment.at.as_micros() - first.at.as_micros(), span)
        } else {
            // All at one time: one after the other.
            (whole(index), whole(moments.len().max(2) - 1))
        };
        let last = i128::from(whole(columns - 1));
        let at = i128::from(at) * last / i128::from(of.max(1));
        usize::try_from(at).unwrap_or_default().min(columns - 1)
    };
    let bars = if ascii { ASCII_BARS } else { BARS };
    let mut heights: Vec<Option<usize>> = vec![None; columns];
    let mut marked = None;
    for (index, moment) in moments.iter().enumerate() {
        let at = column(moment, index);
        if let Some(height) = heights.get_mut(at) {
            *height = Some(level(moment));
        }
        if no_return.is_some_and(|no_return| no_return.revision == moment.revision) {
            marked = Some(at);
        }
    }
    let mut now = 0;
    let bar = |height: &Option<usize>| {
        now = height.unwrap_or(now);
        bars.get(now).copied().unwrap_or(' ')
    };
    let curve: String = heights.iter().map(bar).collect();
    let (line, mark) = if ascii { ('-', '^') } else { ('─', '▲') };
    let axis = |at| if Some(at) == marked { mark } else { line };
    let axis: String = (0..columns).map(axis).collect();
    let (from, to) = (show(first.at), show(last.at));
    let gap = columns
        .saturating_sub(from.chars().count() + to.chars().count())
        .max(1);
    let mut lines = vec![
        format!("  {}", curve.trim_end()),
        format!("  {axis}"),
        format!("  {from}{}{to}", " ".repeat(gap)),
    ];
    if let Some(no_return) = no_return.filter(|moment| moment.revision != last.revision) {
        let at = show(no_return.at);
        lines.push(format!(
            "  {mark} the point of no return: after revision {}, {at}",
            no_return.revision
        ));
    }
    lines
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The height of a bar: none of the legal commands avoid it, or some, up to all.
fn level(moment: &MomentOut) -> usize {
    let eighths = (moment.avoiding * 8).checked_div(moment.legal).unwrap_or(0);
    let height = usize::try_from(eighths).unwrap_or(8);
    if moment.avoiding > 0 {
        height.clamp(1, 8)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use whodunit_core::ids::Revision;

    #[test]
    fn a_curve_falls_to_the_point_of_no_return() {
        let moment = |revision: u64, at: &str, avoiding| MomentOut {
            revision: Revision(revision),
            at: at.parse().unwrap(),
            tried: 4,
            legal: 4,
            avoiding,
            unknown: 0,
            example: None,
        };
        let moments = [
            moment(0, "2025-03-01T00:00:00Z", 4),
            moment(1, "2025-03-05T00:00:00Z", 2),
            moment(2, "2025-03-08T00:00:00Z", 1),
            moment(3, "2025-03-11T00:00:00Z", 0),
        ];
        let show = |at: Timestamp| at.to_string();
        let lines = draw(&moments, moments.get(2), (40, false), show);
        assert_eq!(lines[0].trim_end(), "  ██████████████▄▄▄▄▄▄▄▄▄▄▂▂▂▂▂▂▂▂▂▂▂");
        assert_eq!(lines[1].chars().position(|c| c == '▲'), Some(26));
        assert!(lines[2].contains("2025-03-01") && lines[2].contains("2025-03-11"));
        assert!(lines[3].contains("after revision 2"), "{lines:?}");
        let ascii = draw(&moments, None, (40, true), show);
        assert!(ascii.iter().all(|line| line.is_ascii()), "{ascii:?}");
    }
}
