//! From a text to a query line.

use super::error::QueryError;
use super::pattern::Pattern;
use super::scan::Scanner;
use super::{
    Field, Kind, Near, QUERY_BYTES_MAX, QUERY_TERMS_MAX, Query, Term, Text, Towards, Within,
};
use crate::nearest::did_you_mean;
use crate::predicate::Predicate;
use crate::search::Search;
use crate::text::shown;
use crate::time::input::{self, Clock, InputError, Moment};

/// Words that one time takes at most: `Mar 24 2025 3:46 pm`.
const TIME_WORDS_MAX: usize = 5;

/// Keys beside those of [`Field`].
const OTHER_KEYS: [&str; 5] = ["reason", "outcome", "since", "until", "where"];

const NEARS: [(&str, Towards, bool); 4] = [
    ("preceded-by", Towards::Before, false),
    ("not-preceded-by", Towards::Before, true),
    ("followed-by", Towards::After, false),
    ("not-followed-by", Towards::After, true),
];

impl Query {
    /// Reads a line. Times that depend on now or on a zone are resolved by this clock.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str, clock: &Clock) -> Result<Self, QueryError> {
        if text.len() > QUERY_BYTES_MAX {
            let message = format!(
                "a query line has at most {QUERY_BYTES_MAX} bytes, this one has {}",
                text.len()
            );
            return Err(QueryError::new(QUERY_BYTES_MAX, message).placed(text));
        }
        let mut parser = Parser {
            scanner: Scanner::new(text),
            clock,
            terms: 0,
        };
        parser.terms().map_err(|error| error.placed(text))
    }

    /// All keys that a line knows, for completion.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        Field::ALL.into_iter().map(Field::key).chain(OTHER_KEYS)
    }
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    clock: &'a Clock,
    /// How many there were so far.
    terms: usize,
}

type Parsed<T> = Result<T, QueryError>;

