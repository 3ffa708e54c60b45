//! An invariant that does not hold.

use std::fmt::{Display, Formatter};

/// What was found, for whoever replays the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Which invariant.
    pub(crate) invariant: Invariant,
    /// What was seen.
    pub(crate) what: String,
}

/// The invariants of the design that are checked, by its numbers where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invariant {
    /// 1: no unconsented byte, and no key to whom nothing was granted.
    Consent,
    /// 2: nothing acknowledged is lost.
    Durable,
    /// 3 and 4: the same chart everywhere, whatever came in what order.
    Convergence,
    /// 5: no clinical record vanishes, no conflict is silently decided.
    Shown,
    /// 6: every record is attributable.
    Attribution,
    /// 7: revocation ends access to what is new.
    Revocation,
    /// Two clinics that are in sync find that out in one round trip.
    Settled,
    /// 8: the audit log holds together.
    Audit,
    /// What the simulator takes for granted of a clinic or a session.
    Conduct,
}

impl Display for Broken {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

impl Invariant {
    /// This invariant is broken by what was seen.
    pub(crate) fn broken(self, what: impl Into<String>) -> Broken {
        Broken {
            invariant: self,
            what: what.into(),
        }
    }

    /// Holds `so` to be true.
    pub(crate) fn holds(self, so: bool, what: impl FnOnce() -> String) -> Result<(), Broken> {
        if so { Ok(()) } else { Err(self.broken(what())) }
    }
}

/// A clinic said no where the simulator takes a yes for granted.
pub(crate) fn conduct<T, E: Display>(what: &str, result: Result<T, E>) -> Result<T, Broken> {
    result.map_err(|error| Invariant::Conduct.broken(format!("{what}: {error}")))
}
