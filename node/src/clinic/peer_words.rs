//! What a person is told of another node, in words: whether its clinic has what was saved here.

use serde::{Deserialize, Serialize};

use super::date;
use super::peer_store::Standing;
use super::post::Word;
use super::waiting::Waiting;
use crate::net::LinkState;

/// When a clinic was last known to have what it was to have.
#[derive(Debug, Clone, Default)]
pub(super) struct Confirmed {
    /// In milliseconds since 1970; 0 for never.
    pub(super) at_ms: u64,
    /// The relay through which the word came.
    pub(super) through: Option<String>,
}

impl Confirmed {
    /// The later one of a comparison of both stores and a word that came through a relay.
    pub(super) fn of(compared_ms: u64, word: Option<Word>) -> Self {
        match word.filter(|word| word.at_ms > compared_ms) {
            Some(word) => Self {
                at_ms: word.at_ms,
                through: Some(word.relay),
            },
            None => Self {
                at_ms: compared_ms,
                through: None,
            },
        }
    }

    /// Behind what is there.
    fn words(&self, now_ms: u64) -> String {
        self.said("confirmed", now_ms)
    }

    /// Behind what waits, which is not confirmed.
    fn words_of_before(&self, now_ms: u64) -> String {
        self.said("last in sync", now_ms)
    }

    fn said(&self, what: &str, now_ms: u64) -> String {
        if !self.is_known() {
            return "never compared yet".to_owned();
        }
        let when = date::ago(self.at_ms, now_ms);
        match &self.through {
            Some(relay) => format!("{what} {when}, through {relay}"),
            None => format!("{what} {when}"),
        }
    }

    /// Whether it was ever known what the clinic has.
    fn is_known(&self) -> bool {
        self.at_ms > 0
    }
}

/// The patients whose records another clinic may have, among those who are here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patients {
    /// Those of whom it may have all that was saved here.
    pub whole: u64,
    /// Those of whom it may have some of that.
    pub in_part: u64,
    /// All who are here.
    pub here: u64,
}

impl Patients {
    fn any(self) -> bool {
        self.whole > 0 || self.in_part > 0
    }

    /// What a clinic has that has all it may have.
    fn had(self) -> String {
        let Self {
            whole,
            in_part,
            here,
        } = self;
        let patients = if here == 1 { "patient" } else { "patients" };
        match (whole, in_part) {
            (whole, 0) if whole >= here => everything(),
            (whole, 0) => format!("has everything that you saved of {whole} of {here} {patients}"),
            (0, part) => format!("has what is shared with it of {part} of {here} {patients}"),
            (whole, part) => format!(
                "has everything that you saved of {whole} of {here} {patients}, and of {part} what \
                 is shared with it"
            ),
        }
    }
}

/// What is known of another node.
pub(super) struct Told<'a> {
    pub(super) state: LinkState,
    /// When it was last known what it has.
    pub(super) confirmed: &'a Confirmed,
    /// The time now, in milliseconds since 1970.
    pub(super) now_ms: u64,
    /// By its own word, which came through a relay, it has everything.
    pub(super) from_afar: bool,
    pub(super) waiting: &'a Waiting,
    /// What is shared with it; none with a node of our own clinic, which may have everything.
    pub(super) patients: Option<Patients>,
    /// Whether anything is shared with it, or owed to it.
    pub(super) is_used: bool,
    /// Patients of whose consent that has ended it has not heard yet.
    pub(super) untold: u64,
    /// Attachments that were saved here and that it is not known to hold.
    pub(super) attachments: u64,
}

