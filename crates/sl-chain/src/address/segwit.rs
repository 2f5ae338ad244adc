use bech32::{
    Bech32, Bech32m, Fe32,
    primitives::decode::{CharError, UncheckedHrpstring, UncheckedHrpstringError},
};

use super::AddressError;

/// Witness version and program of a segwit address, each check by its own error.
pub(super) fn witness(text: &str, prefix: &str) -> Result<(u8, Vec<u8>), AddressError> {
    let mut parsed = UncheckedHrpstring::new(text)
        .map_err(|error| bech32_error(text, prefix.len() + 1, &error))?;
    if parsed.hrp().to_lowercase() != prefix {
        // The last `1` is the separator: there is another one in the data.
        let position = text.rfind('1').map_or(0, |index| index + 1);
        return Err(AddressError::Alphabet { character: '1', position, format: "bech32" });
    }
    let (bech32, bech32m) =
        (parsed.has_valid_checksum::<Bech32>(), parsed.has_valid_checksum::<Bech32m>());
    if !bech32 && !bech32m {
        return Err(AddressError::Checksum { format: "bech32" });
    }
    // Six characters of checksum, so the seventh from the end is the first of the data.
    let first = match parsed.data_part_ascii() {
        [first, _, _, _, _, _, _, ..] => char::from(*first),
        _ => {
            return Err(AddressError::NoProgram { reason: "there is no data before the checksum" });
        }
    };
    let version = Fe32::from_char(first).map_or(u8::MAX, Fe32::to_u8);
    if version > 16 {
        return Err(AddressError::WitnessVersion { found: version });
    }
    parsed.remove_witness_version();
    let (found, needed) = (
        if bech32 { "bech32" } else { "bech32m" },
        if version == 0 { "bech32" } else { "bech32m" },
    );
    if found != needed {
        return Err(AddressError::ChecksumKind { version, found, needed });
    }
    // Both checksums have six characters; which one is taken off makes no difference.
    let checked = parsed.remove_checksum::<Bech32m>();
    checked.validate_segwit_padding().map_err(|_| AddressError::NoProgram {
        reason: "the bits that fill up the last character are too many or not zero",
    })?;
    let program: Vec<u8> = checked.byte_iter().collect();
    let fits = if version == 0 {
        [20, 32].contains(&program.len())
    } else {
        (2..=40).contains(&program.len())
    };
    if !fits {
        return Err(AddressError::WitnessLength {
            version,
            found: program.len(),
            allowed: if version == 0 { "20 or 32" } else { "2 to 40" },
        });
    }
    Ok((version, program))
}

fn bech32_error(text: &str, data_from: usize, error: &UncheckedHrpstringError) -> AddressError {
    let UncheckedHrpstringError::Char(error) = error else {
        return AddressError::NoProgram { reason: "its prefix is not valid" };
    };
    match *error {
        CharError::MixedCase => AddressError::MixedCase,
        CharError::InvalidChar(character) => AddressError::Alphabet {
            character,
            // The prefix is plain ASCII and known to be right: the character is in the data.
            position: text
                .chars()
                .skip(data_from)
                .position(|found| found == character)
                .map_or(1, |index| data_from + index + 1),
            format: "bech32",
        },
        _ => AddressError::NoProgram { reason: "there is no data after the prefix" },
    }
}
