#![doc = include_str!("threats.md")]
