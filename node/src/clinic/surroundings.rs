//! What a clinic takes from the world around it: the time, and chance.

use rand::RngExt;

use super::Clinic;
use super::instance::Instance;
use crate::chance::Chance;
use crate::clock::Clock;

/// The clock, the source of random bytes and the folder of a clinic: the machine's by default,
/// others in a simulation, where the same has to happen twice.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Where it reads the time.
    pub clock: Clock,
    /// Where keys, nonces and ids come from.
    pub chance: Chance,
    /// What tells its folder from a copy.
    pub instance: Instance,
}

impl Clinic {
    /// Milliseconds since 1970 by this clinic's own clock, whatever peers say.
    pub(crate) fn now_ms(&self) -> u64 {
        self.surroundings.clock.now_ms()
    }

    /// The source of random bytes.
    pub(crate) fn chance(&self) -> Chance {
        self.surroundings.chance.clone()
    }

    /// A random id for a resource that has none (RFC 9562 §5.4).
    pub(crate) fn new_resource_id(&self) -> String {
        uuid::Builder::from_random_bytes(self.chance().random())
            .into_uuid()
            .to_string()
    }
}
