//! The file that makes another computer a node of the clinic, version 1.
//!
//! ```text
//! file = "CMEN" | version 1 | expires, ms since 1970, 8 | salt 16 | memory KiB 4 | passes 1
//!      | lanes 1 | box | checksum 16
//! box  = nonce 24 | ciphertext | tag 16
//! text = CBOR [clinic 32, custody 32, [sealing 32 ..], name, label, card, serial]
//! ```
//!
//! The box is sealed with XChaCha20-Poly1305 under a key that argon2id makes of the code and the
//! salt; everything before it is authenticated. The checksum (BLAKE3 of all before it) tells damage
//! from a wrong code. The code has 80 random bits, and is not in the file: either alone is useless.

use minicbor::{Decode, Encode};
use rand::RngExt;
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::cost::{Cost, SALT_BYTES};
use super::format::{open, seal};
use super::keyring::Secret;

const MAGIC: &[u8; 4] = b"CMEN";
const VERSION: u8 = 1;
const CONTEXT: &str = "chartmesh 2026-11 enrolment";
const CHECKSUM_BYTES: usize = 16;
/// Everything before the box.
const HEAD_BYTES: usize = 4 + 1 + 8 + SALT_BYTES + 4 + 1 + 1;
/// A file is a card, some keys and two names.
pub const MAX_ENROLMENT_BYTES: usize = 16 * 1024;
/// Characters of a code that carry something: 5 bits each.
const CODE_CHARACTERS: usize = 16;
/// Without the letters that people take for others (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What another node of the clinic has to know.
pub struct Enrolment {
    /// The clinic's signing key.
    pub clinic: Secret,
    /// The key under which patients' keys lie in custody.
    pub custody: Secret,
    /// The clinic's sealing keys, the one that is in use first.
    pub sealing: Vec<Secret>,
    /// The clinic's name.
    pub name: String,
    /// What the new node is called.
    pub label: String,
    /// The card of the node that made the file.
    pub card: String,
    /// The serial of the new node's certificate.
    pub serial: u64,
    /// The file that it was opened from; none while one is made.
    pub file: Option<EnrolmentId>,
}

/// Which enrolment file: its checksum, which the random salt and nonce make another one for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnrolmentId([u8; CHECKSUM_BYTES]);

impl EnrolmentId {
    /// The id with these bytes, if there are as many as one has.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; CHECKSUM_BYTES] {
        &self.0
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Content {
    #[cbor(n(0), with = "minicbor::bytes")]
    clinic: [u8; 32],
    #[cbor(n(1), with = "minicbor::bytes")]
    custody: [u8; 32],
    #[n(2)]
    sealing: Vec<minicbor::bytes::ByteArray<32>>,
    #[n(3)]
    name: String,
    #[n(4)]
    label: String,
    #[n(5)]
    card: String,
    #[n(6)]
    serial: u64,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.clinic.zeroize();
        self.custody.zeroize();
        for key in &mut self.sealing {
            key.zeroize();
        }
    }
}

/// Why an enrolment file was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnrolmentError {
    /// It does not begin as one does.
    #[error("this is not a file that `chartmesh node enroll` made")]
    NotAnEnrolment,
    /// A newer program made it.
    #[error("it is of version {0}, which this program does not know: use a newer one")]
    Version(u8),
    /// Its bytes were changed, or some are missing.
    #[error("it was changed or cut short after it was made: copy it again, or make another one")]
    Damaged,
    /// Its time is over.
    #[error(
        "its time is over: make another one with `chartmesh node enroll` (if that is wrong, look \
         at this computer's clock)"
    )]
    Expired,
    /// The code is another one.
    #[error("the code is wrong: it is the one that `chartmesh node enroll` printed with this file")]
    WrongCode,
    /// What was typed is no code.
    #[error("a code has 16 letters and digits, such as 7QK2-M4TX-9W0C-HB3E")]
    NotACode,
    /// It asks for more memory or time than any program of ours would.
    #[error("it asks for more memory or time than allowed")]
    Excessive,
    /// It holds what no such file holds. Whoever made it knew the code.
    #[error("it does not hold what a new node needs: make another one")]
    Content,
}

/// The words that open an enrolment file, once. Wiped when dropped.
pub struct EnrolmentCode(Zeroizing<String>);

impl EnrolmentCode {
    /// A new code: 80 random bits.
    pub fn draw(rng: &mut impl CryptoRng) -> Self {
        let letter = |_| {
            let at = usize::from(rng.random::<u8>() % 32);
            ALPHABET.get(at).copied().map_or('0', char::from)
        };
        Self(Zeroizing::new((0..CODE_CHARACTERS).map(letter).collect()))
    }

