//! The rules of style that a machine can hold us to, over every file that git knows.
//!
//! What the compiler, rustfmt and clippy check (formatting, unsafe code, missing documentation,
//! functions of more than 70 lines) is not checked again. An exception stands in
//! [`EXCEPTIONS`] with its reason, and must still be needed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What may stand at the top of the repository. Names that begin with a dot may, too.
const TOP_LEVEL: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "config",
    "crdt",
    "node",
    "protocol",
    "tests",
];
/// Lines of a source file, not counting the tests at its end: one sitting.
const MAX_LINES: usize = 500;
/// Lines of a file of nothing but tests: one is read at a time, so it may be longer.
const MAX_TEST_LINES: usize = 700;
/// Characters of a line.
const MAX_WIDTH: usize = 100;
/// Names that say nothing about what is in a file.
const EMPTY_NAMES: [&str; 6] = ["common", "helpers", "manager", "misc", "types", "utils"];

/// A rule, the file that it is broken in, and why.
const EXCEPTIONS: [(&str, &str, &str); 5] = [
    (
        "width",
        "Cargo.toml",
        "TOML has no way to break an inline table",
    ),
    (
        "width",
        "node/Cargo.toml",
        "TOML has no way to break a text on one line",
    ),
    (
        "sleep",
        "tests/src/wait.rs",
        "the interval at which a condition is looked at, under a deadline",
    ),
    (
        "sleep",
        "tests/tests/it/durability/moment.rs",
        "the interval at which a condition is looked at, under a deadline",
    ),
    ("leftover", THIS, "it names what it looks for"),
];

/// Who attacks, and the tests that show what comes of it.
const THREATS: &str = "protocol/src/threats.md";

/// This file.
const THIS: &str = "tests/tests/it/tidy.rs";

#[test]
fn only_the_agreed_entries_stand_at_the_top_of_the_repository() {
    let top: BTreeSet<String> = Tree::read()
        .files
        .iter()
        .filter_map(|file| file.path.split('/').next().map(str::to_owned))
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    assert_eq!(top, BTreeSet::new(), "where do these belong?");
}

#[test]
fn every_file_is_one_idea_that_reads_in_one_sitting() {
    let mut found = Findings::of("length");
    for file in Tree::read().rust() {
        let (lines, most) = if file.is_test {
            (file.text.lines().count(), MAX_TEST_LINES)
        } else {
            (file.code().lines().count(), MAX_LINES)
        };
        if lines > most {
            found.add(file, 0, &format!("{lines} lines, at most {most}: split it"));
        }
    }
    found.none();
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let mut found = Findings::of("name");
    for file in Tree::read().rust() {
        let path = Path::new(&file.path);
        let parts = path.iter().filter_map(|part| part.to_str());
        let empty = |part: &str| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"));
        if parts.into_iter().any(empty) {
            found.add(file, 0, "name it after what is in it");
        }
    }
    found.none();
}

/// A threat whose test is gone is not met any more.
#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let tree = Tree::read();
    let threats = tree.files.iter().find(|file| file.path == THREATS);
    let threats = threats.expect("the threat model is there");
    let rows = threats
        .text
        .lines()
        .filter(|line| line.starts_with("| to "));
    let mut named = 0;
    let mut gone = Vec::new();
    for row in rows {
        let tests: Vec<&str> = row.rsplit('|').nth(1).unwrap().split('`').collect();
        let tests = tests.iter().skip(1).step_by(2);
        let before = named;
        for test in tests {
            named += 1;
            let is_there = |line: &str| line.trim_start().starts_with(&format!("fn {test}("));
            if !tree.rust().any(|file| file.text.lines().any(is_there)) {
                gone.push((*test).to_owned());
            }
        }
        assert_ne!(before, named, "no test shows this: {row}");
    }
    assert_eq!(gone, Vec::<String>::new(), "of {named} tests");
    assert!(named > 0);
}

