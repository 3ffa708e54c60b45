//! When all links are whole, the network comes to rest; and who is in sync finds that out in one
//! round trip, without a record sent.

use chartmesh_protocol::sync::Tier;

use crate::broken::{Broken, Invariant};
use crate::faults::Fault;
use crate::meeting::MeetingId;
use crate::plan::HOUR_MS;
use crate::play;
use crate::world::World;

/// Rounds in which everybody meets everybody, after which all have to have all: a record and then
/// a key for it take one each for every clinic that they pass.
const MAX_ROUNDS: usize = 12;

/// Heals all links and lets everybody meet until nothing is sent any more.
pub(crate) fn comes_to_rest(world: &mut World) -> Result<(), Broken> {
    let ids: Vec<MeetingId> = world.meetings.keys().copied().collect();
    for id in ids {
        world.end_meeting(id)?;
    }
    // Grants that end do so everywhere, whatever the clocks say.
    world.run_until(world.now_ms + 48 * HOUR_MS)?;
    world.say("all links are whole");
    for _ in 0..MAX_ROUNDS {
        let before = world.sent;
        everybody_meets(world, false)?;
        if world.sent == before {
            return everybody_meets(world, true);
        }
    }
    Err(Invariant::Settled.broken("it never comes to rest"))
}

fn everybody_meets(world: &mut World, at_rest: bool) -> Result<(), Broken> {
    for (one, other) in world.acquainted.clone() {
        let Some(meeting) = world.meet(one, other)? else {
            // One has heard of a revocation that the other has yet to hear of, from home: until
            // then they do not agree on what they share.
            let what = || format!("{one} and {other} do not come to an end on a good link");
            Invariant::Settled.holds(!at_rest, what)?;
            continue;
        };
        for end in &meeting.ends {
            let Some(report) = &end.in_sync else {
                continue;
            };
            let short = report.tier == Tier::Cursor && report.round_trips == 1;
            let nothing = report.traffic.records_sent == 0;
            let what = || format!("{one} and {other} were in sync, and it took {report:?}");
            Invariant::Settled.holds(!at_rest || (short && nothing), what)?;
        }
        drop(meeting);
        for site in [one, other] {
            if world.fault_at(site) == Some(Fault::DecidesConflicts) {
                play::decide_by_itself(world, site)?;
            }
        }
    }
    Ok(())
}
