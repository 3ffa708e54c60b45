//! Ids as people read and type them.

/// How much of an id tells it from the others that one clinic has.
const SHORT_LEN: usize = 8;

/// The beginning of an id, which commands take for the whole.
pub(crate) fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(SHORT_LEN).collect()
}
