//! The keyring's file, version 1.
//!
//! ```text
//! file = version 1 | body | seal 40 | checksum 16
//! body = CBOR [salt: bstr 16, [memory KiB, passes, lanes], { name: tstr => secret: bstr 72 }]
//! seal, secret = nonce 24 | ciphertext | tag 16
//! ```
//!
//! The key is BLAKE3-derived from argon2id over the passphrase and the salt. Each secret is
//! sealed with XChaCha20-Poly1305 under it, with `version | salt | parameters | name`
//! authenticated; the seal is of an empty text, with `version | body` authenticated: no secret
//! can be exchanged, added or taken away. The checksum (BLAKE3 of all before it) tells damage
//! from a wrong passphrase. CBOR is deterministic (RFC 8949 §4.2.1), and refused otherwise.

use std::collections::BTreeMap;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use minicbor::{Decoder, Encoder};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::cost::{Cost, SALT_BYTES};
use super::error::KeyringError;
use super::keyring::Secret;
use super::limits::{MAX_NAME_BYTES, MAX_SECRETS};

/// The version that is written.
pub(super) const VERSION: u8 = 1;
/// Bytes that sealing adds: a nonce and a tag.
pub(super) const OVERHEAD: usize = NONCE_BYTES + 16;
const NONCE_BYTES: usize = 24;
const CHECKSUM_BYTES: usize = 16;
/// The context in which a keyring's key is derived.
pub(super) const CONTEXT: &str = "chartmesh 2025 keyring";

/// The clear part at the head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) cost: Cost,
}

/// A file as it was read, before its passphrase is known.
pub(super) struct Sealed {
    pub(super) head: Head,
    secrets: BTreeMap<String, Vec<u8>>,
    body: Vec<u8>,
    seal: Vec<u8>,
}

/// Secrets by name.
pub(super) type Secrets = BTreeMap<String, Secret>;

/// The bytes of a keyring file. `None` if the cipher refuses, which it does for no length here.
pub(super) fn encode(
    head: &Head,
    key: &Zeroizing<[u8; 32]>,
    secrets: &Secrets,
    rng: &mut impl CryptoRng,
) -> Option<Vec<u8>> {
    let mut sealed = BTreeMap::new();
    for (name, secret) in secrets {
        let ciphertext = seal(key, &secret_context(head, name)?, secret.as_slice(), rng)?;
        sealed.insert(name.clone(), ciphertext);
    }
    let body = encode_body(head, &sealed)?;
    let mut file = vec![VERSION];
    file.extend_from_slice(&body);
    let seal = seal(key, &file, &[], rng)?;
    file.extend_from_slice(&seal);
    let checksum = blake3::hash(&file);
    file.extend(checksum.as_bytes().iter().take(CHECKSUM_BYTES));
    Some(file)
}

/// `None` if the encoder refuses, which it does for nothing that is in a keyring.
fn encode_body(head: &Head, secrets: &BTreeMap<String, Vec<u8>>) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::new());
    encode_head(&mut encoder, head)?
        .map(secrets.len() as u64)
        .ok()?;
    // RFC 8949 §4.2.1 sorts keys by their encoding, so shorter ones come first.
    let mut sorted: Vec<_> = secrets.iter().collect();
    sorted.sort_by_key(|(name, _)| (name.len(), name.as_str()));
    for (name, sealed) in sorted {
        encoder.str(name).ok()?.bytes(sealed).ok()?;
    }
    Some(encoder.into_writer())
}

/// The start of the body: its array's head, the salt and the parameters.
fn encode_head<'e>(
    encoder: &'e mut Encoder<Vec<u8>>,
    head: &Head,
) -> Option<&'e mut Encoder<Vec<u8>>> {
    let Head { salt, cost } = head;
    encoder.array(3).ok()?.bytes(salt).ok()?.array(3).ok()?;
    encoder
        .u32(cost.memory_kib())
        .ok()?
        .u8(cost.passes())
        .ok()?
        .u8(cost.lanes())
        .ok()
}

