//! What a test needs of the machine, and whether it may do without.

/// Whether a test that needs this fails without it: `CHARTMESH_REQUIRE` names it. Otherwise such
/// a test is skipped, and says so.
#[must_use]
pub fn required(what: &str) -> bool {
    let named = std::env::var("CHARTMESH_REQUIRE").unwrap_or_default();
    named.split([',', ' ']).any(|one| one == what)
}
