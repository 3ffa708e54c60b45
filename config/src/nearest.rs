//! The key that a misspelt one was probably meant to be.

/// The known key nearest to `written`, when it is near enough to be worth suggesting: at most
/// a third of its letters differ (at least one may). Case and `_` for `-` do not count.
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written: Vec<char> = written.to_lowercase().replace('_', "-").chars().collect();
    let near = |key: &&'a str| {
        let key_chars: Vec<char> = key.chars().collect();
        let far = distance(&written, &key_chars);
        (far <= (key_chars.len() / 3).max(1)).then_some((far, *key))
    };
    known.iter().filter_map(near).min().map(|(_, key)| key)
}

/// The fewest insertions, deletions, replacements and swaps of neighbours that turn `a` into
/// `b` (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (row, &x) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut left = row + 1;
        let mut previous_b = None;
        for (column, &y) in b.iter().enumerate() {
            let above = last.get(column + 1).copied().unwrap_or(usize::MAX - 1);
            let diagonal = last.get(column).copied().unwrap_or(usize::MAX - 1);
            left = (left + 1)
                .min(above + 1)
                .min(diagonal + usize::from(x != y));
            if previous_a == Some(y) && previous_b == Some(x) {
                let swapped = column.checked_sub(1).and_then(|c| before_last.get(c));
                left = left.min(swapped.map_or(usize::MAX, |cost| cost + 1));
            }
            current.push(left);
            previous_b = Some(y);
        }
        previous_a = Some(x);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(a: &str, b: &str) -> usize {
        distance(
            &a.chars().collect::<Vec<_>>(),
            &b.chars().collect::<Vec<_>>(),
        )
    }

    #[test]
    fn distances_count_single_slips() {
        assert_eq!(far("", ""), 0);
        assert_eq!(far("", "abc"), 3);
        assert_eq!(far("abc", ""), 3);
        assert_eq!(far("listen", "listen"), 0);
        assert_eq!(far("listn", "listen"), 1);
        assert_eq!(far("nmae", "name"), 1);
        assert_eq!(far("kitten", "sitting"), 3);
    }

    #[test]
    fn only_a_near_key_is_suggested() {
        let known = ["listen", "mdns", "external-addresses", "heartbeat-seconds"];
        assert_eq!(nearest("lisen", &known), Some("listen"));
        assert_eq!(nearest("mDNS", &known), Some("mdns"));
        assert_eq!(
            nearest("external_address", &known),
            Some("external-addresses")
        );
        assert_eq!(nearest("heartbeat", &known), None);
        assert_eq!(nearest("peers", &known), None);
    }
}