#[test]
fn no_line_is_longer_than_a_screen_is_wide() {
    let mut found = Findings::of("width");
    for file in &Tree::read().files {
        let checked = file.has_extension("rs") || file.has_extension("toml");
        if checked || file.path.starts_with(".ci/") {
            found.lines(file, &file.text, |line| line.chars().count() > MAX_WIDTH);
        }
    }
    found.none();
}

#[test]
fn nothing_is_left_undone_or_hidden() {
    let mut found = Findings::of("leftover");
    let leftovers = [
        "#[ignore",
        "#[allow",
        "#![allow",
        "todo!",
        "unimplemented!",
        "dbg!",
        "FIXME",
        "XXX",
        "HACK",
    ];
    for file in Tree::read().rust() {
        found.lines(file, &file.text, |line| {
            leftovers.iter().any(|leftover| line.contains(leftover))
        });
    }
    found.none();
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let mut found = Findings::of("machine");
    // Put together here, so that this file does not hold what it looks for.
    let paths = ["work", "root", "farm"].map(|name| format!("/{name}/"));
    for file in &Tree::read().files {
        found.lines(file, &file.text, |line| {
            paths.iter().any(|path| line.contains(path.as_str()))
        });
    }
    found.none();
}

#[test]
fn no_test_sleeps_to_wait_for_something() {
    let mut found = Findings::of("sleep");
    let sleep = ["sleep", "("].concat();
    for file in Tree::read().rust() {
        let tests = if file.is_test || file.path.starts_with("tests/") {
            file.text.as_str()
        } else {
            file.tests()
        };
        found.lines(file, tests, |line| code_of(line).contains(&sleep));
    }
    found.none();
}

#[test]
fn the_lower_crates_know_neither_each_other_nor_the_outside() {
    let outside = [
        "futures",
        "libp2p",
        "libp2p-stream",
        "rand",
        "sled",
        "tokio",
    ];
    let arrows = [
        (
            "crdt",
            &["chartmesh", "chartmesh-config", "chartmesh-protocol"][..],
        ),
        (
            "protocol",
            &[
                "automerge",
                "chartmesh",
                "chartmesh-config",
                "chartmesh-crdt",
            ][..],
        ),
        (
            "config",
            &["chartmesh", "chartmesh-crdt", "chartmesh-protocol"][..],
        ),
    ];
    let tree = Tree::read();
    for (folder, never) in arrows {
        let depends = tree.dependencies(folder);
        let wrong: Vec<&String> = depends
            .iter()
            .filter(|one| never.contains(&one.as_str()) || outside.contains(&one.as_str()))
            .collect();
        assert!(wrong.is_empty(), "{folder} must not depend on {wrong:?}");
    }
    for folder in ["config", "crdt", "node", "protocol"] {
        let depends = tree.dependencies(folder);
        assert!(
            !depends.contains("chartmesh-tests"),
            "{folder} must not depend on tests"
        );
    }
}

#[test]
fn the_lower_crates_have_no_socket_no_file_no_clock_and_no_thread() {
    let mut found = Findings::of("pure");
    for folder in ["config/src/", "crdt/src/", "protocol/src/"] {
        found.code_in(folder, &[], |code| {
            [
                "std::fs",
                "TcpStream",
                "TcpListener",
                "UdpSocket",
                "std::thread",
                "Instant::now",
                "SystemTime",
                "rand::rng",
            ]
            .iter()
            .any(|outside| code.contains(outside))
        });
    }
    found.none();
}

#[test]
fn only_the_store_names_sled() {
    let mut found = Findings::of("sled");
    found.code_in("", &["node/src/store/"], |code| has_word(code, "sled"));
    found.none();
}

#[test]
fn only_the_clock_reads_the_time() {
    let mut found = Findings::of("clock");
    found.code_in("node/src/", &["node/src/clock.rs"], |code| {
        ["SystemTime", "now_utc(", "now_local("]
            .iter()
            .any(|clock| code.contains(clock))
    });
    // What is measured, and not dated, may look at the monotonic clock.
    let measures = [
        "node/src/net/",
        "node/src/demo/",
        "node/src/store/",
        "node/src/cli/",
    ];
    found.code_in("node/src/", &measures, |code| code.contains("Instant::now"));
    found.none();
}

