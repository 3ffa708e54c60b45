//! Scratch.

mod broken;
mod expected;
mod faults;
mod fhir;
mod invariants;
mod link;
mod log;
mod meeting;
mod mishap;
mod plan;
mod play;
mod run;
mod site;
mod stick;
mod watched;
mod world;
mod write;

use plan::Plan;

#[test]
fn scratch() {
    let from: u64 = std::env::var("CHARTMESH_SIM_SEED").ok().and_then(|t| t.parse().ok()).unwrap_or(0);
    let runs: u64 = std::env::var("CHARTMESH_SIM_RUNS").ok().and_then(|t| t.parse().ok()).unwrap_or(1);
    let begun = std::time::Instant::now();
    let mut kinds: std::collections::BTreeMap<String, (usize, u64)> = Default::default();
    for seed in from..from + runs {
        let plan = Plan::of(seed);
        let outcome = run::play(&plan, None);
        if let Err(broken) = outcome.result {
            if runs == 1 { println!("{}", outcome.last); }
            println!("seed {seed}: {broken}");
            let e = kinds.entry(format!("{:?}", broken.invariant)).or_insert((0, seed));
            e.0 += 1;
        } else if runs == 1 { println!("{}", outcome.last); }
    }
    println!("{kinds:?} {:?}", begun.elapsed());
}
