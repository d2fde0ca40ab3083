//! Moments: until when a single command would have avoided an outcome.

use super::{MOMENTS_MAX, Question, Unfound, is_unknown, tried};
use crate::api::inevitable::{CommandTried, MomentOut};
use crate::api::what_if::Action;
use crate::ids::{Position, Revision};
use crate::redecide::{BasePlace, Failed, History, Place};
use crate::time::Timestamp;

/// The moments of a stream, oldest first, each with what the commands came to there, and how many older ones were left out. A moment is
/// right before an entry of the stream; the last one is its end.
pub fn moments<H: History>(
    question: &mut Question<'_, H>,
    commands: &[CommandTried],
) -> Result<(Vec<MomentOut>, u64), Unfound<H::Error>> {
    let mut places = places(question)?;
    let left_out = places.len().saturating_sub(MOMENTS_MAX);
    places.drain(..left_out);
    question.runs_expected += (places.len() * commands.len()) as u64;
    let mut moments = Vec::new();
    for base in places {
        moments.push(moment(question, base, commands)?);
    }
    Ok((moments, left_out as u64))
}

fn moment<H: History>(
    question: &mut Question<'_, H>,
    base: BasePlace,
    commands: &[CommandTried],
) -> Result<MomentOut, Unfound<H::Error>> {
    let mut moment = MomentOut {
        revision: base.revision,
        at: base.at,
        tried: 0,
        legal: 0,
        avoiding: 0,
        unknown: 0,
        example: None,
    };
    for command in commands {
        moment.tried += 1;
        let action = Action::Command(tried(&command.command_type, &command.payload));
        let ended = match question.attempt(&[], Some((std::slice::from_ref(&action), base))) {
            Err(error) if is_unknown(&error) => {
                moment.unknown += 1;
                continue;
            }
            ended => ended?,
        };
        if ended.end.accepted != [true] {
            continue;
        }
        moment.legal += 1;
        match ended.holds {
            None => moment.unknown += 1,
            Some(true) => {}
            Some(false) => {
                moment.avoiding += 1;
                moment.example.get_or_insert_with(|| command.clone());
            }
        }
    }
    Ok(moment)
}

/// Right before each entry of the stream that brought events, and its end.
fn places<H: History>(question: &mut Question<'_, H>) -> Result<Vec<BasePlace>, Unfound<H::Error>> {
    let start = Place::after_position(Position::ZERO);
    let stream = question.stream;
    let mut walk = question
        .history
        .walk(Some(stream), start)
        .map_err(Failed::History)?;
    let mut places = Vec::new();
    let (mut at, mut end) = (Timestamp::MIN, (Revision::ZERO, Position::ZERO));
    while let Some(entry) = question.history.next(&mut walk).map_err(Failed::History)? {
        question.stop.check().map_err(Failed::from)?;
        let Some(last) = entry.events.last() else {
            continue;
        };
        let time = entry
            .decision
            .as_ref()
            .map_or(last.recorded_at, |decision| decision.decided_at);
        at = at.max(time);
        end = (last.revision, last.position);
        places.push(BasePlace {
            place: entry.place,
            position: entry.place.position(),
            revision: entry.base_revision(),
            at,
        });
    }
    places.push(BasePlace {
        place: Place::END,
        position: Position(u64::MAX),
        revision: end.0,
        at,
    });
    Ok(places)
}