#[test]
fn the_folders_of_the_node_point_downwards() {
    let mut found = Findings::of("arrow");
    let arrows = [
        (
            "node/src/interop/",
            &["crate::http", "crate::store", "crate::clinic", "tokio"][..],
        ),
        (
            "node/src/generate/",
            &["crate::clinic", "crate::clock", "crate::store", "std::time"][..],
        ),
        ("node/src/http", &["crate::store", "sled"][..]),
        ("node/src/net/", &["crate::store"][..]),
        (
            "node/src/store/",
            &["crate::clinic", "crate::net", "crate::http", "crate::cli"][..],
        ),
        (
            "node/src/keys/",
            &["crate::clinic", "crate::store", "crate::net"][..],
        ),
        (
            "node/src/clinic/",
            &["crate::cli", "crate::http", "crate::service"][..],
        ),
    ];
    for (folder, never) in arrows {
        found.code_in(folder, &[], |code| {
            never.iter().any(|name| has_word(code, name))
        });
    }
    found.none();
}

/// Every text file that git knows.
struct Tree {
    files: Vec<SourceFile>,
}

struct SourceFile {
    /// From the top of the repository.
    path: String,
    text: String,
    /// Whether it holds nothing but tests.
    is_test: bool,
}

impl Tree {
    fn read() -> Self {
        let top: PathBuf = [env!("CARGO_MANIFEST_DIR"), ".."].iter().collect();
        let listed = Command::new("git")
            .args(["ls-files", "-z"])
            .current_dir(&top)
            .output()
            .expect("git, which lists what belongs to the repository");
        assert!(listed.status.success(), "{listed:?}");
        let names = String::from_utf8(listed.stdout).unwrap();
        let names = names
            .split_terminator('\0')
            .filter(|name| *name != "Cargo.lock");
        let mut files: Vec<SourceFile> = names
            .filter_map(|name| {
                // A file may be binary, or deleted and not committed yet.
                let text = std::fs::read_to_string(top.join(name)).ok()?;
                Some(SourceFile::new(name, text))
            })
            .collect();
        assert!(files.len() > 100, "{} files", files.len());
        let modules: BTreeSet<String> = files.iter().flat_map(SourceFile::test_modules).collect();
        for file in &mut files {
            file.is_test |= modules.contains(&file.path);
        }
        Self { files }
    }

    fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.has_extension("rs"))
    }

    /// What a crate depends on when it is used.
    fn dependencies(&self, folder: &str) -> BTreeSet<String> {
        let path = format!("{folder}/Cargo.toml");
        let manifest = self.files.iter().find(|file| file.path == path);
        let lines = manifest.expect("a manifest").text.lines();
        let section = lines
            .skip_while(|line| line.trim() != "[dependencies]")
            .skip(1)
            .take_while(|line| !line.starts_with('['));
        let names: BTreeSet<String> = section
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|name| !name.is_empty() && !name.starts_with('#'))
            .map(str::to_owned)
            .collect();
        assert!(!names.is_empty(), "{path} lists no dependencies");
        names
    }
}

impl SourceFile {
    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|own| own == extension)
    }

    fn new(path: &str, text: String) -> Self {
        let in_tests = |part: &str| part == "tests" || part == "tests.rs" || part == "benches";
        Self {
            path: path.to_owned(),
            text,
            is_test: path.split('/').any(in_tests),
        }
    }

    /// The files of the modules that it declares for tests only.
    fn test_modules(&self) -> Vec<String> {
        let path = Path::new(&self.path);
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let folder = match stem {
            "lib" | "main" | "mod" => path.parent().unwrap().to_owned(),
            _ => path.with_extension(""),
        };
        let declared = self.text.split("#[cfg(test)]\n").skip(1);
        declared
            .filter_map(|after| {
                let line = after.lines().next()?.strip_suffix(';')?;
                let (_, name) = line.split_once("mod ")?;
                Some(folder.join(format!("{name}.rs")).display().to_string())
            })
            .collect()
    }

    /// What stands before the tests.
    fn code(&self) -> &str {
        let tests = self.text.find("#[cfg(test)]\nmod tests {");
        self.text.get(..tests.unwrap_or(self.text.len())).unwrap()
    }

    /// The tests at its end.
    fn tests(&self) -> &str {
        self.text.get(self.code().len()..).unwrap()
    }
}

