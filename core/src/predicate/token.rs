//! Tokens of a predicate's text.

use std::iter::Peekable;
use std::str::CharIndices;

use super::{PREDICATE_BYTES_MAX, PredicateError};
use crate::pointer::{Pointer, unescape};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    /// Digits as they are written, but without leading zeros: a JSON number.
    Number(String),
    Text(String),
    Pointer(Pointer),
    Sign(&'static str),
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) span: (usize, usize),
}

/// Longer ones first.
const SIGNS: [&str; 18] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "?", ":", "(", ")", "[", "]", ",", ".", "-",
];

/// What is written in other languages, and what to write here.
const FOREIGN: [(&str, &str); 9] = [
    ("=", "`=` is written `==`"),
    ("&", "`&` is written `&&`"),
    ("|", "`|` is written `||`"),
    ("+", "predicates do no arithmetic"),
    ("*", "predicates do no arithmetic"),
    ("%", "predicates do no arithmetic"),
    ("`", "a text is written in \"double\" or 'single' quotes"),
    (
        "{",
        "predicates have no maps; ask for the fields one by one",
    ),
    (";", "a predicate is one expression"),
];

/// The tokens of a text, and the end behind them.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, PredicateError> {
    if text.len() > PREDICATE_BYTES_MAX {
        let message = format!(
            "a predicate has at most {PREDICATE_BYTES_MAX} bytes, this one has {}",
            text.len()
        );
        return Err(PredicateError::new(PREDICATE_BYTES_MAX, message));
    }
    let mut lexer = Lexer {
        text,
        chars: text.char_indices().peekable(),
    };
    let mut out = Vec::new();
    while let Some((at, c)) = lexer.chars.peek().copied() {
        if c.is_whitespace() {
            lexer.chars.next();
            continue;
        }
        let token = lexer.token(at, c)?;
        let span = (at, lexer.at());
        out.push(Placed { token, span });
    }
    let span = (text.len(), text.len());
    out.push(Placed {
        token: Token::End,
        span,
    });
    Ok(out)
}

