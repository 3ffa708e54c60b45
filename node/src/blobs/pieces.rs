//! Which pieces of an attachment there are.

/// A set of piece numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces {
    words: Vec<u64>,
    count: u32,
}

impl Pieces {
    /// Whether a piece is in it.
    #[must_use]
    pub fn has(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Adds a piece.
    pub fn add(&mut self, number: u32) {
        if self.has(number) {
            return;
        }
        let (word, bit) = place(number);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
            self.count += 1;
        }
    }

    /// Takes a piece out.
    pub fn remove(&mut self, number: u32) {
        if !self.has(number) {
            return;
        }
        let (word, bit) = place(number);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
            self.count -= 1;
        }
    }
}

fn place(number: u32) -> (usize, u64) {
    let word = usize::try_from(number / 64).unwrap_or(usize::MAX);
    (word, 1 << (number % 64))
}
