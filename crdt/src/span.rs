//! Splitting checked, minified JSON into the exact texts of its parts.
//!
//! Callers pass only what [`minify`](crate::json::minify) returned; on anything else these
//! functions end early, and never panic.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::unescape;

/// The members of an object: each name, and the exact text of its value. Empty for what is not
/// an object.
pub(crate) fn members(object: &str) -> Vec<(Cow<'_, str>, &str)> {
    let mut found = Vec::new();
    let Some(mut rest) = object.strip_prefix('{') else {
        return found;
    };
    while let Some(inner) = rest.strip_prefix('"') {
        let close = string_end(inner.as_bytes());
        let Some(name) = inner.get(..close).and_then(unescape) else {
            break;
        };
        let Some(after) = inner.get(close + 1..).and_then(|r| r.strip_prefix(':')) else {
            break;
        };
        let end = value_end(after.as_bytes());
        let (Some(value), Some(tail)) = (after.get(..end), after.get(end..)) else {
            break;
        };
        found.push((name, value));
        let Some(next) = tail.strip_prefix(',') else {
            break;
        };
        rest = next;
    }
    found
}

/// The exact text of one member's value.
pub(crate) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    members(object)
        .into_iter()
        .find(|(n, _)| n == name)
        .map(|(_, value)| value)
}

/// The exact texts of an array's items. Empty for what is not an array.
pub(crate) fn items(array: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let Some(mut rest) = array.strip_prefix('[') else {
        return found;
    };
    while !rest.is_empty() && !rest.starts_with(']') {
        let end = value_end(rest.as_bytes());
        let (Some(value), Some(tail)) = (rest.get(..end), rest.get(end..)) else {
            break;
        };
        found.push(value);
        let Some(next) = tail.strip_prefix(',') else {
            break;
        };
        rest = next;
    }
    found
}

/// The characters of a JSON string; `None` for what is not a string.
pub(crate) fn string(value: &str) -> Option<Cow<'_, str>> {
    value
        .strip_prefix('"')
        .and_then(|v| v.strip_suffix('"'))
        .and_then(unescape)
}

/// One string that stands under a name, anywhere in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedString {
    /// Where the literal stands, without its quotes.
    pub(crate) range: Range<usize>,
    /// The name of the nearest member around the object that holds it.
    pub(crate) parent: Option<String>,
    /// The text of the object that holds it.
    pub(crate) object: Range<usize>,
}

/// Every string value of a member called `wanted`, at any depth, in the order of the text.
pub(crate) fn named_strings(text: &str, wanted: &str) -> Vec<NamedString> {
    let bytes = text.as_bytes();
    let mut found: Vec<NamedString> = Vec::new();
    // For each open object or array: where it starts, and the member that it is the value of.
    let mut open: Vec<(usize, Option<Range<usize>>, usize)> = Vec::new();
    let mut name: Option<Range<usize>> = None;
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'{' | b'[' => {
                let inherited = name
                    .take()
                    .or_else(|| open.last().and_then(|o| o.1.clone()));
                open.push((at, inherited, found.len()));
            }
            b'}' | b']' => {
                if let Some((start, _, first)) = open.pop() {
                    for hit in found.iter_mut().skip(first).filter(|h| h.object.end == 0) {
                        hit.object = start..at + 1;
                    }
                }
                name = None;
            }
            b',' => name = None,
            b'"' => {
                let start = at + 1;
                let end = start + string_end(bytes.get(start..).unwrap_or_default());
                at = end;
                if bytes.get(end + 1) == Some(&b':') {
                    name = Some(start..end);
                } else if name.take().and_then(|n| text.get(n)) == Some(wanted) {
                    let parent = open.last().and_then(|o| o.1.clone());
                    let parent = parent.and_then(|r| text.get(r)).map(str::to_owned);
                    found.push(NamedString {
                        range: start..end,
                        parent,
                        object: 0..0,
                    });
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Where the string ends whose first character `bytes` starts with: the index of its quote.
fn string_end(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Where the value ends that `bytes` starts with.
fn value_end(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'"' => {
                at += 1 + string_end(bytes.get(at + 1..).unwrap_or_default());
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            return at.min(bytes.len());
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_items_keep_their_exact_text() {
        let object = r#"{"a":[1.50,{"b":"]}"}],"\u0063":"x\"y","d":{}}"#;
        let found = members(object);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], (Cow::Borrowed("a"), r#"[1.50,{"b":"]}"}]"#));
        assert_eq!(found[1], (Cow::Borrowed("c"), r#""x\"y""#));
        assert_eq!(items(found[0].1), vec!["1.50", r#"{"b":"]}"}"#]);
        assert!(members("{}").is_empty() && items("[]").is_empty() && members("[1]").is_empty());
        assert_eq!(string(found[1].1).unwrap(), "x\"y");
    }

    #[test]
    fn named_strings_know_their_object_and_the_member_around_it() {
        let text = concat!(
            r#"{"subject":{"reference":"P/1"},"a":["reference",{"reference":"x"}],"#,
            r#""reference":{"reference":3}}"#
        );
        let found = named_strings(text, "reference");
        assert_eq!(found.len(), 2);
        assert_eq!(&text[found[0].range.clone()], "P/1");
        assert_eq!(found[0].parent.as_deref(), Some("subject"));
        assert_eq!(&text[found[0].object.clone()], r#"{"reference":"P/1"}"#);
        assert_eq!(&text[found[1].range.clone()], "x");
        assert_eq!(found[1].parent.as_deref(), Some("a"));
    }

    #[test]
    fn torn_text_never_panics() {
        let text = r#"{"a":[1,{"b":"\\"}],"reference":"x\"y"}"#;
        for end in 0..text.len() {
            let torn = &text[..end];
            let _ = (members(torn), items(torn), named_strings(torn, "reference"));
        }
    }
}
