//! The table that is printed.

/// One piece of work, what is promised of it, and what it took.
struct Row {
    work: String,
    target: &'static str,
    measured: String,
}

/// The rows so far, and which are wanted.
pub(crate) struct Table {
    rows: Vec<Row>,
    words: Vec<String>,
}

impl Table {
    /// With the words that choose rows; none chooses all.
    pub(crate) fn new(words: Vec<String>) -> Self {
        Self {
            rows: Vec::new(),
            words,
        }
    }

    /// Whether a row with one of these names is wanted.
    pub(crate) fn wants(&self, names: &[&str]) -> bool {
        let chosen = |name: &&str| self.words.iter().any(|word| name.contains(word.as_str()));
        self.words.is_empty() || names.iter().any(chosen)
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, work: String, target: &'static str, measured: String) {
        eprintln!("sync: {work}: {measured}");
        self.rows.push(Row {
            work,
            target,
            measured,
        });
    }

    /// Prints Markdown.
    pub(crate) fn print(&self) {
        println!("| work | target | measured |");
        println!("|---|---|---|");
        for row in &self.rows {
            println!("| {} | {} | {} |", row.work, row.target, row.measured);
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
