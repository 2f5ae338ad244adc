use std::sync::Arc;

use sl_pow::{Algorithm, AlgorithmFamily, Parameter, Refused};

use super::{Schedule, ScryptJane, scrypt_jane};
use crate::Params;

/// The name before the colon.
pub(super) const NAME: &str = "scrypt-jane";

/// `scrypt-jane`, with the schedule of its cost: `scrypt-jane:nmin=4,nmax=30,start=1389028879`.
/// Without parameters it is YaCoin's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScryptJaneFamily;

static PARAMETERS: [Parameter; 3] = [
    Parameter {
        name: "nmin",
        default: Some(Schedule::YACOIN.least() as u64),
        least: 0,
        most: Schedule::MOST_FACTOR as u64,
        meaning: "smallest N factor; N is 2 to the factor and one",
    },
    Parameter {
        name: "nmax",
        default: Some(Schedule::YACOIN.most() as u64),
        least: 0,
        most: 30,
        meaning: "largest N factor; headers that ask for more than 22 are not hashed",
    },
    Parameter {
        name: "start",
        default: Some(Schedule::YACOIN.start() as u64),
        least: 0,
        most: u32::MAX as u64,
        meaning: "when the chain began, in seconds since 1970",
    },
];

impl AlgorithmFamily for ScryptJaneFamily {
    fn name(&self) -> &'static str {
        NAME
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
    }

    fn example(&self) -> &'static str {
        NAME
    }

    fn make(&self, values: &[u64]) -> Result<Arc<dyn Algorithm>, Refused> {
        let schedule = match *values {
            [least, most, start] => {
                let (least, most) = (u8::try_from(least), u8::try_from(most));
                let (Ok(least), Ok(most), Ok(start)) = (least, most, u32::try_from(start)) else {
                    return Err(Refused("a value is out of range".into()));
                };
                Schedule::new(least, most, start).ok_or_else(|| {
                    Refused(format!("nmin is {least} and nmax {most}, allowed is nmin up to nmax"))
                })?
            }
            _ => return Err(Refused(format!("found {} values, wanted are 3", values.len()))),
        };
        check_reference()?;
        let made = ScryptJane::new(schedule).map_err(|wrong| Refused(wrong.to_string()))?;
        Ok(Arc::new(made))
    }
}

/// Instances without recorded answers are held to the reference, so the reference is held to a
/// published one: the first of scrypt-jane's own, N=16 (`testdata/scrypt-jane/vectors.json`).
fn check_reference() -> Result<(), Refused> {
    const PUBLISHED: [u8; 16] = [
        0x77, 0xcb, 0x70, 0xbf, 0xae, 0xd4, 0x4c, 0x5b, 0xbc, 0xd3, 0xec, 0x8a, 0x82, 0x43, 0x8d,
        0xb3,
    ];
    let mut out = [0; 64];
    let made = Params::jane(16).and_then(|params| scrypt_jane(b"", b"", &params, &mut out));
    if made.is_ok() && out.starts_with(&PUBLISHED) {
        return Ok(());
    }
    Err(Refused("this machine does not make the published answer; look at its memory".into()))
}