struct Lexer<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl<'a> Lexer<'a> {
    /// Where the next character stands.
    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn rest(&mut self) -> &'a str {
        let at = self.at();
        self.text.get(at..).unwrap_or_default()
    }

    fn skip_if(&mut self, fits: impl Fn(char) -> bool) -> bool {
        self.chars.next_if(|(_, c)| fits(*c)).is_some()
    }

    /// Moves past the characters that fit, and gives the text of them.
    fn run(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let from = self.at();
        while self.skip_if(&fits) {}
        let to = self.at();
        self.text.get(from..to).unwrap_or_default()
    }

    fn token(&mut self, at: usize, c: char) -> Result<Token, PredicateError> {
        let raw = self.rest();
        if raw.starts_with("r\"") || raw.starts_with("r'") {
            self.chars.next();
            return self.quoted(at, true);
        }
        match c {
            'a'..='z' | 'A'..='Z' | '_' => Ok(Token::Name(
                self.run(|c| c.is_ascii_alphanumeric() || c == '_')
                    .to_owned(),
            )),
            '0'..='9' => self.number(at),
            '"' | '\'' => self.quoted(at, false),
            '/' => self.pointer(at),
            _ => self.sign(at, c),
        }
    }

    fn sign(&mut self, at: usize, c: char) -> Result<Token, PredicateError> {
        let rest = self.rest();
        // Other languages' `===` and `!==`, whole: their beginning is a sign of its own.
        if let Some(known) = ["===", "!=="]
            .into_iter()
            .find(|sign| rest.starts_with(sign))
        {
            let error = PredicateError::new(at, format!("`{known}` has no meaning here"));
            let short = known.get(..2).unwrap_or(known);
            return Err(error.hint(format!("`{known}` is written `{short}`")));
        }
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            for _ in sign.chars() {
                self.chars.next();
            }
            return Ok(Token::Sign(sign));
        }
        let error = PredicateError::new(at, format!("`{}` has no meaning here", shown(c)));
        let foreign = FOREIGN.into_iter().find(|(sign, _)| rest.starts_with(sign));
        Err(match foreign {
            Some((_, hint)) => error.hint(hint),
            None if c.is_alphabetic() => error.hint(format!(
                "a name has the letters a to z; another key is written `state[\"{c}…\"]`"
            )),
            None => error,
        })
    }

    fn number(&mut self, at: usize) -> Result<Token, PredicateError> {
        let digit = |c: char| c.is_ascii_digit();
        let whole = self.run(digit).trim_start_matches('0');
        let mut out = if whole.is_empty() { "0" } else { whole }.to_owned();
        let mut ahead = self.chars.clone();
        let point = ahead.next().is_some_and(|(_, c)| c == '.');
        if point && ahead.next().is_some_and(|(_, c)| digit(c)) {
            self.chars.next();
            out.push('.');
            out.push_str(self.run(digit));
        }
        if self.skip_if(|c| matches!(c, 'e' | 'E')) {
            out.push('e');
            if self.skip_if(|c| c == '-') {
                out.push('-');
            } else {
                self.skip_if(|c| c == '+');
            }
            let exponent = self.run(digit);
            if exponent.is_empty() {
                return Err(PredicateError::new(at, "a number's exponent has no digits"));
            }
            out.push_str(exponent);
        }
        if self.skip_if(|c| c.is_alphanumeric() || c == '_') {
            let error = PredicateError::new(at, "a letter follows a number");
            return Err(error.hint(
                "numbers are decimal, like `12`, `0.5` or `1e6`; a text is written in quotes",
            ));
        }
        if !crate::number::exponent_fits(&out) {
            return Err(PredicateError::new(at, "a number's exponent is too long"));
        }
        Ok(Token::Number(out))
    }

    /// A JSON Pointer that stands bare: letters, digits, `_`, `-` and `~`.
    fn pointer(&mut self, at: usize) -> Result<Token, PredicateError> {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '~');
        let mut tokens = Vec::new();
        while self.skip_if(|c| c == '/') {
            let token = self.run(plain);
            if token.is_empty() {
                let error = PredicateError::new(
                    at,
                    "a path such as `/address/city` names a field after each `/`",
                );
                return Err(
                    error.hint("there is no division; other keys are written `state[\"the key\"]`")
                );
            }
            let token = unescape(token);
            tokens.push(token.map_err(|error| PredicateError::new(at, error.to_string()))?);
        }
        Ok(Token::Pointer(Pointer::new(tokens)))
    }

    fn quoted(&mut self, at: usize, raw: bool) -> Result<Token, PredicateError> {
        let rest = self.rest();
        if rest.starts_with("\"\"\"") || rest.starts_with("'''") {
            let error = PredicateError::new(at, "texts in three quotes are not part of predicates");
            return Err(error.hint("write \\n for a line's end"));
        }
        let quote = self.chars.next().map_or('"', |(_, quote)| quote);
        let mut out = String::new();
        loop {
            match self.chars.next() {
                Some((_, c)) if c == quote => return Ok(Token::Text(out)),
                Some((place, '\\')) if !raw => out.push(self.escape(place)?),
                Some((_, '\n')) | None => {
                    let message = format!("the text that begins here has no closing {quote}");
                    return Err(PredicateError::new(at, message));
                }
                Some((_, c)) => out.push(c),
            }
        }
    }

    /// What stands after a backslash.
    fn escape(&mut self, at: usize) -> Result<char, PredicateError> {
        let wrong = || {
            let error = PredicateError::new(at, "this backslash begins no escape");
            error.hint("write \\\\ for a backslash, or r\"…\" for a text that has many")
        };
        let (_, c) = self.chars.next().ok_or_else(wrong)?;
        let code = match c {
            'n' => return Ok('\n'),
            't' => return Ok('\t'),
            'r' => return Ok('\r'),
            'a' => return Ok('\u{7}'),
            'b' => return Ok('\u{8}'),
            'f' => return Ok('\u{c}'),
            'v' => return Ok('\u{b}'),
            '\\' | '"' | '\'' | '`' | '?' => return Ok(c),
            'x' | 'X' => self.code(2, 16),
            'u' => self.code(4, 16),
            'U' => self.code(8, 16),
            '0'..='3' => self.code(2, 8).map(|low| {
                let high = c.to_digit(8).unwrap_or_default();
                high * 64 + low
            }),
            _ => None,
        };
        code.and_then(char::from_u32).ok_or_else(wrong)
    }

    fn code(&mut self, digits: usize, radix: u32) -> Option<u32> {
        (0..digits).try_fold(0_u32, |code, _| {
            let (_, c) = self.chars.next()?;
            code.checked_mul(radix)?.checked_add(c.to_digit(radix)?)
        })
    }
}

/// A character as it can be shown.
fn shown(c: char) -> String {
    crate::text::shown(&c.to_string()).into_owned()
}