impl Told<'_> {
    /// Of a clinic: whether it has what was saved here.
    pub(super) fn words(&self) -> String {
        let when = self.when();
        let is_shared = self.patients.is_none_or(Patients::any);
        let mut said = match self.waiting.is_empty() {
            true if !is_shared || !self.is_used => self.nothing_shared().to_owned(),
            true if self.state == LinkState::Syncing => {
                format!("being compared, nothing waits; {when}")
            }
            true if self.confirmed.is_known() && self.state != LinkState::Stalled => {
                let had = self.patients.map_or_else(everything, Patients::had);
                format!("{had}{}; {when}{}", self.but_for(), self.link())
            }
            true | false => self.waits(),
        };
        if self.untold > 0 {
            let patients = many(self.untold, "patient");
            said.push_str(&format!(
                "; it has NOT HEARD yet that a consent has ended ({patients})"
            ));
        }
        said
    }

    /// Of a relay, or of who fetches from this one: that all is there does not say that anybody has
    /// fetched it.
    pub(super) fn words_of_mail(&self, standing: Standing) -> String {
        let when = self.when();
        let mut said = match (self.state, self.waiting.is_empty()) {
            (LinkState::Syncing, true) => format!("being compared, nothing waits; {when}"),
            (state, true) if self.confirmed.is_known() && state != LinkState::Stalled => {
                format!("all mail is exchanged; {when}{}", self.link())
            }
            _ => self.waits(),
        };
        if standing.is_full {
            said.push_str("; it has no more room for this clinic: ask its operator");
        }
        if standing.withheld > 0 {
            let records = many(standing.withheld, "record");
            said.push_str(&format!(
                "; it KEEPS BACK {records} that others have put there: ask its operator"
            ));
        }
        said
    }

    fn when(&self) -> String {
        self.confirmed.words(self.now_ms)
    }

    /// What waits, and why.
    fn waits(&self) -> String {
        let when = match self.waiting.is_empty() {
            true => self.when(),
            false => self.confirmed.words_of_before(self.now_ms),
        };
        let wait = self.waiting.wait();
        match self.state {
            LinkState::InSync | LinkState::Syncing => {
                format!("{}; {when}", self.waiting.are_on_the_way())
            }
            LinkState::Stalled => format!("stalled: {wait}, and nothing comes back; {when}"),
            LinkState::Connecting => format!("being called, {wait}; {when}"),
            LinkState::Disconnected => format!("not connected, {wait}; {when}"),
        }
    }

    /// A clinic with which nothing is shared has nothing, and not everything.
    fn nothing_shared(&self) -> &'static str {
        match self.state {
            LinkState::InSync | LinkState::Syncing | LinkState::Stalled => {
                "connected; no patient is shared with it"
            }
            LinkState::Connecting => "being called; no patient is shared with it",
            LinkState::Disconnected => "not connected; no patient is shared with it",
        }
    }

    /// What of that which a clinic may have is outside the records, and not there.
    fn but_for(&self) -> String {
        match self.attachments {
            0 => String::new(),
            count => {
                let attachments = many(count, "attachment");
                format!(", but for {attachments} that it is not known to have")
            }
        }
    }

    /// How the link stands, behind what the clinic has. Where the word came through a relay, no
    /// link is missed.
    fn link(&self) -> &'static str {
        match self.state {
            LinkState::Connecting if !self.from_afar => "; being called",
            LinkState::Disconnected if !self.from_afar => "; not connected",
            LinkState::InSync
            | LinkState::Syncing
            | LinkState::Stalled
            | LinkState::Connecting
            | LinkState::Disconnected => "",
        }
    }
}

fn everything() -> String {
    "has everything that you saved".to_owned()
}

