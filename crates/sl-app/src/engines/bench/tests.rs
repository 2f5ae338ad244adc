use sl_pow::{Engine, HEADER_LEN, Hit, NotMade, ScalarEngine, Vector};
use sl_units::{Hash256, Target};

use super::*;

/// The last 32 bytes of the header: hashed in no time.
#[derive(Clone, Copy)]
struct Tail;

static VECTORS: [Vector; 2] = [
    Vector { name: "zeros", header: [0; HEADER_LEN], hash: Hash256::ZERO },
    Vector { name: "ones", header: [1; HEADER_LEN], hash: Hash256::from_bytes([1; 32]) },
];

impl Algorithm for Tail {
    fn name(&self) -> &'static str {
        "tail"
    }

    fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256 {
        Hash256::from_bytes(*header.last_chunk().expect("80 is more than 32"))
    }

    fn vectors(&self) -> &[Vector] {
        &VECTORS
    }

    fn engines(&self) -> Vec<EngineRow> {
        let row = |name,
                   lanes,
                   available: fn() -> bool,
                   make: fn() -> Result<Box<dyn Engine>, NotMade>| {
            EngineRow { name, lanes, available, make: Arc::new(make) }
        };
        vec![
            row("scalar", 1, || true, || Ok(Box::new(ScalarEngine::new(Tail)))),
            row("wrong", 4, || true, || Ok(Box::new(WrongInLaneTwo))),
            row("absent", 8, || false, || Ok(Box::new(ScalarEngine::new(Tail)))),
            row(
                "greedy",
                2,
                || true,
                || {
                    let cause = "out of memory".to_owned();
                    Err(NotMade::NoMemory { engine: "greedy", bytes: 1 << 40, cause })
                },
            ),
        ]
    }
}

/// Four lanes, of which the third answers wrong in a batch.
struct WrongInLaneTwo;

impl Engine for WrongInLaneTwo {
    fn name(&self) -> &'static str {
        "wrong"
    }

    fn lanes(&self) -> usize {
        4
    }

    fn scan(
        &mut self,
        header: &[u8; HEADER_LEN],
        first: u32,
        count: u32,
        target: Target,
        hits: &mut Vec<Hit>,
    ) {
        ScalarEngine::new(Tail).scan(header, first, count, target, hits);
    }

    fn batch(&mut self, headers: &[[u8; HEADER_LEN]], out: &mut [Hash256]) {
        ScalarEngine::new(Tail).batch(headers, out);
        if let Some(hash) = out.get_mut(2) {
            *hash = Hash256::from_bytes([9; 32]);
        }
    }
}

fn report(ask: BenchAsk) -> Result<BenchReport, BenchError> {
    let mut registry = Registry::new();
    registry.register(Tail).expect("a new name");
    let ask = BenchAsk { algorithm: "tail".into(), ..ask };
    bench(&registry, &ask, &Cpu { threads: 2, cores: 1, ..Cpu::default() }, Clock::real())
}

fn quick() -> Option<BenchPlan> {
    Some(BenchPlan { rounds: 2, round: Duration::from_millis(1) })
}

#[test]
fn an_engine_that_is_wrong_in_one_lane_is_named_by_it_and_not_measured() {
    for plan in [None, quick()] {
        let report = report(BenchAsk { plan, ..BenchAsk::default() }).expect("known");
        let row = |name| report.engines.iter().find(|row| row.name == name).expect(name);
        let wrong = row("wrong");
        assert_eq!((wrong.verified, wrong.hashrate_hs), (Some(false), None));
        let fault = wrong.fault.as_deref().unwrap_or_default();
        assert!(fault.contains("engine wrong of tail") && fault.contains("lane 2"), "{fault}");
        assert_eq!(row("scalar").verified, Some(true));
        assert_eq!((row("absent").available, row("absent").verified), (false, None));
        let greedy = row("greedy").fault.as_deref().unwrap_or_default();
        assert!(greedy.contains("out of memory"), "{greedy}");
        assert_eq!(report.best().map(|row| row.name), plan.map(|_| "scalar"));
    }
}

#[test]
fn every_number_of_threads_has_a_row() {
    let report = report(BenchAsk { plan: quick(), ..BenchAsk::default() }).expect("known");
    let rows: Vec<_> = report.engines.iter().filter(|row| row.name == "scalar").collect();
    assert_eq!(rows.iter().map(|row| row.threads).collect::<Vec<_>>(), [1, 2]);
    for row in &rows {
        assert!(row.hashrate_hs > Some(0.0) && row.cycles_per_hash > Some(0.0), "{row:?}");
        assert_eq!(row.checksum, Some(bench::reference_checksum(&Tail)));
        assert_eq!((row.floor_share(), row.hashrate_per_thread_hs().is_some()), (None, true));
    }
    assert!(rows[0].batch.is_some() && rows[1].batch.is_none());
    assert!(report.frequency_hz > Some(1e6));
    let asked = BenchAsk {
        threads: vec![3, 1, 3],
        engine: Some("scalar".into()),
        plan: quick(),
        ..BenchAsk::default()
    };
    let rows = self::report(asked).expect("known").engines;
    assert_eq!(rows.iter().map(|row| row.threads).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn wrong_words_are_told_with_what_is_allowed() {
    let check = |ask: BenchAsk, expect: &str| {
        let wrong = report(ask).expect_err(expect);
        assert!(wrong.is_usage() && wrong.to_string() == expect, "{wrong}");
    };
    let threads = |threads| BenchAsk { threads, ..BenchAsk::default() };
    check(threads(vec![1, 0]), "found 0 threads, allowed are 1 to 1024");
    check(threads(vec![5000]), "found 5000 threads, allowed are 1 to 1024");
    check(
        BenchAsk { engine: Some("avx9".into()), ..BenchAsk::default() },
        "found engine \"avx9\", allowed for tail are: scalar, wrong, absent, greedy",
    );
}

#[test]
fn threads_differ() {
    let check = |threads, cores, expect: &[usize]| {
        assert_eq!(usual_threads(&Cpu { threads, cores, ..Cpu::default() }), expect);
    };
    check(1, 1, &[1]);
    check(2, 2, &[1, 2]);
    check(8, 4, &[1, 4, 8]);
    check(0, 0, &[1]);
}
