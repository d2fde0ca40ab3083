//! Reading placeholders.

use super::expr::Expr;
use super::function::Function;

/// How deep functions may be nested.
const DEPTH_MAX: usize = 8;

/// Reads placeholders.
pub(super) struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Of a template's text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// The next character.
    pub(super) fn next_char(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    /// Goes past a mark, if it comes next.
    pub(super) fn eat(&mut self, mark: &str) -> bool {
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// `a | b | "c"` up to `end`, which is taken as well.
    pub(super) fn alternatives(&mut self, end: char, depth: usize) -> Result<Vec<Expr>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("functions are nested deeper than {DEPTH_MAX}"));
        }
        let mut out = Vec::new();
        loop {
            out.push(self.expr(depth)?);
            self.skip_space();
            match self.next_char() {
                Some('|') => {}
                Some(c) if c == end => return Ok(out),
                Some(c) => return Err(format!("`{c}` where `|` or `{end}` was expected")),
                None => return Err(format!("a placeholder that is not closed with `{end}`")),
            }
        }
    }

    fn expr(&mut self, depth: usize) -> Result<Expr, String> {
        self.skip_space();
        if self.eat("\"") {
            return self.quoted('"').map(Expr::Literal);
        }
        if self.eat("'") {
            let pointer = self.quoted('\'')?;
            return pointer_of(&pointer);
        }
        if self.rest.starts_with('/') {
            let end = self.rest.find(['|', ')', '}']).unwrap_or(self.rest.len());
            let (pointer, rest) = self.rest.split_at(end);
            self.rest = rest;
            return pointer_of(pointer.trim_end());
        }
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if name == "null" {
            return Ok(Expr::Null);
        }
        if name.is_empty() || !self.eat("(") {
            return Err(
                "a placeholder holds JSON Pointers such as `/user/name`, texts in double quotes, or functions of them"
                    .to_owned(),
            );
        }
        self.skip_space();
        let argument = if matches!(name, "after" | "before") && self.eat("\"") {
            let text = self.quoted('"')?;
            self.skip_space();
            if !self.eat(",") {
                return Err(format!(
                    "`{name}(\"…\"` must be followed by `, ` and a value"
                ));
            }
            Some(text)
        } else {
            None
        };
        let function = Function::named(name, argument)?;
        Ok(Expr::Call(function, self.alternatives(')', depth + 1)?))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let Some((text, rest)) = self.rest.split_once(quote) else {
            return Err(format!("a `{quote}` that is not closed"));
        };
        self.rest = rest;
        Ok(text.to_owned())
    }
}

fn pointer_of(text: &str) -> Result<Expr, String> {
    check_pointer(text)?;
    Ok(Expr::Pointer(text.to_owned()))
}

/// Checks a JSON Pointer (RFC 6901).
pub(super) fn check_pointer(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err(format!(
            "`{text}` is not a JSON Pointer: it begins with `/`"
        ));
    }
    let bad_escape = text
        .split('~')
        .skip(1)
        .any(|after| !after.starts_with(['0', '1']));
    if bad_escape {
        return Err(format!(
            "`{text}` is not a JSON Pointer: `~` is written `~0`, and `/` in a key `~1`"
        ));
    }
    Ok(())
}
