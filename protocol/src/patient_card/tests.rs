use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::text::CardKind;
use super::*;
use crate::codec::CodecError;
use crate::golden::golden;
use crate::id::ChartId;
use crate::identity::{Card, NodeCertificate, NodeRole, PatientKey, Verified};
use crate::ledger::{Body, ChartSecret, EmergencyCode, Genesis, Signer, Statement};
use crate::limits::MAX_SUMMARY_CARD_BYTES;
use crate::seal::wrap_first_secret;
use crate::world::{NOW_MS, World};

fn cheap() -> PinCost {
    PinCost::new(8, 1).unwrap()
}

fn pin(digits: &str) -> PatientPin {
    PatientPin::new(digits).unwrap()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(5)
}

/// A patient whose chart the first clinic of the world keeps.
struct Patient {
    opened: Opened,
    genesis: Verified<Statement>,
}

impl Patient {
    fn new(world: &World, seed: u8) -> Self {
        let home = &world.clinics[0];
        let key = PatientKey::from_bytes(Zeroizing::new([seed; 32]));
        let secret = ChartSecret::from_bytes(Zeroizing::new([seed; 32]));
        let sealing = home.sealing.public();
        let wrap = wrap_first_secret(&mut rng(), &key.id(), &home.id(), &sealing, &secret);
        let genesis = Genesis {
            patient: key.id(),
            custodian: home.id(),
            created_ms: NOW_MS,
            nonce: [seed; 16],
            secret: wrap.unwrap(),
        };
        let genesis = Body::Genesis(genesis).sign(Signer::Patient(&key));
        Self {
            opened: Opened { key, secret },
            genesis: genesis.unwrap(),
        }
    }

    fn chart(&self) -> ChartId {
        self.genesis.payload().chart()
    }

    fn card(&self, home: &Card) -> KeyCard {
        let lock = (&pin("246810"), cheap());
        let made = KeyCard::make(
            &mut rng(),
            lock,
            &self.opened,
            (&self.genesis, home),
            NOW_MS,
        );
        made.unwrap()
    }
}

fn card_of(world: &World, clinic: usize, addresses: &[String]) -> Card {
    let clinic = &world.clinics[clinic];
    Card::issue(
        &clinic.key,
        "Hillside Clinic",
        &clinic.certificate,
        addresses,
    )
    .unwrap()
}

fn address() -> Vec<String> {
    vec!["/ip4/192.0.2.7/udp/4001/quic-v1".to_owned()]
}

fn code(byte: u8) -> EmergencyCode {
    ChartSecret::from_bytes(Zeroizing::new([byte; 32])).emergency_code()
}

fn summary(world: &World, chart: ChartId) -> CardSummary {
    let words = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    CardSummary {
        chart,
        clinic: world.id(0),
        clinic_name: "Hillside Clinic".to_owned(),
        made_ms: NOW_MS,
        name: "Amina Nakato".to_owned(),
        birth_date: Some("1987-04-02".to_owned()),
        sex: Some("female".to_owned()),
        blood_group: Some("O Rh positive".to_owned()),
        contact: Some("Peter Nakato, +256 700 000001".to_owned()),
        allergies_known: AllergiesKnown::Listed,
        allergies: words(&["Penicillin (high risk)"]),
        medications: words(&["Metformin 500 mg, twice a day"]),
        problems: words(&["Diabetes mellitus type 2"]),
        left_out: LeftOut::default(),
    }
}

#[test]
fn a_card_opens_with_its_pin_and_with_no_other() {
    let world = World::new(1, 1);
    let patient = Patient::new(&world, 7);
    let made = patient.card(&card_of(&world, 0, &address()));
    let read = KeyCard::parse(&made.to_text()).unwrap();
    assert_eq!(read, made);
    assert_eq!((read.chart(), read.made_ms()), (patient.chart(), NOW_MS));
    assert_eq!(read.home().clinic(), world.id(0));
    let opened = read.open(&pin("246810")).unwrap();
    assert_eq!(opened.key.id(), patient.opened.key.id());
    assert!(opened.secret == patient.opened.secret);
    for wrong in ["246811", "000000", "2468100"] {
        let found = read.open(&pin(wrong)).err();
        assert_eq!(found, Some(KeyCardError::WrongPin), "{wrong}");
    }
}

