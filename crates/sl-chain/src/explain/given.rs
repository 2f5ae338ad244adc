use std::fmt;

use serde::Serialize;
use thiserror::Error;

use super::{Field, Given, Source, fields::Walk};
use crate::{Header, Transaction, auxpow::AuxPow, codec::DecodeError};

/// What bytes can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A whole auxiliary block: header, proof, transactions.
    Block,
    /// A header and the proof behind it, or the two given apart.
    HeaderAndProof,
    /// A block without AuxPoW: header and transactions.
    PlainBlock,
    /// A proof without the block it proves.
    Proof,
    /// 80 bytes of header.
    Header,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Block => "a whole block with AuxPoW",
            Self::HeaderAndProof => "a block header with its AuxPoW",
            Self::PlainBlock => "a whole block without AuxPoW",
            Self::Proof => "an AuxPoW without its block header",
            Self::Header => "a block header alone",
        })
    }
}

/// One reading that failed, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// What the bytes were taken for.
    pub form: Form,
    /// The input that did not read.
    pub source: Source,
    /// The byte where it failed.
    pub offset: usize,
    /// What failed there.
    #[serde(serialize_with = "super::text")]
    pub error: DecodeError,
    /// The fields that could be read.
    pub fields: Vec<Field>,
}

/// Bytes that are none of the forms.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[error("the bytes are neither a block, nor a header with proof, nor a proof, nor a header")]
pub struct Unread {
    /// What was tried, the one that came furthest first; never empty.
    pub tried: Vec<Attempt>,
}

/// Text that is no hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotHex {
    /// Something else than a digit.
    #[error(
        "line {line}, column {column}: found {found:?}, allowed are hexadecimal digits and white space"
    )]
    Digit {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What stands there.
        found: char,
    },
    /// Half a byte.
    #[error("{digits} hexadecimal digits are an odd number; one is missing or too many")]
    Odd {
        /// How many there are.
        digits: usize,
    },
}

/// Bytes as people hand them over: raw, or as hexadecimal text with white space, perhaps behind
/// `0x`.
///
/// # Errors
/// Text (printable ASCII) that is no hexadecimal.
pub fn bytes_of(input: &[u8]) -> Result<Vec<u8>, NotHex> {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if !input.iter().all(is_text) {
        return Ok(input.to_vec());
    }
    let text = input.trim_ascii();
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let skipped =
        input.len() - input.trim_ascii_start().len() + (input.trim_ascii().len() - text.len());
    let (mut line, mut column) = (1, 1);
    let mut digits = Vec::with_capacity(text.len());
    for (at, byte) in input.iter().enumerate() {
        if at >= skipped && !byte.is_ascii_whitespace() {
            let Some(digit) = char::from(*byte).to_digit(16) else {
                return Err(NotHex::Digit { line, column, found: char::from(*byte) });
            };
            digits.push(digit as u8);
        }
        (line, column) = if *byte == b'\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    if digits.len() % 2 != 0 {
        return Err(NotHex::Odd { digits: digits.len() });
    }
    Ok(digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect())
}

/// Where a part begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) source: Source,
    pub(super) offset: usize,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) form: Form,
    pub(super) header: Option<(Header, Place)>,
    pub(super) proof: Option<(AuxPow, Place)>,
    pub(super) txs: Option<(Vec<Transaction>, Place)>,
    pub(super) fields: Vec<Field>,
}

impl Read {
    const fn empty(form: Form) -> Self {
        Self { form, header: None, proof: None, txs: None, fields: Vec::new() }
    }
}

pub(super) fn read(given: &Given) -> Result<Read, Unread> {
    let apart = [(&given.header, Source::Header), (&given.proof, Source::Proof)];
    let mut whole: Option<Read> = None;
    for (bytes, source) in apart {
        let Some(bytes) = bytes else { continue };
        let form = if source == Source::Header { Form::Header } else { Form::Proof };
        let part = attempt(bytes, source, form).map_err(|tried| Unread { tried: vec![tried] })?;
        whole = Some(match whole {
            None => part,
            Some(before) => join(before, part),
        });
    }
    if given.bytes.is_empty()
        && let Some(whole) = whole
    {
        return Ok(whole);
    }
    let forms: &[Form] = match (&given.header, &given.proof) {
        (None, None) => {
            &[Form::Block, Form::HeaderAndProof, Form::PlainBlock, Form::Proof, Form::Header]
        }
        (Some(_), _) => &[Form::Proof],
        (None, Some(_)) => &[Form::Header],
    };
    let mut tried = Vec::new();
    for form in forms {
        match attempt(&given.bytes, Source::Bytes, *form) {
            Ok(read) => {
                return Ok(match whole {
                    None => read,
                    Some(part) if part.form == Form::Header => join(part, read),
                    Some(part) => join(read, part),
                });
            }
            Err(failed) => tried.push(failed),
        }
    }
    // A stable sort: of those that came equally far, the likelier form stays first.
    tried.sort_by_key(|attempt| std::cmp::Reverse(attempt.offset));
    Err(Unread { tried })
}

/// A header and a proof, given apart.
fn join(header: Read, proof: Read) -> Read {
    Read {
        form: Form::HeaderAndProof,
        header: header.header,
        proof: proof.proof,
        txs: None,
        fields: header.fields.into_iter().chain(proof.fields).collect(),
    }
}

fn attempt(bytes: &[u8], source: Source, form: Form) -> Result<Read, Attempt> {
    let mut walk = Walk::new(bytes, source);
    match take(&mut walk, form) {
        Ok(read) => Ok(Read { fields: walk.fields, ..read }),
        Err(error) => {
            let offset = match &error {
                DecodeError::Short { offset, .. }
                | DecodeError::Invalid { offset, .. }
                | DecodeError::Trailing { offset, .. } => *offset,
            };
            Err(Attempt { form, source, offset, error, fields: walk.fields })
        }
    }
}

fn take(walk: &mut Walk<'_>, form: Form) -> Result<Read, DecodeError> {
    let mut read = Read::empty(form);
    if form != Form::Proof {
        let place = walk.place();
        read.header = Some((walk.header()?, place));
    }
    if matches!(form, Form::Block | Form::HeaderAndProof | Form::Proof) {
        let place = walk.place();
        read.proof = Some((walk.proof()?, place));
    }
    if matches!(form, Form::Block | Form::PlainBlock) {
        let place = walk.place();
        read.txs = Some((walk.transactions()?, place));
    }
    walk.finish(match form {
        Form::Block | Form::PlainBlock => "the block",
        Form::HeaderAndProof | Form::Proof => "the proof",
        Form::Header => "the header",
    })?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_in_any_dress() {
        for (text, expect) in [
            ("00ff", Ok(vec![0, 255])),
            (" 0x00 fF\n", Ok(vec![0, 255])),
            ("", Ok(vec![])),
            ("00f", Err(NotHex::Odd { digits: 3 })),
            ("00\n0g", Err(NotHex::Digit { line: 2, column: 2, found: 'g' })),
        ] {
            assert_eq!(bytes_of(text.as_bytes()), expect, "{text:?}");
        }
        assert_eq!(bytes_of(&[4, 1, 0x62]), Ok(vec![4, 1, 0x62]), "raw bytes stay as they are");
    }
}
