//! Allergies: which there are, who has them, and the resources that say so.

use super::chart::Chart;
use super::dice::Dice;
use super::fhir::{coded, concept};
use super::json::Json;
use super::medicines::Class;

/// SNOMED CT, as a FHIR code system.
const SNOMED: &str = "http://snomed.info/sct";

/// An allergy that people have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Allergy {
    /// SNOMED CT code.
    snomed: &'static str,
    /// Its name.
    name: &'static str,
    /// FHIR category.
    category: &'static str,
    /// The class of medicines that it forbids.
    pub(super) class: Option<Class>,
    /// How common it is among those with an allergy.
    weight: u32,
    /// What happened.
    reactions: &'static [&'static str],
}

/// The allergies there are.
static ALLERGIES: &[Allergy] = &[
    Allergy {
        snomed: "91936005",
        name: "Allergy to penicillin",
        category: "medication",
        class: Some(Class::Penicillin),
        weight: 9,
        reactions: &[
            "Itching rash",
            "Swollen lips and hives",
            "Collapse within minutes",
        ],
    },
    Allergy {
        snomed: "91939003",
        name: "Allergy to sulfonamide",
        category: "medication",
        class: Some(Class::Sulfonamide),
        weight: 6,
        reactions: &["Blistering rash", "Rash with fever"],
    },
    Allergy {
        snomed: "293586001",
        name: "Allergy to aspirin",
        category: "medication",
        class: Some(Class::Nsaid),
        weight: 4,
        reactions: &["Wheeze", "Hives"],
    },
    Allergy {
        snomed: "91935009",
        name: "Allergy to peanut",
        category: "food",
        class: None,
        weight: 3,
        reactions: &["Vomiting and hives", "Swollen lips"],
    },
    Allergy {
        snomed: "424213003",
        name: "Allergy to bee venom",
        category: "environment",
        class: None,
        weight: 2,
        reactions: &["Large swelling", "Faint and short of breath"],
    },
];

/// What a chart says of allergies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nobody asked: the chart is silent.
    Never,
    /// Asked, and there is none.
    NoneKnown,
    /// Asked, and there is this one.
    Has(&'static Allergy),
}

impl Asked {
    /// What a person's chart says.
    pub(super) fn roll(dice: &mut Dice) -> Self {
        match dice.between(1, 100) {
            1..=16 => {
                let position = dice.weighted(ALLERGIES.iter().map(|allergy| allergy.weight));
                ALLERGIES.get(position).map_or(Self::NoneKnown, Self::Has)
            }
            17..=60 => Self::NoneKnown,
            _ => Self::Never,
        }
    }

    /// Whether a medicine of these classes must not be given.
    pub(super) fn forbids(self, classes: &[Class]) -> bool {
        match self {
            Self::Has(Allergy {
                class: Some(class), ..
            }) => classes.contains(class),
            Self::Has(_) | Self::NoneKnown | Self::Never => false,
        }
    }
}

/// Adds what is known of allergies to the chart.
pub(super) fn write(chart: &mut Chart) {
    let (snomed, name) = match chart.allergies {
        Asked::Never => return,
        Asked::NoneKnown => ("716186003", "No known allergy"),
        Asked::Has(allergy) => (allergy.snomed, allergy.name),
    };
    let id = chart.dice.uuid();
    let recorded = chart.first_moment();
    let mut body = Json::object()
        .with(
            "clinicalStatus",
            coded(
                "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                "active",
            ),
        )
        .with(
            "verificationStatus",
            coded(
                "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
                "confirmed",
            ),
        );
    if let Asked::Has(allergy) = chart.allergies {
        let criticality = if chart.dice.chance(40) { "high" } else { "low" };
        body = body
            .with("type", "allergy")
            .with("category", [allergy.category.into()])
            .with("criticality", criticality);
    }
    body = body
        .with("code", concept(SNOMED, snomed, name))
        .with("patient", chart.patient())
        .with("recordedDate", recorded);
    if let Asked::Has(allergy) = chart.allergies {
        let reaction = chart.dice.pick(allergy.reactions);
        let manifestation = Json::object().with("text", reaction);
        let reaction = Json::object().with("manifestation", [manifestation]);
        body = body.with("reaction", [reaction]);
    }
    chart.bundle.add("AllergyIntolerance", &id, None, body);
}
