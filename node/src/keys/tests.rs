//! Keys at rest, mostly hostile ones.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;

/// Least memory and time: these tests guess at nothing.
fn cheap() -> Cost {
    Cost::new(8, 1, 1).unwrap()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([3; 32])
}

fn phrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
}

fn secret(byte: u8) -> Secret {
    Secret::new([byte; 32])
}

fn saved(folder: &Path) -> PathBuf {
    let mut keyring = Keyring::create(folder, &phrase("right"), cheap(), &mut rng()).unwrap();
    keyring.insert("clinic", secret(1)).unwrap();
    keyring.insert("node", secret(2)).unwrap();
    keyring.insert("operator-2", secret(3)).unwrap();
    keyring.save(&mut rng()).unwrap();
    folder.join("keyring")
}

fn open_error(folder: &Path, passphrase: &str) -> KeyringError {
    Keyring::open(folder, &phrase(passphrase)).err().unwrap()
}

/// Compares with a committed file. One that is missing is written, for its first commit.
fn assert_golden(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name);
    if !path.exists() {
        fs::write(&path, bytes).unwrap();
        panic!("{name} was missing and is now written: look at it, and commit it");
    }
    assert_eq!(
        fs::read(&path).unwrap(),
        bytes,
        "{name} differs: old files must stay readable"
    );
}

#[test]
fn a_keyring_gives_back_its_secrets_to_who_knows_the_passphrase() {
    let folder = TempDir::new().unwrap();
    saved(folder.path());
    let mut keyring = Keyring::open(folder.path(), &phrase("right")).unwrap();
    assert_eq!(
        keyring.names().collect::<Vec<_>>(),
        ["clinic", "node", "operator-2"]
    );
    assert_eq!(*keyring.secret("clinic").unwrap(), [1; 32]);
    assert!(keyring.secret("store").is_none());
    assert_eq!(*keyring.remove("node").unwrap(), [2; 32]);
    keyring.insert("store", secret(9)).unwrap();
    keyring.save(&mut rng()).unwrap();
    let keyring = Keyring::open(folder.path(), &phrase("right")).unwrap();
    assert_eq!(*keyring.secret("store").unwrap(), [9; 32]);
    assert!(keyring.secret("node").is_none());
    assert!(matches!(
        open_error(folder.path(), "wrong"),
        KeyringError::WrongPassphrase
    ));
}

#[test]
fn a_changed_passphrase_counts_from_the_next_save_on() {
    let folder = TempDir::new().unwrap();
    saved(folder.path());
    let mut keyring = Keyring::open(folder.path(), &phrase("right")).unwrap();
    keyring
        .change_passphrase(&phrase("new"), cheap(), &mut rng())
        .unwrap();
    assert!(Keyring::open(folder.path(), &phrase("right")).is_ok());
    keyring.save(&mut rng()).unwrap();
    assert!(matches!(
        open_error(folder.path(), "right"),
        KeyringError::WrongPassphrase
    ));
    assert_eq!(
        *Keyring::open(folder.path(), &phrase("new"))
            .unwrap()
            .secret("clinic")
            .unwrap(),
        [1; 32]
    );
}

#[test]
fn a_keyring_is_never_overwritten_by_a_new_one() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(
        open_error(folder.path(), "right"),
        KeyringError::Missing(_)
    ));
    saved(folder.path());
    let again = Keyring::create(folder.path(), &phrase("other"), cheap(), &mut rng());
    assert!(matches!(again.err().unwrap(), KeyringError::Exists(_)));
}

#[test]
fn the_file_is_its_owners_alone_and_is_refused_when_others_may_read_it() {
    let folder = TempDir::new().unwrap();
    let keys = folder.path().join("keys");
    let path = saved(&keys);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::metadata(&keys).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for mode in [0o640, 0o604, 0o660, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let text = open_error(&keys, "right").to_string();
        assert!(text.contains(&format!("mode {mode:03o}")), "{text}");
        assert!(
            text.contains(&format!("chmod 600 {}", path.display())),
            "{text}"
        );
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(Keyring::open(&keys, &phrase("right")).is_ok());
}

#[test]
fn a_save_that_was_cut_short_leaves_the_old_file() {
    let folder = TempDir::new().unwrap();
    saved(folder.path());
    fs::write(folder.path().join("keyring.new"), b"half").unwrap();
    let keyring = Keyring::open(folder.path(), &phrase("right")).unwrap();
    keyring.save(&mut rng()).unwrap();
    assert!(!folder.path().join("keyring.new").exists());
    assert!(Keyring::open(folder.path(), &phrase("right")).is_ok());
}

#[test]
fn no_flipped_bit_and_no_cut_opens_a_keyring() {
    let folder = TempDir::new().unwrap();
    let path = saved(folder.path());
    let whole = fs::read(&path).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &changed).unwrap();
        let error = open_error(folder.path(), "right");
        assert!(
            matches!(error, KeyringError::Damaged(_) | KeyringError::Version(_)),
            "{error}"
        );
    }
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(
            open_error(folder.path(), "right"),
            KeyringError::Damaged(_)
        ));
    }
    fs::write(&path, vec![1; 1 << 20]).unwrap();
    assert!(matches!(
        open_error(folder.path(), "right"),
        KeyringError::Damaged(_)
    ));
}

