//! scrypt with any N, r and p over headers, by name.

use std::sync::Arc;

use sl_pow::{
    Algorithm, AlgorithmFamily, EngineRow, HEADER_LEN, Parameter, Refused, ScalarEngine, Vector,
};
use sl_units::Hash256;

use crate::{
    Params, ParamsError, Scrypt,
    algorithm::NO_HASH,
    engine::{Cost, MOST_GROUP_MEMORY},
    kdf, kernels,
};

/// The most memory of one hash: 1 GiB.
const MOST_MEMORY: usize = 1 << 30;

/// scrypt with any parameters: the 80-byte header as password and as salt, 32 bytes out. With
/// r=1 and p=1 it has the kernels of [`Scrypt`], as far as a group's memory stays within 256 MiB;
/// otherwise the reference is its engine.
#[derive(Clone, Debug)]
pub struct ScryptN {
    params: Params,
    name: String,
    vectors: Vec<Vector>,
}

impl ScryptN {
    /// scrypt with these parameters. Hashes two headers, to which engines are held, unless their
    /// hashes are recorded.
    ///
    /// # Errors
    /// When a hash needs more than 1 GiB, or the memory cannot be had.
    pub fn new(params: Params) -> Result<Self, ParamsError> {
        let (n, r, p) = (params.n(), params.r(), params.p());
        if params.memory().saturating_add(128 * r * p) > MOST_MEMORY {
            let (r, p) = (params.r() as u32, params.p() as u32);
            return Err(ParamsError::MemoryTooLarge { n: n as u64, r, p });
        }
        let name = format!("{}:N={n},r={r},p={p}", ScryptFamily.name());
        let vectors = match RECORDED.iter().find(|(recorded, _)| *recorded == (n, r, p)) {
            Some((_, recorded)) => recorded.to_vec(),
            None => Scrypt.vectors()[..2]
                .iter()
                .map(|vector| {
                    let hash = reference(&params, &vector.header)?;
                    Ok(Vector { name: "made by the reference", hash, ..*vector })
                })
                .collect::<Result<_, ParamsError>>()?,
        };
        Ok(Self { params, name, vectors })
    }

    /// Its parameters.
    #[must_use]
    pub const fn params(&self) -> Params {
        self.params
    }
}

fn reference(params: &Params, header: &[u8; HEADER_LEN]) -> Result<Hash256, ParamsError> {
    let mut out = [0; 32];
    kdf::scrypt(header, header, params, &mut out)?;
    Ok(Hash256::from_bytes(out))
}

impl Algorithm for ScryptN {
    fn name(&self) -> &str {
        &self.name
    }

    /// Takes its memory for each call: a reference, not an engine.
    fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256 {
        reference(&self.params, header).unwrap_or(NO_HASH)
    }

    fn vectors(&self) -> &[Vector] {
        &self.vectors
    }

    fn engines(&self) -> Vec<EngineRow> {
        if (self.params.r(), self.params.p()) == (1, 1) {
            let mut rows = kernels::rows(&Cost(self.params.n()));
            rows.retain(|row| {
                row.lanes == 1 || row.lanes * self.params.memory() <= MOST_GROUP_MEMORY
            });
            return rows;
        }
        let algorithm = self.clone();
        vec![EngineRow {
            name: "reference",
            lanes: 1,
            available: || true,
            make: Arc::new(move || Ok(Box::new(ScalarEngine::new(algorithm.clone())))),
        }]
    }
}

/// `scrypt-n`: scrypt with any N, r and p, as in `scrypt-n:2048` or `scrypt-n:N=1024,r=8,p=1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScryptFamily;

static PARAMETERS: [Parameter; 3] = [
    Parameter {
        name: "N",
        default: None,
        least: 2,
        most: (MOST_MEMORY / 128) as u64,
        meaning: "cost, a power of two; memory is 128 × r × N bytes",
    },
    Parameter { name: "r", default: Some(1), least: 1, most: 1 << 16, meaning: "block size" },
    Parameter { name: "p", default: Some(1), least: 1, most: 1 << 16, meaning: "parallelism" },
];

impl AlgorithmFamily for ScryptFamily {
    fn name(&self) -> &'static str {
        "scrypt-n"
    }

    fn varies(&self) -> Option<&'static str> {
        Some("scrypt")
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
    }

    fn example(&self) -> &'static str {
        "scrypt-n:N=2048"
    }

    fn make(&self, values: &[u64]) -> Result<Arc<dyn Algorithm>, Refused> {
        let &[n, r, p] = values else {
            return Err(Refused(format!("found {} values, wanted are 3", values.len())));
        };
        let (Ok(r), Ok(p)) = (u32::try_from(r), u32::try_from(p)) else {
            return Err(Refused("r or p is out of range".into()));
        };
        check_reference()?;
        let made = Params::new(n, r, p).and_then(ScryptN::new);
        Ok(Arc::new(made.map_err(|wrong| Refused(wrong.to_string()))?))
    }
}

/// Instances without recorded answers are held to the reference, so the reference is held to a
/// published one: the first of RFC 7914, section 12, N=16.
fn check_reference() -> Result<(), Refused> {
    const PUBLISHED: [u8; 16] = [
        0x77, 0xd6, 0x57, 0x62, 0x38, 0x65, 0x7b, 0x20, 0x3b, 0x19, 0xca, 0x42, 0xc1, 0x8a, 0x04,
        0x97,
    ];
    let mut out = [0; 64];
    let made = Params::new(16, 1, 1).and_then(|params| kdf::scrypt(b"", b"", &params, &mut out));
    if made.is_ok() && out.starts_with(&PUBLISHED) {
        return Ok(());
    }
    Err(Refused("this machine does not make the published answer; look at its memory".into()))
}

/// A Litecoin header with its hash by other parameters.
const fn openssl(hash: &str) -> Vector {
    Vector::from_hex("recorded Litecoin header 1 by OpenSSL 3.0.19", HEADER, hash)
}

const HEADER: &str = "020000004c1271c211717198227392b029a64a7971931d351b387bb80db027f270411e398a07046f\
                      7d4a08dd815412a8712f874a7ebf0507e3878bd24e20a3b73fd750a667d2f451eac7471b00de6659";

/// N, r, p with answers of OpenSSL's scrypt, which shares no code with this crate.
static RECORDED: [((usize, usize, usize), [Vector; 1]); 4] = [
    ((2048, 1, 1), [openssl("bf3844919606a5e2065476ef6663c1b147a93cf47064bf334c5561376cece7ec")]),
    ((4096, 1, 1), [openssl("ab037d44c1585f5aa37f62b638764e0219acabe516deab8b33880850ae0ef29a")]),
    ((16384, 1, 1), [openssl("ccff5f7968d2f8de72bb7078ecb5604238cd0a1e3c7979c6ceaec801e6a4e1f0")]),
    ((1024, 8, 2), [openssl("a2da21998c3ed147e62172368687f7f4f57526616c72c63ad1245d6f97678fb8")]),
];
