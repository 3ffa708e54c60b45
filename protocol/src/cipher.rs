//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): what everything is sealed with that has a key
//! and a nonce of its own.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

/// The number of bytes of a key.
pub(crate) const KEY_LEN: usize = 32;
/// The number of bytes of a nonce.
pub(crate) const NONCE_LEN: usize = 24;

/// The cipher refuses what is too long for it, or what was not sealed with this key, nonce and
/// additional data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// Seals `plain`; `additional` is bound to it and stays in the clear.
pub(crate) fn seal(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    additional: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, Refused> {
    let payload = Payload {
        msg: plain,
        aad: additional,
    };
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let sealed = cipher.encrypt(&XNonce::from(*nonce), payload);
    sealed.map_err(|_| Refused)
}

/// Opens what [`seal`] gave.
pub(crate) fn open(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    additional: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, Refused> {
    let payload = Payload {
        msg: sealed,
        aad: additional,
    };
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let plain = cipher.decrypt(&XNonce::from(*nonce), payload);
    plain.map_err(|_| Refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::{array, bytes};

    /// The draft's appendix A.3.1.
    #[test]
    fn the_vector_of_the_draft_holds_both_ways() {
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip \
                      for the future, sunscreen would be it.";
        let key = array("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
        let nonce = array("404142434445464748494a4b4c4d4e4f5051525354555657");
        let additional = bytes("50515253c0c1c2c3c4c5c6c7");
        let sealed = bytes(
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb\
             731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452\
             2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
             21f9664c97637da9768812f615c68b13b52e\
             c0875924c1c7987947deafd8780acf49",
        );
        assert_eq!(seal(&key, &nonce, &additional, plain).unwrap(), sealed);
        assert_eq!(open(&key, &nonce, &additional, &sealed).unwrap(), plain);
        assert_eq!(open(&key, &nonce, &[], &sealed), Err(Refused));
    }
}
