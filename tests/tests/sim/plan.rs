//! What happens in a run, drawn from its seed before it begins.
//!
//! Steps name clinics, charts and grants by numbers that are taken modulo what there is: a step
//! always means something, also after others were taken out of the plan.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::link::Weather;

/// An hour, in milliseconds.
pub(crate) const HOUR_MS: u64 = 3_600_000;
/// How wrong a clock is at most, in milliseconds.
const MAX_SKEW_MS: i64 = 12 * 3_600_000;
/// One run in so many is of a large network.
const LARGE_ONE_IN: u32 = 300;

/// A network and what befalls it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// By how much the clock of each clinic is wrong, in milliseconds.
    pub(crate) skews: Vec<i64>,
    /// Which clinics know each other, beside that all know the first.
    pub(crate) acquainted: Vec<(usize, usize)>,
    /// What happens, each after a pause in milliseconds.
    pub(crate) steps: Vec<(u64, Step)>,
}

/// What may happen.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A patient is registered.
    Register { at: usize },
    /// Something new is written into a chart.
    Write {
        at: usize,
        chart: usize,
        kind: usize,
    },
    /// Something is written over: a phone number, or an allergy as a whole.
    Edit {
        at: usize,
        chart: usize,
        allergy: bool,
    },
    /// A person decides a conflict.
    Resolve { at: usize, chart: usize },
    /// Consent is given.
    Grant(Terms),
    /// Consent is taken back.
    Revoke { grant: usize },
    /// What is due is compacted.
    Compact { at: usize },
    /// Two clinics are joined by a link for a while.
    Join {
        one: usize,
        other: usize,
        weather: Weather,
        for_ms: u64,
    },
    /// A link is cut; in silence, or so that both ends notice.
    Cut { link: usize, silent: bool },
    /// A stick is carried from one clinic to another.
    Stick {
        from: usize,
        to: usize,
        mishap: Mishap,
        everything: bool,
    },
    /// Something happens to a clinic's machine.
    Machine { at: usize, trouble: Trouble },
    /// Somebody sets a clinic's clock.
    Clock { at: usize, by_ms: i64 },
}

/// What happens to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The clinic is closed and opened again.
    Restart,
    /// It loses its power.
    Kill,
    /// It keeps a copy of its folder.
    BackUp,
    /// It goes on from that copy.
    Restore,
}

/// Consent to be given.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) chart: usize,
    /// Who signs: the chart's home, or another clinic that may share.
    pub(crate) by_home: bool,
    pub(crate) by: usize,
    pub(crate) to: usize,
    pub(crate) compartments: &'static [&'static str],
    pub(crate) rights: &'static [&'static str],
    pub(crate) from_now_on: bool,
    /// Until when, counted from the step.
    pub(crate) for_ms: Option<u64>,
}

/// What goes wrong with a stick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    None,
    /// Every file is read twice, in the opposite order, with those of the stick before.
    Shuffled,
    /// The last file ends early.
    Cut,
    /// One byte is another.
    Damaged,
    /// It never comes.
    Lost,
}

const COMPARTMENTS: [&[&str]; 6] = [
    &["all"],
    &["all"],
    &["all"],
    &["summary"],
    &["summary", "clinical"],
    &["summary", "messages"],
];
const RIGHTS: [&[&str]; 5] = [
    &["read"],
    &["read", "write"],
    &["read", "write"],
    &["read", "share"],
    &["read", "write", "share"],
];

impl Plan {
    /// The plan that a seed stands for.
    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let large = chance.random_range(0..LARGE_ONE_IN) == 0;
        let clinics = if large {
            chance.random_range(10..=50)
        } else {
            chance.random_range(3..=6)
        };
        let skew = |chance: &mut ChaCha8Rng| chance.random_range(-MAX_SKEW_MS..=MAX_SKEW_MS);
        let skews = (0..clinics).map(|_| skew(&mut chance)).collect();
        let mut acquainted = Vec::new();
        for one in 1..clinics {
            for other in one + 1..clinics {
                if chance.random_range(0..clinics) < 3 {
                    acquainted.push((one, other));
                }
            }
        }
        let mut draft = Draft {
            chance,
            clinics,
            pairs: (1..clinics).map(|other| (0, other)).collect(),
            homes: Vec::new(),
            shared: Vec::new(),
            steps: Vec::new(),
        };
        draft.pairs.extend(acquainted.iter().copied());
        draft.begin();
        let length = draft.chance.random_range(20..=45);
        for _ in 0..length {
            draft.add();
        }
        Self {
            seed,
            skews,
            acquainted,
            steps: draft.steps,
        }
    }
}

/// A plan that is being made, with what its steps may bring about.
struct Draft {
    chance: ChaCha8Rng,
    clinics: usize,
    /// Who knows whom.
    pairs: Vec<(usize, usize)>,
    /// Who keeps each chart.
    homes: Vec<usize>,
    /// Charts and the clinics that they were granted to.
    shared: Vec<(usize, usize)>,
    steps: Vec<(u64, Step)>,
}

