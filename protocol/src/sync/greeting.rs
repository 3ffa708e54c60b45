//! The beginning of a session: HELLO, certificates, and what is to be done.

use super::effect::{Effect, Peer, Tier, Traffic};
use super::error::{Refusal, SyncError};
use super::frame::Frame;
use super::hello::{Hello, KNOWS_ATTACHMENTS, KNOWS_QUESTIONS, KNOWS_REVOCATIONS, Plan, Standing};
use super::holdings::Holdings;
use super::limits::MAX_PAYLOAD_BYTES;
use super::round::Round;
use super::session::{Hellos, Phase, Session};
use crate::id::{CertificateHash, ClinicId};
use crate::identity::{NodeCertificate, Verified};
use crate::reconcile::cursor::CursorFit;

impl Session {
    /// Says HELLO.
    pub(super) fn open(&mut self, now_ms: u64, holdings: &dyn Holdings) -> Result<(), SyncError> {
        if !matches!(self.phase, Phase::New) {
            return Err(SyncError::OpenedTwice);
        }
        self.check_own_standing(holdings)?;
        self.opened_ms = now_ms;
        self.pulse.heard(now_ms);
        self.pulse.useful(now_ms);
        let hello = Hello {
            certificate: self.setup.certificate.hash(),
            known: self.welcome(holdings),
            standing: Standing::of(holdings),
            time: holdings.time(),
            quiet_s: self.setup.patience.wish(),
            knows: Some(KNOWS_ATTACHMENTS | KNOWS_QUESTIONS | KNOWS_REVOCATIONS),
        };
        Frame::Hello(hello).write(&mut self.out);
        self.phase = Phase::Greeting(hello);
        Ok(())
    }

    /// The peer's certificate that is here, if it would be let in with it. To name it is to let the
    /// peer in: it waits for nothing else before it says that both stores are equal.
    fn welcome(&self, holdings: &dyn Holdings) -> Option<CertificateHash> {
        let hash = holdings.peer_certificate()?;
        let bytes = holdings.certificate(&hash)?;
        let certificate = Verified::<NodeCertificate>::decode(&bytes).ok()?;
        let NodeCertificate { clinic, node, .. } = certificate.payload();
        let is_let_in = *node == self.setup.peer
            && holdings.knows_clinic(clinic)
            && !holdings.is_cut_off(clinic, node);
        is_let_in.then_some(hash)
    }

    /// Takes the peer's HELLO. Our certificate goes out first if the peer does not know it; the
    /// peer's own is on its way if we do not know it.
    pub(super) fn take_hello(
        &mut self,
        now_ms: u64,
        hellos: Hellos,
        holdings: &dyn Holdings,
    ) -> Result<(), SyncError> {
        if hellos.theirs.known != Some(hellos.ours.certificate) {
            Frame::Certificate(self.setup.certificate.to_bytes()).write(&mut self.out);
            // What comes back, and be it the answer to this, tells that it was accepted.
            Frame::Ping.write(&mut self.out);
            self.pulse.pinged(now_ms);
        }
        if hellos.ours.known != Some(hellos.theirs.certificate) {
            self.phase = Phase::Certifying(hellos);
            return Ok(());
        }
        let known = holdings.certificate(&hellos.theirs.certificate);
        let bytes = known.ok_or(SyncError::CertificateLost)?;
        let certificate = self.check_certificate(&hellos, &bytes, holdings)?;
        self.identified(now_ms, hellos, certificate.payload().clinic, holdings);
        Ok(())
    }

    /// Takes the certificate that the peer's HELLO named.
    pub(super) fn take_own_certificate(
        &mut self,
        now_ms: u64,
        hellos: Hellos,
        bytes: &[u8],
        holdings: &dyn Holdings,
    ) -> Result<(), SyncError> {
        let certificate = self.check_certificate(&hellos, bytes, holdings)?;
        self.effects.push(Effect::Certificate(bytes.to_vec()));
        self.identified(now_ms, hellos, certificate.payload().clinic, holdings);
        Ok(())
    }