/// A line without its comment.
fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Whether a name stands in code by itself, and not as a part of another.
fn has_word(code: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        let open_end = word.ends_with(':');
        !before.is_some_and(inside) && (open_end || !after.is_some_and(inside))
    })
}

/// What breaks one rule.
struct Findings {
    rule: &'static str,
    found: Vec<String>,
    excepted: BTreeSet<&'static str>,
}

impl Findings {
    fn of(rule: &'static str) -> Self {
        Self {
            rule,
            found: Vec::new(),
            excepted: BTreeSet::new(),
        }
    }

    fn add(&mut self, file: &SourceFile, line: usize, what: &str) {
        let mut exceptions = exceptions(self.rule);
        match exceptions.find(|path| *path == file.path) {
            Some(path) => drop(self.excepted.insert(path)),
            None => self.found.push(format!("{}:{line}: {what}", file.path)),
        }
    }

    /// Adds every line of a part of a file that breaks the rule.
    fn lines(&mut self, file: &SourceFile, part: &str, breaks: impl Fn(&str) -> bool) {
        let before = file.text.len() - part.len();
        let first = file
            .text
            .get(..before)
            .map_or(0, |text| text.lines().count());
        for (at, line) in part.lines().enumerate() {
            if breaks(line) {
                self.add(file, first + at + 1, line.trim());
            }
        }
    }

    /// Adds every line of code, without comments and tests, below a path and not below `except`.
    fn code_in(&mut self, below: &str, except: &[&str], breaks: impl Fn(&str) -> bool) {
        let tree = Tree::read();
        let mut files = 0;
        for file in tree.rust().filter(|file| file.path.starts_with(below)) {
            files += 1;
            if !except.iter().any(|path| file.path.starts_with(path)) && !file.is_test {
                self.lines(file, file.code(), |line| breaks(code_of(line)));
            }
        }
        assert!(files > 0, "there is nothing below {below}");
    }

    fn none(self) {
        let Self {
            rule,
            found,
            excepted,
        } = self;
        assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
        let needless = exceptions(rule).find(|path| !excepted.contains(path));
        assert_eq!(needless, None, "needs no exception from {rule} any more");
    }
}

/// The files that are excepted from a rule.
fn exceptions(rule: &str) -> impl Iterator<Item = &'static str> {
    EXCEPTIONS
        .iter()
        .filter(move |(of, _, reason)| *of == rule && !reason.is_empty())
        .map(|(_, path, _)| *path)
}

#[test]
fn the_scanner_sees_words_comments_and_tests() {
    assert!(has_word("use sled::Db;", "sled") && !has_word("assembled", "sled"));
    assert!(has_word("use crate::store::Store;", "crate::store"));
    assert!(!has_word("crate::stored", "crate::store"));
    assert!(has_word("use crate::clock;", "crate::"));
    assert_eq!(code_of("a(); // sled"), "a(); ");
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    b();\n}\n".to_owned();
    let file = SourceFile::new("node/src/a.rs", text);
    assert_eq!(file.code(), "fn a() {}\n");
    let mut found = Findings::of("rule");
    found.lines(&file, file.tests(), |line| line.contains("b()"));
    assert_eq!(found.found, ["node/src/a.rs:4: b();"]);
    let text = "#[cfg(test)]\npub(crate) mod world;\nmod a;\n".to_owned();
    let library = SourceFile::new("protocol/src/lib.rs", text);
    assert_eq!(library.test_modules(), ["protocol/src/world.rs"]);
}
