//! The table that is printed.

use std::collections::BTreeMap;

/// One piece of work, what is promised of it, and what it took.
struct Row {
    name: &'static str,
    work: String,
    target: &'static str,
    measured: String,
}

/// The rows so far, and which are wanted.
pub(crate) struct Table {
    rows: Vec<Row>,
    words: Vec<String>,
    /// Other systems, in the order in which they ran.
    systems: Vec<&'static str>,
    /// What they took, by system and row.
    beside: BTreeMap<(&'static str, String), String>,
}

impl Table {
    /// With the words that choose rows; none chooses all.
    pub(crate) fn new(words: Vec<String>) -> Self {
        Self {
            rows: Vec::new(),
            words,
            systems: Vec::new(),
            beside: BTreeMap::new(),
        }
    }

    /// Whether a row with one of these names is wanted.
    pub(crate) fn wants(&self, names: &[&str]) -> bool {
        let chosen = |name: &&str| self.words.iter().any(|word| name.contains(word.as_str()));
        self.words.is_empty() || names.iter().any(chosen)
    }

    /// Adds a row under its name.
    pub(crate) fn row(
        &mut self,
        name: &'static str,
        work: String,
        target: &'static str,
        measured: String,
    ) {
        eprintln!("sync: {work}: {measured}");
        self.rows.push(Row {
            name,
            work,
            target,
            measured,
        });
    }

    /// Notes what another system took for a row.
    pub(crate) fn beside(&mut self, system: &'static str, row: &str, measured: &str) {
        eprintln!("sync: {system}: {row}: {measured}");
        if !self.systems.contains(&system) {
            self.systems.push(system);
        }
        let noted = self.beside.entry((system, row.to_owned())).or_default();
        if !noted.is_empty() {
            noted.push_str(", ");
        }
        noted.push_str(measured);
    }

    /// Prints Markdown; nothing where no row was chosen.
    pub(crate) fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
        let systems: String = self.systems.iter().map(|one| format!(" {one} |")).collect();
        println!("| work | target | Chartmesh |{systems}");
        println!("|---|---|---|{}", "---|".repeat(self.systems.len()));
        for row in &self.rows {
            let cell = |system: &&'static str| {
                let noted = self.beside.get(&(*system, row.name.to_owned()));
                format!(" {} |", noted.map_or("", String::as_str))
            };
            let beside: String = self.systems.iter().map(cell).collect();
            let Row { work, target, .. } = row;
            println!("| {work} | {target} | {} |{beside}", row.measured);
        }
    }
}

/// A number of things with its thousands apart.
pub(crate) fn count(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut apart = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}
