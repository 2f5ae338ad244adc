//! Sums per minute, hour and day that agree with the rows they are of, whatever happens between.
//!
//! Each source of rows (a file) has a watermark: the last row that is in the sums. A step adds the
//! sums of the rows after the watermark and moves it, in one transaction. A step that is done
//! twice is refused the second time; one that was lost is made again from the rows.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use sqlx::Row as _;

use crate::{Access, Database, Durability, Insert, Schema, StoreError};

mod reading;
mod thinning;

pub use reading::Span;

/// The series that is the sum of all others.
pub const TOTAL: &str = "";
/// Names that are kept in memory; more are looked up.
const NAMES: usize = 200_000;

/// The lengths of time that sums are kept for, in seconds: minute, hour and day of UTC.
pub const PERIODS: [i64; 3] = [60, 3600, 86_400];

/// What is summed. The names become columns, so they are words of the program.
#[derive(Clone, Copy, Debug)]
pub struct Shape<const C: usize, const S: usize> {
    /// The schema of the file, its tables made by [`schema_step`].
    pub schema: Schema,
    /// Counters.
    pub counts: [&'static str; C],
    /// Sums of quantities.
    pub sums: [&'static str; S],
}

/// The sums of one series in one stretch of time.
#[derive(Clone, PartialEq, Debug)]
pub struct Point<const C: usize, const S: usize> {
    /// One for each of the shape's counters.
    pub counts: [u64; C],
    /// One for each of the shape's sums.
    pub sums: [f64; S],
    /// The greatest of a quantity that was seen.
    pub best: f64,
    /// The latest of a quantity that was seen.
    pub latest: f64,
    /// Counts by cause, as in "rejected.duplicate".
    pub causes: Vec<(Arc<str>, u64)>,
}

/// Sums of rows of one source that are in no file yet.
#[derive(Clone, PartialEq, Debug)]
pub struct Deltas<const C: usize, const S: usize> {
    /// The last row before the first of these: the watermark that they fit on.
    pub after: i64,
    /// The last row of these.
    pub upto: i64,
    minutes: HashMap<(i64, Arc<str>), Point<C, S>>,
}

/// A file of sums.
#[derive(Debug)]
pub struct Rollup<const C: usize, const S: usize> {
    database: Database,
    points: Insert,
    causes: Insert,
    new_names: Insert,
    names: HashMap<Arc<str>, i64>,
    /// The highest id among the names in memory.
    highest: i64,
    /// The columns of sums.
    sums: [&'static str; S],
    /// No minute of a single series is left before this instant, in seconds since 1970.
    thinned: i64,
}

/// The statements that make the tables of a shape: the step of its schema.
#[must_use]
pub fn schema_step(counts: &[&str], sums: &[&str]) -> String {
    let columns: String = counts
        .iter()
        .map(|name| format!("{name} INTEGER NOT NULL, "))
        .chain(sums.iter().map(|name| format!("{name} REAL NOT NULL, ")))
        .collect();
    format!(
        "CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);\n\
         INSERT INTO names VALUES(0, '');\n\
         CREATE TABLE points(period INTEGER NOT NULL, start INTEGER NOT NULL, \
         series INTEGER NOT NULL, {columns}best REAL NOT NULL, latest REAL NOT NULL, \
         PRIMARY KEY(period, start, series)) WITHOUT ROWID;\n\
         CREATE TABLE causes(period INTEGER NOT NULL, start INTEGER NOT NULL, \
         series INTEGER NOT NULL, cause INTEGER NOT NULL, count INTEGER NOT NULL, \
         PRIMARY KEY(period, start, series, cause)) WITHOUT ROWID;\n\
         CREATE TABLE watermarks(source TEXT PRIMARY KEY, label TEXT NOT NULL, \
         row INTEGER NOT NULL) WITHOUT ROWID;"
    )
}

impl<const C: usize, const S: usize> Default for Point<C, S> {
    fn default() -> Self {
        Self { counts: [0; C], sums: [0.0; S], best: 0.0, latest: 0.0, causes: Vec::new() }
    }
}

impl<const C: usize, const S: usize> Point<C, S> {
    /// Counts a cause.
    pub fn cause(&mut self, name: &Arc<str>, count: u64) {
        match self.causes.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known += count,
            None => self.causes.push((Arc::clone(name), count)),
        }
    }

    /// Adds a point that came after this one.
    pub fn add(&mut self, later: &Self) {
        for (sum, more) in self.counts.iter_mut().zip(&later.counts) {
            *sum += more;
        }
        for (sum, more) in self.sums.iter_mut().zip(&later.sums) {
            *sum += more;
        }
        self.best = self.best.max(later.best);
        if later.latest != 0.0 {
            self.latest = later.latest;
        }
        for (name, count) in &later.causes {
            self.cause(name, *count);
        }
    }
}

impl<const C: usize, const S: usize> Deltas<C, S> {
    /// No rows yet, after row `after`.
    #[must_use]
    pub fn after(after: i64) -> Self {
        Self { after, upto: after, minutes: HashMap::new() }
    }

    /// The point of a series in the minute of an instant, in seconds since 1970. Move
    /// [`upto`](Self::upto) along with the rows.
    pub fn point(&mut self, at_s: i64, series: &Arc<str>) -> &mut Point<C, S> {
        let minute = at_s - at_s.rem_euclid(60);
        self.minutes.entry((minute, Arc::clone(series))).or_default()
    }

    /// Points so far; each takes memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.minutes.len()
    }

    /// Whether there is nothing to add, not even rows without sums.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.upto <= self.after
    }