    /// A certificate is good when a known clinic signed it for the node on the line.
    fn check_certificate(
        &mut self,
        hellos: &Hellos,
        bytes: &[u8],
        holdings: &dyn Holdings,
    ) -> Result<Verified<NodeCertificate>, SyncError> {
        let certificate = Verified::<NodeCertificate>::decode(bytes)?;
        if certificate.hash() != hellos.theirs.certificate {
            return Err(SyncError::OtherCertificate);
        }
        let NodeCertificate { clinic, node, .. } = certificate.payload();
        if *node != self.setup.peer {
            return Err(SyncError::OtherNode {
                certified: *node,
                connected: self.setup.peer,
            });
        }
        if !holdings.knows_clinic(clinic) {
            return Err(SyncError::UnknownClinic { clinic: *clinic });
        }
        if holdings.is_cut_off(clinic, node) {
            self.show_revocation(&hellos.theirs, clinic, holdings);
            return Err(SyncError::Refused(Refusal::PeerRevoked));
        }
        Ok(certificate)
    }

    /// Our clinic may have cut this node off.
    pub(super) fn check_own_standing(&self, holdings: &dyn Holdings) -> Result<(), SyncError> {
        let own = self.setup.certificate.payload();
        match holdings.is_cut_off(&own.clinic, &own.node) {
            true => Err(SyncError::CutOff),
            false => Ok(()),
        }
    }

    /// Shows a node that is let in no more by what its clinic has cut it off: nobody else would
    /// tell it.
    pub(super) fn show_revocation(
        &mut self,
        theirs: &Hello,
        clinic: &ClinicId,
        holdings: &dyn Holdings,
    ) {
        let knows = theirs.knows.unwrap_or_default();
        if knows & KNOWS_REVOCATIONS != 0
            && let Some(bytes) = holdings.revocation(clinic, &self.setup.peer)
            && bytes.len() <= MAX_PAYLOAD_BYTES
        {
            Frame::Revocation(bytes).write(&mut self.out);
        }
    }

    /// The peer is who it says; both sides know what the other has.
    fn identified(
        &mut self,
        now_ms: u64,
        hellos: Hellos,
        clinic: ClinicId,
        holdings: &dyn Holdings,
    ) {
        let Hellos { ours, theirs } = hellos;
        self.hellos = Some(hellos);
        self.pulse.agree(theirs.quiet_s);
        self.cursor = ours.standing.cursor;
        self.peer_clinic = Some(clinic);
        self.effects.push(Effect::PeerIdentified(Peer {
            clinic,
            node: self.setup.peer,
            certificate: theirs.certificate,
            incarnation: theirs.standing.incarnation,
            time: theirs.time,
        }));
        let round = Round::new(self.opened_ms, Traffic::default());
        // Two stores that share nothing are equal also where the peer does not know us.
        let is_let_in = theirs.known == Some(ours.certificate);
        let standings = [ours.standing, theirs.standing];
        self.compare(now_ms, round, standings, is_let_in, holdings);
    }

    /// Does what follows from where both stores stand.
    pub(super) fn compare(
        &mut self,
        now_ms: u64,
        mut round: Round,
        [ours, theirs]: [Standing; 2],
        is_let_in: bool,
        holdings: &dyn Holdings,
    ) {
        round.waited();
        match ours.fit(&theirs) {
            CursorFit::Within(upto) => {
                round.after(upto);
                if theirs.cursor.is_some() {
                    self.effects.push(Effect::PeerHolds(upto));
                }
            }
            CursorFit::Ahead(seen) => self.effects.push(Effect::StoreIsBehind { seen }),
            CursorFit::OtherIncarnation => {}
        }
        let settled = ours.digests.statements == theirs.digests.statements;
        match Plan::of(&ours, &theirs) {
            Plan::InSync if is_let_in => {
                self.in_sync(now_ms, &round, ours.newest, theirs.newest, holdings);
                return;
            }
            Plan::InSync => {
                let newest = [ours.newest, theirs.newest];
                self.phase = Phase::Presenting(Box::new(round), newest, false);
                return;
            }
            Plan::Cursors => round.begin_cursors(settled),
            Plan::Sets => {
                round.begin_comparison(Tier::Set, ours.newest, ours.digests, theirs.digests);
            }
        }
        self.phase = Phase::Exchange(Box::new(round));
    }

    /// The peer has gone on after our certificate came to it: it has let us in, and both stores are
    /// equal.
    pub(super) fn let_in(&mut self, now_ms: u64, holdings: &dyn Holdings) {
        let phase = core::mem::replace(&mut self.phase, Phase::Live);
        if let Phase::Presenting(mut round, [ours, theirs], is_asked) = phase {
            round.waited();
            self.in_sync(now_ms, &round, ours, theirs, holdings);
            if is_asked {
                self.request_refresh(now_ms, holdings);
            }
        }
    }
}
