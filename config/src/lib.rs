//! The typed configuration of a node: `config.toml` in its data folder.
//!
//! Two layers: `raw` is the file as it was written, every key optional and with its line;
//! `resolve` says what it means, with defaults filled in and every value checked. All that is
//! wrong is reported at once, and each report names the key, what is wrong with it and what to
//! write instead. Nothing here reads a file, the environment or a clock.
//!
//! Unknown keys are refused: a misspelt key that is silently ignored would leave the default in
//! force without anyone noticing. A file that is wrong is never replaced by defaults.
//!
//! ```
//! use chartmesh_config::{Config, render_commented};
//!
//! let config = Config::default_for("Clínica San José")?;
//! let text = render_commented(&config);
//! assert_eq!(Config::parse(&text)?, config);
//!
//! let errors = Config::parse("nmae = \"Clinic\"").unwrap_err();
//! assert!(errors.to_string().contains("did you mean `name`?"));
//! # Ok::<(), chartmesh_config::ConfigErrors>(())
//! ```
//!
//! The peers of a node are not configured here: they live in its store, where a peer is added
//! by its signed card.

mod address;
mod error;
mod limits;
mod name;
mod nearest;
mod raw;
mod reader;
mod render;
mod resolve;
mod settings;

pub use address::{Address, AddressError};
pub use error::{ConfigError, ConfigErrors};
pub use limits::*;
pub use name::{Name, NameError};
pub use render::render_commented;
pub use settings::{
    Attachments, Config, ConnectionLimits, Fetch, Http, Log, LogFormat, LogLevel, Nat, Network,
};
pub use settings::{Reconnect, Relay, Role, Store};
