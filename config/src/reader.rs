//! Takes the tables of a TOML document apart, key by key, and collects every fault on the way.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::nearest::nearest;

/// A value as it was written, with the line it stands on (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written<T> {
    pub(crate) value: T,
    pub(crate) line: usize,
}

/// Where the lines of a text begin: turns byte offsets into line numbers.
pub(crate) struct Lines<'t>(&'t str);

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self(text)
    }

    /// The line, from 1, that holds the byte at `offset`.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.0.bytes().take(offset).filter(|&b| b == b'\n').count() + 1
    }
}

/// One table of the document while it is read: asks for keys, and at the end reports those
/// that nobody asked for.
pub(crate) struct Section<'a, 'i> {
    path: String,
    table: Option<&'a DeTable<'i>>,
    known: Vec<&'static str>,
    lines: &'a Lines<'a>,
}

impl<'a, 'i> Section<'a, 'i> {
    /// The document itself.
    pub(crate) fn root(table: &'a DeTable<'i>, lines: &'a Lines<'a>) -> Self {
        Self {
            path: String::new(),
            table: Some(table),
            known: Vec::new(),
            lines,
        }
    }

    /// The table under `key`; an absent one reads as empty.
    pub(crate) fn section(&mut self, key: &'static str, errors: &mut Vec<ConfigError>) -> Self {
        let path = self.path_of(key);
        let value = self.value(key);
        let table = value.and_then(|value| value.get_ref().as_table());
        if let (Some(value), None) = (value, table) {
            errors.push(ConfigError::WrongType {
                key: path.clone(),
                line: self.lines.line(value.span().start),
                found: type_name(value.get_ref()),
                expected: "a table",
                instead: format!("[{path}] on a line of its own and its keys below"),
            });
        }
        Self {
            path,
            table,
            known: Vec::new(),
            lines: self.lines,
        }
    }

    /// The text under `key`.
    pub(crate) fn text(
        &mut self,
        key: &'static str,
        example: &str,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Written<String>> {
        let value = self.value(key)?;
        let text = value.get_ref().as_str().map(str::to_owned);
        self.written(key, value, text, "text in quotes", example, errors)
    }

    /// The truth value under `key`.
    pub(crate) fn flag(
        &mut self,
        key: &'static str,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Written<bool>> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        self.written(key, value, flag, "true or false", "true or false", errors)
    }

    /// The whole number under `key`. One beyond 64 bits reads as the nearest that fits: it is
    /// out of every range that a key has.
    pub(crate) fn number(
        &mut self,
        key: &'static str,
        example: &str,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Written<i64>> {
        let value = self.value(key)?;
        let number = value.get_ref().as_integer().map(|digits| {
            let text = digits.as_str();
            let nearest = if text.starts_with('-') {
                i64::MIN
            } else {
                i64::MAX
            };
            i64::from_str_radix(text, digits.radix()).unwrap_or(nearest)
        });
        self.written(key, value, number, "a whole number", example, errors)
    }

    /// The list of texts under `key`, each with its own line. An item of another type is a
    /// fault and is left out.
    pub(crate) fn texts(
        &mut self,
        key: &'static str,
        example: &str,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Written<Vec<Written<String>>>> {
        let value = self.value(key)?;
        let example_list = format!("[{example}]");
        let list = value.get_ref().as_array();
        let list = self.written(key, value, list, "a list", &example_list, errors)?;
        let mut texts = Vec::new();
        for item in list.value.iter() {
            let text = item.get_ref().as_str().map(str::to_owned);
            texts.extend(self.written(key, item, text, "text in quotes", example, errors));
        }
        Some(Written {
            value: texts,
            line: list.line,
        })
    }

    /// Reports every key of the table that was not asked for.
    pub(crate) fn finish(self, errors: &mut Vec<ConfigError>) {
        let known: BTreeSet<&str> = self.known.iter().copied().collect();
        for key in self.table.into_iter().flat_map(DeTable::keys) {
            let written: &str = key.get_ref().as_ref();
            if known.contains(written) {
                continue;
            }
            let advice = match nearest(written, &self.known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are {}", self.known.join(", ")),
            };
            errors.push(ConfigError::UnknownKey {
                key: self.path_of(&written.escape_default().to_string()),
                line: self.lines.line(key.span().start),
                advice,
            });
        }
    }

    /// The value under `key`, which is a known key from now on.
    fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.table?.get(key)
    }

    /// What was read with its line, or the fault that it is of another type.
    fn written<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        read: Option<T>,
        expected: &'static str,
        example: &str,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Written<T>> {
        let line = self.lines.line(value.span().start);
        if read.is_none() {
            errors.push(ConfigError::WrongType {
                key: self.path_of(key),
                line,
                found: type_name(value.get_ref()),
                expected,
                instead: example.to_owned(),
            });
        }
        read.map(|value| Written { value, line })
    }

    /// The full dotted name of a key of this table.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// What people call the type of a value.
fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
