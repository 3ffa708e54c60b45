//! What happened in a run, line by line, and a digest over it: two runs of one seed have the same.

use std::collections::VecDeque;

use blake3::Hasher;

/// How many of the last lines are kept to be shown.
const KEPT: usize = 200;

/// The lines of a run.
#[derive(Default)]
pub(crate) struct Log {
    digest: Hasher,
    last: VecDeque<String>,
}

impl Log {
    /// Adds what happened at `now_ms` of simulated time.
    pub(crate) fn line(&mut self, now_ms: u64, text: &str) {
        let line = format!("{:>10}.{:03} {text}", now_ms / 1000, now_ms % 1000);
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// A digest over every line.
    pub(crate) fn digest(&self) -> String {
        self.digest.finalize().to_hex().to_string()
    }

    /// The last lines, oldest first.
    pub(crate) fn last(&self) -> String {
        let mut text = String::new();
        for line in &self.last {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}
