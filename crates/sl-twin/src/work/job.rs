use sl_chain::{Header, merkle, sha256d};
use sl_stratum::{Extranonce, Notify};
use sl_units::{ShareDifficulty, Target};

/// A pool's job as one machine hashes it: its own extranonce and its own target.
#[derive(Debug)]
pub(crate) struct Work {
    /// The connection that it came over; shares of an earlier one cannot be sent any more.
    pub(crate) link: u64,
    notify: Box<Notify>,
    extranonce1: Extranonce,
    extranonce2_len: usize,
    difficulty: ShareDifficulty,
    target: Target,
}

impl Work {
    pub(crate) fn new(
        link: u64,
        notify: Box<Notify>,
        extranonce1: Extranonce,
        extranonce2_len: usize,
        difficulty: ShareDifficulty,
    ) -> Self {
        let target = difficulty.into();
        Self { link, notify, extranonce1, extranonce2_len, difficulty, target }
    }

    /// Whether its headers are those of another, whatever their names and difficulties.
    pub(crate) fn is_same_job(&self, other: &Self) -> bool {
        let same = self.link == other.link && self.extranonce1 == other.extranonce1;
        let (ours, theirs) = (&self.notify, &other.notify);
        let parts = |it: &Notify| (it.prev, it.version, it.bits, it.ntime);
        same && self.extranonce2_len == other.extranonce2_len
            && parts(ours) == parts(theirs)
            && (&ours.coinbase1, &ours.coinbase2, &ours.branch)
                == (&theirs.coinbase1, &theirs.coinbase2, &theirs.branch)
    }

    pub(crate) fn job_id(&self) -> &str {
        &self.notify.job_id
    }

    pub(crate) const fn ntime(&self) -> u32 {
        self.notify.ntime
    }

    pub(crate) const fn difficulty(&self) -> ShareDifficulty {
        self.difficulty
    }

    pub(crate) const fn target(&self) -> Target {
        self.target
    }

    /// The machine's bytes of the coinbase: a counter, its lowest byte first, as cgminer has it.
    pub(crate) fn extranonce2(&self, counter: u64) -> Extranonce {
        let mut bytes = [0; Extranonce::MAX_LEN];
        for (place, byte) in bytes.iter_mut().zip(counter.to_le_bytes()) {
            *place = byte;
        }
        let own = bytes.get(..self.extranonce2_len).unwrap_or(&bytes);
        Extranonce::new(own).unwrap_or_default()
    }

    /// The header with this extranonce2 and nonce 0.
    pub(crate) fn header(&self, counter: u64) -> [u8; Header::LEN] {
        let Notify { coinbase1, coinbase2, branch, .. } = self.notify.as_ref();
        let (own, mine) = (self.extranonce1, self.extranonce2(counter));
        let coinbase = [coinbase1, own.as_bytes(), mine.as_bytes(), coinbase2].concat();
        Header {
            version: self.notify.version,
            prev: self.notify.prev,
            merkle_root: merkle::fold(sha256d(&coinbase), branch, 0),
            time: self.notify.ntime,
            bits: self.notify.bits,
            nonce: 0,
        }
        .to_bytes()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;
    use sl_units::{Bits, Hash256};

    use super::*;

    pub(crate) fn work(link: u64, job_id: &str, difficulty: f64) -> Work {
        let notify = Notify {
            job_id: job_id.to_owned(),
            prev: Hash256::ZERO,
            coinbase1: Bytes::from_static(b"one"),
            coinbase2: Bytes::from_static(b"two"),
            branch: vec![Hash256::ZERO],
            version: 0x2000_0000,
            bits: Bits::from_u32(0x207f_ffff),
            ntime: 1_700_000_000,
            clean: false,
        };
        let own = Extranonce::new(&[1, 2, 3, 4]).expect("short");
        let difficulty = ShareDifficulty::new(difficulty).expect("positive");
        Work::new(link, Box::new(notify), own, 4, difficulty)
    }

    #[test]
    fn the_counter_stands_in_the_coinbase_lowest_byte_first() {
        let work = work(1, "a", 1.0);
        assert_eq!(work.extranonce2(0x0102).as_bytes(), [2, 1, 0, 0]);
        let leaf = sha256d(&[&b"one"[..], &[1, 2, 3, 4], &[2, 1, 0, 0], b"two"].concat());
        let root = merkle::fold(leaf, &[Hash256::ZERO], 0);
        assert_eq!(work.header(0x0102)[36..68], root.as_bytes()[..]);
        assert_ne!(work.header(0), work.header(1));
    }
}
