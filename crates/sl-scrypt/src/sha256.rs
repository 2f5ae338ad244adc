//! The compression function of SHA-256 (FIPS 180-4) in any number of lanes.

use crate::lanes::Lanes;

/// The initial state.
pub(crate) const IV: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// One compression in each lane. The rounds go sixteen at a time, so that the schedule stays in
/// place and the code stays small.
#[inline(always)]
pub(crate) fn compress<L: Lanes>(cpu: L::Cpu, state: &mut [L; 8], block: &[L; 16]) {
    let mut s = *state;
    let mut w = *block;
    for (turn, k) in K.as_chunks::<16>().0.iter().enumerate() {
        if turn > 0 {
            for i in 0..16 {
                let (a, b) = (w[(i + 1) % 16], w[(i + 14) % 16]);
                let small0 = a.rotl::<25, 7>().xor(a.rotl::<14, 18>()).xor(a.shr::<3>());
                let small1 = b.rotl::<15, 17>().xor(b.rotl::<13, 19>()).xor(b.shr::<10>());
                w[i] = w[i].add(small0).add(w[(i + 9) % 16]).add(small1);
            }
        }
        for eight in 0..2 {
            let (k, w) = (&k[8 * eight..], &w[8 * eight..]);
            // Written out: the state then stays in registers and is never moved.
            round::<L, 0>(&mut s, L::splat(cpu, k[0]).add(w[0]));
            round::<L, 1>(&mut s, L::splat(cpu, k[1]).add(w[1]));
            round::<L, 2>(&mut s, L::splat(cpu, k[2]).add(w[2]));
            round::<L, 3>(&mut s, L::splat(cpu, k[3]).add(w[3]));
            round::<L, 4>(&mut s, L::splat(cpu, k[4]).add(w[4]));
            round::<L, 5>(&mut s, L::splat(cpu, k[5]).add(w[5]));
            round::<L, 6>(&mut s, L::splat(cpu, k[6]).add(w[6]));
            round::<L, 7>(&mut s, L::splat(cpu, k[7]).add(w[7]));
        }
    }
    for (word, mixed) in state.iter_mut().zip(s) {
        *word = word.add(mixed);
    }
}

/// Round `AT` of eight: instead of moving the eight words on by one, it counts them from elsewhere.
#[inline(always)]
fn round<L: Lanes, const AT: usize>(s: &mut [L; 8], key_and_word: L) {
    let [a, b, c, d, e, f, g, h] = const {
        let mut places = [0; 8];
        let mut i = 0;
        while i < 8 {
            places[i] = (i + 8 - AT) % 8;
            i += 1;
        }
        places
    };
    let big1 = s[e].rotl::<26, 6>().xor(s[e].rotl::<21, 11>()).xor(s[e].rotl::<7, 25>());
    let choice = s[g].xor(s[e].and(s[f].xor(s[g])));
    let one = s[h].add(big1).add(choice).add(key_and_word);
    let big0 = s[a].rotl::<30, 2>().xor(s[a].rotl::<19, 13>()).xor(s[a].rotl::<10, 22>());
    let majority = s[b].xor(s[a].xor(s[b]).and(s[b].xor(s[c])));
    s[d] = s[d].add(one);
    s[h] = one.add(big0.add(majority));
}

/// The words of a block as SHA-256 reads them.
pub(crate) fn words_of<const BYTES: usize, const WORDS: usize>(
    bytes: &[u8; BYTES],
) -> [u32; WORDS] {
    const { assert!(BYTES == 4 * WORDS, "a word has four bytes") };
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}
