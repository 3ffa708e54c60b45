//! Tests of the files: what was written is there, and what is damaged is not.

use std::os::unix::fs::{FileExt, PermissionsExt};

use chartmesh_protocol::attachment::{
    AttachmentKey, AttachmentPlace, CHUNK_BYTES, ChunkError, ShapeError, seal_content,
};
use chartmesh_protocol::{ChartId, CompartmentTag};

use super::*;

#[derive(Debug, Error)]
enum Fault {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

const NAME: BlobName = BlobName::new([7; 16]);

struct Stand {
    folder: tempfile::TempDir,
    blobs: Blobs,
    shape: Shape,
    id: AttachmentId,
    pieces: Vec<(u32, Vec<u8>)>,
}

impl Stand {
    /// A content of five chunks, not kept yet.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&folder.path().join("blobs")).unwrap();
        let content = vec![0x5a; 4 * CHUNK_BYTES + 5];
        let place = AttachmentPlace {
            chart: ChartId::new([1; 16]),
            compartment: CompartmentTag::new([2; 8]),
        };
        let mut pieces = Vec::new();
        let keep = |number: u32, bytes: &[u8]| -> Result<(), Fault> {
            pieces.push((number, bytes.to_vec()));
            Ok(())
        };
        let key = AttachmentKey::from_bytes([3; 32]);
        let id = seal_content(&key, &place, &content, keep).unwrap();
        pieces.sort();
        Self {
            shape: Shape::new(content.len() as u64).unwrap(),
            folder,
            blobs,
            id,
            pieces,
        }
    }

    fn reopened(&self) -> Blobs {
        Blobs::open(&self.folder.path().join("blobs")).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.blobs.path(&NAME)
    }

    fn whole(&self) -> Arc<Mutex<Blob>> {
        let mut new = self.blobs.begin(self.shape).unwrap();
        for (number, bytes) in &self.pieces {
            new.write(*number, bytes).unwrap();
        }
        self.blobs.keep(new, self.id, &NAME).unwrap();
        self.blobs.blob(&NAME, self.id, self.shape).unwrap()
    }
}

