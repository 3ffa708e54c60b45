//! Shows the demonstration as the command line shows everything else.

use super::args::Global;
use super::progress::Bar;
use super::{print, render};
use crate::control::{Exit, Failure};
use crate::demo::{self, DemoOptions, Screen};

/// Runs the demonstration.
pub(super) fn run(global: &Global, options: &DemoOptions) -> Result<Exit, Failure> {
    let screen = Screen {
        json: global.json,
        print: &print,
        bar: || {
            let bar = Bar::new();
            Box::new(move |step| bar.show(step))
        },
        chart: render::view,
        conflicts: render::conflicts,
    };
    demo::run(options, &screen)
}
