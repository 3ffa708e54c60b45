//! Strict JSON (RFC 8259): checks a text in one pass and drops the whitespace between its tokens.
//!
//! Everything else stays as written: the digits of numbers, the escapes of strings, the order of
//! members. Stricter than the RFC where leniency would lose or hide data: a name may stand only
//! once in an object, escapes must form whole Unicode characters, and nesting is bounded.

use std::borrow::Cow;

/// Why a text is refused. `path` names the element, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Syntax { offset: usize },
    DuplicateName,
    TooDeep,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Name(String),
    Index(usize),
}

impl Fault {
    fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            segments: Vec::new(),
        }
    }

    fn inside(mut self, segment: Segment) -> Self {
        self.segments.push(segment);
        self
    }

    /// The path of the element, like `name[0].given`; empty at the top.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.segments.iter().rev() {
            match segment {
                Segment::Index(at) => path.push_str(&format!("[{at}]")),
                Segment::Name(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(printable(name));
                }
            }
        }
        path
    }
}

/// A name fit for an error message: what does not look like a FHIR element could be a value.
pub(crate) fn printable(name: &str) -> &str {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !name.is_empty() && name.len() <= 40 && name.bytes().all(plain) {
        name
    } else {
        "?"
    }
}

/// Checks `text` and returns it without the whitespace between tokens.
///
/// # Errors
/// A [`Fault`] for a text that is not JSON, repeats a name within an object, or nests deeper
/// than `max_depth`.
pub(crate) fn minify(text: &str, max_depth: usize) -> Result<String, Fault> {
    let mut walker = Walker {
        text,
        bytes: text.as_bytes(),
        at: 0,
        kept: 0,
        out: String::with_capacity(text.len()),
        names: Vec::new(),
        depth_left: max_depth,
    };
    walker.skip_space();
    walker.value()?;
    walker.skip_space();
    if walker.at != walker.bytes.len() {
        return Err(walker.syntax());
    }
    walker.copy_to(walker.at);
    Ok(walker.out)
}

/// Whether `text` is JSON as [`minify`] returns it.
pub(crate) fn is_minified(text: &str, max_depth: usize) -> bool {
    minify(text, max_depth).is_ok_and(|m| m.len() == text.len())
}

struct Walker<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    kept: usize,
    out: String,
    /// The names of all open objects, one behind the other.
    names: Vec<Cow<'a, str>>,
    depth_left: usize,
}

impl<'a> Walker<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn syntax(&self) -> Fault {
        Fault::new(FaultKind::Syntax { offset: self.at })
    }

    fn copy_to(&mut self, end: usize) {
        self.out
            .push_str(self.text.get(self.kept..end).unwrap_or_default());
        self.kept = end;
    }

    fn skip_space(&mut self) {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        if self.at != start {
            let end = self.at;
            self.copy_to(start);
            self.kept = end;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(self.syntax());
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(self.syntax()),
        }
    }

    fn nested(&mut self, body: fn(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        let Some(left) = self.depth_left.checked_sub(1) else {
            return Err(Fault::new(FaultKind::TooDeep));
        };
        self.depth_left = left;
        self.at += 1;
        self.skip_space();
        body(self)?;
        self.depth_left += 1;
        Ok(())
    }

    fn object(&mut self) -> Result<(), Fault> {
        let base = self.names.len();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let literal = self.string()?;
            let Some(name) = unescape(literal) else {
                return Err(self.syntax());
            };
            self.names.push(name);
            let own = self.names.len();
            let member = self.member();
            if let Err(fault) = member {
                let name = self.names.get(own - 1).map(|n| n.clone().into_owned());
                return Err(fault.inside(Segment::Name(name.unwrap_or_default())));
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.syntax()),
            }
            self.skip_space();
        }
        self.at += 1;
        let names = self.names.get_mut(base..).unwrap_or_default();
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [a, b] = pair
                && a == b
            {
                let name = Segment::Name(a.clone().into_owned());
                return Err(Fault::new(FaultKind::DuplicateName).inside(name));
            }
        }
        self.names.truncate(base);
        Ok(())
    }

    fn member(&mut self) -> Result<(), Fault> {
        self.skip_space();
        self.expect(b':')?;
        self.skip_space();
        self.value()
    }

    fn array(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let mut index = 0;
        loop {
            self.value()
                .map_err(|fault| fault.inside(Segment::Index(index)))?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.syntax()),
            }
            self.skip_space();
            index += 1;
        }
        self.at += 1;
        Ok(())
    }

    /// Passes a string and returns it as written, without its quotes.
    fn string(&mut self) -> Result<&'a str, Fault> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0x20..) => self.at += 1,
                _ => return Err(self.syntax()),
            }
        }
        let literal = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(literal)
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                match self.hex4()? {
                    0xd800..=0xdbff => {
                        self.expect(b'\\')?;
                        self.expect(b'u')?;
                        let low = self.hex4()?;
                        if (0xdc00..=0xdfff).contains(&low) {
                            Ok(())
                        } else {
                            Err(self.syntax())
                        }
                    }
                    0xdc00..=0xdfff => Err(self.syntax()),
                    _ => Ok(()),
                }
            }
            _ => Err(self.syntax()),
        }
    }

    fn hex4(&mut self) -> Result<u32, Fault> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.syntax());
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.syntax())
        } else {
            Ok(())
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !self
            .bytes
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            return Err(self.syntax());
        }
        self.at += word.len();
        Ok(())
    }
}