    /// All points: those of each series for each period, and their total.
    #[must_use]
    pub fn points(&self) -> BTreeMap<(i64, i64, Arc<str>), Point<C, S>> {
        let total: Arc<str> = TOTAL.into();
        let mut all: BTreeMap<_, Point<C, S>> = BTreeMap::new();
        // In the order of time, so that the latest is the latest.
        let mut minutes: Vec<_> = self.minutes.iter().collect();
        minutes.sort_by_key(|(key, _)| *key);
        for ((minute, series), point) in minutes {
            for period in PERIODS {
                let start = minute - minute.rem_euclid(period);
                for series in [series, &total] {
                    all.entry((period, start, Arc::clone(series))).or_default().add(point);
                }
            }
        }
        all
    }
}

impl<const C: usize, const S: usize> Rollup<C, S> {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Those of [`Database::open`].
    pub async fn open(path: &Path, shape: &Shape<C, S>) -> Result<Self, StoreError> {
        let access =
            Access { durability: Durability::Checkpoints, most_pages: None, shrinks: true };
        Ok(Self::over(Database::open(path, &shape.schema, access).await?, shape))
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// Those of [`Database::open_read`].
    pub async fn open_read(path: &Path, shape: &Shape<C, S>) -> Result<Self, StoreError> {
        Ok(Self::over(Database::open_read(path, &shape.schema).await?, shape))
    }

    fn over(database: Database, shape: &Shape<C, S>) -> Self {
        let mut columns = vec!["period", "start", "series"];
        columns.extend(shape.counts.iter().chain(&shape.sums));
        columns.extend(["best", "latest"]);
        let adds: String = shape
            .counts
            .iter()
            .chain(&shape.sums)
            .map(|name| format!("{name} = {name} + excluded.{name}, "))
            .collect();
        let conflict = format!(
            "ON CONFLICT DO UPDATE SET {adds}best = max(best, excluded.best), \
             latest = iif(excluded.latest = 0, latest, excluded.latest)"
        );
        Self {
            database,
            points: Insert::new("points", &columns, &conflict),
            causes: Insert::new(
                "causes",
                &["period", "start", "series", "cause", "count"],
                "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            ),
            new_names: Insert::new("names", &["name"], "ON CONFLICT DO NOTHING"),
            names: HashMap::new(),
            highest: 0,
            sums: shape.sums,
            thinned: 0,
        }
    }

    /// The last row of a source that is in the sums; 0 if none is.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn watermark(&mut self, source: &str) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT row FROM watermarks WHERE source = ?1")
            .bind(source.to_owned())
            .fetch_optional(self.database.connection())
            .await
            .and_then(|row| row.map_or(Ok(0), |row| row.try_get(0)));
        row.map_err(|error| self.database.error("read", &error))
    }

    /// All sources whose rows are in the sums: source, label, last row.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn sources(&mut self) -> Result<Vec<(String, String, i64)>, StoreError> {
        let rows =
            sqlx::query_as("SELECT source, label, row FROM watermarks ORDER BY label, source")
                .fetch_all(self.database.connection())
                .await;
        rows.map_err(|error| self.database.error("read", &error))
    }

    /// Adds the sums of rows of a source and moves its watermark, both or neither. False if they
    /// do not fit on the watermark, because they are in the sums already or others are missing;
    /// nothing is changed then. The label says to people what the source is.
    ///
    /// # Errors
    /// What SQLite says; nothing is changed then.
    pub async fn add(
        &mut self,
        source: &str,
        label: &str,
        deltas: &Deltas<C, S>,
    ) -> Result<bool, StoreError> {
        self.database.begin().await?;
        let done = match self.add_within(source, label, deltas).await {
            Ok(true) => self.database.commit().await.map(|()| true),
            other => other,
        };
        if !matches!(done, Ok(true)) {
            self.database.undo().await;
            // Names of this step may have been undone with it.
            self.names.clear();
            self.highest = 0;
        }
        done
    }