fn many(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

/// How many of those that wait.
pub(super) fn of_them(count: u64, all: u64) -> String {
    match (count, all) {
        (1, 1) => "it lies".to_owned(),
        (1, _) => "1 of them lies".to_owned(),
        (count, all) if count >= all => "all of them lie".to_owned(),
        (count, _) => format!("{count} of them lie"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: &str = "never compared yet";
    static JUST_NOW: Confirmed = Confirmed {
        at_ms: 1,
        through: None,
    };
    const STATES: [LinkState; 5] = [
        LinkState::InSync,
        LinkState::Syncing,
        LinkState::Stalled,
        LinkState::Connecting,
        LinkState::Disconnected,
    ];

    fn told(state: LinkState, waiting: &Waiting, patients: Patients) -> Told<'_> {
        Told {
            state,
            confirmed: &JUST_NOW,
            now_ms: 1,
            from_afar: false,
            waiting,
            patients: Some(patients),
            is_used: patients.any(),
            untold: 0,
            attachments: 0,
        }
    }

    fn patients(whole: u64, in_part: u64, here: u64) -> Patients {
        Patients {
            whole,
            in_part,
            here,
        }
    }

    #[test]
    fn a_clinic_has_everything_only_where_all_patients_are_shared_with_it() {
        let nothing = Waiting::default();
        let said = |of| told(LinkState::InSync, &nothing, of).words();
        assert_eq!(
            said(patients(3, 0, 3)),
            "has everything that you saved; confirmed just now"
        );
        assert_eq!(
            said(patients(2, 0, 3)),
            "has everything that you saved of 2 of 3 patients; confirmed just now"
        );
        assert_eq!(
            said(patients(0, 1, 1)),
            "has what is shared with it of 1 of 1 patient; confirmed just now"
        );
        assert_eq!(
            said(patients(4, 1, 9)),
            "has everything that you saved of 4 of 9 patients, and of 1 what is shared with it; \
             confirmed just now"
        );
        for state in STATES {
            let none = told(state, &nothing, patients(0, 0, 3)).words();
            assert!(none.contains("no patient is shared with it"), "{none}");
            assert!(!none.contains("has "), "{none}");
        }
    }

    #[test]
    fn what_a_clinic_has_it_has_without_a_link_too() {
        let (nothing, all) = (Waiting::default(), patients(1, 0, 1));
        let has = "has everything that you saved; confirmed just now";
        let said = |state| told(state, &nothing, all).words();
        assert_eq!(
            said(LinkState::Disconnected),
            format!("{has}; not connected")
        );
        assert_eq!(said(LinkState::Connecting), format!("{has}; being called"));
        let afar = Told {
            from_afar: true,
            ..told(LinkState::Disconnected, &nothing, all)
        };
        assert_eq!(afar.words(), has);
        let never = Told {
            confirmed: &Confirmed::default(),
            ..told(LinkState::Disconnected, &nothing, all)
        };
        assert_eq!(
            never.words(),
            "not connected, nothing waits; never compared yet"
        );
        let own = Told {
            patients: None,
            is_used: true,
            ..told(LinkState::InSync, &nothing, all)
        };
        assert_eq!(own.words(), has);
    }

    #[test]
    fn a_scan_that_was_not_fetched_is_not_there() {
        let (nothing, all) = (Waiting::default(), patients(1, 0, 1));
        let said = |attachments| {
            let told = Told {
                attachments,
                ..told(LinkState::InSync, &nothing, all)
            };
            told.words()
        };
        assert_eq!(
            said(1),
            "has everything that you saved, but for 1 attachment that it is not known to have; \
             confirmed just now"
        );
        assert!(said(2).contains("but for 2 attachments that"));
    }

    #[test]
    fn what_waits_is_said_first() {
        let (mail, all) = (Waiting::of_mail(3), patients(1, 0, 1));
        let begins = |state, with: &str| {
            let said = told(state, &mail, all).words();
            assert!(said.starts_with(with), "{said}");
        };
        begins(LinkState::Stalled, "stalled: 3 pieces of mail wait, and");
        begins(LinkState::InSync, "3 pieces of mail are on the way;");
        begins(LinkState::Connecting, "being called, 3 pieces of mail wait");
        begins(LinkState::Disconnected, "not connected, 3 pieces of mail");
        let said = told(LinkState::InSync, &mail, all).words();
        let waits = "3 pieces of mail are on the way; last in sync just now";
        assert_eq!(said, waits, "what waits is not confirmed");
    }

    #[test]
    fn a_clinic_that_has_not_heard_of_an_ended_consent_is_told_of() {
        let nothing = Waiting::default();
        let ended = Told {
            untold: 1,
            is_used: true,
            ..told(LinkState::Disconnected, &nothing, patients(0, 0, 1))
        };
        assert_eq!(
            ended.words(),
            "not connected; no patient is shared with it; it has NOT HEARD yet that a consent has \
             ended (1 patient)"
        );
    }

    #[test]
    fn a_relay_that_has_everything_is_not_said_to_be_a_clinic_that_has() {
        let said = |owed, standing| {
            let waiting = Waiting::of_mail(owed);
            told(LinkState::InSync, &waiting, patients(1, 0, 1)).words_of_mail(standing)
        };
        let fine = said(0, Standing::default());
        assert!(fine.starts_with("all mail is exchanged;"), "{fine}");
        let withheld = Standing {
            withheld: 2,
            ..Standing::default()
        };
        let held_back = said(0, withheld);
        assert!(
            held_back.contains("KEEPS BACK 2 records that"),
            "{held_back}"
        );
        let full = Standing {
            is_full: true,
            ..Standing::default()
        };
        let full = said(3, full);
        assert!(
            full.starts_with("3 pieces of mail are on the way;"),
            "{full}"
        );
        assert!(full.contains("no more room for this clinic"), "{full}");
    }

    #[test]
    fn the_later_one_of_a_comparison_and_a_word_through_a_relay_is_told() {
        let word = |at_ms| {
            Some(Word {
                at_ms,
                relay: "Coast Relay".to_owned(),
            })
        };
        let minute = 60_000;
        let said = |compared, word| Confirmed::of(compared, word).words(100 * minute);
        assert_eq!(said(0, None), NEVER);
        assert_eq!(said(99 * minute, None), "confirmed 1 minute ago");
        assert_eq!(said(99 * minute, word(minute)), "confirmed 1 minute ago");
        assert_eq!(
            said(minute, word(97 * minute)),
            "confirmed 3 minutes ago, through Coast Relay"
        );
    }
}