    /// The code that a person typed: small or capital letters, with or without hyphens.
    ///
    /// # Errors
    /// [`EnrolmentError::NotACode`].
    pub fn parse(typed: &str) -> Result<Self, EnrolmentError> {
        let mut code = Zeroizing::new(String::with_capacity(CODE_CHARACTERS));
        for typed in typed.chars() {
            let letter = match typed.to_ascii_uppercase() {
                '-' | ' ' | '\n' | '\r' | '\t' => continue,
                'O' => '0',
                'I' | 'L' => '1',
                letter => letter,
            };
            let known = u8::try_from(letter).is_ok_and(|byte| ALPHABET.contains(&byte));
            if !known || code.len() >= CODE_CHARACTERS {
                return Err(EnrolmentError::NotACode);
            }
            code.push(letter);
        }
        if code.len() == CODE_CHARACTERS {
            Ok(Self(code))
        } else {
            Err(EnrolmentError::NotACode)
        }
    }

    /// As it is read out: four groups of four.
    #[must_use]
    pub fn spelled(&self) -> String {
        let letters: Vec<char> = self.0.chars().collect();
        let groups = letters.chunks(4).map(|group| group.iter().collect());
        groups.collect::<Vec<String>>().join("-")
    }
}

impl Enrolment {
    /// The bytes of the file, good until `expires_ms`.
    ///
    /// # Errors
    /// [`EnrolmentError::Excessive`] if argon2id refuses `cost`.
    pub fn seal(
        &self,
        code: &EnrolmentCode,
        expires_ms: u64,
        cost: Cost,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, EnrolmentError> {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let content = Content {
            clinic: *self.clinic,
            custody: *self.custody,
            sealing: self.sealing.iter().map(|key| (**key).into()).collect(),
            name: self.name.clone(),
            label: self.label.clone(),
            card: self.card.clone(),
            serial: self.serial,
        };
        let text = minicbor::to_vec(&content).map_err(|_| EnrolmentError::Content)?;
        let text = Zeroizing::new(text);
        let mut file = MAGIC.to_vec();
        file.push(VERSION);
        file.extend_from_slice(&expires_ms.to_be_bytes());
        file.extend_from_slice(&salt);
        file.extend_from_slice(&cost.memory_kib().to_be_bytes());
        file.extend_from_slice(&[cost.passes(), cost.lanes()]);
        let key = cost.derive(code.0.as_bytes(), &salt, CONTEXT);
        let key = key.ok_or(EnrolmentError::Excessive)?;
        let sealed = seal(&key, &file, &text, rng).ok_or(EnrolmentError::Content)?;
        file.extend_from_slice(&sealed);
        let checksum = blake3::hash(&file);
        file.extend(checksum.as_bytes().iter().take(CHECKSUM_BYTES));
        Ok(file)
    }

    /// Opens a file with its code, at `now_ms`. Takes one run of argon2id, about 0.2 s.
    ///
    /// # Errors
    /// See [`EnrolmentError`].
    pub fn open(file: &[u8], code: &EnrolmentCode, now_ms: u64) -> Result<Self, EnrolmentError> {
        let rest = file.strip_prefix(MAGIC);
        let rest = rest.ok_or(EnrolmentError::NotAnEnrolment)?;
        match rest.first() {
            Some(&VERSION) => {}
            Some(version) => return Err(EnrolmentError::Version(*version)),
            None => return Err(EnrolmentError::Damaged),
        }
        let parts = file.split_last_chunk::<CHECKSUM_BYTES>();
        let (covered, checksum) = parts.ok_or(EnrolmentError::Damaged)?;
        if blake3::hash(covered).as_bytes().get(..CHECKSUM_BYTES) != Some(checksum.as_slice()) {
            return Err(EnrolmentError::Damaged);
        }
        let parts = covered.split_at_checked(HEAD_BYTES);
        let (head, sealed) = parts.ok_or(EnrolmentError::Damaged)?;
        let Head {
            expires_ms,
            salt,
            cost,
        } = Head::read(head)?;
        if now_ms >= expires_ms {
            return Err(EnrolmentError::Expired);
        }
        let key = cost.derive(code.0.as_bytes(), &salt, CONTEXT);
        let key = key.ok_or(EnrolmentError::Excessive)?;
        let text = open(&key, head, sealed).ok_or(EnrolmentError::WrongCode)?;
        let content: Content = minicbor::decode(&text).map_err(|_| EnrolmentError::Content)?;
        if content.sealing.is_empty() {
            return Err(EnrolmentError::Content);
        }
        Ok(Self {
            clinic: Zeroizing::new(content.clinic),
            custody: Zeroizing::new(content.custody),
            sealing: content
                .sealing
                .iter()
                .map(|key| Zeroizing::new(**key))
                .collect(),
            name: content.name.clone(),
            label: content.label.clone(),
            card: content.card.clone(),
            serial: content.serial,
            file: Some(EnrolmentId(*checksum)),
        })
    }
}

/// The clear part before the box.
struct Head {
    expires_ms: u64,
    salt: [u8; SALT_BYTES],
    cost: Cost,
}

impl Head {
    fn read(head: &[u8]) -> Result<Self, EnrolmentError> {
        let damaged = EnrolmentError::Damaged;
        let (_, rest) = head.split_at_checked(5).ok_or(damaged)?;
        let (expires, rest) = rest.split_first_chunk::<8>().ok_or(damaged)?;
        let parts = rest.split_first_chunk::<SALT_BYTES>();
        let (salt, rest) = parts.ok_or(damaged)?;
        let (memory, rest) = rest.split_first_chunk::<4>().ok_or(damaged)?;
        let [passes, lanes] = rest else {
            return Err(damaged);
        };
        let cost = Cost::new(u32::from_be_bytes(*memory), *passes, *lanes);
        Ok(Self {
            expires_ms: u64::from_be_bytes(*expires),
            salt: *salt,
            cost: cost.ok_or(EnrolmentError::Excessive)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn cheap() -> Cost {
        Cost::new(8, 1, 1).unwrap()
    }

    fn made() -> (Vec<u8>, EnrolmentCode) {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let code = EnrolmentCode::draw(&mut rng);
        let enrolment = Enrolment {
            clinic: Zeroizing::new([1; 32]),
            custody: Zeroizing::new([2; 32]),
            sealing: vec![Zeroizing::new([3; 32]), Zeroizing::new([4; 32])],
            name: "Hill Clinic".to_owned(),
            label: "Ward laptop".to_owned(),
            card: "chartmesh:1:abc".to_owned(),
            serial: 7,
            file: None,
        };
        let file = enrolment.seal(&code, NOW_MS, cheap(), &mut rng).unwrap();
        (file, code)
    }

    fn opened(file: &[u8], code: &EnrolmentCode) -> Result<Enrolment, EnrolmentError> {
        Enrolment::open(file, code, NOW_MS - 1)
    }

    /// With its checksum made good: what somebody does who alters it on purpose.
    fn with_checksum(mut file: Vec<u8>) -> Vec<u8> {
        file.truncate(file.len() - CHECKSUM_BYTES);
        let checksum = blake3::hash(&file);
        file.extend(&checksum.as_bytes()[..CHECKSUM_BYTES]);
        file
    }

    #[test]
    fn a_file_opens_with_its_code_however_that_is_typed() {
        let (file, code) = made();
        let spelled = code.spelled();
        assert_eq!(spelled.len(), 19);
        for typed in [
            spelled.clone(),
            spelled.to_lowercase(),
            format!(" {}\n", spelled.replace('-', "")),
            spelled.replace('0', "o").replace('1', "l"),
        ] {
            let read = opened(&file, &EnrolmentCode::parse(&typed).unwrap()).unwrap();
            assert_eq!(
                (read.name.as_str(), read.label.as_str(), read.serial),
                ("Hill Clinic", "Ward laptop", 7)
            );
            assert_eq!(*read.clinic, [1; 32]);
            assert_eq!(read.sealing.len(), 2);
        }
    }

    #[test]
    fn a_wrong_code_and_one_that_is_none_are_told_apart() {
        let (file, code) = made();
        let other = EnrolmentCode::draw(&mut ChaCha20Rng::seed_from_u64(6));
        assert_eq!(opened(&file, &other).err(), Some(EnrolmentError::WrongCode));
        let short = code.spelled()[..18].to_owned();
        for typed in ["", "secret", &short, &format!("{}0", code.spelled())] {
            let refused = EnrolmentCode::parse(typed).err();
            assert_eq!(refused, Some(EnrolmentError::NotACode), "{typed}");
        }
    }

    #[test]
    fn a_file_is_refused_from_its_last_moment_on() {
        let (file, code) = made();
        let late = Enrolment::open(&file, &code, NOW_MS).err();
        assert_eq!(late, Some(EnrolmentError::Expired));
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let (file, code) = made();
        for bit in 0..file.len() * 8 {
            let mut file = file.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            let found = opened(&file, &code).err();
            let expected = match bit / 8 {
                0..4 => EnrolmentError::NotAnEnrolment,
                4 => EnrolmentError::Version(file[4]),
                _ => EnrolmentError::Damaged,
            };
            assert_eq!(found, Some(expected), "bit {bit}");
        }
        for length in 0..file.len() {
            assert!(opened(&file[..length], &code).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_file_altered_by_somebody_without_the_code_does_not_open() {
        let (file, code) = made();
        // The last byte of the time: it would else be good for longer.
        for at in [12, HEAD_BYTES - 20, HEAD_BYTES + 1, file.len() - 20] {
            let mut file = file.clone();
            file[at] ^= 1;
            let found = opened(&with_checksum(file), &code).err();
            assert_eq!(found, Some(EnrolmentError::WrongCode), "byte {at}");
        }
    }

    #[test]
    fn a_file_that_asks_for_too_much_is_refused_before_it_gets_it() {
        let (mut file, code) = made();
        let memory = HEAD_BYTES - 6;
        file[memory] = 0xff;
        let found = opened(&with_checksum(file), &code).err();
        assert_eq!(found, Some(EnrolmentError::Excessive));
    }

    #[test]
    fn a_file_is_written_as_ever() {
        let (file, code) = made();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/enrolment.bin");
        if std::env::var_os("CHARTMESH_WRITE_GOLDEN").is_some() && !path.exists() {
            std::fs::write(&path, &file).unwrap();
        }
        let golden = std::fs::read(&path).unwrap();
        assert!(opened(&golden, &code).is_ok());
        assert!(golden == file, "an enrolment is written in another way");
    }
}
