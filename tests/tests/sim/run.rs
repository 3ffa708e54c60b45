//! One run: a plan is played, and everything is checked.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::broken::{Broken, Invariant};
use crate::faults::Fault;
use crate::invariants;
use crate::plan::Plan;
use crate::play;
use crate::world::World;

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) result: Result<(), Broken>,
    /// Over all that happened.
    pub(crate) digest: String,
    /// The last of what happened.
    pub(crate) last: String,
}

/// Plays a plan, with a fault planted at a clinic where one is given.
pub(crate) fn play(plan: &Plan, fault: Option<(Fault, usize)>) -> Outcome {
    let mut world = match World::new(plan, fault) {
        Ok(world) => world,
        Err(broken) => {
            return Outcome {
                result: Err(broken),
                digest: String::new(),
                last: String::new(),
            };
        }
    };
    let played = catch_unwind(AssertUnwindSafe(|| play_in(&mut world, plan)));
    let panicked = Invariant::Conduct.broken("it panicked; see above");
    let result = played.unwrap_or(Err(panicked));
    if let Err(broken) = &result {
        world.say(&broken.to_string());
    }
    Outcome {
        result,
        digest: world.log.digest(),
        last: world.log.last(),
    }
}

fn play_in(world: &mut World, plan: &Plan) -> Result<(), Broken> {
    for (pause, step) in &plan.steps {
        world.run_until(world.now_ms + pause)?;
        let sent = world.sent;
        world.say(&format!("{step:?}; {sent} items sent so far"));
        let done = play::step(world, step)?;
        world.say(&format!("    {done}"));
    }
    invariants::at_the_end(world)?;
    let sent = world.sent;
    world.say(&format!("the end, after {sent} items"));
    Ok(())
}
