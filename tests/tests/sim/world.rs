//! The network in simulated time: clinics, meetings, and a queue of what comes next.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use chartmesh_protocol::sync::Event;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::broken::{Broken, Invariant, conduct};
use crate::expected::Expected;
use crate::faults::Fault;
use crate::invariants;
use crate::link::{Link, Weather};
use crate::log::Log;
use crate::meeting::{Arrival, Coming, Meeting, MeetingId, Place};
use crate::plan::Plan;
use crate::site::Site;
use crate::stick::Stick;
use crate::watched::{Hidden, Tap};

/// When every run begins: 2027-01-01T00:00:00Z, in milliseconds since 1970.
pub(crate) const BEGINNING_MS: u64 = 1_798_761_600_000;
/// How long after a session's end the next one follows, in milliseconds.
const REDIAL_MS: u64 = 1_000;
/// How often a session that ends by itself is followed by another.
const MAX_REDIALS: u32 = 4;
/// Events of one meeting after which it is taken for endless.
const MAX_EVENTS: usize = 200_000;

/// Something that happens at its time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Arrives(MeetingId, usize, Arrival),
    Redial(usize, usize, u64, u32),
}

/// Everything that is simulated.
pub(crate) struct World {
    pub(crate) now_ms: u64,
    pub(crate) sites: Vec<Site>,
    pub(crate) meetings: BTreeMap<MeetingId, Meeting>,
    pub(crate) expected: Expected,
    pub(crate) log: Log,
    pub(crate) chance: ChaCha8Rng,
    /// Pairs of clinics that know each other.
    pub(crate) acquainted: BTreeSet<(usize, usize)>,
    /// The fault that is planted, and at which clinic.
    pub(crate) fault: Option<(Fault, usize)>,
    /// Items that went from one clinic to another.
    pub(crate) sent: usize,
    /// Clinics that went on from a backup.
    pub(crate) restored: BTreeSet<usize>,
    /// Sticks that were carried.
    pub(crate) sticks: Vec<Stick>,
    tap: Rc<RefCell<Tap>>,
    hidden: Vec<Rc<RefCell<Hidden>>>,
    queue: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    order: u64,
    next_meeting: MeetingId,
    weathers: BTreeMap<(usize, usize), Weather>,
}

impl World {
    /// The clinics of a plan, who know whom they know.
    pub(crate) fn new(plan: &Plan, fault: Option<(Fault, usize)>) -> Result<Self, Broken> {
        let mut chance = ChaCha8Rng::seed_from_u64(plan.seed ^ 0x005e_ed0f_11fe);
        let mut sites = Vec::new();
        for (number, skew) in plan.skews.iter().enumerate() {
            sites.push(Site::new(number, chance.random(), BEGINNING_MS, *skew)?);
        }
        let clinics = sites.len();
        let mut world = Self {
            now_ms: BEGINNING_MS,
            sites,
            meetings: BTreeMap::new(),
            expected: Expected::default(),
            log: Log::default(),
            chance,
            acquainted: BTreeSet::new(),
            fault,
            sent: 0,
            restored: BTreeSet::new(),
            sticks: Vec::new(),
            tap: Rc::default(),
            hidden: (0..clinics).map(|_| Rc::default()).collect(),
            queue: BinaryHeap::new(),
            order: 0,
            next_meeting: 0,
            weathers: BTreeMap::new(),
        };
        world.expected.held = vec![BTreeSet::new(); clinics];
        let with_first = (1..clinics).map(|other| (0, other));
        for (one, other) in with_first.chain(plan.acquainted.iter().copied()) {
            world.introduce(one, other)?;
        }
        Ok(world)
    }

    /// The fault that is planted at a clinic.
    pub(crate) fn fault_at(&self, site: usize) -> Option<Fault> {
        self.fault
            .filter(|(_, at)| *at == site)
            .map(|(fault, _)| fault)
    }

    /// Notes what happens.
    pub(crate) fn say(&mut self, text: &str) {
        let since = self.now_ms - BEGINNING_MS;
        self.log.line(since, text);
    }

    /// Whether two clinics know each other.
    pub(crate) fn know_each_other(&self, one: usize, other: usize) -> bool {
        self.acquainted.contains(&(one.min(other), one.max(other)))
    }

