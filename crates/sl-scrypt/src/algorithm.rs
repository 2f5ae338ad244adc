use sl_pow::{Algorithm, EngineRow, HEADER_LEN, Vector};
use sl_units::Hash256;

use crate::{Params, engine::Cost, kdf, kernels};

/// The algorithm `scrypt`: N=1024, r=1, p=1, the 80-byte header as password and as salt, 32 bytes
/// out. Litecoin's, Dogecoin's and that of the coins merge-mined with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scrypt;

/// What stands for a hash that cannot be made: the largest number, which meets no target.
pub(crate) const NO_HASH: Hash256 = Hash256::from_bytes([0xff; 32]);

impl Algorithm for Scrypt {
    fn name(&self) -> &str {
        "scrypt"
    }

    /// Takes its 128 KiB for each call: a reference, not an engine.
    fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256 {
        let mut out = [0; 32];
        let made = kdf::scrypt(header, header, &Params::LITECOIN, &mut out);
        made.map_or(NO_HASH, |()| Hash256::from_bytes(out))
    }

    fn vectors(&self) -> &[Vector] {
        &VECTORS
    }

    fn engines(&self) -> Vec<EngineRow> {
        kernels::rows(&Cost(Params::LITECOIN.n()))
    }
}

/// Headers of Litecoin's chain; more of them are in `testdata/litecoin/scrypt_header_vectors.json`.
static VECTORS: [Vector; 4] = [
    Vector::from_hex(
        "recorded Litecoin header 1",
        "020000004c1271c211717198227392b029a64a7971931d351b387bb80db027f270411e398a07046f\
         7d4a08dd815412a8712f874a7ebf0507e3878bd24e20a3b73fd750a667d2f451eac7471b00de6659",
        "00000000002bef4107f882f6115e0b01f348d21195dacd3582aa2dabd7985806",
    ),
    Vector::from_hex(
        "recorded Litecoin header 9",
        "02000000e6816ca65e5c4ae73186cea2ee263cb69e86f311fcbe07d41908f3b170bb33804bf55dc3\
         db4f3228ca5122eef35ea1c7bdd521bc80aa496033103e8d983fccec9d5c2d5431cf011b0cd75567",
        "000000000006e6d34cbe89a0b85fc1ff294fd06193b9f7e0a6c616c15fae0f91",
    ),
    Vector::from_hex(
        "recorded Litecoin header 17",
        "02000000fa4216ccded8adc20a71d366f8c352ba89947dc760555d56a99902e745be81cc5a59ef2f\
         8d064fc05adc17b7b58b201bcafeb9fc5e490b9a2d54ed4342d19cf25b23315431cf011bb8971902",
        "000000000003178bb23160cdbc81af53f47cae9f479acf1e69849da42fd5bfca",
    ),
    Vector::from_hex(
        "recorded Litecoin header 26",
        "000000200abfbeb2a3e9aefaba3804dc9f70427cd5107cc59438e067c6fd1841f660eb67920f5478\
         25ab14356af63467bda7c44369ef0d99be3b7512ac049fa408a8d0c1abf241625010031d52d3583f",
        "000000008c312e347f654db950b05347a44dde0cde274605cab8d4dc72816366",
    ),
];
