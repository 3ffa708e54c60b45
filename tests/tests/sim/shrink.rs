//! A failing plan with as few steps as possible, for whoever looks for the cause.

use crate::broken::Invariant;
use crate::plan::Plan;
use crate::run;

/// The steps of a plan without which the same invariant would hold; nothing where it holds anyway.
pub(crate) fn fewest_steps(plan: &Plan) -> String {
    let Some(wanted) = breaks(plan) else {
        return "every invariant holds".to_owned();
    };
    let mut plan = plan.clone();
    let mut size = plan.steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < plan.steps.len() {
            let without = without(&plan, at, size);
            if breaks(&without) == Some(wanted) {
                plan = without;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    let outcome = run::play(&plan, None);
    let steps: Vec<String> = plan
        .steps
        .iter()
        .map(|(pause, step)| format!("({pause}, {step:?})"))
        .collect();
    format!("{}\n{}", steps.join("\n"), outcome.last)
}

fn breaks(plan: &Plan) -> Option<Invariant> {
    run::play(plan, None).result.err().map(|one| one.invariant)
}

/// A plan without some of its steps; the time that they took passes all the same.
fn without(plan: &Plan, at: usize, count: usize) -> Plan {
    let mut plan = plan.clone();
    let end = (at + count).min(plan.steps.len());
    let passed: u64 = plan.steps.drain(at..end).map(|(pause, _)| pause).sum();
    if let Some((pause, _)) = plan.steps.get_mut(at) {
        *pause += passed;
    }
    plan
}