    fn introduce(&mut self, one: usize, other: usize) -> Result<(), Broken> {
        for (to, of) in [(one, other), (other, one)] {
            let card = conduct("a card", self.sites[of].clinic().own_card())?;
            let added = self.sites[to].clinic().add_peer(&card.card);
            conduct("an introduction", added)?;
        }
        self.acquainted.insert((one.min(other), one.max(other)));
        Ok(())
    }

    /// Joins two clinics until people end it; a link that is there is kept longer.
    pub(crate) fn join(
        &mut self,
        one: usize,
        other: usize,
        weather: Weather,
        until: u64,
    ) -> Result<(), Broken> {
        let mut known = self.meetings.values_mut();
        let joined = known.find(|meeting| meeting.is_of(one) && meeting.is_of(other));
        if let Some(meeting) = joined {
            meeting.until = meeting.until.max(until);
            return Ok(());
        }
        self.weathers.insert((one, other), weather);
        self.begin_meeting(one, other, weather, until).map(drop)
    }

    fn begin_meeting(
        &mut self,
        one: usize,
        other: usize,
        weather: Weather,
        until: u64,
    ) -> Result<MeetingId, Broken> {
        for site in [one, other] {
            // What is noted without waiting has to be there, or it depends on threads who sees it.
            conduct("flushing", self.sites[site].clinic().flush())?;
        }
        let link = |chance: &mut ChaCha8Rng| {
            Link::new(weather, ChaCha8Rng::seed_from_u64(chance.random()))
        };
        let links = [link(&mut self.chance), link(&mut self.chance)];
        let instead_of = |own: usize, peer: usize| {
            let serves = self.fault_at(own) == Some(Fault::ServesAnothersPart);
            let other = (0..self.sites.len()).find(|site| *site != own && *site != peer);
            other
                .filter(|_| serves)
                .map(|site| self.sites[site].clinic())
        };
        let place = |own: usize, peer: usize| Place {
            site: own,
            clinic: self.sites[own].clinic(),
            fault: self.fault_at(own),
            hidden: &self.hidden[own],
            instead_of: instead_of(own, peer),
        };
        let places = [place(one, other), place(other, one)];
        let meeting = Meeting::new(places, links, until, &self.tap)?;
        let id = self.next_meeting;
        self.next_meeting += 1;
        self.meetings.insert(id, meeting);
        for end in 0..2 {
            self.tell(id, end, Event::Opened);
        }
        self.look()?;
        Ok(id)
    }

    fn tell(&mut self, id: MeetingId, end: usize, event: Event<'_>) {
        if let Some(meeting) = self.meetings.get_mut(&id) {
            let coming = meeting.tell(self.now_ms, end, event);
            self.expect(id, coming);
        }
    }

    fn expect(&mut self, id: MeetingId, coming: Vec<Coming>) {
        for one in coming {
            self.push(one.at, Happening::Arrives(id, one.end, one.what));
        }
    }

