//! The ladder: hashes per second of each engine on one thread, interleaved rounds, against the
//! `scrypt` crate (with N=1024, r=1, p=1) in the same run; and of batches of 16 headers and of one.
//!
//! `cargo run -p sl-scrypt --release --example rate [-- ROUNDS [ALGORITHM] [ENGINE…]]`, where an
//! algorithm is `scrypt`, `scrypt-n:N=2048`, `scrypt-jane:nmin=9`, and so on.
#![expect(clippy::print_stdout, reason = "an example prints its answer")]
#![expect(clippy::disallowed_methods, reason = "the clock of this program is made here")]

use std::time::{Duration, Instant};

use sl_pow::{Algorithm, Prover, Registry, bench, with_nonce};
use sl_scrypt::{Scrypt, ScryptFamily, ScryptJaneFamily, candidates};
use sl_units::{HashRate, Mono};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(Ok(7), |text| text.parse())?;
    let mut wanted: Vec<String> = arguments.collect();
    let mut registry = Registry::new();
    registry.register(Scrypt)?;
    registry.register_family(ScryptFamily)?;
    registry.register_family(ScryptJaneFamily)?;
    let named = wanted.first().is_some_and(|word| word.starts_with("scrypt"));
    let name = if named { wanted.remove(0) } else { "scrypt".to_owned() };
    let algorithm = registry.resolve(&name)?;
    let mut provers = Vec::new();
    let others = if name == "scrypt" { candidates() } else { Vec::new() };
    println!("{}", algorithm.name());
    for row in algorithm.engines().into_iter().chain(others) {
        if !(row.available)() {
            println!("{:12} not on this CPU", row.name);
        } else if wanted.is_empty() || wanted.iter().any(|name| name == row.name) {
            provers.push((row.prover(algorithm.as_ref())?, Vec::new(), Vec::new(), Vec::new()));
        }
    }
    let start = Instant::now();
    let now = || Mono::from_start(cpu_time().unwrap_or_else(|| start.elapsed()));
    let plan = bench::BenchPlan { rounds: 1, round: Duration::from_millis(400) };
    let mut peer = Vec::new();
    for _ in 0..rounds {
        for (prover, rates, batches, singles) in &mut provers {
            let figures =
                bench::measure(std::slice::from_mut(prover), algorithm.as_ref(), plan, now);
            assert!(figures.verified, "{} is wrong", figures.engine);
            rates.push(figures.hashrate.hs());
            let header = algorithm.vectors()[0].header;
            let mixed: Vec<_> = (0..16).map(|nonce| with_nonce(&header, nonce)).collect();
            batches.push(batch(prover, &mixed, &now).hs());
            singles.push(batch(prover, &mixed[..1], &now).hs());
        }
        peer.push(scrypt_crate(&now).hs());
    }
    let peer = median(&mut peer);
    println!(
        "{:12} {:>5} {:>12} {:>8} {:>14} {:>14}",
        "engine", "lanes", "scan kH/s", "ratio", "16 mixed kH/s", "one kH/s"
    );
    println!("{:12} {:>5} {:>12.2} {:>8.2}", "scrypt crate", 1, peer / 1e3, 1.0);
    for (prover, rates, batches, singles) in &mut provers {
        let rate = median(rates);
        println!(
            "{:12} {:>5} {:>12.2} {:>8.2} {:>14.2} {:>14.2}",
            prover.name(),
            prover.lanes(),
            rate / 1e3,
            rate / peer,
            median(batches) / 1e3,
            median(singles) / 1e3
        );
    }
    Ok(())
}

/// The time for which this thread has had a CPU, by Linux's count (true to a tick of 4 ms): on a
/// machine with other work, engines can still be compared.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Batches of these headers for a while.
fn batch(prover: &mut Prover, headers: &[[u8; 80]], now: &impl Fn() -> Mono) -> HashRate {
    let begin = now();
    let (mut hashes, mut hashed) = (0, Vec::with_capacity(headers.len()));
    while now().since(begin) < Duration::from_millis(200) {
        // Reading the clock takes as long as a hash on some machines.
        for _ in 0..32 {
            hashed.clear();
            prover.batch_into(headers, &mut hashed);
            std::hint::black_box(&hashed);
            hashes += headers.len() as u32;
        }
    }
    HashRate::from_work(f64::from(hashes), now().since(begin))
}

fn scrypt_crate(now: &impl Fn() -> Mono) -> HashRate {
    let params = scrypt::Params::new(10, 1, 1).expect("Litecoin's");
    let header = Scrypt.vectors()[0].header;
    let begin = now();
    let mut hashes = 0;
    while now().since(begin) < Duration::from_millis(400) {
        let mut out = [0; 32];
        scrypt::scrypt(&header, &header, &params, &mut out).expect("a lawful length");
        std::hint::black_box(out);
        hashes += 1;
    }
    HashRate::from_work(f64::from(hashes), now().since(begin))
}
