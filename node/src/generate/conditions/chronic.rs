//! Problems that stay, and what is taken for them for good.

use super::{Condition, Course::Chronic, Label, problem};
use crate::generate::labs;
use crate::generate::medicines as m;

/// Persistent problems.
pub(in crate::generate) static CHRONIC: &[Condition] = &[
    Condition {
        treatment: &[
            &[&m::AMLODIPINE, &m::METHYLDOPA],
            &[&m::HYDROCHLOROTHIAZIDE, &m::ENALAPRIL],
        ],
        labs: &[&labs::CREATININE, &labs::POTASSIUM],
        complaints: &[
            "Comes for review, no complaint.",
            "Headache in the mornings.",
            "Ran out of tablets last week.",
        ],
        findings: &[
            "No oedema, chest clear.",
            "Heart sounds normal.",
            "Fundi not examined.",
        ],
        plans: &[
            "Less salt, walk daily.",
            "Continue the same tablets, review in two months.",
        ],
        ..problem(
            "I10",
            "Essential (primary) hypertension",
            Chronic,
            (30, 95),
            [0, 0, 9, 46],
        )
    },
    Condition {
        treatment: &[&[&m::METFORMIN], &[&m::GLIBENCLAMIDE]],
        labs: &[&labs::FASTING_GLUCOSE, &labs::HBA1C, &labs::CREATININE],
        complaints: &[
            "Thirsty and passing much urine.",
            "Feels well.",
            "Tingling in both feet.",
        ],
        findings: &[
            "Feet intact, pulses felt.",
            "Dry skin on the heels, no ulcer.",
        ],
        plans: &["Foot care explained.", "Diet reviewed with the family."],
        ..problem(
            "E11.9",
            "Type 2 diabetes mellitus",
            Chronic,
            (35, 95),
            [0, 0, 4, 17],
        )
    },
    Condition {
        treatment: &[&[&m::SALBUTAMOL], &[&m::BECLOMETASONE]],
        complaints: &[
            "Coughs at night.",
            "Wheeze when the harvest dust is in the air.",
        ],
        findings: &[
            "Scattered wheeze, speaks in sentences.",
            "Chest clear today.",
        ],
        plans: &["Inhaler technique shown.", "Keep away from cooking smoke."],
        ..problem("J45.9", "Asthma", Chronic, (3, 80), [3, 9, 6, 5])
    },
    Condition {
        label: Some(Label {
            code: "HIV",
            display: "HIV/AIDS information sensitivity",
            percent: 70,
        }),
        treatment: &[
            &[&m::TENOFOVIR_LAMIVUDINE_DOLUTEGRAVIR],
            &[&m::COTRIMOXAZOLE],
        ],
        labs: &[&labs::VIRAL_LOAD, &labs::CD4],
        complaints: &[
            "Comes for refill, no missed doses.",
            "Missed three doses while travelling.",
        ],
        findings: &["No oral thrush, no enlarged nodes.", "Weight stable."],
        plans: &[
            "Adherence support, refill for three months.",
            "Repeat viral load in six months.",
        ],
        ..problem("B24", "HIV disease", Chronic, (16, 75), [0, 0, 8, 5])
    },
    Condition {
        treatment: &[&[&m::RHZE], &[&m::PYRIDOXINE]],
        labs: &[&labs::SPUTUM_SMEAR],
        complaints: &[
            "Cough for five weeks, sweats at night.",
            "Cough less, appetite back.",
        ],
        findings: &["Crackles at the right apex.", "Thin, no enlarged nodes."],
        plans: &[
            "Treatment observed by a neighbour.",
            "Household contacts to be screened.",
        ],
        ..problem(
            "A15.0",
            "Tuberculosis of lung",
            Chronic,
            (15, 85),
            [0, 0, 3, 4],
        )
    },
    Condition {
        treatment: &[&[&m::FOLIC_ACID], &[&m::PENICILLIN_V]],
        labs: &[&labs::LOW_HAEMOGLOBIN],
        complaints: &[
            "Pain in both legs since yesterday.",
            "Comes for review, no crisis since.",
        ],
        findings: &["Pale, sclerae slightly yellow.", "Spleen tip felt."],
        plans: &[
            "Drink plenty, come at once with fever.",
            "Keep the vaccines up to date.",
        ],
        ..problem(
            "D57.1",
            "Sickle-cell disease",
            Chronic,
            (1, 45),
            [3, 3, 1, 0],
        )
    },
    Condition {
        treatment: &[&[&m::CARBAMAZEPINE, &m::LAMOTRIGINE]],
        complaints: &["Two fits this month.", "No fit since the last visit."],
        findings: &[
            "Alert, walks normally.",
            "Old burn scar on the left forearm.",
        ],
        plans: &[
            "Never stop the tablets at once.",
            "Keep away from open fires and wells.",
        ],
        ..problem("G40.9", "Epilepsy", Chronic, (5, 80), [0, 3, 3, 2])
    },
    Condition {
        treatment: &[&[&m::PHENOBARBITAL, &m::LAMOTRIGINE]],
        complaints: &["One fit at night.", "Drowsy in the mornings."],
        findings: &["Reflexes equal.", "No new injury."],
        plans: &["Same dose, review in three months."],
        ..problem(
            "G40.3",
            "Generalized idiopathic epilepsy",
            Chronic,
            (15, 80),
            [0, 0, 1, 1],
        )
    },
    Condition {
        label: Some(Label {
            code: "PSY",
            display: "psychiatry disorder information sensitivity",
            percent: 60,
        }),
        treatment: &[&[&m::FLUOXETINE, &m::AMITRIPTYLINE]],
        labs: &[&labs::PHQ9],
        complaints: &[
            "Sleeps badly, no joy in anything.",
            "A little better, goes to market again.",
        ],
        findings: &[
            "Speaks slowly, no thought of harming self.",
            "Better eye contact.",
        ],
        plans: &["Talking sessions weekly.", "Sister will keep the tablets."],
        ..problem(
            "F32.9",
            "Depressive episode",
            Chronic,
            (18, 85),
            [0, 0, 5, 4],
        )
    },
    Condition {
        treatment: &[&[&m::LEVOTHYROXINE]],
        labs: &[&labs::TSH],
        complaints: &["Tired and cold.", "Feels well."],
        findings: &["Small goitre, no nodule.", "Pulse regular."],
        plans: &["Tablet on an empty stomach."],
        ..problem("E03.9", "Hypothyroidism", Chronic, (18, 90), [0, 0, 2, 3])
    },
    Condition {
        treatment: &[&[&m::PARACETAMOL]],
        complaints: &[
            "Knees hurt on the way to the field.",
            "Stiff for a while each morning.",
        ],
        findings: &["Crepitus in both knees, no effusion."],
        plans: &["Exercises shown, a stick on the other side."],
        ..problem("M17.9", "Gonarthrosis", Chronic, (50, 95), [0, 0, 0, 14])
    },
];
