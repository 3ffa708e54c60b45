//! What is wrong with a configuration: every fault, its place, and what to write instead.

use std::fmt;

/// One fault of a configuration. `key` is the full dotted key, `line` counts from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is longer than [`crate::MAX_CONFIG_BYTES`].
    #[error("the configuration has {bytes} bytes, at most {max} are read; is this the right file?")]
    TooLong {
        /// The bytes of the text.
        bytes: usize,
        /// The most that is read.
        max: usize,
    },
    /// The text is not TOML, or has a key twice.
    #[error("line {line}: not TOML: {problem}; write one `key = value` a line, text in \"quotes\"")]
    Syntax {
        /// The line of the fault.
        line: usize,
        /// What the TOML parser says.
        problem: String,
    },
    /// There is no such key.
    #[error("line {line}: `{key}`: unknown key; {advice}")]
    UnknownKey {
        /// The key as written.
        key: String,
        /// Its line.
        line: usize,
        /// The nearest key that exists, or all of them.
        advice: String,
    },
    /// A key without a default is not there.
    #[error("`{key}`: missing; write {instead}")]
    Missing {
        /// The missing key.
        key: String,
        /// A line that would do.
        instead: String,
    },
    /// The value is of another type.
    #[error("line {line}: `{key}`: is {found}, not {expected}; write {instead}")]
    WrongType {
        /// The key.
        key: String,
        /// The line of the value.
        line: usize,
        /// The type that was found.
        found: &'static str,
        /// The type that is needed.
        expected: &'static str,
        /// A value that would do.
        instead: String,
    },
    /// The value is of the right type but cannot be used.
    #[error("line {line}: `{key}`: {problem}; write {instead}")]
    BadValue {
        /// The key.
        key: String,
        /// The line of the value.
        line: usize,
        /// What is wrong with the value.
        problem: String,
        /// A value that would do.
        instead: String,
    },
}

/// All faults of a configuration, in the order of their lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// These faults, of which there is at least one, in the order of their lines.
    pub(crate) fn of(mut errors: Vec<ConfigError>) -> Self {
        errors.sort_by_key(ConfigError::line);
        Self(errors)
    }

    /// The faults, in the order of their lines.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl ConfigError {
    /// Whether the fault is one of this key.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        match self {
            Self::TooLong { .. } | Self::Syntax { .. } => false,
            Self::UnknownKey { key, .. }
            | Self::Missing { key, .. }
            | Self::WrongType { key, .. }
            | Self::BadValue { key, .. } => key == name,
        }
    }

    /// The line of the fault; what is missing has none and comes first.
    fn line(&self) -> usize {
        match self {
            Self::TooLong { .. } | Self::Missing { .. } => 0,
            Self::Syntax { line, .. }
            | Self::UnknownKey { line, .. }
            | Self::WrongType { line, .. }
            | Self::BadValue { line, .. } => *line,
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has 1 fault:")?,
            n => write!(f, "the configuration has {n} faults:")?,
        }
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use crate::Config;

    /// A file with one fault of every kind but syntax, and what is said of it. Setting
    /// `UPDATE_GOLDEN=1` writes the text anew.
    const FAULTS: &str = include_str!("../golden/faults.toml");

    #[test]
    fn all_faults_are_reported_at_once_with_what_to_write_instead() {
        let text = format!("{}\n", Config::parse(FAULTS).unwrap_err());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/faults.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(path).unwrap());
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_nearest_one() {
        for (text, near) in [
            ("nmae = 'H'", "name"),
            ("name = 'H'\n[netwrok]", "network"),
            ("name = 'H'\nnetwork.mDNS = true", "mdns"),
            ("name = 'H'\nstore.cache-megabytes = 16", "cache-mebibytes"),
            ("name = 'H'\nlog.fromat = 'json'", "format"),
        ] {
            let errors = Config::parse(text).unwrap_err().to_string();
            assert!(
                errors.contains(&format!("did you mean `{near}`?")),
                "{errors}"
            );
        }
    }
}
