//! What every lane type is held to in tests.

use crate::lanes::{Blocks, Line, MOST_LANES};

/// Each operation of a lane type says in each lane what `u32` says.
pub(crate) fn check<L: Blocks>(cpu: Option<L::Cpu>) {
    let Some(cpu) = cpu else { return };
    let words = |seed: u32| {
        Line(std::array::from_fn(|i| (seed + i as u32).wrapping_mul(0x9e37_79b9) ^ 0x1234_5678))
    };
    let (a, b) = (words(3), words(1000));
    let same = |found: L, expect: &dyn Fn(usize) -> u32, what: &str| {
        let mut line = Line::ZERO;
        found.store(&mut line);
        for lane in 0..L::WIDTH {
            assert_eq!(line.0[lane], expect(lane), "{what} in lane {lane} of {}", L::WIDTH);
        }
    };
    let (x, y) = (L::load(cpu, &a), L::load(cpu, &b));
    same(x, &|i| a.0[i], "load");
    same(L::splat(cpu, 0xdead_beef), &|_| 0xdead_beef, "splat");
    same(x.add(y), &|i| a.0[i].wrapping_add(b.0[i]), "add");
    same(x.xor(y), &|i| a.0[i] ^ b.0[i], "xor");
    same(x.and(y), &|i| a.0[i] & b.0[i], "and");
    same(x.rotl::<7, 25>(), &|i| a.0[i].rotate_left(7), "rotl 7");
    same(x.rotl::<18, 14>(), &|i| a.0[i].rotate_left(18), "rotl 18");
    same(x.shr::<10>(), &|i| a.0[i] >> 10, "shr 10");
    same(x.swap_bytes(cpu), &|i| a.0[i].swap_bytes(), "swap_bytes");
    same(x.turn1(), &|i| a.0[i / 4 * 4 + (i + 1) % 4], "turn1");
    same(x.turn2(), &|i| a.0[i / 4 * 4 + (i + 2) % 4], "turn2");
    same(x.turn3(), &|i| a.0[i / 4 * 4 + (i + 3) % 4], "turn3");

    let mut memory = [Line::ZERO; MOST_LANES];
    let lanes = memory.each_mut().map(|line| line.0.as_mut_ptr());
    let four = [10, 20, 30, 40].map(|seed| L::load(cpu, &words(seed)));
    // SAFETY: each lane has a line of 16 words of its own, aligned to 64 bytes.
    let back = unsafe {
        L::store_words(four, &lanes, 4);
        L::load_words(cpu, &lanes, 4)
    };
    for (m, seed) in [10, 20, 30, 40].into_iter().enumerate() {
        same(back[m], &|i| words(seed).0[i], "load_words after store_words");
        for (lane, line) in memory.iter().enumerate().take(L::WIDTH) {
            assert_eq!(line.0[4 + m], words(seed).0[lane], "store_words, lane {lane}");
        }
    }

    let sixteen: [L; 16] = std::array::from_fn(|i| L::load(cpu, &words(i as u32 * 30)));
    // SAFETY: as above.
    let back = unsafe {
        L::store_line(&sixteen, &lanes, 0);
        L::load_line(cpu, &lanes, 0)
    };
    for (i, word) in back.into_iter().enumerate() {
        same(word, &|lane| words(i as u32 * 30).0[lane], "load_line after store_line");
        for (lane, line) in memory.iter().enumerate().take(L::WIDTH) {
            assert_eq!(line.0[i], words(i as u32 * 30).0[lane], "store_line, lane {lane}");
        }
    }

    let lines: [Line; MOST_LANES] = std::array::from_fn(|lane| words(lane as u32 * 50));
    let block: [Line; 16] = std::array::from_fn(|i| words(i as u32 * 70 + 7));
    let mut state: [L; 8] = std::array::from_fn(|i| L::load(cpu, &lines[i]));
    L::compress(cpu, &mut state, &block.map(|line| L::load(cpu, &line)));
    for lane in 0..L::WIDTH {
        let mut expect = std::array::from_fn(|i| lines[i].0[lane]);
        crate::kdf::compress_one(&mut expect, &block.map(|line| line.0[lane]));
        for (word, expect) in state.iter().zip(expect) {
            let mut line = Line::ZERO;
            word.store(&mut line);
            assert_eq!(line.0[lane], expect, "compress, lane {lane} of {}", L::WIDTH);
        }
    }
}
