//! Every reader of somebody else's bytes, with its corpus and with inputs that are not quite like
//! it. `CHARTMESH_FUZZ_CASES` says how many of those, `CHARTMESH_FUZZ_SEED` which.
//! `CHARTMESH_WRITE_CORPUS=1` writes what is recorded where it is missing.

use std::panic::catch_unwind;
use std::{env, fs};

use chartmesh_tests::fuzz::{
    TARGETS, Target, corpus, find, mutate, recorded, recorded_attachments, recorded_part,
};
use data_encoding::HEXLOWER;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Mutated inputs of each target where nobody says how many.
const CASES: u64 = 400;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect(name))
}

fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let folder = corpus(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn holds(target: &Target, bytes: &[u8], what: &str) {
    let run = target.run;
    let outcome = catch_unwind(|| run(bytes));
    assert!(
        outcome.is_ok(),
        "{} fails for {what}; as a file of its corpus: {}",
        target.name,
        HEXLOWER.encode(bytes)
    );
}

#[test]
fn no_input_of_the_corpus_or_like_it_breaks_a_reader() {
    let cases = number("CHARTMESH_FUZZ_CASES", CASES);
    let seed = number("CHARTMESH_FUZZ_SEED", 1);
    for target in TARGETS {
        let corpus = inputs(&target);
        assert!(corpus.len() > 1, "{} has no corpus", target.name);
        for (at, bytes) in corpus.iter().enumerate() {
            holds(&target, bytes, &format!("input {at} of the corpus"));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for case in 0..cases {
            let bytes = mutate::mutated(&corpus, &mut rng);
            holds(&target, &bytes, &format!("case {case} of seed {seed}"));
        }
    }
}

/// Plays what is recorded now, and writes it where that is asked for.
fn plays(target: &str, name: &str, bytes: &[u8]) {
    let target = find(target).unwrap();
    holds(&target, bytes, name);
    let path = corpus(&target).join(name);
    if env::var_os("CHARTMESH_WRITE_CORPUS").is_some() && !path.exists() {
        fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn what_two_nodes_say_to_each_other_breaks_no_reader() {
    let [dialer, listener] = recorded();
    plays("session", "recorded-dialer", &dialer);
    plays("session", "recorded-listener", &listener);
    let [dialer, listener] = recorded_attachments();
    plays("session", "attachments-dialer", &dialer);
    plays("session", "attachments-listener", &listener);
    plays("bundle-part", "attachments", &recorded_part());
}
