//! Functions and methods.

use super::{
    Expr, Kind, PATTERN_BYTES_MAX, Parser, Pattern, Pointer, PredicateError, Quantifier, RESERVED,
    RegexBuilder, Root, TextTest, Token, Value,
};

const FUNCTIONS: &str = "has(x.f), size(x), timestamp(\"…\"), changed(\"/p\"), was(\"/p\")";
const METHODS: &str = "startsWith, endsWith, contains, matches, size, exists, all, exists_one";

impl Parser {
    /// `name(…)`; its parenthesis is next.
    pub(super) fn call(&mut self, name: &str, at: usize) -> Result<Kind, PredicateError> {
        self.expect("(")?;
        let kind = match name {
            "has" => Kind::Has(self.field_to_have()?.into()),
            "size" => Kind::Size(self.expr()?.into()),
            "timestamp" => self.timestamp()?,
            "changed" => Kind::Changed(self.path(name)?),
            "was" => Kind::Was(self.path(name)?),
            _ => return Err(no_such(name, at)),
        };
        self.expect(")")?;
        Ok(kind)
    }

    /// `receiver.name(…)`; its parenthesis is next.
    pub(super) fn method(
        &mut self,
        receiver: Expr,
        name: &str,
        at: usize,
    ) -> Result<Kind, PredicateError> {
        self.expect("(")?;
        let receiver = Box::new(receiver);
        let test = TextTest::ALL.into_iter().find(|test| test.name() == name);
        let quantifier = Quantifier::ALL.into_iter().find(|one| one.name() == name);
        let kind = if let Some(test) = test {
            Kind::TextTest(test, receiver, self.expr()?.into())
        } else if let Some(quantifier) = quantifier {
            let variable = self.variable(name)?;
            self.expect(",")?;
            self.variables.push(variable.clone());
            let body = self.expr();
            self.variables.pop();
            Kind::Quantified(quantifier, receiver, variable, body?.into())
        } else {
            match name {
                "size" => Kind::Size(receiver),
                "matches" => Kind::Matches(receiver, self.pattern()?),
                _ => return Err(no_such(name, at)),
            }
        };
        self.expect(")")?;
        Ok(kind)
    }

    /// The argument of `has`.
    fn field_to_have(&mut self) -> Result<Expr, PredicateError> {
        let at = self.span().0;
        let field = self.expr()?;
        if matches!(field.kind, Kind::Field(..) | Kind::Pointer(_)) {
            return Ok(field);
        }
        let error = PredicateError::new(at, "`has` asks for a field");
        Err(error.hint(
            "such as `has(state.deleted_at)` or `has(/deleted_at)`; for any key `\"key\" in state`",
        ))
    }

    fn timestamp(&mut self) -> Result<Kind, PredicateError> {
        let at = self.span().0;
        let inner = self.expr()?;
        match &inner.kind {
            Kind::Constant(Value::String(text)) => match text.parse() {
                Ok(moment) => Ok(Kind::Moment(moment)),
                Err(error) => Err(PredicateError::new(at, error.to_string())),
            },
            _ => Ok(Kind::Timestamp(inner.into())),
        }
    }

    /// A JSON Pointer in quotes.
    fn path(&mut self, function: &str) -> Result<Pointer, PredicateError> {
        let at = self.span().0;
        let wrong = |message: String| {
            let error = PredicateError::new(at, message);
            error.hint(format!("such as `{function}(\"/status\")`"))
        };
        let path = match self.skip() {
            Token::Text(text) => text.parse().map_err(|error| wrong(format!("{error}")))?,
            Token::Pointer(pointer) => pointer,
            _ => return Err(wrong(format!("`{function}` takes a path of the state"))),
        };
        if path.is_root() && function == "was" {
            return Err(PredicateError::new(
                at,
                "the whole state before the event is `before`",
            ));
        }
        Ok(path)
    }

    /// A pattern, which must be written out so that it can be checked and bounded now.
    fn pattern(&mut self) -> Result<Pattern, PredicateError> {
        let at = self.span().0;
        let Token::Text(text) = self.skip() else {
            let error = PredicateError::new(at, "`matches` takes a pattern that is written out");
            return Err(error.hint("such as `.matches(\"^job:\")`"));
        };
        let built = RegexBuilder::new(&text)
            .size_limit(PATTERN_BYTES_MAX)
            .build();
        built.map(Pattern).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PredicateError::new(
                at,
                format!(
                    "the pattern takes more than {} KiB",
                    PATTERN_BYTES_MAX >> 10
                ),
            ),
            other => {
                let words = other.to_string();
                let last = words.lines().last().unwrap_or_default();
                let reason = last.strip_prefix("error: ").unwrap_or(last);
                PredicateError::new(at, format!("the pattern is wrong: {reason}"))
            }
        })
    }

    fn variable(&mut self, method: &str) -> Result<String, PredicateError> {
        let at = self.span().0;
        match self.skip() {
            Token::Name(name) if Root::ALL.iter().any(|root| root.name() == name) => Err(
                PredicateError::new(at, format!("a variable cannot be called `{name}`")),
            ),
            Token::Name(name) if RESERVED.contains(&name.as_str()) => Err(PredicateError::new(
                at,
                format!("`{name}` is a word of the language"),
            )),
            Token::Name(name) => Ok(name),
            _ => {
                let error = PredicateError::new(at, format!("`{method}` takes a variable first"));
                Err(error.hint(format!(
                    "such as `state.lines.{method}(line, line.price > 100)`"
                )))
            }
        }
    }
}

fn no_such(name: &str, at: usize) -> PredicateError {
    let error = PredicateError::new(at, format!("there is no function `{name}`"));
    error.hint(format!(
        "the functions are {FUNCTIONS}, and on a value {METHODS}"
    ))
}
