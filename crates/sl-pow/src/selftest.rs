use std::fmt;

use sl_units::{Hash256, Target};
use thiserror::Error;

use crate::{Algorithm, Engine, HEADER_LEN, Hit, Vector, nonce_of, with_nonce};

/// Lanes compared to the scalar reference, spread evenly: all of them on a CPU. A device with
/// thousands of lanes is compared in all lanes to the vectors and to itself.
const REFERENCE_LANES: usize = 64;

/// Lanes in which a single hit must be found and a near miss must not, spread evenly.
const HIT_LANES: usize = 16;

/// Batches shorter than the engine is wide: all lengths on a CPU.
const SHORT_BATCHES: usize = 16;

/// An engine gave a wrong answer: it must not mine.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct SelfTestFailed(pub Box<WrongAnswer>);

/// What an engine answered, where, and what is right.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "engine {engine} of {algorithm} is wrong in {door}, lane {lane}, vector {vector}: found {}, \
     expected {}; choose another engine, and look at this machine's memory and clocks",
    Shown(*.found),
    Shown(*.expected)
)]
pub struct WrongAnswer {
    /// The engine's name.
    pub engine: &'static str,
    /// The algorithm's name.
    pub algorithm: String,
    /// Which of the engine's two doors gave the answer.
    pub door: Door,
    /// Place in the batch, or distance of the nonce from the first of the scan.
    pub lane: usize,
    /// The vector's name, with the nonce when it was another than the vector's.
    pub vector: String,
    /// What the engine said; `None` is no hit.
    pub found: Option<Hash256>,
    /// What it should have said.
    pub expected: Option<Hash256>,
}

/// The two ways into an engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// [`Engine::scan`].
    Scan,
    /// [`Engine::batch`].
    Batch,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scan => "scan",
            Self::Batch => "batch",
        })
    }
}

struct Shown(Option<Hash256>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(hash) => hash.fmt(f),
            None => f.write_str("no hit"),
        }
    }
}

/// Tests an engine against vectors and reference.
pub(crate) fn check(
    engine: &mut dyn Engine,
    algorithm: &dyn Algorithm,
) -> Result<(), SelfTestFailed> {
    let test = SelfTest { algorithm, name: engine.name(), lanes: engine.lanes().max(1) };
    let vectors = algorithm.vectors();
    test.vectors_in_every_lane(engine, vectors)?;
    test.short_batches(engine, vectors)?;
    if let Some(vector) = vectors.first() {
        // A full group and a lane more, over the end of the nonces.
        let first = 0u32.wrapping_sub(test.lanes as u32 / 2).wrapping_sub(1);
        test.every_nonce(engine, vector, first, test.lanes as u32 + 1)?;
        test.every_nonce(engine, vector, nonce_of(&vector.header), 1)?;
    }
    for vector in vectors.iter().take(2) {
        test.one_hit_in_every_lane(engine, vector)?;
    }
    Ok(())
}

struct SelfTest<'a> {
    algorithm: &'a dyn Algorithm,
    name: &'static str,
    lanes: usize,
}

