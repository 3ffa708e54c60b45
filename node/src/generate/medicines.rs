//! Medicines of a district clinic: what they hold, and what is given of them at which age.
//! Doses and codes serve to look plausible. They were not checked against a formulary: nobody
//! may be treated by them.

/// A substance class to which people are allergic, or that matters in pregnancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Penicillins.
    Penicillin,
    /// Sulfonamides, those that are no antibiotics included.
    Sulfonamide,
    /// Aspirin and the other non-steroidal anti-inflammatory drugs.
    Nsaid,
}

/// How often a dose is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Often {
    /// So many times a day.
    Daily(u32),
    /// One time, and no more.
    Once,
    /// When needed, at most so many times a day.
    AsNeeded(u32),
}

/// The dose at an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dose {
    /// From this age in months.
    pub(super) from_months: u32,
    /// To this age in months, not included.
    pub(super) to_months: u32,
    /// How much at a time.
    pub(super) amount: u32,
    /// How often.
    pub(super) often: Often,
}

/// A medicine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Medicine {
    /// Its code in the Anatomical Therapeutic Chemical classification.
    pub(super) atc: &'static str,
    /// Its name and form.
    pub(super) name: &'static str,
    /// The UCUM code of the amounts.
    pub(super) unit: &'static str,
    /// The amounts' unit as people read it, one and several.
    pub(super) words: (&'static str, &'static str),
    /// The way into the body.
    pub(super) route: &'static str,
    /// The classes of what it holds.
    pub(super) classes: &'static [Class],
    /// Whether a pregnant woman may take it.
    pub(super) in_pregnancy: bool,
    /// Days of a course; 0: until told otherwise.
    pub(super) days: u32,
    /// The doses by age; an age without one must not have the medicine.
    pub(super) doses: &'static [Dose],
}

impl Medicine {
    /// The dose at an age in months; `None` where there is none.
    pub(super) fn dose_at(&self, months: u32) -> Option<&'static Dose> {
        self.doses
            .iter()
            .find(|dose| (dose.from_months..dose.to_months).contains(&months))
    }
}

/// No upper limit of age.
const EVER: u32 = u32::MAX;
/// 15 years.
const GROWN: u32 = 180;
const MG: (&str, (&str, &str)) = ("mg", ("mg", "mg"));
const TABLET: (&str, (&str, &str)) = ("{tbl}", ("tablet", "tablets"));
const PUFF: (&str, (&str, &str)) = ("{puff}", ("puff", "puffs"));

const fn dose(from_months: u32, to_months: u32, amount: u32, often: Often) -> Dose {
    Dose {
        from_months,
        to_months,
        amount,
        often,
    }
}

