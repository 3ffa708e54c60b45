//! Which files a path stands for: itself, or for a folder what can be imported in it.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use super::error::{ImportError, ImportReason};
use super::limits::{MAX_FILES, MAX_FOLDER_DEPTH};
use super::recognise::by_name;

/// The files of the paths, in the order of the paths and within a folder by name. What is
/// wrong with a path stands in its place.
pub(super) fn find(paths: &[PathBuf]) -> Vec<Result<PathBuf, ImportError>> {
    let mut found = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => named_folder(path, &mut found),
            Ok(metadata) if metadata.is_file() => found.push(Ok(path.clone())),
            Ok(_) => found.push(Err(ImportError::whole(path, ImportReason::NotAFile))),
            Err(error) => found.push(Err(ImportError::io(path, &error))),
        }
        if found.len() > MAX_FILES {
            found.truncate(MAX_FILES);
            found.push(Err(ImportError::whole(path, ImportReason::TooManyFiles)));
            break;
        }
    }
    found
}

/// A folder that the user named: one without anything to import is an error.
fn named_folder(path: &Path, found: &mut Vec<Result<PathBuf, ImportError>>) {
    let before = found.len();
    folder(path, 0, found);
    if found.len() == before {
        found.push(Err(ImportError::whole(path, ImportReason::NothingToImport)));
    }
}

/// Adds what can be imported in a folder and below. Hidden files and folders are left alone,
/// and so are links to folders: they may lead in a circle.
fn folder(path: &Path, depth: usize, found: &mut Vec<Result<PathBuf, ImportError>>) {
    if depth > MAX_FOLDER_DEPTH {
        found.push(Err(ImportError::whole(path, ImportReason::FolderTooDeep)));
        return;
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<DirEntry>, _>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            found.push(Err(ImportError::io(path, &error)));
            return;
        }
    };
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        if found.len() > MAX_FILES {
            return;
        }
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_hidden {
            continue;
        }
        if is_folder {
            folder(&path, depth + 1, found);
        } else if by_name(&path).is_some() {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => found.push(Ok(path)),
                Ok(_) => {}
                Err(error) => found.push(Err(ImportError::io(path, &error))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[Result<PathBuf, ImportError>], root: &Path) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        found
            .iter()
            .map(|item| item.as_ref().map_or_else(|e| e.reason.to_string(), name))
            .collect()
    }

    fn touch(root: &Path, name: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{}").unwrap();
    }

    #[test]
    fn a_folder_stands_for_its_files_sorted_without_hidden_and_foreign_ones() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "b/2.json.gz",
            "b/1.ndjson",
            "a.JSON",
            "c.json",
            "notes.txt",
            ".hidden.json",
        ] {
            touch(root.path(), name);
        }
        touch(root.path(), ".git/x.json");
        let found = find(&[root.path().to_owned()]);
        assert_eq!(
            names(&found, root.path()),
            ["a.JSON", "b/1.ndjson", "b/2.json.gz", "c.json"]
        );
    }

    #[test]
    fn a_folder_with_nothing_to_import_and_a_missing_path_are_errors_in_their_place() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), "empty/notes.txt");
        touch(root.path(), "good.json");
        let paths = ["empty", "absent", "good.json"].map(|name| root.path().join(name));
        let found = find(&paths);
        assert_eq!(
            found[0].as_ref().unwrap_err().reason,
            ImportReason::NothingToImport
        );
        assert_eq!(
            found[1].as_ref().unwrap_err().reason,
            ImportReason::NotFound
        );
        assert_eq!(found[2].as_ref().unwrap(), &paths[2]);
    }

    #[test]
    fn folders_too_deep_are_an_error_and_do_not_hide_what_lies_higher() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &format!("{}x.json", "d/".repeat(MAX_FOLDER_DEPTH)),
        );
        touch(
            root.path(),
            &format!("{}y.json", "d/".repeat(MAX_FOLDER_DEPTH + 1)),
        );
        let found = find(&[root.path().to_owned()]);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].as_ref().unwrap_err().reason,
            ImportReason::FolderTooDeep
        );
        assert!(found[1].as_ref().unwrap().ends_with("x.json"));
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_are_not_followed_and_broken_links_are_errors() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), "a.json");
        std::os::unix::fs::symlink(root.path(), root.path().join("circle.json")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("broken.json")).unwrap();
        std::os::unix::fs::symlink("a.json", root.path().join("link.json")).unwrap();
        let found = find(&[root.path().to_owned()]);
        let broken = ImportReason::NotFound.to_string();
        assert_eq!(names(&found, root.path()), ["a.json", &broken, "link.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_or_a_socket_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s.json");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let found = find(&[path]);
        assert_eq!(
            found[0].as_ref().unwrap_err().reason,
            ImportReason::NotAFile
        );
    }
}