/// Reads a file's structure. Nothing in it is to be trusted until [`Sealed::open`].
pub(super) fn decode(file: &[u8]) -> Result<Sealed, KeyringError> {
    let (version, _) = file
        .split_first()
        .ok_or(KeyringError::Damaged("it is empty"))?;
    if *version != VERSION {
        return Err(KeyringError::Version(*version));
    }
    let cut = KeyringError::Damaged("it is cut short");
    let Some((covered, checksum)) = file.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(cut);
    };
    if blake3::hash(covered).as_bytes().get(..CHECKSUM_BYTES) != Some(checksum.as_slice()) {
        return Err(KeyringError::Damaged("its checksum is wrong"));
    }
    let Some((body, seal)) = covered.split_last_chunk::<OVERHEAD>() else {
        return Err(cut);
    };
    let body = body.get(1..).unwrap_or_default();
    let parsed = decode_body(body).ok_or(KeyringError::Damaged("its structure is wrong"))?;
    let (head, secrets) = parsed?;
    if encode_body(&head, &secrets).as_deref() != Some(body) {
        return Err(KeyringError::Damaged("its encoding is not deterministic"));
    }
    Ok(Sealed {
        head,
        secrets,
        body: body.to_vec(),
        seal: seal.to_vec(),
    })
}

type Body = (Head, BTreeMap<String, Vec<u8>>);

/// `None` if it is not this structure; an error if it is and asks for too much.
fn decode_body(body: &[u8]) -> Option<Result<Body, KeyringError>> {
    let mut decoder = Decoder::new(body);
    (decoder.array().ok()? == Some(3)).then_some(())?;
    let salt = decoder.bytes().ok()?.try_into().ok()?;
    (decoder.array().ok()? == Some(3)).then_some(())?;
    let memory_kib = decoder.u32().ok()?;
    let (passes, lanes) = (decoder.u8().ok()?, decoder.u8().ok()?);
    let Some(cost) = Cost::new(memory_kib, passes, lanes) else {
        return Some(Err(KeyringError::Damaged(
            "it asks for more memory or time than allowed",
        )));
    };
    let count = decoder.map().ok()??;
    (count <= MAX_SECRETS as u64).then_some(())?;
    let mut secrets = BTreeMap::new();
    for _ in 0..count {
        let name = decoder.str().ok()?;
        let sealed = decoder.bytes().ok()?;
        let sound = is_name(name) && sealed.len() == 32 + OVERHEAD;
        sound.then_some(())?;
        secrets.insert(name.to_owned(), sealed.to_vec());
    }
    (decoder.position() == body.len()).then_some(Ok((Head { salt, cost }, secrets)))
}

/// Whether a secret may have this name.
pub(super) fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(sound)
}

impl Sealed {
    /// Opens it with the key of its passphrase.
    pub(super) fn open(&self, key: &Zeroizing<[u8; 32]>) -> Result<Secrets, KeyringError> {
        let mut covered = vec![VERSION];
        covered.extend_from_slice(&self.body);
        open(key, &covered, &self.seal).ok_or(KeyringError::WrongPassphrase)?;
        let mut secrets = Secrets::new();
        for (name, sealed) in &self.secrets {
            let damaged = || KeyringError::Damaged("a secret does not open");
            let context = secret_context(&self.head, name).ok_or_else(damaged)?;
            let opened = open(key, &context, sealed).ok_or_else(damaged)?;
            let secret: [u8; 32] = opened.as_slice().try_into().map_err(|_| damaged())?;
            secrets.insert(name.clone(), Secret::new(secret));
        }
        Ok(secrets)
    }
}

/// `version | salt | parameters | name`, as they are encoded in the file.
fn secret_context(head: &Head, name: &str) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(vec![VERSION]);
    encode_head(&mut encoder, head)?.str(name).ok()?;
    Some(encoder.into_writer())
}

/// Seals `text` with `context` authenticated: `nonce | ciphertext | tag`.
pub(super) fn seal(
    key: &Zeroizing<[u8; 32]>,
    context: &[u8],
    text: &[u8],
    rng: &mut impl CryptoRng,
) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let payload = Payload {
        msg: text,
        aad: context,
    };
    let ciphertext = cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
    let mut sealed = nonce.to_vec();
    sealed.extend_from_slice(&ciphertext);
    Some(sealed)
}

/// Opens what [`seal`] made.
pub(super) fn open(
    key: &Zeroizing<[u8; 32]>,
    context: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let payload = Payload {
        msg: ciphertext,
        aad: context,
    };
    cipher
        .decrypt(&XNonce::from(*nonce), payload)
        .ok()
        .map(Zeroizing::new)
}