#[test]
fn a_card_that_was_altered_anywhere_is_refused_before_a_pin_is_tried() {
    let world = World::new(1, 1);
    let made = Patient::new(&world, 7).card(&card_of(&world, 0, &address()));
    let bytes = CardText::read(&made.to_text())
        .unwrap()
        .expect(CardKind::Key)
        .unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let text = CardText::new(CardKind::Key, altered).to_text();
        assert!(KeyCard::parse(&text).is_err(), "byte {at}");
        let cut = CardText::new(CardKind::Key, bytes[..at].to_vec()).to_text();
        assert!(KeyCard::parse(&cut).is_err(), "{at} bytes");
    }
}

/// The bytes of one card in which everything that another one has in common with it as a form is
/// that of the other.
fn spliced(one: &KeyCard, other: &KeyCard, part: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let bytes = |card: &KeyCard| {
        let text = CardText::read(&card.to_text()).unwrap();
        text.expect(CardKind::Key).unwrap()
    };
    let (mine, theirs) = (part(&bytes(one)), part(&bytes(other)));
    assert_eq!(mine.len(), theirs.len(), "the same form");
    let whole = bytes(one);
    let at = whole
        .windows(mine.len())
        .position(|window| window == mine)
        .unwrap();
    let mut spliced = whole;
    spliced.splice(at..at + mine.len(), theirs);
    CardText::new(CardKind::Key, spliced).to_text()
}

#[test]
fn two_patients_on_one_card_are_refused() {
    let world = World::new(1, 1);
    let home = card_of(&world, 0, &address());
    let [one, other] = [7, 8].map(|seed| Patient::new(&world, seed).card(&home));
    // The sealed key, with its tag, lies before the signature.
    let sealed = |bytes: &[u8]| bytes[bytes.len() - 64 - 80..bytes.len() - 64].to_vec();
    let genesis_len = one.genesis().to_bytes().len();
    let genesis = move |bytes: &[u8]| {
        // version, two arrays of which the second is the head, and a length of two bytes
        bytes[6..6 + genesis_len].to_vec()
    };
    for text in [
        spliced(&one, &other, sealed),
        spliced(&one, &other, genesis),
    ] {
        assert_eq!(KeyCard::parse(&text), Err(KeyCardError::Forged));
    }
}

#[test]
fn a_card_with_another_patients_key_under_the_pin_is_refused() {
    let world = World::new(1, 1);
    let home = card_of(&world, 0, &address());
    let (patient, other) = (Patient::new(&world, 7), Patient::new(&world, 8));
    let made = KeyCard::make(
        &mut rng(),
        (&pin("246810"), cheap()),
        &other.opened,
        (&patient.genesis, &home),
        NOW_MS,
    );
    assert_eq!(made, Err(KeyCardError::NoChart));
}

#[test]
fn a_card_names_the_home_clinic_of_its_chart_and_no_other() {
    let world = World::new(1, 2);
    let patient = Patient::new(&world, 7);
    let make = |home: &Card| {
        let lock = (&pin("246810"), cheap());
        let parts = (&patient.genesis, home);
        KeyCard::make(&mut rng(), lock, &patient.opened, parts, NOW_MS)
    };
    let other = card_of(&world, 1, &address());
    assert_eq!(make(&other), Err(KeyCardError::OtherHome));
    let home = &world.clinics[0];
    let relay = NodeCertificate {
        role: NodeRole::Relay,
        ..home.certificate.payload().clone()
    };
    let relay = relay.issue(&home.key).unwrap();
    let relay = Card::issue(&home.key, "Relay", &relay, &[]).unwrap();
    assert_eq!(make(&relay), Err(KeyCardError::OtherHome));
    let long = card_of(&world, 0, &vec!["/".repeat(200); 4]);
    let found = make(&long);
    let too_large = matches!(
        found,
        Err(KeyCardError::OutOfBounds(CodecError::TooLarge { .. }))
    );
    assert!(too_large, "{found:?}");
}

