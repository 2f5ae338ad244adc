//! Minutes of single series go after a while; their total, and all hours and days, stay.

use super::Rollup;
use crate::StoreError;

/// Seconds whose minutes go in one transaction: with 10,000 series 50,000 rows.
const BITE: i64 = 300;

impl<const C: usize, const S: usize> Rollup<C, S> {
    /// Removes some minutes of single series before an instant, in seconds since 1970: the oldest,
    /// five at most, so that a call is short whatever has piled up. How many rows went: none when
    /// none is left.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn thin(&mut self, before: i64) -> Result<u64, StoreError> {
        let thinned = self.thin_some(before).await;
        let gone = thinned.map_err(|error| self.database.error("write to", &error))?;
        if gone > 0 {
            self.database.run("shrink", "PRAGMA incremental_vacuum").await?;
        }
        Ok(gone)
    }

    async fn thin_some(&mut self, before: i64) -> Result<u64, sqlx::Error> {
        let oldest = sqlx::query_as::<_, (Option<i64>,)>(
            "SELECT min(start) FROM (SELECT start FROM points WHERE period = 60 AND start >= ?1 \
             AND start < ?2 AND series != 0 ORDER BY start LIMIT 1)",
        );
        let oldest = oldest.bind(self.thinned).bind(before);
        let (Some(oldest),) = oldest.fetch_one(self.database.connection()).await? else {
            self.thinned = self.thinned.max(before);
            return Ok(0);
        };
        let end = before.min(oldest + BITE);
        let mut gone = 0;
        for statement in [
            "DELETE FROM causes WHERE period = 60 AND start >= ?1 AND start < ?2 AND series != 0",
            "DELETE FROM points WHERE period = 60 AND start >= ?1 AND start < ?2 AND series != 0",
        ] {
            let delete = sqlx::query(statement).bind(oldest).bind(end);
            gone = delete.execute(self.database.connection()).await?.rows_affected();
        }
        self.thinned = end;
        Ok(gone)
    }
}
