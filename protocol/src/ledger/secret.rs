//! The chart secret: known to every grantee of the chart, and to no relay.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::compartment::CompartmentName;
use crate::id::{CompartmentTag, first_bytes};

const TAG_CONTEXT: &str = "chartmesh 2026-01 compartment tag";

/// 32 random bytes of a chart. It opens no content; it names the compartments to insiders.
/// No `Debug`; zeroised when dropped.
#[derive(Clone)]
pub struct ChartSecret(Zeroizing<[u8; 32]>);

impl ChartSecret {
    /// A new secret from a cryptographic random generator.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// The secret with these bytes, as `to_bytes` gave them.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored sealed.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The tag under which records name this compartment: nobody without the secret can tell
    /// which compartment, or which sensitivity label, it stands for.
    pub fn compartment_tag(&self, name: &CompartmentName) -> CompartmentTag {
        CompartmentTag::new(first_bytes(
            &self.keyed_hash(TAG_CONTEXT, name.as_str().as_bytes()),
        ))
    }

    /// A hash that only insiders can make, each use under a context of its own.
    pub(crate) fn keyed_hash(&self, context: &str, bytes: &[u8]) -> [u8; 32] {
        let key = Zeroizing::new(blake3::derive_key(context, self.0.as_ref()));
        *blake3::keyed_hash(&key, bytes).as_bytes()
    }
}

impl PartialEq for ChartSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_ref()).into()
    }
}

impl Eq for ChartSecret {}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> ChartSecret {
        ChartSecret::from_bytes(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_tag_depends_on_secret_and_name() {
        let summary = CompartmentName::Summary;
        let clinical = CompartmentName::Clinical;
        assert_eq!(
            secret(1).compartment_tag(&summary),
            secret(1).compartment_tag(&summary)
        );
        assert_ne!(
            secret(1).compartment_tag(&summary),
            secret(1).compartment_tag(&clinical)
        );
        assert_ne!(
            secret(1).compartment_tag(&summary),
            secret(2).compartment_tag(&summary)
        );
    }
}
