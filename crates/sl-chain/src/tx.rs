use sl_units::Hash256;

use crate::{
    codec::{DecodeError, Reader, put_bytes, put_compact_size},
    sha256d,
};

/// Flag of the extended form: witnesses follow the outputs (BIP144).
const WITNESS: u8 = 0x01;
/// Flag of the extended form on Litecoin: an extension-block part follows (LIP-0003).
const MWEB: u8 = 0x08;

/// A transaction as blocks hold it, Litecoin's extension-block integration (HogEx) included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// Version.
    pub version: u32,
    /// What is spent; a coinbase has one input that spends nothing.
    pub inputs: Vec<TxIn>,
    /// What is paid.
    pub outputs: Vec<TxOut>,
    /// Whether it is the HogEx, the last transaction of a block with an extension block. Its ids,
    /// its merkle leaf and its witness leaf are those of the plain form.
    pub hogex: bool,
    /// Earliest time or height.
    pub lock_time: u32,
}

/// A transaction's input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TxIn {
    /// Id of the transaction whose output is spent.
    pub prev_id: Hash256,
    /// Index of that output; `u32::MAX` in a coinbase.
    pub prev_index: u32,
    /// Unlocking script; in a coinbase, the miner's bytes.
    pub script: Vec<u8>,
    /// Sequence number.
    pub sequence: u32,
    /// Witness stack; empty in the plain form.
    pub witness: Vec<Vec<u8>>,
}

/// A transaction's output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TxOut {
    /// Amount in smallest units.
    pub value: u64,
    /// Locking script.
    pub script: Vec<u8>,
}

impl Transaction {
    /// Reads a transaction in plain or extended form.
    ///
    /// # Errors
    /// Bytes that no node accepts inside a block.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = reader.u32("transaction version")?;
        let mut flags = 0;
        if let [0, flag, ..] = reader.rest() {
            if *flag == 0 || flag & !(WITNESS | MWEB) != 0 {
                return Err(DecodeError::Invalid {
                    what: "transaction flags",
                    offset: reader.offset() + 1,
                    found: format!("{flag:#04x}"),
                    allowed: "0x01 (witness), 0x08 (extension block), 0x09",
                });
            }
            flags = *flag;
            reader.take(2, "transaction marker and flags")?;
        }
        let count = reader.count(41, "input count")?;
        let mut inputs = (0..count).map(|_| TxIn::read(reader)).collect::<Result<Vec<_>, _>>()?;
        let count = reader.count(9, "output count")?;
        let outputs = (0..count).map(|_| TxOut::read(reader)).collect::<Result<Vec<_>, _>>()?;
        if flags & WITNESS != 0 {
            for input in &mut inputs {
                let count = reader.count(1, "witness item count")?;
                input.witness = (0..count)
                    .map(|_| reader.bytes("witness item").map(<[u8]>::to_vec))
                    .collect::<Result<_, _>>()?;
            }
        }
        let hogex = flags & MWEB != 0;
        if hogex {
            let offset = reader.offset();
            let present = reader.u8("extension-block transaction marker")?;
            if present != 0 {
                return Err(DecodeError::Invalid {
                    what: "extension-block transaction marker",
                    offset,
                    found: format!("{present:#04x}"),
                    allowed: "0x00: a block holds no extension-block transaction of its own",
                });
            }
        }
        let lock_time = reader.u32("lock time")?;
        Ok(Self { version, inputs, outputs, hogex, lock_time })
    }

    /// A transaction that is the whole of `bytes`.
    ///
    /// # Errors
    /// As [`Transaction::read`], or bytes left over.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let tx = Self::read(&mut reader)?;
        reader.finish("the transaction")?;
        Ok(tx)
    }

    /// The bytes as a block holds them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let witness = self.has_witness();
        self.write((u8::from(witness) * WITNESS) | (u8::from(self.hogex) * MWEB))
    }

    /// The bytes without witness and extension marker: what [`Transaction::txid`] hashes.
    #[must_use]
    pub fn encode_stripped(&self) -> Vec<u8> {
        self.write(0)
    }

    /// Transaction id: leaf of the header's merkle tree.
    #[must_use]
    pub fn txid(&self) -> Hash256 {
        sha256d(&self.encode_stripped())
    }

    /// Witness id: leaf of the witness commitment's tree (BIP141); equal to the id for a HogEx.
    #[must_use]
    pub fn wtxid(&self) -> Hash256 {
        sha256d(&self.write(u8::from(self.has_witness()) * WITNESS))
    }

    /// Whether any input has a witness.
    #[must_use]
    pub fn has_witness(&self) -> bool {
        self.inputs.iter().any(|input| !input.witness.is_empty())
    }

    /// Whether it is a coinbase: one input that spends nothing.
    #[must_use]
    pub fn is_coinbase(&self) -> bool {
        matches!(self.inputs.as_slice(), [only] if only.prev_id == Hash256::ZERO && only.prev_index == u32::MAX)
    }

    fn write(&self, flags: u8) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&self.version.to_le_bytes());
        if flags != 0 {
            out.extend_from_slice(&[0, flags]);
        }
        put_compact_size(&mut out, self.inputs.len() as u64);
        for input in &self.inputs {
            out.extend_from_slice(input.prev_id.as_bytes());
            out.extend_from_slice(&input.prev_index.to_le_bytes());
            put_bytes(&mut out, &input.script);
            out.extend_from_slice(&input.sequence.to_le_bytes());
        }
        put_compact_size(&mut out, self.outputs.len() as u64);
        for output in &self.outputs {
            output.write(&mut out);
        }
        if flags & WITNESS != 0 {
            for input in &self.inputs {
                put_compact_size(&mut out, input.witness.len() as u64);
                for item in &input.witness {
                    put_bytes(&mut out, item);
                }
            }
        }
        if flags & MWEB != 0 {
            out.push(0);
        }
        out.extend_from_slice(&self.lock_time.to_le_bytes());
        out
    }
}

impl TxIn {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            prev_id: reader.hash("input transaction id")?,
            prev_index: reader.u32("input index")?,
            script: reader.bytes("input script")?.to_vec(),
            sequence: reader.u32("input sequence")?,
            witness: Vec::new(),
        })
    }
}

impl TxOut {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            value: reader.u64("output value")?,
            script: reader.bytes("output script")?.to_vec(),
        })
    }

    /// Appends the output: eight bytes of value, the script behind its size.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.value.to_le_bytes());
        put_bytes(out, &self.script);
    }
}
