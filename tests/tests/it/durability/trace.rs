//! What `strace` saw of a process, read for one question: is the journal synced before an answer?

use std::collections::{BTreeMap, BTreeSet};

/// The calls that the question is about, as `strace -e trace=` takes them.
pub(super) const CALLS: &str =
    "fsync,fdatasync,write,writev,pwrite64,pwritev,sendto,sendmsg,recvfrom,recvmsg,read";

/// A call's begin or end. One that was not interrupted by another thread's is both.
struct Line<'a> {
    thread: &'a str,
    call: &'a str,
    /// The first argument; empty in a line that only ends a call.
    file: &'a str,
    rest: &'a str,
    begins: bool,
    ends: bool,
}

/// Reads one line of `strace -f -y -o FILE`; signals and exits are none.
fn read(line: &str) -> Option<Line<'_>> {
    let (thread, rest) = line.split_once(' ')?;
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix("<... ") {
        let (call, rest) = rest.split_once(" resumed>")?;
        return Some(Line {
            thread,
            call,
            file: "",
            rest,
            begins: false,
            ends: true,
        });
    }
    let (call, rest) = rest.split_once('(')?;
    let end = rest.find([',', ')', ' '])?;
    let (file, rest) = rest.split_at_checked(end)?;
    Some(Line {
        thread,
        call,
        file,
        rest,
        begins: true,
        ends: !rest.ends_with("<unfinished ...>"),
    })
}

/// What is known of the journal while a trace is read.
#[derive(Default)]
struct Reader {
    /// Calls that have begun, by thread: the call and its file.
    open: BTreeMap<String, (String, String)>,
    /// Files of the journal with a write that no sync has covered.
    unsynced: BTreeSet<String>,
    /// Files of the journal whose sync has begun, by thread, when all before was written.
    syncing: BTreeMap<String, String>,
    /// Writes to the journal since the last answer.
    writes: usize,
}

/// For each answer, in order: how many writes of the journal went before it since the last one.
///
/// An answer is a write whose data begin with `answer`. A write that fails, or a sync that does,
/// covers nothing.
///
/// # Errors
/// The first line that answers while a write of the journal is not synced.
pub(super) fn writes_before_answers(trace: &str, answer: &str) -> Result<Vec<usize>, String> {
    let mut reader = Reader::default();
    let mut answers = Vec::new();
    for text in trace.lines() {
        let Some(line) = read(text) else { continue };
        if line.begins && is_answer(&line, answer) {
            if !reader.unsynced.is_empty() || !reader.open_writes().is_empty() {
                return Err(text.to_owned());
            }
            answers.push(std::mem::take(&mut reader.writes));
        }
        reader.take(&line);
    }
    Ok(answers)
}

fn is_answer(line: &Line<'_>, answer: &str) -> bool {
    is_write(line.call) && line.rest.contains(&format!("\"{answer}"))
}

fn is_write(call: &str) -> bool {
    matches!(
        call,
        "write" | "writev" | "pwrite64" | "pwritev" | "sendto" | "sendmsg"
    )
}

fn is_sync(call: &str) -> bool {
    matches!(call, "fsync" | "fdatasync")
}

impl Reader {
    /// Writes to the journal that have begun and not ended.
    fn open_writes(&self) -> Vec<&str> {
        let open = self.open.values();
        open.filter(|(call, _)| is_write(call))
            .map(|(_, file)| file.as_str())
            .collect()
    }

    fn take(&mut self, line: &Line<'_>) {
        if line.begins && line.file.contains("/journal/") {
            let open = (line.call.to_owned(), line.file.to_owned());
            self.open.insert(line.thread.to_owned(), open);
            if is_sync(line.call) && !self.open_writes().contains(&line.file) {
                self.syncing
                    .insert(line.thread.to_owned(), line.file.to_owned());
            }
        }
        if !line.ends {
            return;
        }
        let Some((call, file)) = self.open.remove(line.thread) else {
            return;
        };
        let failed = line.rest.contains("= -1 ");
        if is_write(&call) {
            self.writes += 1;
            // A sync that was under way does not cover it.
            self.syncing.retain(|_, syncing| *syncing != file);
            self.unsynced.insert(file);
        } else if self.syncing.remove(line.thread).is_some() && !failed {
            self.unsynced.remove(&file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::writes_before_answers;

    const WRITE: &str = "7 write(6</d/journal/00000001.log>, \"CMJE\"..., 126) = 126\n";
    const SYNC: &str = "7 fdatasync(6</d/journal/00000001.log>) = 0\n";
    const ANSWER: &str = "8 sendto(17<socket:[1]>, \"{\\\"answer\\\":{\"..., 148) = 148\n";

    fn judge(lines: &[&str]) -> Result<Vec<usize>, String> {
        writes_before_answers(&lines.concat(), "{\\\"answer\\\"")
    }

    #[test]
    fn an_answer_after_write_and_sync_is_good() {
        let two = [WRITE, SYNC, ANSWER, WRITE, WRITE, SYNC, ANSWER];
        assert_eq!(judge(&two), Ok(vec![1, 2]));
        assert_eq!(judge(&[ANSWER]), Ok(vec![0]));
    }

    #[test]
    fn an_answer_before_the_sync_is_found() {
        let failed = SYNC.replace("= 0", "= -1 EIO (Input/output error)");
        let other = SYNC.replace("00000001", "00000002");
        for lines in [
            &[WRITE, ANSWER, SYNC][..],
            &[WRITE, SYNC, WRITE, ANSWER],
            &[SYNC, WRITE, ANSWER],
            &[WRITE, &failed, ANSWER],
            &[WRITE, &other, ANSWER],
        ] {
            assert_eq!(judge(lines), Err(ANSWER.trim_end().to_owned()), "{lines:?}");
        }
    }

    #[test]
    fn a_sync_counts_from_its_begin_to_its_end() {
        let begun = "7 fdatasync(6</d/journal/00000001.log> <unfinished ...>\n";
        let ended = "7 <... fdatasync resumed>) = 0\n";
        let other = WRITE.replace("7 write", "9 write");
        assert_eq!(judge(&[WRITE, begun, ended, ANSWER]), Ok(vec![1]));
        assert!(judge(&[WRITE, begun, ANSWER, ended]).is_err());
        assert!(judge(&[WRITE, begun, &other, ended, ANSWER]).is_err());
    }
}
