//! Whether streams and categories are listed as their events say, and no others are.

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::counted::{clause, counted};
use whodunit_core::ids::{Position, Revision};

use super::super::super::record::decode_stream;
use super::{SealedCheck, StoreResult};
use crate::store::StreamInfo;
use crate::store::check::Check;

/// What the streams of a category come to.
#[derive(Debug, Default)]
struct Category {
    name: String,
    streams: u64,
    events: u64,
    /// Whether a stream has the category's own name: then all of it was counted with that one.
    counted: bool,
}

impl SealedCheck<'_> {
    /// Looks at the tables of streams and categories.
    pub(super) fn streams(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let records = self.records_of_streams(check)?;
        let names = self.names(check)?;
        if let (Some(records), Some(names)) = (records, names)
            && records > names
        {
            let detail = format!(
                "{} a record, but only {} a name",
                clause(records, "stream", "has"),
                clause(names, "stream", "has")
            );
            let place = VerifyPlace::table("stream_numbers");
            check.found(VerifyCode::IndexMissing, place, detail);
        }
        let table = ("streams_by_last", &self.tables.streams_by_last);
        self.walk(check, table, |check, position, number| {
            let place = || VerifyPlace::position(Position(position)).within("streams_by_last");
            let info = self.read(check, place, || self.stream_of(number))?;
            if info.is_some_and(|info| info.is_none_or(|info| info.last_position.0 != position)) {
                let detail = format!("the last event of stream number {number} is not there");
                check.found(VerifyCode::IndexInvented, place(), detail);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The record of the stream of a number.
    pub(super) fn stream_of(&self, number: u64) -> StoreResult<Option<StreamInfo>> {
        let record = self.tables.streams.get(number)?;
        let record = record.map(|record| decode_stream(number, record.value()));
        record.transpose()
    }

    /// Walks the records, by number.
    fn records_of_streams(&self, check: &mut Check<'_>) -> StoreResult<Option<u64>> {
        let table = ("streams", &self.tables.streams);
        let (mut events, mut readable) = (0_u64, true);
        let walked = self.walk(check, table, |check, number, bytes| {
            let place = || VerifyPlace::table("streams");
            let decoded = decode_stream(number, bytes);
            let Some(info) = check.readable(place, decoded)? else {
                readable = false;
                return Ok(());
            };
            events = events.saturating_add(info.revision.0);
            self.record_of(check, number, &info)
        })?;
        if walked.is_some() && readable && events != self.head.position.0 {
            let detail = format!(
                "the streams have {} in all, but the log has {}",
                counted(events, "event"),
                self.head.position
            );
            let place = VerifyPlace::table("streams");
            check.found(VerifyCode::StreamWrong, place, detail);
        }
        Ok(walked)
    }

    /// Looks whether a stream's events begin and end where its record says, and whether it is listed there.
    fn record_of(&self, check: &mut Check<'_>, number: u64, info: &StreamInfo) -> StoreResult<()> {
        let place = || VerifyPlace::stream(&info.stream);
        let records = self.records();
        let at = |revision: Revision| -> StoreResult<Option<Position>> {
            let found = records.of_stream(number, revision)?;
            Ok(found.and_then(|(block, within)| block.position(within)))
        };
        let found = self.read(check, place, || {
            Ok((
                at(Revision(1))?,
                at(info.revision)?,
                at(info.revision.next())?,
            ))
        })?;
        if let Some((first, last, beyond)) = found {
            if first != Some(info.first_position) || last != Some(info.last_position) {
                let detail = format!(
                    "its record says that revisions 1 to {} stand from position {} to {}",
                    info.revision, info.first_position, info.last_position
                );
                check.found(VerifyCode::StreamWrong, place(), detail);
            }
            if beyond.is_some() {
                let detail = format!("it has events beyond revision {}", info.revision);
                check.found(VerifyCode::StreamWrong, place(), detail);
            }
        }
        let listed = self.read(check, place, || {
            let number = self.tables.streams_by_last.get(info.last_position.0)?;
            Ok(number.map(|number| number.value()))
        })?;
        if listed.is_some_and(|listed| listed != Some(number)) {
            let place = place().at(info.last_position).within("streams_by_last");
            let detail = "the stream is not listed by its last event";
            check.found(VerifyCode::IndexMissing, place, detail);
        }
        Ok(())
    }

    /// Walks the names, and the categories with them: the streams of a category stand together.
    fn names(&self, check: &mut Check<'_>) -> StoreResult<Option<u64>> {
        let mut category = Category::default();
        let mut categories = 0;
        let table = ("stream_numbers", &self.tables.stream_numbers);
        let walked = self.walk(check, table, |check, name, number| {
            let place = || VerifyPlace::table("stream_numbers");
            let info = self.read(check, place, || self.stream_of(number))?;
            let Some(info) = info else { return Ok(()) };
            let Some(info) = info.filter(|info| info.stream.as_str() == name) else {
                let detail = format!("`{name}` leads to the record of another stream, or to none");
                check.found(VerifyCode::IndexInvented, place(), detail);
                return Ok(());
            };
            let own = info.stream.category();
            if own == name {
                let Some(own) = self.read(check, place, || self.with_bare(&info))? else {
                    return Ok(());
                };
                categories += u64::from(self.category(check, &own)?);
                return Ok(());
            }
            if own != category.name {
                categories += u64::from(self.category(check, &category)?);
                let bare = self.read(check, place, || {
                    Ok(self.tables.stream_numbers.get(own)?.is_some())
                })?;
                category = Category {
                    name: own.to_owned(),
                    counted: bare.unwrap_or(true),
                    ..Category::default()
                };
            }
            category.streams += 1;
            category.events = category.events.saturating_add(info.revision.0);
            Ok(())
        })?;
        if walked.is_none() {
            return Ok(None);
        }
        categories += u64::from(self.category(check, &category)?);
        self.more_categories(check, categories)?;
        Ok(walked)
    }

    /// The category of a stream of its name, which need not stand beside the others.
    fn with_bare(&self, info: &StreamInfo) -> StoreResult<Category> {
        let name = info.stream.as_str().to_owned();
        let (low, high) = (format!("{name}-"), format!("{name}."));
        let mut own = Category {
            name,
            streams: 1,
            events: info.revision.0,
            counted: false,
        };
        let numbers = &self.tables.stream_numbers;
        for entry in numbers.range(low.as_str()..high.as_str())? {
            let other = self.stream_of(entry?.1.value())?;
            own.streams += 1;
            let events = other.map_or(0, |other| other.revision.0);
            own.events = own.events.saturating_add(events);
        }
        Ok(own)
    }

    /// Looks at the counts of a category; whether there is one.
    fn category(&self, check: &mut Check<'_>, own: &Category) -> StoreResult<bool> {
        if own.streams == 0 || own.counted {
            return Ok(false);
        }
        let place = || VerifyPlace::table("categories");
        let said = self.read(check, place, || {
            let said = self.tables.categories.get(own.name.as_str())?;
            Ok(said.map(|said| said.value()))
        })?;
        let name = &own.name;
        match said {
            Some(None) => {
                let detail = format!("category `{name}` is not listed");
                check.found(VerifyCode::IndexMissing, place(), detail);
            }
            Some(Some(said)) if said != (own.streams, own.events) => {
                let detail = format!(
                    "category `{name}` has {} and {}, not {} and {}",
                    counted(own.streams, "stream"),
                    counted(own.events, "event"),
                    said.0,
                    said.1
                );
                check.found(VerifyCode::CountWrong, place(), detail);
            }
            _ => {}
        }
        Ok(matches!(said, Some(Some(_))))
    }

    fn more_categories(&self, check: &mut Check<'_>, expected: u64) -> StoreResult<()> {
        let table = ("categories", &self.tables.categories);
        let entries = self.walk(check, table, |_, _, _| Ok(()))?;
        if self.has_more(check, "categories", (entries, expected)) {
            self.walk(check, table, |check, name, _| {
                let place = || VerifyPlace::table("categories");
                let low = format!("{name}-");
                let high = format!("{name}.");
                let has = self.read(check, place, || {
                    let mut names = self
                        .tables
                        .stream_numbers
                        .range(low.as_str()..high.as_str())?;
                    let bare = self.tables.stream_numbers.get(name)?.is_some();
                    Ok(bare || names.next().transpose()?.is_some())
                })?;
                if has == Some(false) {
                    let detail = format!("category `{name}` has no stream");
                    check.found(VerifyCode::IndexInvented, place(), detail);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
