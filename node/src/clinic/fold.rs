//! Words as search compares them: without accents, case or punctuation.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The shortest beginning of a word that finds it.
const MIN_PREFIX: usize = 2;
/// The longest beginning that has a token of its own; longer words are found whole or by this.
const MAX_PREFIX: usize = 12;

/// The words of a text, folded: decomposed (Unicode NFKD), without marks, in lower case, split at
/// everything that is neither letter nor digit. A name that has neither stays as it is.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = plain_words(text);
    if words.is_empty() {
        return text.split_whitespace().map(str::to_owned).collect();
    }
    words
}

fn plain_words(text: &str) -> Vec<String> {
    let mut folded = String::with_capacity(text.len());
    for character in text
        .nfkd()
        .filter(|character| !is_combining_mark(*character))
    {
        match letter(character) {
            Some(plain) => folded.push_str(plain),
            None => folded.extend(character.to_lowercase()),
        }
    }
    folded
        .split(|character: char| !character.is_alphanumeric())
        .flat_map(apart)
        .collect()
}

/// A word as it is looked for. Scripts without spaces write a whole name as one word, or family
/// and given name apart: each of their characters counts as a word.
fn apart(word: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut spaced = String::new();
    for character in word.chars() {
        if is_unspaced(character) {
            words.extend((!spaced.is_empty()).then(|| std::mem::take(&mut spaced)));
            words.push(character.to_string());
        } else {
            spaced.push(character);
        }
    }
    words.extend((!spaced.is_empty()).then_some(spaced));
    words
}

/// Han characters and kana (Unicode blocks).
fn is_unspaced(character: char) -> bool {
    matches!(
        character,
        '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

/// Letters that Unicode does not decompose but that people type plain.
fn letter(character: char) -> Option<&'static str> {
    Some(match character {
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' | 'ɗ' | 'Ɗ' => "d",
        'ħ' | 'Ħ' => "h",
        'ı' => "i",
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'þ' | 'Þ' => "th",
        'ŋ' | 'Ŋ' => "n",
        'ɓ' | 'Ɓ' => "b",
        'ƙ' | 'Ƙ' => "k",
        'ɔ' | 'Ɔ' => "o",
        'ɛ' | 'Ɛ' => "e",
        // Apostrophes join: O'Brien is found as obrien; so do Arabic tatweel and hamza marks.
        '\'' | '’' | 'ʼ' | 'ʻ' | '`' | 'ـ' => "",
        'أ' | 'إ' | 'آ' | 'ٱ' => "ا",
        'ى' => "ي",
        'ة' => "ه",
        // The end of a word is written in another way.
        'ς' => "σ",
        _ => return None,
    })
}

/// Every text under which a word is found: its beginnings and the whole.
pub(super) fn beginnings(word: &str) -> Vec<String> {
    let ends: Vec<usize> = word
        .char_indices()
        .map(|(at, _)| at)
        .skip(1)
        .chain([word.len()])
        .collect();
    let mut texts: Vec<String> = ends
        .iter()
        .take(MAX_PREFIX)
        .skip(MIN_PREFIX - 1)
        .filter_map(|end| word.get(..*end))
        .map(str::to_owned)
        .collect();
    if texts.last().is_none_or(|last| last != word) {
        texts.push(word.to_owned());
    }
    texts
}

/// The text to look a typed word up by: itself, or the longest beginning that has a token.
pub(super) fn lookup(word: &str) -> &str {
    word.char_indices()
        .nth(MAX_PREFIX)
        .map_or(word, |(end, _)| word.get(..end).unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_and_punctuation_do_not_matter() {
        for (typed, written) in [
            ("nunez", "NÚÑEZ"),
            ("obrien", "O'Brien"),
            ("strasse", "Straße"),
            ("lukasz", "Łukasz"),
            ("nguyen", "Nguyễn"),
            ("احمد", "أَحْمَد"),
            ("παπαδοπουλος", "ΠΑΠΑΔΌΠΟΥΛΟΣ"),
            ("李小龙", "李 小龙"),
            ("👶", "👶"),
        ] {
            assert_eq!(words(typed), words(written), "{typed} {written}");
        }
        assert_eq!(
            words("Okonkwo-Adeyemi, Chidi"),
            ["okonkwo", "adeyemi", "chidi"]
        );
        assert_eq!(words("1987-04-02"), ["1987", "04", "02"]);
    }

    #[test]
    fn a_word_is_found_by_its_beginnings_and_whole() {
        assert_eq!(beginnings("amina"), ["am", "ami", "amin", "amina"]);
        assert_eq!(beginnings("a"), ["a"]);
        let long = "wolfeschlegelsteinhausen";
        assert!(beginnings(long).contains(&lookup(long).to_owned()));
        assert!(beginnings(long).contains(&long.to_owned()));
        assert_eq!(lookup("amina"), "amina");
    }
}
