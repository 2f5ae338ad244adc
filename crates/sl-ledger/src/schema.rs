//! The schemas of the files. A step that was released is never changed: testdata/journal has a
//! file of each.

use sl_store::{Schema, rollup::Shape};

/// Of a day's file: "SLjd".
pub(crate) const DAY: Schema = Schema { application: 0x534c_6a64, steps: &[DAY_1] };

/// Of the roll-ups: "SLjr".
pub(crate) const ROLLUP: Shape<COUNTS, SUMS> = Shape {
    schema: Schema { application: 0x534c_6a72, steps: &[ROLLUP_1] },
    counts: ["accepted", "stale", "rejected", "up_accepted", "up_stale", "up_rejected", "up_lost"],
    sums: ["difficulty", "stale_difficulty"],
};

/// Counters of a roll-up.
pub(crate) const COUNTS: usize = 7;
/// Sums of a roll-up.
pub(crate) const SUMS: usize = 2;

/// `row` counts through all tables without a gap, and a commit is named by its last one.
const DAY_1: &str = "
CREATE TABLE file(day INTEGER NOT NULL, begun INTEGER NOT NULL, follows TEXT NOT NULL,
  follows_chain BLOB NOT NULL);
CREATE TABLE commits(row INTEGER PRIMARY KEY, chain BLOB NOT NULL);
CREATE TABLE names(row INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE coins(row INTEGER PRIMARY KEY, bit INTEGER NOT NULL, ticker TEXT NOT NULL);
CREATE TABLE shares(row INTEGER PRIMARY KEY, at INTEGER NOT NULL, worker INTEGER NOT NULL,
  slot INTEGER NOT NULL, job INTEGER NOT NULL, difficulty REAL NOT NULL, achieved REAL,
  judged INTEGER NOT NULL, missed INTEGER NOT NULL, ticket INTEGER, extranonce BLOB,
  version INTEGER, ntime INTEGER, nonce INTEGER);
CREATE TABLE verdicts(row INTEGER PRIMARY KEY, at INTEGER NOT NULL, ticket INTEGER NOT NULL,
  worker INTEGER NOT NULL, source INTEGER NOT NULL, outcome INTEGER NOT NULL,
  credited INTEGER NOT NULL, missed INTEGER NOT NULL, why TEXT);
CREATE TABLE blocks(row INTEGER PRIMARY KEY, at INTEGER NOT NULL, chain TEXT NOT NULL,
  height INTEGER NOT NULL, hash TEXT NOT NULL, worker INTEGER NOT NULL, job INTEGER NOT NULL,
  event INTEGER NOT NULL, why TEXT);
CREATE TABLE jobs(row INTEGER PRIMARY KEY, at INTEGER NOT NULL, number INTEGER NOT NULL,
  source INTEGER NOT NULL, sequence INTEGER NOT NULL, epoch INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE TABLE upstreams(row INTEGER PRIMARY KEY, at INTEGER NOT NULL, source INTEGER NOT NULL,
  event TEXT NOT NULL, why TEXT NOT NULL);
CREATE TABLE slots(row INTEGER PRIMARY KEY, at INTEGER NOT NULL, slot INTEGER NOT NULL,
  event INTEGER NOT NULL, session TEXT NOT NULL, worker INTEGER NOT NULL, address TEXT NOT NULL,
  user_agent TEXT, difficulty REAL);
CREATE TABLE judgements(code INTEGER PRIMARY KEY, word TEXT NOT NULL);
INSERT INTO judgements VALUES (0,'accepted'),(1,'stale'),(16,'other'),(17,'unknown_job'),
  (18,'duplicate'),(19,'low_difficulty'),(20,'ntime'),(21,'version'),(22,'extranonce'),
  (23,'malformed'),(24,'unauthorized'),(25,'not_subscribed'),(26,'busy');
CREATE VIEW readable AS SELECT shares.row, file.day * 86400000 + shares.at AS at_ms,
  names.name AS worker, slot, job, difficulty, achieved,
  iif(judged < 2, judgements.word, 'rejected') AS outcome,
  iif(judged < 2, NULL, judgements.word) AS reason, missed, ticket
  FROM shares JOIN file JOIN names ON names.row = worker
  LEFT JOIN judgements ON judgements.code = judged;
";

const ROLLUP_1: &str = "
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO names VALUES(0, '');
CREATE TABLE points(period INTEGER NOT NULL, start INTEGER NOT NULL, series INTEGER NOT NULL,
  accepted INTEGER NOT NULL, stale INTEGER NOT NULL, rejected INTEGER NOT NULL,
  up_accepted INTEGER NOT NULL, up_stale INTEGER NOT NULL, up_rejected INTEGER NOT NULL,
  up_lost INTEGER NOT NULL, difficulty REAL NOT NULL, stale_difficulty REAL NOT NULL,
  best REAL NOT NULL, latest REAL NOT NULL,
  PRIMARY KEY(period, start, series)) WITHOUT ROWID;
CREATE TABLE causes(period INTEGER NOT NULL, start INTEGER NOT NULL, series INTEGER NOT NULL,
  cause INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY(period, start, series, cause)) WITHOUT ROWID;
CREATE TABLE watermarks(source TEXT PRIMARY KEY, label TEXT NOT NULL, row INTEGER NOT NULL)
  WITHOUT ROWID;
";