/// The characters that a string literal (without its quotes) stands for.
pub(crate) fn unescape(literal: &str) -> Option<Cow<'_, str>> {
    if !literal.contains('\\') {
        return Some(Cow::Borrowed(literal));
    }
    serde_json::from_str::<String>(&format!("\"{literal}\""))
        .ok()
        .map(Cow::Owned)
}

/// Members as one JSON object, in their order.
pub(crate) fn object_of<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut object = String::from("{");
    for (name, value) in members {
        if object.len() > 1 {
            object.push(',');
        }
        push_string(&mut object, name);
        object.push(':');
        object.push_str(value);
    }
    object.push('}');
    object
}

/// Appends `text` to `out` as a JSON string.
pub(crate) fn push_string(out: &mut String, text: &str) {
    let plain = |b: u8| b >= 0x20 && b != b'"' && b != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (FaultKind, String) {
        let fault = minify(text, 8).unwrap_err();
        (fault.kind, fault.path())
    }

    #[test]
    fn whitespace_goes_and_everything_else_stays() {
        let text = " { \"a\" : [ 1.50 , -0.0e+10 ,\ttrue ] ,\r\n\"b \\u00e9\" : \"x  y\" } ";
        let out = minify(text, 8).unwrap();
        assert_eq!(out, "{\"a\":[1.50,-0.0e+10,true],\"b \\u00e9\":\"x  y\"}");
        assert!(is_minified(&out, 8));
        assert!(!is_minified(text, 8));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1,]",
            "[1 2]",
            "01",
            "1.",
            ".5",
            "1e",
            "+1",
            "-",
            "tru",
            "nul",
            "\"a",
            "\"\u{1}\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "{a:1}",
            "1 1",
            "\u{feff}1",
            "NaN",
        ] {
            let kind = minify(text, 8).unwrap_err().kind;
            assert!(matches!(kind, FaultKind::Syntax { .. }), "{text:?}");
        }
    }

    #[test]
    fn a_name_twice_in_one_object_is_refused_however_it_is_escaped() {
        let expected = (FaultKind::DuplicateName, "a[1].b".to_owned());
        assert_eq!(fault(r#"{"a":[1,{"b":1,"c":2,"b":3}]}"#), expected);
        assert_eq!(fault(r#"{"a":[1,{"b":1,"\u0062":3}]}"#), expected);
        assert!(minify(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#, 8).is_ok());
    }

    #[test]
    fn nesting_beyond_the_limit_is_refused() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(minify(&nested(8), 8).is_ok());
        assert_eq!(minify(&nested(9), 8).unwrap_err().kind, FaultKind::TooDeep);
        assert_eq!(
            minify(&"[".repeat(1_000_000), 64).unwrap_err().kind,
            FaultKind::TooDeep
        );
    }

    #[test]
    fn a_path_never_shows_what_may_be_a_value() {
        assert_eq!(fault(r#"{"Ada Lovelace":{"given":[tru]}}"#).1, "?.given[0]");
    }
}
