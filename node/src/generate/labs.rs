//! Laboratory tests: their LOINC codes, units, and what they show.

/// What a test shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// A number: the usual range, and the range seen in those who have the problem, in units of
    /// 10^-`decimals`.
    Number {
        /// UCUM code.
        unit: &'static str,
        /// Digits behind the point.
        decimals: u32,
        /// The reference range.
        usual: (u32, u32),
        /// What is measured in those with the problem.
        seen: (u32, u32),
    },
    /// A finding, the first of which is the one expected with the problem.
    Finding(&'static [&'static str]),
}

/// A laboratory test.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lab {
    /// LOINC code.
    pub(super) loinc: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// What it shows.
    pub(super) shows: Shows,
}

const fn number(
    loinc: &'static str,
    name: &'static str,
    unit: &'static str,
    decimals: u32,
    usual: (u32, u32),
    seen: (u32, u32),
) -> Lab {
    Lab {
        loinc,
        name,
        shows: Shows::Number {
            unit,
            decimals,
            usual,
            seen,
        },
    }
}

const fn finding(loinc: &'static str, name: &'static str, of: &'static [&'static str]) -> Lab {
    Lab {
        loinc,
        name,
        shows: Shows::Finding(of),
    }
}

pub(super) static MALARIA_RDT: Lab = finding(
    "70569-9",
    "Plasmodium sp antigen, rapid test",
    &["Positive for P. falciparum", "Positive, species not told"],
);
pub(super) static HBA1C: Lab = number("4548-4", "Haemoglobin A1c", "%", 1, (40, 60), (61, 112));
pub(super) static FASTING_GLUCOSE: Lab = number(
    "14771-0",
    "Fasting glucose",
    "mmol/L",
    1,
    (39, 61),
    (64, 148),
);
pub(super) static CREATININE: Lab =
    number("14682-9", "Creatinine", "umol/L", 0, (45, 104), (52, 131));
pub(super) static POTASSIUM: Lab = number("2823-3", "Potassium", "mmol/L", 1, (35, 51), (34, 54));
pub(super) static HAEMOGLOBIN: Lab =
    number("718-7", "Haemoglobin", "g/dL", 1, (110, 165), (96, 142));
pub(super) static LOW_HAEMOGLOBIN: Lab =
    number("718-7", "Haemoglobin", "g/dL", 1, (110, 165), (62, 104));
pub(super) static VIRAL_LOAD: Lab = number(
    "20447-9",
    "HIV 1 RNA, viral load",
    "{copies}/mL",
    0,
    (0, 50),
    (0, 900),
);
pub(super) static CD4: Lab = number("24467-3", "CD4 cells", "/uL", 0, (500, 1500), (180, 840));
pub(super) static SPUTUM_SMEAR: Lab = finding(
    "11545-1",
    "Sputum smear, acid-fast stain",
    &[
        "Acid-fast bacilli 2+",
        "Acid-fast bacilli 1+",
        "Scanty acid-fast bacilli",
    ],
);
pub(super) static URINE_LEUCOCYTES: Lab = finding(
    "5799-2",
    "Leucocyte esterase in urine, test strip",
    &["2+", "1+", "3+"],
);
pub(super) static URINE_PROTEIN: Lab = finding(
    "20454-5",
    "Protein in urine, test strip",
    &["Negative", "Trace"],
);
pub(super) static SYPHILIS: Lab = finding("20507-0", "Reagin antibody (RPR)", &["Non-reactive"]);
pub(super) static TSH: Lab = number("3016-3", "Thyrotropin", "m[IU]/L", 2, (40, 420), (310, 980));
pub(super) static PHQ9: Lab = number(
    "44261-6",
    "PHQ-9 total score",
    "{score}",
    0,
    (0, 4),
    (6, 19),
);
pub(super) static STOOL: Lab = finding(
    "10704-3",
    "Ova and parasites in stool, light microscopy",
    &[
        "Ascaris lumbricoides eggs",
        "Hookworm eggs",
        "Trichuris trichiura eggs",
    ],
);
