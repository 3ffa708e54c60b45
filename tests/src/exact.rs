//! JSON with its numbers as they are written.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON value in which `1.50` is not `1.5`. The order of an object's members does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exact {
    /// `null`, `true` and `false`.
    Word(String),
    /// A number, as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object.
    Object(BTreeMap<String, Self>),
}

impl Exact {
    /// Reads a JSON text.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn read(json: &str) -> Self {
        let json = json.trim();
        match json.as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap();
                let read = |(name, value): (String, &RawValue)| (name, Self::read(value.get()));
                Self::Object(members.into_iter().map(read).collect())
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json).unwrap();
                Self::List(items.iter().map(|item| Self::read(item.get())).collect())
            }
            Some(b'"') => Self::Text(serde_json::from_str(json).unwrap()),
            Some(b'n' | b't' | b'f') => Self::Word(json.to_owned()),
            _ => Self::Number(json.to_owned()),
        }
    }

    /// A member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            Self::Word(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// The text of a member of an object.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.member(name)? {
            Self::Text(text) => Some(text),
            Self::Word(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The items of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Word(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => &[],
        }
    }

    /// The value as JSON text.
    #[must_use]
    pub fn write(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Word(text) | Self::Number(text) => text.clone(),
            Self::Text(text) => quoted(text),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::write).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("{}:{}", quoted(name), value.write()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exact;

    #[test]
    fn numbers_differ_by_their_digits_and_members_do_not_by_their_order() {
        assert_ne!(Exact::read(r#"{"a":1.50}"#), Exact::read(r#"{"a":1.5}"#));
        assert_ne!(Exact::read("1e2"), Exact::read("100"));
        assert_eq!(
            Exact::read(r#"{"a":[1.50, null],"b":"x"}"#),
            Exact::read(r#"{"b": "\u0078", "a":[1.50,null]}"#)
        );
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let json = r#"{"a":[1.50,null,true,"\"x\n"],"b":{}}"#;
        assert_eq!(Exact::read(json).write(), json);
    }
}