#[test]
fn what_is_kept_whole_is_there_after_a_restart_and_nobody_elses_to_read() {
    let stand = Stand::new();
    assert!(stand.whole().lock().unwrap().is_whole());
    let blob = stand.reopened().blob(&NAME, stand.id, stand.shape).unwrap();
    let mut blob = blob.lock().unwrap();
    assert!(blob.is_whole());
    for (number, bytes) in &stand.pieces {
        assert_eq!(blob.read(*number).unwrap().as_ref(), Some(bytes));
    }
    let mode = fs::metadata(stand.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn pieces_come_in_any_order_that_can_be_checked_and_are_there_after_a_restart() {
    let stand = Stand::new();
    let blob = stand.blobs.blob(&NAME, stand.id, stand.shape).unwrap();
    let mut blob = blob.lock().unwrap();
    assert_eq!(blob.missing().collect::<Vec<_>>(), [0]);
    for number in [0, 1, 6, 3] {
        let (_, bytes) = &stand.pieces[number as usize];
        blob.write(number, bytes).unwrap();
    }
    blob.sync().unwrap();
    let again = stand.reopened().blob(&NAME, stand.id, stand.shape).unwrap();
    let again = again.lock().unwrap();
    assert_eq!(again.missing().collect::<Vec<_>>(), [2, 4, 5]);
}

#[test]
fn a_torn_piece_is_not_there_and_is_named_until_it_comes_again() {
    let stand = Stand::new();
    drop(stand.whole());
    let file = fs::OpenOptions::new().write(true).open(stand.file());
    file.unwrap()
        .write_all_at(&[1, 2, 3], blob::offset(stand.shape, 4) + 9)
        .unwrap();
    let blobs = stand.reopened();
    let health = blobs.check(&mut |_, _| ()).unwrap().health;
    assert_eq!((health.damaged_pieces, health.pieces), (1, 6));
    assert!(!health.is_sound() && health.whole == 0);
    let blob = blobs.blob(&NAME, stand.id, stand.shape).unwrap();
    let mut blob = blob.lock().unwrap();
    assert_eq!(blob.missing().collect::<Vec<_>>(), [4]);
    assert_eq!(blob.read(4).unwrap(), None);
    blob.write(4, &stand.pieces[4].1).unwrap();
    let health = blobs.check(&mut |_, _| ()).unwrap().health;
    assert!(blob.is_whole() && health.is_sound());
}

#[test]
fn damage_beside_an_open_file_is_found_when_it_is_read() {
    let stand = Stand::new();
    let blob = stand.whole();
    let file = fs::OpenOptions::new().write(true).open(stand.file());
    file.unwrap().set_len(1000).unwrap();
    let mut blob = blob.lock().unwrap();
    assert_eq!(blob.read(5).unwrap(), None);
    assert!(!blob.is_whole());
}

#[test]
fn a_file_that_is_another_ones_counts_for_nothing() {
    let stand = Stand::new();
    drop(stand.whole());
    let other = AttachmentId::new([9; 32]);
    let blob = stand.reopened().blob(&NAME, other, stand.shape).unwrap();
    assert_eq!(blob.lock().unwrap().here().count(), 0);
    fs::write(stand.file(), b"not a blob").unwrap();
    let checked = stand.blobs.check(&mut |_, _| ()).unwrap();
    assert_eq!(checked.health.unreadable, 1);
}

#[test]
fn what_was_not_finished_goes() {
    let stand = Stand::new();
    let mut new = stand.blobs.begin(stand.shape).unwrap();
    new.write(0, &stand.pieces[0].1).unwrap();
    drop(new);
    let left = || {
        fs::read_dir(stand.folder.path().join("blobs"))
            .unwrap()
            .count()
    };
    assert_eq!(left(), 0);
    let new = stand.blobs.begin(stand.shape).unwrap();
    std::mem::forget(new);
    assert_eq!(left(), 1);
    drop(stand.reopened());
    assert_eq!(left(), 0);
}

#[test]
fn what_the_disk_has_no_room_for_is_not_begun() {
    let stand = Stand::new();
    assert!(matches!(
        stand.blobs.has_room(u64::MAX),
        Err(BlobError::Full)
    ));
    let full = io::Error::from(io::ErrorKind::StorageFull);
    assert!(matches!(BlobError::from(full), BlobError::Full));
}

#[test]
fn a_set_of_pieces_counts_each_once() {
    let mut pieces = Pieces::default();
    for number in [0, 63, 64, 700, 63] {
        pieces.add(number);
    }
    pieces.remove(64);
    pieces.remove(65);
    assert_eq!(pieces.count(), 3);
    assert!(pieces.has(63) && !pieces.has(64) && !pieces.has(100_000));
}

#[test]
fn what_is_damaged_is_let_go_of_and_what_is_sound_stays() {
    let stand = Stand::new();
    drop(stand.whole());
    let file = fs::OpenOptions::new().write(true).open(stand.file());
    let file = file.unwrap();
    file.write_all_at(b"no such beginning", 0).unwrap();
    file.write_all_at(&[1, 2, 3], blob::offset(stand.shape, 4) + 9)
        .unwrap();
    let checked = stand.blobs.check(&mut |_, _| ()).unwrap();
    assert_eq!(checked.health.unreadable, 1);
    assert!(!checked.is_whole(&NAME, &stand.id, stand.shape));
    let known = [(NAME, stand.id, stand.shape)];
    let mut told = Vec::new();
    let tell = &mut |done, of| told.push((done, of));
    stand.blobs.mend(known.into_iter(), tell).unwrap();
    assert_eq!(told, [(1, 1)]);
    let health = stand.blobs.check(&mut |_, _| ()).unwrap().health;
    assert!(health.is_sound());
    assert_eq!((health.pieces, health.whole), (6, 0));
    let blob = stand.blobs.blob(&NAME, stand.id, stand.shape).unwrap();
    blob.lock().unwrap().write(4, &stand.pieces[4].1).unwrap();
    let checked = stand.blobs.check(&mut |_, _| ()).unwrap();
    assert!(checked.is_whole(&NAME, &stand.id, stand.shape));
}
