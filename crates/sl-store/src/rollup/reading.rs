//! What is read of a file of sums.

use std::{collections::HashMap, sync::Arc};

use sqlx::Row as _;

use super::{Point, Rollup};
use crate::StoreError;

/// What a series came to in a stretch of time.
#[derive(Clone, PartialEq, Debug)]
pub struct Span<const S: usize> {
    /// Whose it is.
    pub series: Arc<str>,
    /// The start of the first period with a point, in seconds since 1970.
    pub first: i64,
    /// The start of the last.
    pub last: i64,
    /// The shape's sums over all of them.
    pub sums: [f64; S],
    /// The latest of the quantity of which the latest is kept; 0 if none was seen.
    pub latest: f64,
}

impl<const C: usize, const S: usize> Rollup<C, S> {
    /// The sums of a period from one instant to before another, in seconds since 1970, of one
    /// series or of all; in the order of time.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn read(
        &mut self,
        period: i64,
        from: i64,
        to: i64,
        series: Option<&str>,
    ) -> Result<Vec<(i64, Arc<str>, Point<C, S>)>, StoreError> {
        let rows = self.read_rows(period, from, to, series).await;
        rows.map_err(|error| self.database.error("read", &error))
    }

    async fn read_rows(
        &mut self,
        period: i64,
        from: i64,
        to: i64,
        series: Option<&str>,
    ) -> Result<Vec<(i64, Arc<str>, Point<C, S>)>, sqlx::Error> {
        const OF: &str = "WHERE period = ?1 AND start >= ?2 AND start < ?3 \
                          AND (?4 IS NULL OR names.name = ?4)";
        let points = format!(
            "SELECT points.*, names.name AS name FROM points JOIN names ON names.id = series {OF} \
             ORDER BY start, series"
        );
        let causes = format!(
            "SELECT start, names.name, cause.name, count FROM causes \
             JOIN names ON names.id = series JOIN names AS cause ON cause.id = cause {OF}"
        );
        let of = series.map(str::to_owned);
        let connection = self.database.connection();
        let mut by_cause = HashMap::<(i64, String), Vec<_>>::new();
        let rows = sqlx::query_as::<_, (i64, String, String, i64)>(sqlx::AssertSqlSafe(causes));
        let rows = rows.bind(period).bind(from).bind(to).bind(of.clone());
        for (start, series, cause, count) in rows.fetch_all(&mut *connection).await? {
            let causes = by_cause.entry((start, series)).or_default();
            causes.push((cause.into(), count.unsigned_abs()));
        }
        let rows = sqlx::query(sqlx::AssertSqlSafe(points));
        let rows = rows.bind(period).bind(from).bind(to).bind(of).fetch_all(connection).await?;
        let point = |row: &sqlx::sqlite::SqliteRow| {
            let (start, series): (i64, String) = (row.try_get("start")?, row.try_get("name")?);
            let mut point = Point::default();
            for (at, count) in point.counts.iter_mut().enumerate() {
                *count = row.try_get::<i64, _>(3 + at)?.unsigned_abs();
            }
            for (at, sum) in point.sums.iter_mut().enumerate() {
                *sum = row.try_get(3 + C + at)?;
            }
            point.best = row.try_get("best")?;
            point.latest = row.try_get("latest")?;
            let key = (start, series);
            point.causes = by_cause.remove(&key).unwrap_or_default();
            Ok((start, key.1.into(), point))
        };
        rows.iter().map(point).collect()
    }

    /// What each single series came to in the periods from an instant on, in seconds since 1970:
    /// a row each, however many points there are.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn spans(&mut self, period: i64, from: i64) -> Result<Vec<Span<S>>, StoreError> {
        let spans = self.span_rows(period, from).await;
        spans.map_err(|error| self.database.error("read", &error))
    }

    async fn span_rows(&mut self, period: i64, from: i64) -> Result<Vec<Span<S>>, sqlx::Error> {
        const OF: &str = "FROM points WHERE period = ?1 AND start >= ?2 AND series != 0";
        let sums = self.sums.map(|name| format!(", total({name})")).concat();
        // With max() SQLite takes a bare column from the row that is the greatest.
        let spans = format!(
            "SELECT name, coalesce(latest, 0), spans.* \
             FROM (SELECT series, min(start), max(start){sums} {OF} GROUP BY series) AS spans \
             JOIN names ON names.id = spans.series \
             LEFT JOIN (SELECT series, max(start), latest {OF} AND latest != 0 GROUP BY series) \
             AS seen ON seen.series = spans.series"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(spans)).bind(period).bind(from);
        let span = |row: sqlx::sqlite::SqliteRow| {
            let mut sums = [0.0; S];
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum = row.try_get(5 + at)?;
            }
            let series = row.try_get::<String, _>(0)?.into();
            let [latest, first, last] = [1, 3, 4];
            Ok(Span {
                series,
                first: row.try_get(first)?,
                last: row.try_get(last)?,
                sums,
                latest: row.try_get(latest)?,
            })
        };
        rows.fetch_all(self.database.connection()).await?.into_iter().map(span).collect()
    }
}
