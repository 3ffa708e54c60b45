//! One clinic as a receiver of records.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::ledger::{CertificateBook, CompartmentName, Decision, Ledger};
use chartmesh_protocol::{ClinicId, EpochId};
use minicbor::{Decode, Encode};

use crate::clinic::items::Header;

/// One clinic as a receiver of a chart's records from another.
pub(crate) struct Audience {
    clinic: ClinicId,
    /// Whether the other side keeps the chart: what the clinic itself wrote then goes home even
    /// after its grant has ended, to be held there and not lost.
    goes_home: bool,
    /// Epochs by compartment that a clinic without the right to the history can open.
    openable: BTreeMap<CompartmentName, BTreeSet<EpochId>>,
}

/// Which records of one compartment a clinic may have, whoever wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Access {
    /// None.
    #[n(0)]
    Nothing,
    /// All of them.
    #[n(1)]
    All,
    /// Those sealed under one of these epochs.
    #[n(2)]
    Epochs(#[n(0)] Vec<EpochId>),
}

impl Access {
    /// Whether a record sealed under this epoch is among them.
    pub(crate) fn covers(&self, epoch: &EpochId) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Epochs(epochs) => epochs.contains(epoch),
        }
    }
}

impl Audience {
    /// A clinic that exchanges records with another.
    pub(crate) fn of(
        clinic: &ClinicId,
        other: &ClinicId,
        ledger: &Ledger,
        decision: &Decision,
    ) -> Self {
        let mut openable: BTreeMap<CompartmentName, BTreeSet<EpochId>> = BTreeMap::new();
        for (_, epoch) in ledger.epochs() {
            if decision.may_read_from_now_on(clinic, &epoch.compartment)
                && epoch.readers.iter().any(|reader| reader.clinic == *clinic)
            {
                let opens = openable.entry(epoch.compartment.clone()).or_default();
                opens.insert(epoch.id);
                opens.extend(epoch.history.iter().map(|earlier| earlier.epoch));
            }
        }
        let goes_home = decision.custodian().as_ref() == Some(other);
        Self {
            clinic: *clinic,
            goes_home,
            openable,
        }
    }

    /// Whether what the clinic itself wrote is taken by the other side in any case.
    pub(crate) fn goes_home(&self) -> bool {
        self.goes_home
    }

    /// What the clinic may have of a compartment: all of it while it may read it, and of one that
    /// it may read from now on only what it has the key of.
    pub(crate) fn access(&self, decision: &Decision, name: &CompartmentName) -> Access {
        if !decision.may_read(&self.clinic, name) {
            return Access::Nothing;
        }
        if decision.may_read_history(&self.clinic, name) {
            return Access::All;
        }
        let opens = self.openable.get(name).into_iter().flatten();
        Access::Epochs(opens.copied().collect())
    }

    /// Whether a record is the clinic's own, and the other side keeps the chart: it comes back in
    /// any case, as after the clinic has lost its store.
    pub(crate) fn takes_back(&self, book: &CertificateBook, header: &Header) -> bool {
        self.goes_home && book.belongs(&header.author, &self.clinic)
    }

    /// Whether the clinic may have a record.
    pub(crate) fn may_have(
        &self,
        book: &CertificateBook,
        decision: &Decision,
        name: &CompartmentName,
        header: &Header,
    ) -> bool {
        self.takes_back(book, header) || self.access(decision, name).covers(&header.epoch)
    }
}
