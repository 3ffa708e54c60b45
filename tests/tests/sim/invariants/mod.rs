//! The invariants of the design, checked from outside: against what is expected, and not against
//! what the clinics say of each other.
//!
//! | file | invariant | when |
//! |---|---|---|
//! | `consent` | 1: no unconsented byte, no key for whom nothing was granted | each item, the end |
//! | `durable` | 2: nothing acknowledged is lost | each item, each restart, the end |
//! | `convergence` | 3, 4: the same chart everywhere, in whatever order it came | the end |
//! | `shown` | 5: nothing written vanishes, no conflict is decided by a machine | the end |
//! | `attribution` | 6: whose each entry is | the end |
//! | `revocation` | 7: nothing new opens to whom it was revoked | the end |
//! | `settled` | who is in sync finds that out in one round trip | the end |

pub(crate) mod attribution;
pub(crate) mod consent;
pub(crate) mod convergence;
pub(crate) mod durable;
pub(crate) mod revocation;
pub(crate) mod settled;
pub(crate) mod shown;

use crate::broken::{Broken, Invariant, conduct};
use crate::world::World;

/// Checks everything, once all links are whole and everybody has met everybody.
pub(crate) fn at_the_end(world: &mut World) -> Result<(), Broken> {
    settled::comes_to_rest(world)?;
    for site in 0..world.sites.len() {
        durable::everything_is_held(world, site)?;
    }
    consent::nobody_holds_more(world)?;
    revocation::nothing_new_opens(world)?;
    convergence::all_show_the_same(world)?;
    shown::nothing_vanished(world)?;
    attribution::everything_has_its_author(world)?;
    for site in &world.sites {
        let check = conduct("an audit", site.clinic().audit_check())?;
        let wrong = || format!("the log of {}: {:?}", site.name, check.problems);
        Invariant::Audit.holds(check.ok, wrong)?;
    }
    convergence::order_does_not_matter(world)
}