impl Draft {
    /// A first patient who is shared: without one, nothing of interest happens for long.
    fn begin(&mut self) {
        self.register(0);
        for _ in 0..self.chance.random_range(1..=2) {
            let terms = Terms {
                by_home: true,
                ..self.terms()
            };
            self.push(Step::Grant(terms));
        }
    }

    fn push(&mut self, step: Step) {
        let pause = pause(&mut self.chance);
        self.steps.push((pause, step));
    }

    fn register(&mut self, at: usize) {
        self.homes.push(at);
        self.push(Step::Register { at });
    }

    /// A chart, and somebody who mostly has to do with it.
    fn chart_and_clinic(&mut self) -> (usize, usize) {
        let chart = self.chance.random_range(0..self.homes.len());
        let mine = self.shared.iter().filter(|(shared, _)| *shared == chart);
        let readers: Vec<usize> = mine.map(|(_, to)| *to).collect();
        let at = match self.chance.random_range(0..10) {
            0 => self.chance.random_range(0..self.clinics),
            1..6 if !readers.is_empty() => readers[self.chance.random_range(0..readers.len())],
            _ => self.homes[chart],
        };
        (chart, at)
    }

    /// Two clinics that know each other.
    fn pair(&mut self) -> (usize, usize) {
        let (chart, at) = self.chart_and_clinic();
        let home = self.homes[chart];
        let (one, other) = if at != home && self.chance.random_range(0..3) > 0 {
            (at, home)
        } else {
            self.pairs[self.chance.random_range(0..self.pairs.len())]
        };
        if self.chance.random() {
            (one, other)
        } else {
            (other, one)
        }
    }

    fn terms(&mut self) -> Terms {
        let (chart, by) = self.chart_and_clinic();
        let by_home = self.chance.random_range(0..4) > 0;
        let signer = if by_home { self.homes[chart] } else { by };
        let known: Vec<usize> = self
            .pairs
            .iter()
            .filter_map(|(one, other)| match signer {
                signer if signer == *one => Some(*other),
                signer if signer == *other => Some(*one),
                _ => None,
            })
            .collect();
        let chance = &mut self.chance;
        let to = known[chance.random_range(0..known.len())];
        self.shared.push((chart, to));
        Terms {
            chart,
            by_home,
            by,
            to,
            compartments: COMPARTMENTS[chance.random_range(0..COMPARTMENTS.len())],
            rights: RIGHTS[chance.random_range(0..RIGHTS.len())],
            from_now_on: chance.random_range(0..6) == 0,
            for_ms: (chance.random_range(0..6) == 0)
                .then(|| chance.random_range(HOUR_MS..20 * HOUR_MS)),
        }
    }

    fn add(&mut self) {
        let (chart, at) = self.chart_and_clinic();
        let (one, other) = self.pair();
        let machine = |at, trouble| Step::Machine { at, trouble };
        let step = match self.chance.random_range(0..100) {
            0..3 => return self.register(at),
            3..22 => Step::Write {
                at,
                chart,
                kind: self.chance.random_range(0..12),
            },
            22..36 => Step::Edit {
                at,
                chart,
                allergy: self.chance.random(),
            },
            36..39 => Step::Resolve { at, chart },
            39..48 => Step::Grant(self.terms()),
            48..52 => Step::Revoke {
                grant: self.chance.random_range(0..16),
            },
            52..54 => Step::Compact { at },
            54..78 => Step::Join {
                one,
                other,
                weather: Weather::random(&mut self.chance),
                for_ms: self.chance.random_range(500..300_000),
            },
            78..82 => Step::Cut {
                link: self.chance.random_range(0..8),
                silent: self.chance.random(),
            },
            82..88 => Step::Stick {
                from: one,
                to: other,
                mishap: Mishap::random(&mut self.chance),
                everything: self.chance.random_range(0..4) == 0,
            },
            88..90 => machine(at, Trouble::Restart),
            90..93 => machine(at, Trouble::Kill),
            93..95 => machine(at, Trouble::BackUp),
            95..97 => machine(at, Trouble::Restore),
            _ => Step::Clock {
                at,
                by_ms: self.chance.random_range(-MAX_SKEW_MS..=MAX_SKEW_MS),
            },
        };
        self.push(step);
    }
}

/// Mostly minutes, now and then hours.
fn pause(chance: &mut ChaCha8Rng) -> u64 {
    match chance.random_range(0..20) {
        0 => chance.random_range(HOUR_MS..8 * HOUR_MS),
        1..5 => chance.random_range(60_000..600_000),
        5..12 => chance.random_range(1_000..30_000),
        _ => chance.random_range(1..1_000),
    }
}

impl Mishap {
    fn random(chance: &mut ChaCha8Rng) -> Self {
        match chance.random_range(0..8) {
            0 | 1 => Self::Shuffled,
            2 => Self::Cut,
            3 => Self::Damaged,
            4 => Self::Lost,
            _ => Self::None,
        }
    }
}
