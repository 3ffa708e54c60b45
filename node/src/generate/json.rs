//! JSON that is written in the order it was built in, with decimals kept as digits: the same
//! bytes everywhere, whatever features a JSON library was built with.

/// A JSON value (RFC 8259).
#[derive(Debug, Clone)]
pub(super) enum Json {
    /// A number or literal, as it is written.
    Literal(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// An object; its members are written in this order.
    Object(Vec<(&'static str, Self)>),
}

impl Json {
    /// An object without members.
    pub(super) fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// This object with one more member. What is no object stays as it is.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Self>) -> Self {
        if let Self::Object(members) = &mut self {
            members.push((name, value.into()));
        }
        self
    }

    /// This object with one more member, if there is a value for it.
    pub(super) fn with_some(self, name: &'static str, value: Option<impl Into<Self>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The number `units` / 10^`decimals`, with exactly that many decimals.
    pub(super) fn decimal(units: u32, decimals: u32) -> Self {
        let scale = 10u32.saturating_pow(decimals);
        if decimals == 0 {
            return Self::Literal(units.to_string());
        }
        let width = usize::try_from(decimals).unwrap_or(0);
        Self::Literal(format!("{}.{:0width$}", units / scale, units % scale))
    }

    /// Writes the value without white space.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Literal(text) => out.push_str(text),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Literal(value.to_string())
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Literal(value.to_string())
    }
}

impl<const N: usize> From<[Self; N]> for Json {
    fn from(items: [Self; N]) -> Self {
        Self::List(items.into())
    }
}

impl From<Vec<Self>> for Json {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

/// Writes a text with the escapes that RFC 8259 §7 demands, and no others.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &Json) -> String {
        let mut out = String::new();
        json.write(&mut out);
        out
    }

    #[test]
    fn members_keep_their_order_and_decimals_their_digits() {
        let json = Json::object()
            .with("z", "q\"\\\n\u{1}é")
            .with(
                "a",
                [
                    Json::decimal(370, 1),
                    Json::decimal(5, 2),
                    Json::decimal(12, 0),
                ],
            )
            .with_some("b", None::<bool>)
            .with_some("c", Some(true));
        let text = r#"{"z":"q\"\\\n\u0001é","a":[37.0,0.05,12],"c":true}"#;
        assert_eq!(written(&json), text);
    }
}