    async fn add_within(
        &mut self,
        source: &str,
        label: &str,
        deltas: &Deltas<C, S>,
    ) -> Result<bool, StoreError> {
        if self.watermark(source).await? != deltas.after || deltas.upto < deltas.after {
            return Ok(false);
        }
        let sums = deltas.points();
        self.learn(&sums).await.map_err(|error| self.database.error("write to", &error))?;
        let mut points = Vec::new();
        let mut causes = Vec::new();
        for ((period, start, series), point) in sums {
            let series = self.name(&series).await?;
            for (cause, count) in &point.causes {
                causes.push([period, start, series, self.name(cause).await?, signed(*count)]);
            }
            points.push((period, start, series, point));
        }
        let connection = self.database.connection();
        let inserted = async {
            self.points
                .rows(connection, &points, |(period, start, series, point), values| {
                    values.add(period);
                    values.add(start);
                    values.add(series);
                    point.counts.iter().for_each(|count| values.add(signed(*count)));
                    point.sums.iter().for_each(|sum| values.add(*sum));
                    values.add(point.best);
                    values.add(point.latest);
                })
                .await?;
            let bind = |row: &[i64; 5], values: &mut crate::Values| {
                row.iter().for_each(|number| values.add(*number));
            };
            self.causes.rows(connection, &causes, bind).await?;
            sqlx::query(
                "INSERT INTO watermarks VALUES(?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET row = excluded.row",
            )
            .bind(source.to_owned())
            .bind(label.to_owned())
            .bind(deltas.upto)
            .execute(connection)
            .await
        };
        match inserted.await {
            Ok(_) => Ok(true),
            Err(error) => Err(self.database.error("write to", &error)),
        }
    }

    /// The file itself.
    pub const fn database(&mut self) -> &mut Database {
        &mut self.database
    }

    /// Closes the file; see [`Database::close`].
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn close(self) -> Result<(), StoreError> {
        self.database.close().await
    }

    /// Puts names that are new into the file and into memory, many at once.
    async fn learn(
        &mut self,
        sums: &BTreeMap<(i64, i64, Arc<str>), Point<C, S>>,
    ) -> Result<(), sqlx::Error> {
        self.read_names().await?;
        let of_point = |(key, point): (&(i64, i64, Arc<str>), &Point<C, S>)| {
            let causes: Vec<_> = point.causes.iter().map(|(cause, _)| Arc::clone(cause)).collect();
            std::iter::once(Arc::clone(&key.2)).chain(causes)
        };
        let mut new: Vec<_> = sums.iter().flat_map(of_point).collect();
        new.retain(|name| !name.is_empty() && !self.names.contains_key(name));
        new.sort();
        new.dedup();
        let connection = self.database.connection();
        let bind = |name: &Arc<str>, values: &mut crate::Values| values.add(Arc::clone(name));
        self.new_names.rows(connection, &new, bind).await?;
        if new.is_empty() { Ok(()) } else { self.read_names().await }
    }

    /// Takes up names that came into the file, as far as memory is meant for them.
    async fn read_names(&mut self) -> Result<(), sqlx::Error> {
        let room = NAMES.saturating_sub(self.names.len());
        let rows = sqlx::query_as::<_, (i64, String)>(
            "SELECT id, name FROM names WHERE id > ?1 ORDER BY id LIMIT ?2",
        );
        let rows = rows.bind(self.highest).bind(i64::try_from(room).unwrap_or(i64::MAX));
        for (id, name) in rows.fetch_all(self.database.connection()).await? {
            self.names.insert(name.into(), id);
            self.highest = id;
        }
        Ok(())
    }

    /// The id of a name; one that memory has no room for is looked up.
    async fn name(&mut self, name: &Arc<str>) -> Result<i64, StoreError> {
        if name.is_empty() {
            return Ok(0);
        }
        if let Some(id) = self.names.get(name) {
            return Ok(*id);
        }
        // The update that changes nothing makes the row come back.
        let row = sqlx::query(
            "INSERT INTO names(name) VALUES(?1) \
             ON CONFLICT DO UPDATE SET name = excluded.name RETURNING id",
        )
        .bind(name.to_string())
        .fetch_one(self.database.connection())
        .await;
        let id = row.and_then(|row| row.try_get(0));
        id.map_err(|error| self.database.error("write to", &error))
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