    fn push(&mut self, at: u64, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, what)));
    }

    /// Lets everything happen until a time.
    pub(crate) fn run_until(&mut self, time_ms: u64) -> Result<(), Broken> {
        let mut events = 0;
        while self.next_at().is_some_and(|at| at <= time_ms) {
            self.step()?;
            events += 1;
            let endless = || "a network that never comes to rest".to_owned();
            Invariant::Conduct.holds(events < MAX_EVENTS, endless)?;
        }
        self.set_time(time_ms);
        let ended: Vec<MeetingId> = self.ended_by_people();
        for id in ended {
            self.end_meeting(id)?;
        }
        Ok(())
    }

    fn ended_by_people(&self) -> Vec<MeetingId> {
        let late = self.meetings.iter();
        late.filter(|(_, meeting)| meeting.until <= self.now_ms)
            .map(|(id, _)| *id)
            .collect()
    }

    fn next_at(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse((at, ..))| *at)
    }

    fn set_time(&mut self, time_ms: u64) {
        self.now_ms = self.now_ms.max(time_ms);
        for site in &mut self.sites {
            site.set_time(self.now_ms);
        }
    }

    /// Lets the next thing happen.
    fn step(&mut self) -> Result<(), Broken> {
        let Some(Reverse((at, _, what))) = self.queue.pop() else {
            return Ok(());
        };
        self.set_time(at);
        match what {
            Happening::Arrives(id, end, arrival) => {
                let Some(meeting) = self.meetings.get_mut(&id) else {
                    return Ok(());
                };
                let coming = meeting.arrived(at, end, &arrival);
                self.expect(id, coming);
                if self.meetings.get(&id).is_some_and(Meeting::is_over) {
                    self.ended_by_itself(id)?;
                }
            }
            Happening::Redial(one, other, until, redials) => {
                let weather = self.weathers.get(&(one, other)).copied();
                let weather = weather.unwrap_or(Weather::CALM);
                let mut all = self.meetings.values();
                if !all.any(|meeting| meeting.is_of(one) && meeting.is_of(other)) {
                    let id = self.begin_meeting(one, other, weather, until)?;
                    if let Some(meeting) = self.meetings.get_mut(&id) {
                        meeting.redials = redials;
                    }
                }
            }
        }
        self.look()
    }

    /// Tells all sessions what is new, and looks at what has left and been stored.
    pub(crate) fn look(&mut self) -> Result<(), Broken> {
        let ids: Vec<MeetingId> = self.meetings.keys().copied().collect();
        for id in ids {
            if let Some(meeting) = self.meetings.get_mut(&id) {
                let coming = meeting.tell_news(self.now_ms);
                self.expect(id, coming);
            }
        }
        let tap = self.tap.take();
        self.sent += tap.sent.len();
        self.sent += tap.pieces.len();
        for sent in &tap.pieces {
            invariants::consent::piece_may_leave(self, sent)?;
        }
        for sent in &tap.sent {
            invariants::consent::may_leave(self, sent)?;
        }
        for (site, id) in tap.stored {
            invariants::durable::is_held(self, site, &id)?;
            self.expected.held[site].insert(*id.as_bytes());
        }
        Ok(())
    }

    fn ended_by_itself(&mut self, id: MeetingId) -> Result<(), Broken> {
        let Some(meeting) = self.meetings.remove(&id) else {
            return Ok(());
        };
        let [one, other] = &meeting.ends;
        let (first, second) = (one.site, other.site);
        let why = |over: &Option<String>| over.clone().unwrap_or_default();
        let text = format!(
            "{first} and {second} part: {} / {}",
            why(&one.over),
            why(&other.over)
        );
        self.say(&text);
        let next = self.now_ms + REDIAL_MS;
        if meeting.redials < MAX_REDIALS && next < meeting.until {
            let (until, redials) = (meeting.until, meeting.redials + 1);
            self.push(next, Happening::Redial(first, second, until, redials));
        }
        Ok(())
    }

    /// Ends a meeting at once, whatever is on its way.
    pub(crate) fn end_meeting(&mut self, id: MeetingId) -> Result<(), Broken> {
        drop(self.meetings.remove(&id));
        self.look()
    }

    /// Breaks off every meeting of a clinic.
    pub(crate) fn isolate(&mut self, site: usize) -> Result<(), Broken> {
        let all = self.meetings.iter();
        let mine: Vec<MeetingId> = all
            .filter(|(_, meeting)| meeting.is_of(site))
            .map(|(id, _)| *id)
            .collect();
        mine.into_iter().try_for_each(|id| self.end_meeting(id))
    }

    /// Lets two clinics meet on a good link until both say that they hold the same, and ends the
    /// meeting. Returns it, for what it took; none where they part without that.
    pub(crate) fn meet(&mut self, one: usize, other: usize) -> Result<Option<Meeting>, Broken> {
        for _ in 0..=MAX_REDIALS {
            let id = self.begin_meeting(one, other, Weather::CALM, u64::MAX)?;
            if let Some(meeting) = self.meetings.get_mut(&id) {
                meeting.redials = MAX_REDIALS;
            }
            for _ in 0..MAX_EVENTS {
                let Some(meeting) = self.meetings.get(&id) else {
                    break;
                };
                if meeting.is_quiet() {
                    let met = self.meetings.remove(&id);
                    self.look()?;
                    return Ok(met);
                }
                self.step()?;
            }
            let endless = || format!("{one} and {other} never come to an end");
            Invariant::Conduct.holds(!self.meetings.contains_key(&id), endless)?;
        }
        Ok(None)
    }
}