#[test]
fn a_statement_that_begins_no_chart_is_no_card() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let home = card_of(&world, 0, &address());
    let patient = Patient::new(&world, 7);
    let lock = (&pin("246810"), cheap());
    let made = KeyCard::make(&mut rng(), lock, &patient.opened, (&grant, &home), NOW_MS);
    assert_eq!(made, Err(KeyCardError::NoChart));
}

#[test]
fn an_unknown_version_is_named() {
    let world = World::new(1, 1);
    let patient = Patient::new(&world, 7);
    let key = patient.card(&card_of(&world, 0, &[])).to_text();
    let sealed = signed(&summary(&world, patient.chart()), &world);
    let newer = |text: &str, kind| {
        let mut bytes = CardText::read(text).unwrap().expect(kind).unwrap();
        bytes[0] = 2;
        CardText::new(kind, bytes).to_text()
    };
    let found = KeyCard::parse(&newer(&key, CardKind::Key));
    assert_eq!(found, Err(KeyCardError::UnknownVersion));
    let found = SummaryCard::parse(&newer(&sealed.to_text(), CardKind::Summary));
    assert_eq!(found, Err(SummaryCardError::UnknownVersion));
}

fn signed(summary: &CardSummary, world: &World) -> SummaryCard {
    let signed = summary.clone().sign(&world.clinics[0].key).unwrap();
    SummaryCard::seal(&mut rng(), &signed, &code(7)).unwrap()
}

#[test]
fn a_summary_opens_with_the_emergency_code_of_its_card_and_with_no_other() {
    let world = World::new(1, 1);
    let written = summary(&world, world.chart);
    let made = signed(&written, &world);
    let read = SummaryCard::parse(&made.to_text()).unwrap();
    assert_eq!((read.chart(), &read), (world.chart, &made));
    assert_eq!(read.open(&code(7)).unwrap().payload(), &written);
    let found = read.open(&code(8)).unwrap_err();
    assert_eq!(found, SummaryCardError::WrongCode);
}

#[test]
fn a_summary_that_was_altered_or_that_no_clinic_signed_is_refused() {
    let world = World::new(1, 2);
    let made = signed(&summary(&world, world.chart), &world);
    let bytes = CardText::read(&made.to_text())
        .unwrap()
        .expect(CardKind::Summary)
        .unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let text = CardText::new(CardKind::Summary, altered).to_text();
        let opened = SummaryCard::parse(&text).and_then(|card| card.open(&code(7)));
        assert!(opened.is_err(), "byte {at}");
    }
    let by_other = summary(&world, world.chart).sign(&world.clinics[1].key);
    assert!(by_other.is_err());
}

/// Letters of every length in UTF-8, and what is no letter.
fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a-zéß\u{7}Ω字👶 ]{0,60}").unwrap()
}

fn any_summary(world: &World) -> impl Strategy<Value = CardSummary> + use<> {
    let lists = proptest::collection::vec(proptest::collection::vec(text(), 0..90), 3);
    let plain = summary(world, world.chart);
    let texts = proptest::collection::vec(text(), 3);
    (lists, texts).prop_map(move |(mut lists, texts)| CardSummary {
        problems: lists.pop().unwrap(),
        medications: lists.pop().unwrap(),
        allergies: lists.pop().unwrap(),
        name: texts[0].clone(),
        contact: Some(texts[1].clone()),
        clinic_name: texts[2].clone(),
        ..plain.clone()
    })
}

