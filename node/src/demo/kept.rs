//! What can be done with the folders that are left.

use std::path::Path;

use chartmesh_protocol::ChartId;

use super::stage::PASSPHRASE_FILE;
use crate::clinic::short;

/// Commands to type next, as this program was called and where it was called.
pub(super) fn what_next(folder: &Path, chart: &ChartId) -> String {
    let program = std::env::args_os().next();
    let program = program.map_or_else(|| "chartmesh".to_owned(), |name| quoted(Path::new(&name)));
    let (dir, passphrase) = (quoted(folder), quoted(&folder.join(PASSPHRASE_FILE)));
    let clinic = |name: &str| format!("{program} --dir {}", quoted(&folder.join(name)));
    let (hill, river, far) = (clinic("hill"), clinic("river"), clinic("far"));
    let id = short(&chart);
    format!(
        "
The three clinics are kept in {dir}: their keys open with the passphrase in the file
{passphrase}, and {dir}/fhir has what was imported. To look around:

  export CHARTMESH_PASSPHRASE_FILE={passphrase}
  {hill} patient search
  {hill} chart history {id}
  {hill} audit list --patient {id}
  {river} chart show {id}
  {river} consent list --patient {id}
  {far} patient search
  {hill} doctor

To let them go on, start each in a terminal of its own; they find each other:

  {hill} --passphrase-file {passphrase} run
  {river} --passphrase-file {passphrase} run
"
    )
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_tear_it() {
        assert_eq!(quoted(Path::new("two-clinics/hill")), "two-clinics/hill");
        assert_eq!(quoted(Path::new("two clinics")), "'two clinics'");
        assert_eq!(quoted(Path::new("it's")), r"'it'\''s'");
    }
}
