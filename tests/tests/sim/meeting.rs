//! Two clinics on a link: the real sessions and the real stores, and bytes on their way.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use chartmesh::clinic::{Clinic, PeerStore, Replica};
use chartmesh::net::{Act, Conversation};
use chartmesh_protocol::sync::{Event, Patience, Report, Role, Session, Setup};
use tokio::sync::watch;

use crate::broken::{Broken, conduct};
use crate::faults::Fault;
use crate::link::Link;
use crate::watched::{Hidden, Tap, Watched};

/// Which meeting.
pub(crate) type MeetingId = u64;

/// What is on its way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arrival {
    /// Bytes for one end.
    Bytes(Vec<u8>),
    /// The end of the stream.
    End,
    /// The time that an end asked to be woken at.
    Wake,
}

/// One end of a meeting.
pub(crate) struct End {
    pub(crate) site: usize,
    conversation: Conversation<Watched>,
    news: watch::Receiver<u64>,
    wake_at: Option<u64>,
    /// What the last comparison took.
    pub(crate) in_sync: Option<Report>,
    /// Why it is over.
    pub(crate) over: Option<String>,
}

/// Two clinics that talk.
pub(crate) struct Meeting {
    pub(crate) ends: [End; 2],
    links: [Link; 2],
    /// Pieces that are on their way.
    pub(crate) in_flight: usize,
    /// When people end it.
    pub(crate) until: u64,
    /// How often it may begin anew.
    pub(crate) redials: u32,
}

/// Something that will arrive at one end at some time.
pub(crate) struct Coming {
    pub(crate) at: u64,
    pub(crate) end: usize,
    pub(crate) what: Arrival,
}

/// What an end needs of its clinic.
pub(crate) struct Place<'a> {
    pub(crate) site: usize,
    pub(crate) clinic: &'a Arc<Clinic>,
    pub(crate) fault: Option<Fault>,
    pub(crate) hidden: &'a Rc<RefCell<Hidden>>,
    /// Whose part a planted fault serves.
    pub(crate) instead_of: Option<&'a Arc<Clinic>>,
}

impl End {
    fn new(
        own: &Place<'_>,
        peer: &Place<'_>,
        role: Role,
        tap: &Rc<RefCell<Tap>>,
    ) -> Result<Self, Broken> {
        let node = peer.clinic.node_id();
        let replica = conduct("a replica", Replica::open(Arc::clone(own.clinic), node))?;
        let session = Session::new(Setup {
            role,
            peer: node,
            pair_key: replica.pair_key(),
            certificate: replica.own_certificate(),
            patience: Patience::default(),
        });
        let sites = (own.site, peer.site);
        let mut store = Watched::new(replica, sites, tap, own.fault, own.hidden);
        if let Some(other) = own.instead_of {
            let replica = Replica::open(Arc::clone(own.clinic), other.node_id());
            store.serve_instead(conduct("a replica", replica)?);
        }
        Ok(Self {
            site: own.site,
            conversation: Conversation::new(session, store),
            news: own.clinic.subscribe(),
            wake_at: None,
            in_sync: None,
            over: None,
        })
    }

    /// Whether the store has accepted something since the last look.
    fn has_news(&mut self) -> bool {
        let news = self.news.has_changed().unwrap_or(false);
        if news {
            self.news.mark_unchanged();
        }
        news
    }
}

impl Meeting {
    /// Opens both ends.
    pub(crate) fn new(
        places: [Place<'_>; 2],
        links: [Link; 2],
        until: u64,
        tap: &Rc<RefCell<Tap>>,
    ) -> Result<Self, Broken> {
        let [one, other] = &places;
        Ok(Self {
            ends: [
                End::new(one, other, Role::Dialer, tap)?,
                End::new(other, one, Role::Listener, tap)?,
            ],
            links,
            in_flight: 0,
            until,
            redials: 0,
        })
    }

    /// Tells one end of an event; returns what comes of it.
    pub(crate) fn tell(&mut self, now_ms: u64, end: usize, event: Event<'_>) -> Vec<Coming> {
        let conversation = &mut self.ends[end].conversation;
        if self.ends[end].over.is_some() {
            return Vec::new();
        }
        let mut acts = conversation.handle(now_ms, event);
        acts.extend(conversation.settle(now_ms));
        self.carry_out(now_ms, end, acts)
    }

    /// Takes what has arrived.
    pub(crate) fn arrived(&mut self, now_ms: u64, end: usize, what: &Arrival) -> Vec<Coming> {
        match what {
            Arrival::Bytes(bytes) => {
                self.in_flight -= 1;
                self.tell(now_ms, end, Event::Received(bytes))
            }
            Arrival::End => {
                self.in_flight -= 1;
                let lost = || "the connection was lost".to_owned();
                self.ends[end].over.get_or_insert_with(lost);
                Vec::new()
            }
            Arrival::Wake if self.ends[end].wake_at == Some(now_ms) => {
                self.ends[end].wake_at = None;
                self.tell(now_ms, end, Event::Tick)
            }
            Arrival::Wake => Vec::new(),
        }
    }

    /// Tells the ends whose stores have accepted something.
    pub(crate) fn tell_news(&mut self, now_ms: u64) -> Vec<Coming> {
        let mut coming = Vec::new();
        for end in 0..2 {
            if self.ends[end].has_news() {
                coming.extend(self.tell(now_ms, end, Event::NewItems));
            }
        }
        coming
    }

    /// From now on everything that is sent vanishes.
    pub(crate) fn die(&mut self) {
        self.links.iter_mut().for_each(Link::die);
    }

    /// Whether one of the ends is of this clinic.
    pub(crate) fn is_of(&self, site: usize) -> bool {
        self.ends.iter().any(|end| end.site == site)
    }

    /// Whether both ends have given up.
    pub(crate) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.over.is_some())
    }

    /// Whether both say that they hold the same, and nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.in_flight == 0 && self.ends.iter().all(|end| end.in_sync.is_some())
    }

    fn carry_out(&mut self, now_ms: u64, end: usize, acts: Vec<Act>) -> Vec<Coming> {
        let mut coming = Vec::new();
        for act in acts {
            match act {
                Act::Send(bytes) => {
                    for (at, piece) in self.links[end].send(now_ms, &bytes) {
                        let what = Arrival::Bytes(piece);
                        coming.push(Coming {
                            at,
                            end: 1 - end,
                            what,
                        });
                    }
                }
                Act::Identified => {}
                Act::InSync(report) => self.ends[end].in_sync = Some(report),
                Act::WakeAt(at_ms) => {
                    let at = at_ms.max(now_ms);
                    self.ends[end].wake_at = Some(at);
                    let what = Arrival::Wake;
                    coming.push(Coming { at, end, what });
                }
            }
        }
        if let Some(ending) = self.ends[end].conversation.over() {
            self.ends[end].over = Some(ending.to_string());
            if let Some(at) = self.links[end].end(now_ms) {
                coming.push(Coming {
                    at,
                    end: 1 - end,
                    what: Arrival::End,
                });
            }
        }
        let on_the_way = |one: &&Coming| one.what != Arrival::Wake;
        self.in_flight += coming.iter().filter(on_the_way).count();
        coming
    }
}