proptest! {
    #[test]
    fn any_summary_is_made_to_fit_and_says_what_it_lacks(
        written in any_summary(&World::new(1, 1))
    ) {
        let world = World::new(1, 1);
        let fitted = written.clone().fitted();
        let made = signed(&fitted, &world);
        let text = CardText::read(&made.to_text()).unwrap();
        prop_assert!(text.expect(CardKind::Summary).unwrap().len() <= MAX_SUMMARY_CARD_BYTES);
        let opened = made.open(&code(7)).unwrap();
        prop_assert_eq!(opened.payload(), &fitted);
        let counts = |one: &CardSummary| {
            let LeftOut { allergies, medications, problems, .. } = one.left_out;
            [
                one.allergies.len() + usize::from(allergies),
                one.medications.len() + usize::from(medications),
                one.problems.len() + usize::from(problems),
            ]
        };
        prop_assert_eq!(counts(&fitted), counts(&written));
        // The worst comes first, and allergies go last.
        if !fitted.problems.is_empty() {
            let LeftOut { allergies, medications, .. } = fitted.left_out;
            let whole = |left: u16, list: &[String]| left == 0 || list.len() >= 64;
            prop_assert!(whole(allergies, &fitted.allergies));
            prop_assert!(whole(medications, &fitted.medications));
        }
        // To make it fit again changes nothing.
        prop_assert_eq!(fitted.clone().fitted(), fitted);
    }
}

#[test]
fn a_long_text_is_cut_between_letters_and_says_so() {
    let world = World::new(1, 1);
    let mut written = summary(&world, world.chart);
    written.allergies = vec!["字".repeat(30), "a\nb".to_owned()];
    let fitted = written.fitted();
    assert_eq!(
        fitted.allergies,
        [format!("{}…", "字".repeat(20)), "a b".to_owned()]
    );
    assert_eq!(fitted.left_out.shortened, 1);
    assert!(fitted.is_trimmed());
}

#[test]
fn cards_are_written_as_ever() {
    let world = World::new(1, 1);
    let patient = Patient::new(&world, 7);
    let card = patient.card(&card_of(&world, 0, &address()));
    let file = golden("patient-card.txt", card.to_text().as_bytes());
    let read = KeyCard::parse(str::from_utf8(&file).unwrap()).unwrap();
    let opened = read.open(&pin("246810")).unwrap();
    assert_eq!(opened.key.id(), patient.opened.key.id());

    let written = summary(&world, patient.chart());
    let card = signed(&written, &world);
    let file = golden("patient-card-summary.txt", card.to_text().as_bytes());
    let read = SummaryCard::parse(str::from_utf8(&file).unwrap()).unwrap();
    assert_eq!(read.open(&code(7)).unwrap().payload(), &written);
}

#[test]
fn refusals_say_what_they_always_said() {
    let codec = CodecError::Malformed { at: 7 };
    let texts: Vec<String> = [
        PinError.to_string(),
        CardTextError::NotACard.to_string(),
        CardTextError::IsSummary.to_string(),
        CardTextError::IsKey.to_string(),
        CardTextError::TooLong.to_string(),
        CardTextError::Damaged.to_string(),
        KeyCardError::UnknownVersion.to_string(),
        KeyCardError::Malformed(codec).to_string(),
        KeyCardError::Forged.to_string(),
        KeyCardError::NoChart.to_string(),
        KeyCardError::OtherHome.to_string(),
        KeyCardError::WrongPin.to_string(),
        KeyCardError::OtherChart.to_string(),
        KeyCardError::OutOfBounds(codec).to_string(),
        SummaryCardError::WrongCode.to_string(),
        SummaryCardError::Forged.to_string(),
        SummaryCardError::OtherChart.to_string(),
    ]
    .into();
    let all = format!("{}\n", texts.join("\n"));
    golden("patient-card-errors.txt", all.as_bytes());
}
