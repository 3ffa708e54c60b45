//! Who this node is: the clinic's keys, the node's certificate, and the user who works here.

use std::sync::{PoisonError, RwLock};

use chartmesh_protocol::identity::{
    ClinicKey, NodeCertificate, NodeKey, NodeRole, SealingKey, UserCertificate, UserKey, Verified,
};
use chartmesh_protocol::{ClinicId, NodeId, UserId};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::ClinicError;
use super::sealing_keys::SealingKeys;
use crate::keys::{Keyring, Secret};
use crate::store::{Batch, Space, Store, StoreKey};

/// The names of the secrets in the keyring.
const CLINIC: &str = "clinic";
const SEALING: &str = "sealing";
const NODE: &str = "node";
const OPERATOR: &str = "operator";
const STORE: &str = "store";
const CUSTODY: &str = "custody";
/// Every secret of a clinic's node.
const ALL: [&str; 6] = [CLINIC, SEALING, NODE, OPERATOR, STORE, CUSTODY];

/// Where the node's own certificate stands.
const OWN_CERTIFICATE: &[u8] = b"own node certificate";

/// The role of the user who works at the command line until users are added.
const OPERATOR_ROLE: &str = "operator";

/// The keys of a clinic's node and what its clinic certifies of it.
pub(crate) struct Identity {
    pub(crate) clinic: ClinicKey,
    pub(crate) sealing: SealingKeys,
    pub(crate) node: NodeKey,
    pub(crate) operator: UserKey,
    /// The key under which patients' keys lie in custody.
    pub(crate) custody: Zeroizing<[u8; 32]>,
    certificate: RwLock<Verified<NodeCertificate>>,
}

/// Draws every secret of a new clinic, but for those that it has already: its signing, sealing and
/// custody keys.
pub(crate) fn fill(
    keyring: &mut Keyring,
    known: [Option<&Secret>; 3],
    rng: &mut impl CryptoRng,
) -> Result<(), ClinicError> {
    let [clinic, sealing, custody] = known;
    for name in ALL {
        let known = match name {
            CLINIC => clinic,
            SEALING => sealing,
            CUSTODY => custody,
            _ => None,
        };
        let secret = known.cloned().unwrap_or_else(|| {
            let mut secret = Zeroizing::new([0_u8; 32]);
            rng.fill_bytes(secret.as_mut());
            secret
        });
        keyring.insert(name, secret)?;
    }
    Ok(())
}

/// The key under which values lie in the store.
pub(crate) fn store_key(keyring: &Keyring) -> Result<StoreKey, ClinicError> {
    Ok(StoreKey::new(secret(keyring, STORE)?))
}

fn secret(keyring: &Keyring, name: &str) -> Result<Zeroizing<[u8; 32]>, ClinicError> {
    keyring.secret(name).ok_or_else(|| ClinicError::Folder {
        reason: format!("the keyring has no key called {name}: it is not the one of this folder"),
    })
}

/// Certifies a new node and its operator, and writes both certificates.
pub(crate) fn certify(
    keyring: &Keyring,
    store: &Store,
    role: NodeRole,
    now_ms: u64,
    serial: u64,
) -> Result<NodeId, ClinicError> {
    let clinic = ClinicKey::from_bytes(secret(keyring, CLINIC)?);
    let node = NodeKey::from_bytes(secret(keyring, NODE)?);
    let operator = UserKey::from_bytes(secret(keyring, OPERATOR)?);
    let certificate = NodeCertificate {
        clinic: clinic.id(),
        node: node.id(),
        sealing: SealingKey::from_bytes(secret(keyring, SEALING)?).public(),
        role,
        issued_ms: now_ms,
        serial,
    };
    let certificate = certificate.issue(&clinic).map_err(ClinicError::fault)?;
    let user = UserCertificate {
        clinic: clinic.id(),
        user: operator.id(),
        key: operator.public(),
        role: OPERATOR_ROLE.to_owned(),
        name: None,
    };
    let user = user.issue(&clinic).map_err(ClinicError::fault)?;
    let mut batch = Batch::new();
    put_own(&mut batch, &certificate);
    batch.put(
        Space::Certificates,
        user.hash().as_bytes().to_vec(),
        user.to_bytes(),
    );
    store.commit(batch)?;
    Ok(node.id())
}

/// Adds this node's own certificate to a batch.
pub(super) fn put_own(batch: &mut Batch, certificate: &Verified<NodeCertificate>) {
    batch
        .put(
            Space::Meta,
            OWN_CERTIFICATE.to_vec(),
            certificate.to_bytes(),
        )
        .put(
            Space::Certificates,
            certificate.hash().as_bytes().to_vec(),
            certificate.to_bytes(),
        );
}

impl Identity {
    /// The identity that the keyring and the store hold together.
    pub(crate) fn open(keyring: &Keyring, store: &Store) -> Result<Self, ClinicError> {
        let missing = || ClinicError::Folder {
            reason: "the store holds no certificate of this node: it is not the one of this \
                     keyring; run `chartmesh doctor`"
                .to_owned(),
        };
        let certificate = store
            .get(Space::Meta, OWN_CERTIFICATE)?
            .ok_or_else(missing)?;
        let identity = Self {
            clinic: ClinicKey::from_bytes(secret(keyring, CLINIC)?),
            sealing: SealingKeys::read(secret(keyring, SEALING)?, store)?,
            node: NodeKey::from_bytes(secret(keyring, NODE)?),
            operator: UserKey::from_bytes(secret(keyring, OPERATOR)?),
            custody: secret(keyring, CUSTODY)?,
            certificate: RwLock::new(Verified::decode(&certificate).map_err(|_| missing())?),
        };
        let certificate = identity.certificate();
        let certified = certificate.payload();
        if certified.node != identity.node.id() || certified.clinic != identity.clinic.id() {
            return Err(missing());
        }
        Ok(identity)
    }

    /// What a node is there for is decided when it is made: what others know of it says so.
    pub(crate) fn check_role(&self, configured: NodeRole) -> Result<(), ClinicError> {
        let certified = self.certificate().payload().role;
        if certified == configured {
            return Ok(());
        }
        let name = |role| match role {
            NodeRole::Clinic => "clinic",
            NodeRole::Relay => "relay",
        };
        Err(ClinicError::Folder {
            reason: format!(
                "this folder was made for a {}, and `role` in config.toml says {}: change it \
                 back, or make another folder with `chartmesh init --role {}`",
                name(certified),
                name(configured),
                name(configured)
            ),
        })
    }

    /// This node's certificate.
    pub(crate) fn certificate(&self) -> Verified<NodeCertificate> {
        self.certificate
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes another certificate of this node over.
    pub(crate) fn certify_anew(&self, certificate: Verified<NodeCertificate>) {
        let mut own = self
            .certificate
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *own = certificate;
    }

    pub(crate) fn clinic_id(&self) -> ClinicId {
        self.clinic.id()
    }

    pub(crate) fn node_id(&self) -> NodeId {
        self.node.id()
    }

    pub(crate) fn user_id(&self) -> UserId {
        self.operator.id()
    }

    pub(crate) fn role(&self) -> &'static str {
        OPERATOR_ROLE
    }
}
