//! The progress bar of long work, on standard error and only where a person looks.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::control::Progress;

/// A bar that follows progress reports.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar that is drawn with the first report.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::hidden();
        if std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        Self(bar)
    }

    /// Shows how far the work has come. Work of unknown length gets a counter.
    pub(crate) fn show(&self, step: &Progress) {
        let template = if step.total > 0 {
            self.0.set_length(step.total);
            "{msg} [{bar:30}] {pos}/{len} {eta}"
        } else {
            "{msg} {pos}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style.progress_chars("=> "));
        }
        self.0.set_message(step.what.clone());
        self.0.set_position(step.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
