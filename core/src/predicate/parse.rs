//! Parsing: from a predicate's text to its tree.
//!
//! Owns the grammar, which is CEL's. What other languages write, and what CEL has but a predicate has not, is refused
//! with a word on what to write instead. Never goes deeper than [`PREDICATE_DEPTH_MAX`].

use regex::RegexBuilder;
use serde_json::{Number, Value};

use super::expr::{Comparison, Expr, Kind, Pattern, Quantifier, Root, TextTest};
use super::token::{Placed, Token, tokens};
use super::{PATTERN_BYTES_MAX, PREDICATE_DEPTH_MAX, PredicateError};
use crate::pointer::Pointer;

mod calls;

type Parsed = Result<Expr, PredicateError>;

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// Words that CEL keeps for itself: no variable has such a name.
pub(super) const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "package",
    "namespace",
    "null",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Reads a predicate.
pub(super) fn parse(text: &str) -> Parsed {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
        variables: Vec::new(),
    };
    if parser.peek() == &Token::End {
        let error = PredicateError::new(0, "a predicate is missing");
        return Err(error.hint("such as `state.status == \"suspended\"`"));
    }
    let expr = parser.expr()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("`&&`, `||` or the end")),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
    variables: Vec<String>,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens
            .get(self.next)
            .map_or(&Token::End, |placed| &placed.token)
    }

    /// Where the next token stands.
    fn span(&self) -> (usize, usize) {
        let last = self.tokens.last().map_or((0, 0), |placed| placed.span);
        self.tokens
            .get(self.next)
            .map_or(last, |placed| placed.span)
    }

    /// Where the last token that was read ends.
    fn end(&self) -> usize {
        let before = self.next.checked_sub(1);
        let before = before.and_then(|index| self.tokens.get(index));
        before.map_or(0, |placed| placed.span.1)
    }

    fn skip(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn sign(&mut self, sign: &'static str) -> bool {
        let is_next = self.peek() == &Token::Sign(sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), PredicateError> {
        if self.sign(sign) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{sign}`")))
    }

    /// That something else should stand here.
    fn unexpected(&self, wanted: &str) -> PredicateError {
        let found = match self.peek() {
            Token::End => "the end".to_owned(),
            Token::Name(name) => format!("`{name}`"),
            Token::Number(digits) => format!("the number {digits}"),
            Token::Text(_) => "a text".to_owned(),
            Token::Pointer(pointer) => format!("`{pointer}`"),
            Token::Sign(sign) => format!("`{sign}`"),
        };
        let error = PredicateError::new(
            self.span().0,
            format!("{wanted} is expected here, not {found}"),
        );
        match self.peek() {
            Token::Name(name) => match name.to_ascii_lowercase().as_str() {
                "and" => error.hint("`and` is written `&&`"),
                "or" => error.hint("`or` is written `||`"),
                "is" => error.hint("`is` is written `==`"),
                "not" => error.hint("`not` is written `!`"),
                _ => error,
            },
            Token::Pointer(_) => error.hint("there is no division; a path begins an operand"),
            Token::Sign("-") => error.hint("predicates do no arithmetic"),
            Token::Sign("==" | "!=" | "<" | "<=" | ">" | ">=") => {
                error.hint("compare two values at a time, and join comparisons with `&&`")
            }
            _ => error,
        }
    }

    /// Parses something one level down.
    fn deeper(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.depth += 1;
        if self.depth > PREDICATE_DEPTH_MAX {
            return Err(self.too_deep());
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn too_deep(&self) -> PredicateError {
        let message = format!("the predicate has more than {PREDICATE_DEPTH_MAX} levels here");
        PredicateError::new(self.span().0, message)
    }

    fn made(&self, from: usize, kind: Kind) -> Expr {
        let span = (from, self.end());
        Expr { kind, span }
    }

    fn expr(&mut self) -> Parsed {
        self.deeper(|parser| {
            let from = parser.span().0;
            let condition = parser.joined(0)?;
            if !parser.sign("?") {
                return Ok(condition);
            }
            let yes = parser.deeper(|parser| parser.joined(0))?;
            parser.expect(":")?;
            let no = parser.expr()?;
            let kind = Kind::If(condition.into(), yes.into(), no.into());
            Ok(parser.made(from, kind))
        })
    }

    /// `a || b || c`, each of which is `d && e && f`.
    fn joined(&mut self, level: usize) -> Parsed {
        let sign = match level {
            0 => "||",
            1 => "&&",
            _ => return self.relation(),
        };
        let from = self.span().0;
        let first = self.joined(level + 1)?;
        if self.peek() != &Token::Sign(sign) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.sign(sign) {
            parts.push(self.joined(level + 1)?);
        }
        let kind = if level == 0 { Kind::Or } else { Kind::And };
        Ok(self.made(from, kind(parts)))
    }

    fn relation(&mut self) -> Parsed {
        let from = self.span().0;
        let left = self.unary()?;
        let comparison = COMPARISONS
            .iter()
            .find(|(sign, _)| self.peek() == &Token::Sign(sign));
        if let Some((_, comparison)) = comparison {
            self.next += 1;
            let right = self.unary()?;
            let kind = Kind::Compare(*comparison, left.into(), right.into());
            return Ok(self.made(from, kind));
        }
        if self.peek() == &Token::Name("in".to_owned()) {
            self.next += 1;
            let right = self.unary()?;
            let kind = Kind::In(left.into(), right.into());
            return Ok(self.made(from, kind));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let from = self.span().0;
        if self.sign("!") {
            let inner = self.deeper(Self::unary)?;
            return Ok(self.made(from, Kind::Not(inner.into())));
        }
        if self.sign("-") {
            let Token::Number(digits) = self.peek() else {
                let error = PredicateError::new(from, "`-` must be followed by a number");
                return Err(error.hint("predicates do no arithmetic"));
            };
            let number = number(&format!("-{digits}"), from)?;
            self.next += 1;
            return Ok(self.made(from, Kind::Constant(number)));
        }
        self.member()
    }

    /// A value and what is asked of it: fields, elements, methods.
    fn member(&mut self) -> Parsed {
        let from = self.span().0;
        let mut expr = self.primary()?;
        let outer = self.depth;
        while matches!(self.peek(), Token::Sign("." | "[")) {
            self.depth += 1;
            if self.depth > PREDICATE_DEPTH_MAX {
                return Err(self.too_deep());
            }
            let kind = if self.sign("[") {
                let index = self.expr()?;
                self.expect("]")?;
                Kind::Index(expr.into(), index.into())
            } else {
                self.next += 1;
                let at = self.span().0;
                match self.skip() {
                    Token::Name(name) if self.peek() == &Token::Sign("(") => {
                        self.method(expr, &name, at)?
                    }
                    Token::Name(name)
                        if ["true", "false", "null", "in"].contains(&name.as_str()) =>
                    {
                        let error =
                            PredicateError::new(at, format!("`{name}` is a word of the language"));
                        return Err(error.hint(format!("write `[\"{name}\"]`")));
                    }
                    Token::Name(name) => Kind::Field(expr.into(), name),
                    _ => {
                        self.next -= 1;
                        let error = self.unexpected("the name of a field");
                        return Err(error.hint("another key is written `[\"the key\"]`"));
                    }
                }
            };
            expr = self.made(from, kind);
        }
        self.depth = outer;
        Ok(expr)
    }

    fn primary(&mut self) -> Parsed {
        let from = self.span().0;
        let kind = match self.peek().clone() {
            Token::Number(digits) => {
                self.next += 1;
                Kind::Constant(number(&digits, from)?)
            }
            Token::Text(text) => {
                self.next += 1;
                Kind::Constant(Value::String(text))
            }
            Token::Pointer(pointer) => {
                self.next += 1;
                Kind::Pointer(pointer)
            }
            Token::Sign("(") => {
                self.next += 1;
                let inner = self.expr()?;
                self.expect(")")?;
                // The parentheses belong to what it is called in messages.
                return Ok(self.made(from, inner.kind));
            }
            Token::Sign("[") => {
                self.next += 1;
                self.elements()?
            }
            Token::Name(name) => {
                self.next += 1;
                if self.peek() == &Token::Sign("(") {
                    self.call(&name, from)?
                } else {
                    self.name(&name, from)?
                }
            }
            _ => return Err(self.unexpected("a value")),
        };
        Ok(self.made(from, kind))
    }

    fn name(&self, name: &str, at: usize) -> Result<Kind, PredicateError> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(Kind::Variable(name.to_owned()));
        }
        if let Some(root) = Root::ALL.into_iter().find(|root| root.name() == name) {
            return Ok(Kind::Root(root));
        }
        match name {
            "null" => return Ok(Kind::Constant(Value::Null)),
            "true" => return Ok(Kind::Constant(Value::Bool(true))),
            "false" => return Ok(Kind::Constant(Value::Bool(false))),
            _ => {}
        }
        let error = PredicateError::new(at, format!("there is no `{name}`"));
        Err(match name.to_ascii_lowercase().as_str() {
            "not" => error.hint("`not` is written `!`"),
            "none" | "nil" | "undefined" => error.hint("a field that is not there: `!has(state.field)`; one that is null: `== null`"),
            _ => error.hint(format!(
                "a field of the state is `state.{name}` or `/{name}`, a text is `\"{name}\"`; there are state, before, event, decision"
            )),
        })
    }

    /// The elements of a list, up to its bracket.
    fn elements(&mut self) -> Result<Kind, PredicateError> {
        let mut items = Vec::new();
        while !self.sign("]") {
            if !items.is_empty() {
                self.expect(",")?;
                if self.sign("]") {
                    break;
                }
            }
            items.push(self.expr()?);
        }
        let constant = |item: &Expr| match &item.kind {
            Kind::Constant(value) => Some(value.clone()),
            _ => None,
        };
        let constants: Option<Vec<Value>> = items.iter().map(constant).collect();
        Ok(match constants {
            Some(values) => Kind::Constant(Value::Array(values)),
            None => Kind::List(items),
        })
    }
}

fn number(digits: &str, at: usize) -> Result<Value, PredicateError> {
    let number: Result<Number, _> = digits.parse();
    number
        .map(Value::Number)
        .map_err(|_not_json| PredicateError::new(at, format!("`{digits}` is not a number")))
}