impl SelfTest<'_> {
    /// Each lane of a batch sees each vector, never the same as its neighbour if there are two.
    fn vectors_in_every_lane(
        &self,
        engine: &mut dyn Engine,
        vectors: &[Vector],
    ) -> Result<(), SelfTestFailed> {
        let mut out = vec![Hash256::ZERO; self.lanes];
        for turn in 0..vectors.len() {
            let turned: Vec<&Vector> = vectors.iter().cycle().skip(turn).take(self.lanes).collect();
            let headers: Vec<[u8; HEADER_LEN]> = turned.iter().map(|v| v.header).collect();
            // An engine that writes nothing must not pass on the answers of the turn before.
            out.fill(Hash256::ZERO);
            engine.batch(&headers, &mut out);
            for (lane, (vector, found)) in turned.iter().zip(&out).enumerate() {
                self.same(Door::Batch, lane, vector.name, Some(*found), Some(vector.hash))?;
            }
        }
        Ok(())
    }

    /// Batches that do not fill the lanes, for which an engine may have other cores.
    fn short_batches(
        &self,
        engine: &mut dyn Engine,
        vectors: &[Vector],
    ) -> Result<(), SelfTestFailed> {
        for length in spread(self.lanes, SHORT_BATCHES).filter(|length| *length > 0) {
            let taken: Vec<&Vector> = vectors.iter().cycle().take(length).collect();
            let headers: Vec<[u8; HEADER_LEN]> = taken.iter().map(|v| v.header).collect();
            let mut out = vec![Hash256::ZERO; headers.len()];
            engine.batch(&headers, &mut out);
            for (lane, (vector, found)) in taken.iter().zip(&out).enumerate() {
                self.same(Door::Batch, lane, vector.name, Some(*found), Some(vector.hash))?;
            }
        }
        Ok(())
    }

    /// A scan with the target that all meet gives each nonce once, as batch and reference say.
    fn every_nonce(
        &self,
        engine: &mut dyn Engine,
        vector: &Vector,
        first: u32,
        count: u32,
    ) -> Result<(), SelfTestFailed> {
        let nonces: Vec<u32> = (0..count).map(|offset| first.wrapping_add(offset)).collect();
        let headers: Vec<_> =
            nonces.iter().map(|nonce| with_nonce(&vector.header, *nonce)).collect();
        let mut expected = vec![Hash256::ZERO; headers.len()];
        engine.batch(&headers, &mut expected);
        let describe = |nonce: u32| format!("{} with nonce {nonce}", vector.name);
        for lane in spread(headers.len(), REFERENCE_LANES) {
            let reference = self.algorithm.hash(&headers[lane]);
            let name = describe(nonces[lane]);
            self.same(Door::Batch, lane, &name, Some(expected[lane]), Some(reference))?;
        }
        let mut found = vec![None; headers.len()];
        for hit in self.scan(engine, &vector.header, first, count, Target::MAX) {
            let lane = hit.nonce.wrapping_sub(first) as usize;
            match found.get_mut(lane) {
                Some(place @ None) => *place = Some(hit.hash),
                // A nonce outside of the range, or told twice.
                _ => self.same(Door::Scan, lane, &describe(hit.nonce), Some(hit.hash), None)?,
            }
        }
        for (lane, (found, expected)) in found.into_iter().zip(expected).enumerate() {
            self.same(Door::Scan, lane, &describe(nonces[lane]), found, Some(expected))?;
        }
        Ok(())
    }

    /// With the vector's hash as the target its nonce is found in whatever lane it falls, and
    /// with a target one smaller it is not.
    fn one_hit_in_every_lane(
        &self,
        engine: &mut dyn Engine,
        vector: &Vector,
    ) -> Result<(), SelfTestFailed> {
        let nonce = nonce_of(&vector.header);
        let target = Target::from_le_bytes(*vector.hash.as_bytes());
        let below = target.to_u256().checked_sub(1u8.into()).map(Target::from_u256);
        for lane in spread(self.lanes, HIT_LANES) {
            let first = nonce.wrapping_sub(lane as u32);
            for (target, expected) in [(Some(target), Some(vector.hash)), (below, None)] {
                let Some(target) = target else { continue };
                let hits = self.scan(engine, &vector.header, first, self.lanes as u32, target);
                let found = hits.iter().find(|hit| hit.nonce == nonce).map(|hit| hit.hash);
                self.same(Door::Scan, lane, vector.name, found, expected)?;
            }
        }
        Ok(())
    }

    fn scan(
        &self,
        engine: &mut dyn Engine,
        header: &[u8; HEADER_LEN],
        first: u32,
        count: u32,
        target: Target,
    ) -> Vec<Hit> {
        let mut hits = Vec::new();
        engine.scan(header, first, count, target, &mut hits);
        hits
    }

    fn same(
        &self,
        door: Door,
        lane: usize,
        vector: &str,
        found: Option<Hash256>,
        expected: Option<Hash256>,
    ) -> Result<(), SelfTestFailed> {
        if found == expected {
            return Ok(());
        }
        Err(SelfTestFailed(Box::new(WrongAnswer {
            engine: self.name,
            algorithm: self.algorithm.name().to_owned(),
            door,
            lane,
            vector: vector.to_owned(),
            found,
            expected,
        })))
    }
}

/// At most `most` of the places below `count`, first and last among them.
fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (0..taken).map(move |i| if taken > 1 { i * (count - 1) / (taken - 1) } else { 0 })
}
