//! Problems that come and go with one visit.

use super::{Condition, Course::Acute, problem};
use crate::generate::labs;
use crate::generate::medicines as m;

/// Passing problems.
pub(in crate::generate) static ACUTE: &[Condition] = &[
    Condition {
        has_fever: true,
        is_malaria: true,
        treatment: &[
            &[&m::ARTEMETHER_LUMEFANTRINE, &m::ARTESUNATE],
            &[&m::PARACETAMOL],
        ],
        labs: &[&labs::MALARIA_RDT, &labs::HAEMOGLOBIN],
        complaints: &[
            "Fever for two days, chills.",
            "Hot body, vomited once, eats little.",
        ],
        findings: &["Hot, no stiff neck.", "Pale palms, spleen not felt."],
        plans: &[
            "First dose given here. Sleep under a net.",
            "Back at once if worse.",
        ],
        ..problem(
            "B50.9",
            "Plasmodium falciparum malaria",
            Acute,
            (0, 95),
            [30, 24, 14, 9],
        )
    },
    Condition {
        has_fever: true,
        treatment: &[
            &[&m::AMOXICILLIN, &m::AZITHROMYCIN, &m::ERYTHROMYCIN],
            &[&m::PARACETAMOL],
        ],
        complaints: &[
            "Cough and fast breathing since yesterday.",
            "Cough with fever for four days.",
        ],
        findings: &[
            "Crackles at the left base, no indrawing.",
            "Bronchial breathing on the right.",
        ],
        plans: &["Review in two days."],
        ..problem("J18.9", "Pneumonia", Acute, (0, 95), [20, 8, 6, 10])
    },
    Condition {
        treatment: &[&[&m::ORS], &[&m::ZINC]],
        complaints: &[
            "Watery stools, five a day.",
            "Loose stools and vomiting since the morning.",
        ],
        findings: &["Some dehydration, drinks eagerly.", "Not dehydrated."],
        plans: &[
            "Drink after each stool, go on eating.",
            "Boil drinking water.",
        ],
        ..problem("A09.9", "Gastroenteritis", Acute, (0, 95), [24, 12, 7, 7])
    },
    Condition {
        treatment: &[&[&m::NITROFURANTOIN, &m::FOSFOMYCIN]],
        labs: &[&labs::URINE_LEUCOCYTES],
        complaints: &[
            "Burning on passing urine.",
            "Passes urine often, pain above the pubis.",
        ],
        findings: &["No pain over the kidneys.", "Lower belly tender."],
        plans: &["Drink plenty."],
        ..problem(
            "N39.0",
            "Urinary tract infection",
            Acute,
            (12, 95),
            [0, 3, 14, 12],
        )
    },
    Condition {
        treatment: &[&[&m::CLOXACILLIN, &m::ERYTHROMYCIN]],
        complaints: &["Sore on the shin that grows.", "Boil on the back."],
        findings: &[
            "Crusted sore of 3 cm, red around.",
            "Tender swelling of 2 cm.",
        ],
        plans: &["Wash with soap and cover."],
        ..problem("L08.9", "Infection of skin", Acute, (1, 95), [10, 14, 8, 7])
    },
    Condition {
        has_fever: true,
        treatment: &[
            &[&m::AMOXICILLIN, &m::AZITHROMYCIN, &m::ERYTHROMYCIN],
            &[&m::PARACETAMOL],
        ],
        complaints: &["Pulls at the ear and cries.", "Pus from the right ear."],
        findings: &["Right drum red and bulging.", "Discharge in the canal."],
        plans: &["Dry the ear with a wick."],
        ..problem("H66.9", "Otitis media", Acute, (0, 14), [13, 9, 0, 0])
    },
    Condition {
        treatment: &[&[&m::PARACETAMOL]],
        complaints: &["Runny nose and cough.", "Sore throat for three days."],
        findings: &["Throat red, chest clear.", "Breathes normally."],
        plans: &["Warm drinks, no antibiotic needed."],
        ..problem(
            "J06.9",
            "Upper respiratory infection",
            Acute,
            (0, 95),
            [20, 20, 14, 11],
        )
    },
    Condition {
        treatment: &[&[&m::ALBENDAZOLE]],
        labs: &[&labs::STOOL],
        complaints: &["Belly aches, saw a worm.", "Eats well but stays thin."],
        findings: &["Belly soft, a little swollen."],
        plans: &["Wash hands, wear shoes."],
        ..problem(
            "B82.0",
            "Intestinal helminthiasis",
            Acute,
            (1, 60),
            [9, 14, 4, 2],
        )
    },
    Condition {
        treatment: &[&[&m::IBUPROFEN, &m::PARACETAMOL]],
        complaints: &[
            "Back hurts since the harvest.",
            "Low back pain after lifting.",
        ],
        findings: &[
            "Muscles tense, legs strong.",
            "Straight leg raising is free.",
        ],
        plans: &["Keep moving, lift from the knees."],
        ..problem("M54.5", "Low back pain", Acute, (16, 95), [0, 0, 16, 18])
    },
    Condition {
        treatment: &[&[&m::OMEPRAZOLE]],
        complaints: &["Burning behind the breastbone after meals."],
        findings: &["Belly soft, slight pain above the navel."],
        plans: &["Smaller meals, none before lying down."],
        ..problem(
            "K21.9",
            "Gastro-oesophageal reflux",
            Acute,
            (18, 95),
            [0, 0, 9, 9],
        )
    },
    Condition {
        treatment: &[&[&m::IRON, &m::IRON_SYRUP]],
        labs: &[&labs::LOW_HAEMOGLOBIN],
        complaints: &[
            "Tired, short of breath on the hill.",
            "Craves earth, tires quickly.",
        ],
        findings: &["Pale palms and conjunctivae."],
        plans: &[
            "Greens, beans and meat when there is some.",
            "Repeat haemoglobin in a month.",
        ],
        ..problem(
            "D50.9",
            "Iron deficiency anaemia",
            Acute,
            (1, 80),
            [8, 5, 8, 4],
        )
    },
];
