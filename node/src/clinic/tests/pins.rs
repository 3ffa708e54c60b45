//! Guessing a patient's PIN, in custody and by card.

use std::sync::atomic::Ordering;

use super::*;
use crate::clinic::Action;
use crate::control::{CardOrder, Exit, Pin};

const MINUTE: u64 = 60_000;

fn pin(digits: &str) -> Pin {
    Pin::new(digits.to_owned())
}

fn refused(house: &House, id: &str, digits: &str) -> ClinicError {
    let tried = house.clinic.set_pin(id, &pin("999999"), Some(&pin(digits)));
    tried.unwrap_err()
}

fn count(house: &House, wanted: Action) -> usize {
    let lines = house.clinic.audit_lines(None, 1000).unwrap();
    lines.iter().filter(|line| line.action == wanted).count()
}

#[test]
fn after_ten_wrong_pins_even_the_right_one_has_to_wait_also_after_a_restart() {
    let clock = Arc::new(AtomicU64::new(clock::now_ms()));
    let mut house = House::with_clock("Hill Clinic", &clock);
    let (id, other) = (house.register("Amina"), house.register("Zawadi"));
    for id in [&id, &other] {
        house.clinic.set_pin(id, &pin("123456"), None).unwrap();
    }
    for guess in 0..10 {
        let error = refused(&house, &id, &format!("00000{guess}"));
        assert!(matches!(error, ClinicError::Pin { .. }), "{error}");
    }
    let limited = |house: &House| {
        let error = refused(house, &id, "123456");
        assert!(matches!(error, ClinicError::PinLimit { .. }), "{error}");
        assert_eq!(error.exit(), Exit::Refused);
        error.to_string()
    };
    let said = limited(&house);
    house = house.reopen();
    assert_eq!(limited(&house), said, "the same moment");
    // Another patient's PIN is not meant.
    house
        .clinic
        .set_pin(&other, &pin("123457"), Some(&pin("123456")))
        .unwrap();

    clock.fetch_add(MINUTE, Ordering::SeqCst);
    refused(&house, &id, "777777");
    clock.fetch_add(MINUTE, Ordering::SeqCst);
    limited(&house);
    clock.fetch_add(MINUTE, Ordering::SeqCst);
    let right = pin("123456");
    house.clinic.set_pin(&id, &right, Some(&right)).unwrap();
    // Whoever knows it begins anew.
    let error = refused(&house, &id, "000000");
    assert!(matches!(error, ClinicError::Pin { .. }), "{error}");
    assert_eq!(count(&house, Action::WrongPin), 12);
    assert_eq!(count(&house, Action::DenyPin), 3);
}

#[test]
fn each_node_counts_for_itself_whatever_the_pin_opens() {
    let house = House::new("Hill Clinic");
    let away = House::new("River Hospital");
    let id = house.register("Amina");
    house.clinic.set_pin(&id, &pin("123456"), None).unwrap();
    let made = house.clinic.make_card(&id, &pin("123456")).unwrap();
    let by_card = |digits: &str| {
        let terms = GrantRequest {
            pin: Some(pin(digits)),
            ..GrantRequest::of_everything(String::new())
        };
        let text = made.key.clone();
        let tried = away.clinic.grant_by_card(&CardOrder { text, terms });
        tried.unwrap_err()
    };
    let error = by_card("000000");
    assert!(error.to_string().contains("after 9 more"), "{error}");
    let error = by_card("000001");
    assert!(error.to_string().contains("after 8 more"), "{error}");
    // The other clinic's node counts for itself.
    let error = refused(&house, &id, "000000");
    assert!(error.to_string().contains("after 9 more"), "{error}");
    let error = house.clinic.make_card(&id, &pin("000000")).unwrap_err();
    assert!(error.to_string().contains("after 8 more"), "{error}");
}

#[test]
fn nothing_in_the_store_tells_whose_pin_was_tried() {
    let house = House::new("Hill Clinic");
    let id = house.register("Amina");
    house.clinic.set_pin(&id, &pin("123456"), None).unwrap();
    refused(&house, &id, "000000");
    let chart = house.clinic.find_chart(&id).unwrap();
    let keys = house
        .clinic
        .store
        .keys(crate::store::Space::Settings, b"pin tries/");
    let keys: Vec<Vec<u8>> = keys.map(|key| key.unwrap().to_vec()).collect();
    assert_eq!(keys.len(), 1);
    let tells = |part: &[u8]| keys[0].windows(part.len()).any(|window| window == part);
    assert!(!tells(&chart.as_bytes()[..4]), "{keys:?}");
}
