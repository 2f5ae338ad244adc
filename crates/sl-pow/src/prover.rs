use std::fmt;

use sl_units::{Hash256, Target};

use crate::{
    Algorithm, Engine, EngineFault, HEADER_LEN, Hit, SelfTestFailed, nonce_of, selftest, with_nonce,
};

/// An engine that has passed its self-test: the only thing that may mine or judge a share.
///
/// A prover belongs to one thread at a time (it is `Send`); make one for each thread.
pub struct Prover {
    engine: Box<dyn Engine>,
    algorithm: String,
    passed_over: Vec<EngineFault>,
    hits: Vec<Hit>,
    hashes: Vec<Hash256>,
}

impl Prover {
    /// Tests an engine: every lane against the algorithm's vectors and its scalar reference, in
    /// scan and in batch. Takes some tens of scans of the engine's width.
    ///
    /// # Errors
    /// The first wrong answer, with its lane.
    pub fn new(
        mut engine: Box<dyn Engine>,
        algorithm: &dyn Algorithm,
    ) -> Result<Self, SelfTestFailed> {
        selftest::check(engine.as_mut(), algorithm)?;
        Ok(Self {
            engine,
            algorithm: algorithm.name().to_owned(),
            passed_over: Vec::new(),
            hits: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// Hashes the header with each of the `count` nonces from `first` on (after `u32::MAX` comes
    /// 0), and gives those at or below the target, in any order.
    pub fn scan(
        &mut self,
        header: &[u8; HEADER_LEN],
        first: u32,
        count: u32,
        target: Target,
    ) -> Vec<Hashed> {
        let mut found = Vec::new();
        self.scan_into(header, first, count, target, &mut found);
        found
    }

    /// As [`scan`](Self::scan), appending to the caller's vector.
    pub fn scan_into(
        &mut self,
        header: &[u8; HEADER_LEN],
        first: u32,
        count: u32,
        target: Target,
        found: &mut Vec<Hashed>,
    ) {
        self.hits.clear();
        self.engine.scan(header, first, count, target, &mut self.hits);
        found.extend(
            self.hits
                .iter()
                .map(|hit| Hashed { header: with_nonce(header, hit.nonce), hash: hit.hash }),
        );
    }

    /// Hashes any headers; the answers stand in the order of the headers.
    pub fn batch(&mut self, headers: &[[u8; HEADER_LEN]]) -> Vec<Hashed> {
        let mut hashed = Vec::with_capacity(headers.len());
        self.batch_into(headers, &mut hashed);
        hashed
    }

    /// As [`batch`](Self::batch), appending to the caller's vector.
    pub fn batch_into(&mut self, headers: &[[u8; HEADER_LEN]], hashed: &mut Vec<Hashed>) {
        self.hashes.clear();
        self.hashes.resize(headers.len(), Hash256::ZERO);
        self.engine.batch(headers, &mut self.hashes);
        hashed.extend(
            headers
                .iter()
                .zip(&self.hashes)
                .map(|(header, hash)| Hashed { header: *header, hash: *hash }),
        );
    }

    /// Hashes one header: what verifying a single share needs.
    pub fn hash(&mut self, header: &[u8; HEADER_LEN]) -> Hashed {
        let mut hash = [Hash256::ZERO];
        self.engine.batch(std::slice::from_ref(header), &mut hash);
        let [hash] = hash;
        Hashed { header: *header, hash }
    }

    /// The engine's name: `avx2`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.engine.name()
    }

    /// The algorithm's name: `scrypt`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// Headers hashed side by side, one at least: the best number for `batch`, and the best divisor
    /// of `count`.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.engine.lanes().max(1)
    }

    /// The wider engines that were not made or failed their self-test before this one was chosen by
    /// [`Registry::best`](crate::Registry::best). Not empty means: tell the operator.
    #[must_use]
    pub fn passed_over(&self) -> &[EngineFault] {
        &self.passed_over
    }

    pub(crate) fn after(mut self, failed: Vec<EngineFault>) -> Self {
        self.passed_over = failed;
        self
    }
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prover")
            .field("algorithm", &self.algorithm)
            .field("engine", &self.name())
            .field("lanes", &self.lanes())
            .finish_non_exhaustive()
    }
}

/// A header and its proof-of-work hash, made only by a [`Prover`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Hashed {
    header: [u8; HEADER_LEN],
    hash: Hash256,
}

impl Hashed {
    /// The 80 bytes of the header.
    #[must_use]
    pub const fn header(&self) -> &[u8; HEADER_LEN] {
        &self.header
    }

    /// The proof-of-work hash (not the block's identity, which is double SHA-256).
    #[must_use]
    pub const fn hash(&self) -> Hash256 {
        self.hash
    }

    /// The nonce that stands in the header.
    #[must_use]
    pub fn nonce(&self) -> u32 {
        nonce_of(&self.header)
    }

    /// Whether the hash is at or below the target.
    #[must_use]
    pub fn meets(&self, target: Target) -> bool {
        target.is_met_by(&self.hash)
    }
}
