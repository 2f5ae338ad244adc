//! Roll-ups agree with their rows, however the steps fall and whatever is lost between.

use std::sync::Arc;

use proptest::prelude::*;
use sl_store::{
    Schema,
    rollup::{Deltas, PERIODS, Rollup, Shape, Span, TOTAL, schema_step},
};

const SHAPE: Shape<2, 1> = Shape {
    schema: Schema {
        application: 0x7465_7374,
        steps: &["
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO names VALUES(0, '');
CREATE TABLE points(period INTEGER NOT NULL, start INTEGER NOT NULL, series INTEGER NOT NULL,
  good INTEGER NOT NULL, bad INTEGER NOT NULL, weight REAL NOT NULL, best REAL NOT NULL,
  latest REAL NOT NULL, PRIMARY KEY(period, start, series)) WITHOUT ROWID;
CREATE TABLE causes(period INTEGER NOT NULL, start INTEGER NOT NULL, series INTEGER NOT NULL,
  cause INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY(period, start, series, cause))
  WITHOUT ROWID;
CREATE TABLE watermarks(source TEXT PRIMARY KEY, label TEXT NOT NULL, row INTEGER NOT NULL)
  WITHOUT ROWID;"],
    },
    counts: ["good", "bad"],
    sums: ["weight"],
};

/// A row: its instant, whose it is, whether it is good.
type Row = (i64, u8, bool);

/// The sums of the rows behind one row and up to another.
fn deltas(rows: &[Row], after: usize, upto: usize) -> Deltas<2, 1> {
    let mut deltas = Deltas::after(after as i64);
    for (at, series, good) in &rows[after..upto] {
        let point = deltas.point(*at, &format!("series{series}").into());
        point.counts[usize::from(!good)] += 1;
        point.sums[0] += 0.5;
        point.best = point.best.max(*at as f64);
        point.latest = *at as f64 + 1.0;
        if !good {
            point.cause(&Arc::from("bad.luck"), 1);
        }
    }
    deltas.upto = upto as i64;
    deltas
}

/// What a run of the program does next.
#[derive(Clone, Debug)]
enum Step {
    /// Adds the next rows.
    Add(usize),
    /// Adds what was added before once more, from so far back.
    Again(usize),
    /// Leaves rows out.
    Skip(usize),
    /// Dies, and comes back.
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_usize..40).prop_map(Step::Add),
        2 => (1_usize..40).prop_map(Step::Again),
        1 => (1_usize..40).prop_map(Step::Skip),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn each_row_counts_once(
        rows in proptest::collection::vec((0_i64..200_000, 0_u8..5, any::<bool>()), 1..300),
        steps in steps(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&rows, &steps));
    }
}

async fn check(rows: &[Row], steps: &[Step]) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("sums.db");
    let mut rollup = Rollup::open(&path, &SHAPE).await.unwrap();
    let mut done = 0;
    for step in steps {
        match step {
            Step::Add(more) => {
                let upto = (done + more).min(rows.len());
                assert!(rollup.add("file", "a file", &deltas(rows, done, upto)).await.unwrap());
                done = upto;
            }
            Step::Again(back) if *back <= done => {
                let again = deltas(rows, done - back, done);
                assert!(!rollup.add("file", "a file", &again).await.unwrap());
            }
            Step::Skip(over) if done + over <= rows.len() => {
                let later = deltas(rows, done + over, rows.len());
                assert!(!rollup.add("file", "a file", &later).await.unwrap());
            }
            Step::Reopen => {
                drop(rollup);
                rollup = Rollup::open(&path, &SHAPE).await.unwrap();
            }
            Step::Again(_) | Step::Skip(_) => {}
        }
        assert_eq!(rollup.watermark("file").await.unwrap(), done as i64);
    }
    // One step over all of them would have made the same.
    let expected = deltas(rows, 0, done).points();
    let mut found = 0;
    for period in PERIODS {
        for (start, series, point) in rollup.read(period, 0, 200_000, None).await.unwrap() {
            let expected = expected.get(&(period, start, Arc::clone(&series))).unwrap();
            assert_eq!(point.counts, expected.counts);
            assert_eq!((point.sums, point.best), (expected.sums, expected.best));
            assert_eq!(point.causes, expected.causes);
            found += 1;
        }
    }
    assert_eq!(found, expected.len());
}

#[test]
fn the_shape_has_the_tables_that_it_names() {
    let words = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(words(SHAPE.schema.steps[0]), words(&schema_step(&SHAPE.counts, &SHAPE.sums)));
}

#[tokio::test]
async fn minutes_of_single_series_can_go() {
    let place = tempfile::tempdir().unwrap();
    let mut rollup = Rollup::open(&place.path().join("sums.db"), &SHAPE).await.unwrap();
    let rows: Vec<Row> = (0..100).map(|minute| (minute * 60, 1, minute % 2 == 0)).collect();
    rollup.add("file", "a file", &deltas(&rows, 0, 100)).await.unwrap();
    let span = Span {
        series: "series1".into(),
        first: 600,
        last: 99 * 60,
        sums: [45.0],
        latest: 99.0 * 60.0 + 1.0,
    };
    assert_eq!(rollup.spans(60, 600).await.unwrap(), [span]);
    assert_eq!(rollup.spans(60, 100 * 60).await.unwrap(), []);

    let mut bites = Vec::new();
    while let gone @ 1.. = rollup.thin(52 * 60).await.unwrap() {
        bites.push(gone);
    }
    assert_eq!(bites, [[5; 10].as_slice(), &[2]].concat());
    let count = async |rollup: &mut Rollup<2, 1>, period, series| {
        rollup.read(period, 0, i64::MAX, Some(series)).await.unwrap().len()
    };
    assert_eq!(count(&mut rollup, 60, "series1").await, 48);
    assert_eq!(count(&mut rollup, 60, TOTAL).await, 100);
    assert_eq!(count(&mut rollup, 3600, "series1").await, 2);
}