/// Puts a right checksum behind `covered`, as someone would who changes the file on purpose.
fn with_checksum(mut covered: Vec<u8>) -> Vec<u8> {
    let checksum = blake3::hash(&covered);
    covered.extend_from_slice(&checksum.as_bytes()[..16]);
    covered
}

#[test]
fn a_change_on_purpose_is_found_even_with_a_right_checksum() {
    let folder = TempDir::new().unwrap();
    let path = saved(folder.path());
    let whole = fs::read(&path).unwrap();
    let covered = &whole[..whole.len() - 16];
    for byte in 1..covered.len() {
        let mut changed = covered.to_vec();
        changed[byte] ^= 1;
        fs::write(&path, with_checksum(changed)).unwrap();
        let error = open_error(folder.path(), "right");
        assert!(
            matches!(
                error,
                KeyringError::Damaged(_) | KeyringError::WrongPassphrase
            ),
            "{byte}: {error}"
        );
    }
}

#[test]
fn a_keyring_that_asks_for_much_memory_is_refused_before_it_is_taken() {
    let folder = TempDir::new().unwrap();
    let path = saved(folder.path());
    let whole = fs::read(&path).unwrap();
    // version, array(3), bstr(16) head, salt, array(3), then the memory as a small integer.
    let at = 1 + 1 + 1 + 16 + 1;
    assert_eq!(whole[at], 8);
    let mut bomb = whole[..at].to_vec();
    bomb.extend_from_slice(&[0x1a, 0xff, 0xff, 0xff, 0xff]);
    bomb.extend_from_slice(&whole[at + 1..whole.len() - 16]);
    fs::write(&path, with_checksum(bomb)).unwrap();
    let text = open_error(folder.path(), "right").to_string();
    assert!(text.contains("more memory or time"), "{text}");
}

#[test]
fn an_unknown_version_is_named() {
    let folder = TempDir::new().unwrap();
    let path = saved(folder.path());
    let mut whole = fs::read(&path).unwrap();
    whole[0] = 2;
    fs::write(&path, whole).unwrap();
    assert!(matches!(
        open_error(folder.path(), "right"),
        KeyringError::Version(2)
    ));
}

#[test]
fn names_are_words_and_their_number_is_bounded() {
    let folder = TempDir::new().unwrap();
    let mut keyring = Keyring::create(folder.path(), &phrase("p"), cheap(), &mut rng()).unwrap();
    for name in ["", "Clinic", "a b", "../x", "ä", &"a".repeat(49)] {
        assert!(
            matches!(keyring.insert(name, secret(1)), Err(KeyringError::Name)),
            "{name}"
        );
    }
    for number in 0..64 {
        keyring
            .insert(&format!("secret-{number}"), secret(1))
            .unwrap();
    }
    assert!(matches!(
        keyring.insert("one-more", secret(1)),
        Err(KeyringError::Name)
    ));
    keyring.insert("secret-1", secret(2)).unwrap();
    keyring.save(&mut rng()).unwrap();
    assert_eq!(
        Keyring::open(folder.path(), &phrase("p"))
            .unwrap()
            .names()
            .count(),
        64
    );
}

#[test]
fn the_keyrings_format_is_the_committed_one() {
    let folder = TempDir::new().unwrap();
    let path = saved(folder.path());
    assert_golden("keyring-v1.bin", &fs::read(path).unwrap());
}