impl Parser<'_> {
    fn terms(&mut self) -> Parsed<Query> {
        let mut terms: Vec<(usize, Term)> = Vec::new();
        loop {
            self.scanner.blanks();
            if self.scanner.is_over() {
                break;
            }
            let at = self.scanner.at();
            self.terms += 1;
            if self.terms > QUERY_TERMS_MAX {
                return Err(QueryError::new(
                    at,
                    format!("a query line has at most {QUERY_TERMS_MAX} terms"),
                ));
            }
            terms.push((at, self.term()?));
        }
        check_repeated(&terms)?;
        let mut terms: Vec<Term> = terms.into_iter().map(|(_, term)| term).collect();
        // What costs least is asked first; the others keep their order.
        terms.sort_by_key(Term::cost);
        Ok(Query { terms })
    }

    fn term(&mut self) -> Parsed<Term> {
        let start = self.scanner.at();
        let negated = self.scanner.accept('-');
        if self.scanner.is_over() || self.scanner.peek().is_some_and(char::is_whitespace) {
            let error = QueryError::new(start, "nothing follows this `-`");
            return Err(error.hint(
                "write what must not hold right behind it: `-actor:admin`; a `-` itself as `\"-\"`",
            ));
        }
        let kind = self.kind()?;
        Ok(Term { negated, kind })
    }

    fn kind(&mut self) -> Parsed<Kind> {
        let at = self.scanner.at();
        if self.scanner.peek() == Some('"') {
            let text = self.scanner.quoted()?;
            return sought(at, text).map(|text| Kind::Text(Box::new(text)));
        }
        let name = self.scanner.name();
        let mut behind = self.scanner.clone();
        behind.skip(name.len());
        if !name.is_empty() && behind.accept(':') {
            self.scanner = behind;
            return self.keyed(at, name);
        }
        if !name.is_empty() && behind.peek() == Some('(') && self.is_near(at, name)? {
            self.scanner = behind;
            return self.near(at, name);
        }
        let word = self.scanner.word();
        sought(at, word.to_owned()).map(|text| Kind::Text(Box::new(text)))
    }

    fn keyed(&mut self, at: usize, name: &str) -> Parsed<Kind> {
        let key = name.to_ascii_lowercase();
        if let Some(field) = Field::ALL.into_iter().find(|field| field.key() == key) {
            return self.patterns(&key).map(|found| Kind::Field(field, found));
        }
        match key.as_str() {
            "reason" => {
                let at = self.scanner.at();
                let found = self.patterns(&key)?;
                let texts = found.into_iter().map(|pattern| reason(at, &pattern));
                texts.collect::<Parsed<_>>().map(Kind::Reason)
            }
            "outcome" => {
                let at = self.scanner.at();
                match self.scanner.word() {
                    "rejected" => Ok(Kind::Rejected(true)),
                    "accepted" => Ok(Kind::Rejected(false)),
                    other => {
                        let message = format!("`{}` is not an outcome", shown(other));
                        let error = QueryError::new(at, message);
                        Err(error.hint("it is `outcome:rejected` or `outcome:accepted`"))
                    }
                }
            }
            "since" => self.time(&key).map(|moment| Kind::Since(moment.first)),
            "until" => self.time(&key).map(|moment| Kind::Until(moment.last)),
            "where" => self.condition(),
            _ => Err(unknown_key(at, name)),
        }
    }

    fn patterns(&mut self, key: &str) -> Parsed<Vec<Pattern>> {
        let mut found = Vec::new();
        loop {
            let start = self.scanner.at();
            let pattern = self.scanner.pattern()?;
            if self.scanner.at() == start {
                let error = QueryError::new(start, format!("`{key}:` needs a value"));
                return Err(error.hint(format!("write it right behind the colon: `{key}:VALUE`")));
            }
            found.push(pattern);
            if !self.scanner.accept('|') {
                return Ok(found);
            }
        }
    }

    /// The longest run of words that is a time.
    fn time(&mut self, key: &str) -> Parsed<Moment> {
        let at = self.scanner.at();
        if self.scanner.peek() == Some('"') {
            let text = self.scanner.quoted()?;
            return input::read(&text, self.clock).map_err(|error| bad_time(at, &error));
        }
        let starts_here = self.scanner.peek().is_some_and(|c| !c.is_whitespace());
        let ends = self.scanner.word_ends(TIME_WORDS_MAX);
        let (true, Some(first)) = (starts_here, ends.first()) else {
            let error = QueryError::new(at, format!("`{key}:` needs a time"));
            return Err(error.hint(format!(
                "such as `{key}:2025-03-24`, `{key}:yesterday 15:46` or `{key}:-2d`"
            )));
        };
        for end in ends.iter().rev() {
            let mut ahead = self.scanner.clone();
            match input::read(ahead.take_to(*end), self.clock) {
                Ok(moment) => {
                    self.scanner = ahead;
                    return Ok(moment);
                }
                Err(InputError::NoTime(_)) => {}
                Err(error) => return Err(bad_time(at, &error)),
            }
        }
        let text = self.scanner.take_to(*first);
        Err(bad_time(at, &InputError::NoTime(shown(text).into_owned())))
    }

    fn condition(&mut self) -> Parsed<Kind> {
        let at = self.scanner.at();
        let end = self.scanner.condition_end();
        let text = self.scanner.take_to(end);
        if text.trim().is_empty() {
            let error = QueryError::new(at, "`where:` needs a condition");
            return Err(error.hint("such as `where:state.status == \"suspended\"`"));
        }
        let predicate = Predicate::parse(text).map_err(|error| QueryError {
            hint: error.hint.clone(),
            ..QueryError::new(at + error.at, error.message)
        })?;
        Ok(Kind::Where(Box::new(predicate)))
    }

    /// Whether a name with a parenthesis behind it asks for other events; a word that is nearly one is a mistake.
    fn is_near(&self, at: usize, name: &str) -> Parsed<bool> {
        let names = NEARS.map(|(name, ..)| name);
        let is_one = names.contains(&name);
        if is_one && self.scanner.depth > 0 {
            let error = QueryError::new(at, "terms about other events cannot be nested");
            return Err(error.hint("ask for one of them at a time"));
        }
        match did_you_mean(name, names) {
            Some(hint) if !is_one => {
                Err(QueryError::new(at, format!("there is no `{name}(…)`")).hint(hint))
            }
            _ => Ok(is_one),
        }
    }

    fn near(&mut self, at: usize, name: &str) -> Parsed<Kind> {
        let found = NEARS.into_iter().find(|(own, ..)| *own == name);
        let Some((_, towards, absent)) = found else {
            return Err(unknown_key(at, name));
        };
        self.scanner.accept('(');
        self.scanner.depth += 1;
        let inner = self.scanner.at();
        let query = self.terms()?;
        if query.is_everything() {
            let error = QueryError::new(
                inner,
                format!("`{name}(…)` needs terms for the other event"),
            );
            return Err(error.hint(format!("such as `{name}(type:UserSuspended, 7d)`")));
        }
        if query.is_of_decisions() {
            let error = QueryError::new(
                inner,
                "another event is looked for here; `rule:`, `outcome:` and `decision` are about decisions",
            );
            return Err(error);
        }
        let (mut window, mut within) = (None, None);
        while self.scanner.accept(',') {
            self.scanner.blanks();
            let at = self.scanner.at();
            let word = self.scanner.word();
            self.scanner.blanks();
            match (word, input::duration(word)) {
                (_, Some(micros)) if window.is_none() => window = Some(micros),
                ("stream", _) if within.is_none() => within = Some(Within::Stream),
                ("correlation", _) if within.is_none() => within = Some(Within::Correlation),
                _ => {
                    let message = format!("`{}` is not a length of time", shown(word));
                    let error = QueryError::new(at, message);
                    return Err(error.hint("after the terms come a length of time (`7d`, `1h`, `90s`) and `stream` or `correlation`"));
                }
            }
        }
        if !self.scanner.accept(')') {
            return Err(
                QueryError::new(at, format!("`{name}(` is not closed")).hint("write `)` behind it")
            );
        }
        self.scanner.depth -= 1;
        Ok(Kind::Near(Box::new(Near {
            towards,
            absent,
            query,
            window,
            within: within.unwrap_or(Within::Stream),
        })))
    }
}