/// A medicine by mouth that anyone of the right age may take.
const fn oral(
    atc: &'static str,
    name: &'static str,
    unit: (&'static str, (&'static str, &'static str)),
    days: u32,
    doses: &'static [Dose],
) -> Medicine {
    Medicine {
        atc,
        name,
        unit: unit.0,
        words: unit.1,
        route: "by mouth",
        classes: &[],
        in_pregnancy: true,
        days,
        doses,
    }
}

impl Medicine {
    const fn of(mut self, classes: &'static [Class]) -> Self {
        self.classes = classes;
        self
    }

    const fn not_in_pregnancy(mut self) -> Self {
        self.in_pregnancy = false;
        self
    }

    const fn by(mut self, route: &'static str) -> Self {
        self.route = route;
        self
    }
}

use Class::{Nsaid, Penicillin, Sulfonamide};
use Often::{AsNeeded, Daily, Once};

macro_rules! medicines {
    ($($name:ident = $medicine:expr;)*) => {
        $(pub(super) static $name: Medicine = $medicine;)*
        /// Every medicine there is.
        #[cfg(test)]
        pub(super) static ALL: &[&Medicine] = &[$(&$name),*];
    };
}

medicines! {
    AMLODIPINE = oral("C08CA01", "Amlodipine 5 mg tablet", MG, 0, &[dose(GROWN, EVER, 5, Daily(1))])
        .not_in_pregnancy();
    ENALAPRIL = oral("C09AA02", "Enalapril 10 mg tablet", MG, 0, &[dose(GROWN, EVER, 10, Daily(1))])
        .not_in_pregnancy();
    HYDROCHLOROTHIAZIDE = oral("C03AA03", "Hydrochlorothiazide 25 mg tablet", MG, 0,
        &[dose(GROWN, EVER, 25, Daily(1))]).of(&[Sulfonamide]).not_in_pregnancy();
    METHYLDOPA = oral("C02AB01", "Methyldopa 250 mg tablet", MG, 0,
        &[dose(GROWN, EVER, 250, Daily(3))]);
    METFORMIN = oral("A10BA02", "Metformin 500 mg tablet", MG, 0,
        &[dose(GROWN, EVER, 500, Daily(2))]);
    GLIBENCLAMIDE = oral("A10BB01", "Glibenclamide 5 mg tablet", MG, 0,
        &[dose(GROWN, EVER, 5, Daily(1))]).of(&[Sulfonamide]).not_in_pregnancy();
    SALBUTAMOL = oral("R03AC02", "Salbutamol inhaler 100 micrograms a puff", PUFF, 0,
        &[dose(12, EVER, 2, AsNeeded(4))]).by("inhaled");
    BECLOMETASONE = oral("R03BA01", "Beclometasone inhaler 100 micrograms a puff", PUFF, 0,
        &[dose(60, 144, 1, Daily(2)), dose(144, EVER, 2, Daily(2))]).by("inhaled");
    TENOFOVIR_LAMIVUDINE_DOLUTEGRAVIR = oral("J05AR27",
        "Tenofovir disoproxil 300 mg, lamivudine 300 mg and dolutegravir 50 mg tablet", TABLET, 0,
        &[dose(GROWN, EVER, 1, Daily(1))]);
    COTRIMOXAZOLE = oral("J01EE01", "Sulfamethoxazole 800 mg and trimethoprim 160 mg tablet",
        TABLET, 0, &[dose(GROWN, EVER, 1, Daily(1))]).of(&[Sulfonamide]).not_in_pregnancy();
    RHZE = oral("J04AM06", "Rifampicin 150 mg, isoniazid 75 mg, pyrazinamide 400 mg and ethambutol \
        275 mg tablet", TABLET, 56, &[dose(GROWN, EVER, 3, Daily(1))]);
    PYRIDOXINE = oral("A11HA02", "Pyridoxine 25 mg tablet", MG, 56,
        &[dose(GROWN, EVER, 25, Daily(1))]);
    FOLIC_ACID = oral("B03BB01", "Folic acid tablet", MG, 0,
        &[dose(0, 12, 1, Daily(1)), dose(12, EVER, 5, Daily(1))]);
    PENICILLIN_V = oral("J01CE02", "Phenoxymethylpenicillin 125 mg per 5 ml", MG, 0,
        &[dose(2, 36, 125, Daily(2)), dose(36, EVER, 250, Daily(2))]).of(&[Penicillin]);
    CARBAMAZEPINE = oral("N03AF01", "Carbamazepine 100 mg tablet", MG, 0,
        &[dose(60, 120, 100, Daily(2)), dose(120, EVER, 200, Daily(2))]).not_in_pregnancy();
    PHENOBARBITAL = oral("N03AA02", "Phenobarbital 30 mg tablet", MG, 0,
        &[dose(GROWN, EVER, 60, Daily(1))]).not_in_pregnancy();
    LAMOTRIGINE = oral("N03AX09", "Lamotrigine 50 mg tablet", MG, 0,
        &[dose(GROWN, EVER, 50, Daily(2))]);
    FLUOXETINE = oral("N06AB03", "Fluoxetine 20 mg capsule", MG, 0,
        &[dose(216, EVER, 20, Daily(1))]);
    AMITRIPTYLINE = oral("N06AA09", "Amitriptyline 25 mg tablet", MG, 0,
        &[dose(216, EVER, 25, Daily(1))]).not_in_pregnancy();
    IRON_FOLATE = oral("B03AD03", "Ferrous salt equal to 60 mg of iron and folic acid 400 \
        micrograms tablet", TABLET, 0, &[dose(120, EVER, 1, Daily(1))]);
    SULFADOXINE_PYRIMETHAMINE = oral("P01BD51", "Sulfadoxine 500 mg and pyrimethamine 25 mg tablet",
        TABLET, 0, &[dose(GROWN, EVER, 3, Once)]).of(&[Sulfonamide]);
    IRON = oral("B03AA07", "Ferrous sulfate 200 mg (65 mg of iron) tablet", TABLET, 90,
        &[dose(144, EVER, 1, Daily(2))]);
    IRON_SYRUP = oral("B03AA07", "Ferrous sulfate syrup (25 mg of iron per 5 ml)", MG, 90,
        &[dose(6, 24, 12, Daily(1)), dose(24, 60, 30, Daily(1)), dose(60, 144, 45, Daily(1))]);
    LEVOTHYROXINE = oral("H03AA01", "Levothyroxine 50 micrograms tablet", ("ug", ("microgram",
        "micrograms")), 0, &[dose(216, EVER, 50, Daily(1))]);
    OMEPRAZOLE = oral("A02BC01", "Omeprazole 20 mg capsule", MG, 28,
        &[dose(GROWN, EVER, 20, Daily(1))]);
    ARTEMETHER_LUMEFANTRINE = oral("P01BF01", "Artemether 20 mg and lumefantrine 120 mg tablet",
        TABLET, 3, &[dose(6, 36, 1, Daily(2)), dose(36, 96, 2, Daily(2)),
        dose(96, 144, 3, Daily(2)), dose(144, EVER, 4, Daily(2))]);
    ARTESUNATE = oral("P01BE03", "Artesunate rectal capsule 50 mg", MG, 1,
        &[dose(2, 6, 50, Once)]).by("into the rectum");
    PARACETAMOL = oral("N02BE01", "Paracetamol", MG, 3, &[dose(3, 6, 60, AsNeeded(4)),
        dose(6, 24, 120, AsNeeded(4)), dose(24, 48, 180, AsNeeded(4)), dose(48, 96, 240,
        AsNeeded(4)), dose(96, 144, 360, AsNeeded(4)), dose(144, 192, 500, AsNeeded(4)),
        dose(192, EVER, 1000, AsNeeded(3))]);
    IBUPROFEN = oral("M01AE01", "Ibuprofen 400 mg tablet", MG, 5,
        &[dose(GROWN, 780, 400, Daily(3))]).of(&[Nsaid]).not_in_pregnancy();
    AMOXICILLIN = oral("J01CA04", "Amoxicillin 250 mg dispersible tablet", MG, 5,
        &[dose(2, 12, 250, Daily(2)), dose(12, 60, 500, Daily(2)), dose(60, 144, 500, Daily(3)),
        dose(144, EVER, 500, Daily(3))]).of(&[Penicillin]);
    AZITHROMYCIN = oral("J01FA10", "Azithromycin", MG, 3, &[dose(6, 24, 80, Daily(1)),
        dose(24, 48, 120, Daily(1)), dose(48, 96, 160, Daily(1)), dose(96, 144, 240, Daily(1)),
        dose(144, EVER, 500, Daily(1))]);
    CLOXACILLIN = oral("J01CF02", "Cloxacillin 500 mg capsule", MG, 7,
        &[dose(24, 120, 250, Daily(4)), dose(120, EVER, 500, Daily(4))]).of(&[Penicillin]);
    ERYTHROMYCIN = oral("J01FA01", "Erythromycin 250 mg tablet", MG, 7, &[dose(2, 24, 125,
        Daily(4)), dose(24, 96, 250, Daily(4)), dose(96, EVER, 500, Daily(4))]);
    NITROFURANTOIN = oral("J01XE01", "Nitrofurantoin 100 mg tablet", MG, 5,
        &[dose(144, EVER, 100, Daily(2))]).not_in_pregnancy();
    FOSFOMYCIN = oral("J01XX01", "Fosfomycin 3 g sachet", ("g", ("g", "g")), 0,
        &[dose(144, EVER, 3, Once)]);
    ORS = oral("A07CA", "Oral rehydration salts, low osmolarity, sachet for 1 litre",
        ("{sachet}", ("sachet", "sachets")), 3,
        &[dose(0, 24, 1, AsNeeded(1)), dose(24, EVER, 1, AsNeeded(2))]);
    ZINC = oral("A12CB01", "Zinc sulfate 20 mg dispersible tablet", MG, 10,
        &[dose(0, 6, 10, Daily(1)), dose(6, 120, 20, Daily(1))]);
    ALBENDAZOLE = oral("P02CA03", "Albendazole 400 mg chewable tablet", MG, 0,
        &[dose(12, 24, 200, Once), dose(24, EVER, 400, Once)]).not_in_pregnancy();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doses_of_a_medicine_do_not_overlap_and_grow_with_age() {
        for medicine in ALL {
            for pair in medicine.doses.windows(2) {
                assert!(
                    pair[0].to_months == pair[1].from_months,
                    "{}",
                    medicine.name
                );
                let per_day = |dose: &Dose| match dose.often {
                    Daily(times) | AsNeeded(times) => dose.amount * times,
                    Once => dose.amount,
                };
                assert!(per_day(&pair[0]) <= per_day(&pair[1]), "{}", medicine.name);
            }
            assert!(
                medicine
                    .doses
                    .iter()
                    .all(|d| d.from_months < d.to_months && d.amount > 0)
            );
        }
    }

    #[test]
    fn newborns_get_only_what_newborns_may_have() {
        let names = ALL.iter().filter(|medicine| medicine.dose_at(0).is_some());
        let names: Vec<&str> = names.map(|medicine| medicine.atc).collect();
        assert_eq!(names, ["B03BB01", "A07CA", "A12CB01"]);
    }
}