#[test]
fn a_passphrase_file_loses_one_line_end_and_no_more() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("passphrase");
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Passphrase::from_file(&path).map(|passphrase| passphrase.bytes().to_vec())
    };
    assert_eq!(read(b"two words\n").unwrap(), b"two words");
    assert_eq!(read(b"two words\r\n").unwrap(), b"two words");
    assert_eq!(read(b"two words").unwrap(), b"two words");
    assert_eq!(read(b" two words \n\n").unwrap(), b" two words \n");
    assert!(matches!(read(b""), Err(PassphraseError::Empty)));
    assert!(matches!(read(b"\n"), Err(PassphraseError::Empty)));
    let mut longest = vec![b'a'; 1024];
    assert!(read(&longest).is_ok());
    longest.extend_from_slice(b"\r\n");
    assert!(read(&longest).is_ok());
    longest.insert(0, b'a');
    assert!(matches!(read(&longest), Err(PassphraseError::TooLong)));
    assert!(matches!(
        read(&vec![b'a'; 1 << 20]),
        Err(PassphraseError::TooLong)
    ));
    let missing = Passphrase::from_file(&folder.path().join("none"));
    assert!(matches!(missing.err().unwrap(), PassphraseError::Io { .. }));
}

#[test]
fn a_patients_key_opens_with_its_pin_for_its_patient_only() {
    let pin = phrase("1234");
    let sealed =
        SealedSecret::under_pin(&secret(5), &pin, b"patient-1", cheap(), &mut rng()).unwrap();
    let sealed = SealedSecret::from_bytes(&sealed.to_bytes()).unwrap();
    assert!(sealed.is_under_pin());
    assert_eq!(*sealed.open_with_pin(&pin, b"patient-1").unwrap(), [5; 32]);
    let refused = Err(SealedSecretError::Refused);
    assert_eq!(sealed.open_with_pin(&phrase("1235"), b"patient-1"), refused);
    assert_eq!(sealed.open_with_pin(&pin, b"patient-2"), refused);
    assert_eq!(
        sealed.open_with_key(&secret(5), b"patient-1"),
        Err(SealedSecretError::OtherKind)
    );
    assert_golden("sealed-secret-pin-v1.bin", &sealed.to_bytes());
}

#[test]
fn a_key_in_custody_opens_with_the_custodians_key_only() {
    let sealed = SealedSecret::under_key(&secret(5), &secret(6), b"patient-1", &mut rng()).unwrap();
    let sealed = SealedSecret::from_bytes(&sealed.to_bytes()).unwrap();
    assert!(!sealed.is_under_pin());
    assert_eq!(
        *sealed.open_with_key(&secret(6), b"patient-1").unwrap(),
        [5; 32]
    );
    let refused = Err(SealedSecretError::Refused);
    assert_eq!(sealed.open_with_key(&secret(7), b"patient-1"), refused);
    assert_eq!(sealed.open_with_key(&secret(6), b"patient-2"), refused);
    assert_eq!(
        sealed.open_with_pin(&phrase("1234"), b"patient-1"),
        Err(SealedSecretError::OtherKind)
    );
    assert_golden("sealed-secret-key-v1.bin", &sealed.to_bytes());
}

#[test]
fn no_flipped_bit_and_no_cut_opens_a_sealed_secret() {
    let (pin, key) = (phrase("1234"), secret(6));
    let under_pin = SealedSecret::under_pin(&secret(5), &pin, b"p", cheap(), &mut rng()).unwrap();
    let under_key = SealedSecret::under_key(&secret(5), &key, b"p", &mut rng()).unwrap();
    for whole in [under_pin.to_bytes(), under_key.to_bytes()] {
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(sealed) = SealedSecret::from_bytes(&changed) {
                // A cost that is allowed and expensive would only make this slow.
                if changed[18..22] == whole[18..22] || !sealed.is_under_pin() {
                    assert!(sealed.open_with_pin(&pin, b"p").is_err());
                }
                assert!(sealed.open_with_key(&key, b"p").is_err());
            }
        }
        for length in 0..whole.len() {
            assert!(SealedSecret::from_bytes(&whole[..length]).is_err());
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert!(SealedSecret::from_bytes(&longer).is_err());
        longer[0] = 9;
        assert_eq!(
            SealedSecret::from_bytes(&longer),
            Err(SealedSecretError::Version(9))
        );
    }
}

#[test]
fn a_sealed_secret_that_asks_for_much_is_refused_before_memory_is_taken() {
    let sealed =
        SealedSecret::under_pin(&secret(5), &phrase("1"), b"", cheap(), &mut rng()).unwrap();
    let whole = sealed.to_bytes();
    for (at, value) in [(18, 0xff), (22, 17), (22, 0), (23, 5), (23, 0)] {
        let mut changed = whole.clone();
        changed[at] = value;
        assert_eq!(
            SealedSecret::from_bytes(&changed),
            Err(SealedSecretError::Excessive)
        );
    }
}

#[test]
fn what_we_write_is_within_what_we_read() {
    let cost = Cost::STANDARD;
    assert_eq!(
        Cost::new(cost.memory_kib(), cost.passes(), cost.lanes()),
        Some(cost)
    );
}
