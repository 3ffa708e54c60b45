//! Pregnancy under care.

use super::{Condition, Course::Pregnancy, problem};
use crate::generate::labs;
use crate::generate::medicines as m;

/// A pregnancy under care.
pub(in crate::generate) static PREGNANCY: Condition = Condition {
    treatment: &[&[&m::IRON_FOLATE], &[&m::SULFADOXINE_PYRIMETHAMINE]],
    labs: &[&labs::HAEMOGLOBIN, &labs::URINE_PROTEIN, &labs::SYPHILIS],
    complaints: &[
        "Antenatal visit, feels the child move.",
        "Antenatal visit, some nausea.",
    ],
    findings: &[
        "Fundus as expected, heart of the child heard.",
        "No oedema, lie longitudinal.",
    ],
    plans: &[
        "Danger signs explained.",
        "Birth plan talked over with the husband's mother.",
    ],
    ..problem(
        "Z34.9",
        "Supervision of normal pregnancy",
        Pregnancy,
        (16, 44),
        [0, 0, 0, 0],
    )
};