fn sought(at: usize, text: String) -> Parsed<Text> {
    match Search::new(&text) {
        Some(search) => Ok(Text { text, search }),
        None => Err(QueryError::new(at, "an empty text occurs in everything")),
    }
}

fn reason(at: usize, pattern: &Pattern) -> Parsed<Text> {
    match pattern.as_exact() {
        Some(text) => sought(at, text.to_owned()),
        None => {
            let error = QueryError::new(
                at,
                "`reason:` is found wherever it occurs in the reason, so it takes no `*`",
            );
            Err(error.hint("leave the `*` out, or write it in quotes where it is meant"))
        }
    }
}

fn unknown_key(at: usize, name: &str) -> QueryError {
    let error = QueryError::new(at, format!("there is no key `{name}`"));
    let quote = format!("a text with a colon is written in quotes: `\"{name}:…\"`");
    match did_you_mean(&name.to_ascii_lowercase(), Query::keys()) {
        Some(meant) => error.hint(format!("{meant} {quote}")),
        None => {
            let keys: Vec<_> = Query::keys().collect();
            error.hint(format!("keys are {}; {quote}", keys.join(", ")))
        }
    }
}

fn bad_time(at: usize, error: &InputError) -> QueryError {
    let needs_zone = matches!(error, InputError::NoZone(_));
    QueryError {
        needs_zone,
        ..QueryError::new(at, error.to_string())
    }
}

/// A field has one value: two terms that ask for different ones would never hold.
fn check_repeated(terms: &[(usize, Term)]) -> Parsed<()> {
    let mut seen: Vec<(Field, &[Pattern])> = Vec::new();
    for (at, term) in terms {
        let Kind::Field(field, patterns) = &term.kind else {
            continue;
        };
        if term.negated {
            continue;
        }
        let earlier = seen.iter().find(|(own, _)| own == field);
        if let Some((_, earlier)) = earlier {
            let fits = |pattern: &Pattern| {
                pattern
                    .as_exact()
                    .is_none_or(|text| earlier.iter().any(|other| other.matches(text)))
            };
            let other_way = |pattern: &Pattern| {
                pattern
                    .as_exact()
                    .is_none_or(|text| patterns.iter().any(|other| other.matches(text)))
            };
            if !patterns.iter().any(fits) || !earlier.iter().any(other_way) {
                let key = field.key();
                let message =
                    format!("`{key}:` asks for two different values, and there is only one");
                let error = QueryError::new(*at, message);
                return Err(error.hint(format!("for either of them write `{key}:ONE|OTHER`")));
            }
        }
        seen.push((*field, patterns.as_slice()));
    }
    Ok(())
}
