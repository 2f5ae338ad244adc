//! A file's life: made, brought up to date, refused, set aside, copied.

use std::path::Path;

use sl_store::{Access, Database, Durability, Schema, StoreError, set_aside, size, unlink};

const ACCESS: Access =
    Access { durability: Durability::EveryCommit, most_pages: None, shrinks: false };
const ONE: Schema = Schema {
    application: 0x6e6f_7465,
    steps: &["CREATE TABLE notes(text TEXT NOT NULL); INSERT INTO notes VALUES('first')"],
};
const THREE: Schema = Schema {
    application: 0x6e6f_7465,
    steps: &[
        ONE.steps[0],
        "ALTER TABLE notes ADD COLUMN length INTEGER; UPDATE notes SET length = length(text)",
        "CREATE INDEX by_length ON notes(length)",
    ],
};

async fn refused(path: &Path, schema: &Schema) -> StoreError {
    Database::open(path, schema, ACCESS).await.unwrap_err()
}

#[tokio::test]
async fn older_files_are_brought_up_to_date() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("notes.db");
    Database::open(&path, &ONE, ACCESS).await.unwrap().close().await.unwrap();
    let error = Database::open_read(&path, &THREE).await.unwrap_err().to_string();
    assert!(error.contains("has schema 1, this program reads schema 3"), "{error}");
    for _ in 0..2 {
        let mut file = Database::open(&path, &THREE, ACCESS).await.unwrap();
        assert_eq!(file.number("SELECT sum(length) FROM notes").await.unwrap(), 5);
        assert_eq!(file.number("PRAGMA user_version").await.unwrap(), 3);
        assert_eq!(file.number("PRAGMA synchronous").await.unwrap(), 2);
        assert_eq!(file.check().await.unwrap(), [""; 0]);
        file.close().await.unwrap();
    }
    let error = refused(&path, &ONE).await;
    assert!(error.to_string().contains("has schema 3, this program knows schemas up to 1"));
    assert!(!error.is_damage());
}

#[tokio::test]
async fn a_step_that_fails_changes_nothing() {
    const BROKEN: Schema = Schema {
        application: ONE.application,
        steps: &[ONE.steps[0], "DELETE FROM notes; INSERT INTO nowhere VALUES(1)"],
    };
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("notes.db");
    Database::open(&path, &ONE, ACCESS).await.unwrap().close().await.unwrap();
    let error = refused(&path, &BROKEN).await.to_string();
    assert!(error.contains("cannot bring up to date") && error.contains("nowhere"), "{error}");
    let mut file = Database::open(&path, &ONE, ACCESS).await.unwrap();
    assert_eq!(file.number("SELECT count(*) FROM notes").await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_not_ours_is_told_from_what_is_torn() {
    const OTHER: Schema = Schema { application: 7, steps: ONE.steps };
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("notes.db");
    Database::open(&path, &OTHER, ACCESS).await.unwrap().close().await.unwrap();
    let error = refused(&path, &ONE).await;
    assert!(matches!(error, StoreError::Foreign { found: 7, .. }), "{error}");
    std::fs::write(&path, "not a database, whatever its name says".repeat(10)).unwrap();
    let error = refused(&path, &ONE).await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let first = set_aside(&path, "damaged").unwrap();
    std::fs::write(&path, "again").unwrap();
    let second = set_aside(&path, "damaged").unwrap();
    assert!(first.ends_with("notes.db.damaged") && second.ends_with("notes.db.damaged1"));
    Database::open(&path, &ONE, ACCESS).await.unwrap();
}

/// Whoever hears that a file cannot be used may move it: nobody has it open any more.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_refused_file_is_closed() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("notes.db");
    Database::open(&path, &THREE, ACCESS).await.unwrap().close().await.unwrap();
    for _ in 0..50 {
        assert!(matches!(refused(&path, &ONE).await, StoreError::Newer { .. }));
        let error = Database::open_read(&path, &ONE).await.unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }));
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let open = open.filter_map(|fd| std::fs::read_link(fd.path()).ok());
        assert_eq!(open.filter(|file| file.starts_with(place.path())).count(), 0);
    }
}

#[tokio::test]
async fn a_quota_is_a_full_disk() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("notes.db");
    let access = Access { most_pages: Some(10), ..ACCESS };
    let mut file = Database::open(&path, &ONE, access).await.unwrap();
    let error = loop {
        let long = "x".repeat(2000);
        let insert = sqlx::query("INSERT INTO notes VALUES(?1)").bind(long);
        if let Err(error) = insert.execute(file.connection()).await {
            break file.error("write to", &error);
        }
    };
    assert!(error.is_full() && error.to_string().contains("free space"), "{error}");
    file.limit(None).await.unwrap();
    file.run("write to", "INSERT INTO notes VALUES('room again')").await.unwrap();
}

#[tokio::test]
async fn a_copy_is_of_one_commit_and_files_go_whole() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("notes.db");
    let mut writer = Database::open(&path, &ONE, ACCESS).await.unwrap();
    let copy = place.path().join("copy's.db");
    writer.begin().await.unwrap();
    writer.run("write to", "INSERT INTO notes VALUES('not yet')").await.unwrap();
    let mut reader = Database::open_read(&path, &ONE).await.unwrap();
    reader.copy_to(&copy).await.unwrap();
    writer.commit().await.unwrap();
    reader.copy_to(&copy).await.unwrap_err();
    let mut copied = Database::open_read(&copy, &ONE).await.unwrap();
    assert_eq!(copied.number("SELECT count(*) FROM notes").await.unwrap(), 1);
    let bytes = size(&path);
    assert!(bytes > 8192);
    assert_eq!(unlink(&path).unwrap(), bytes);
    assert_eq!((size(&path), unlink(&path).unwrap()), (0, 0));
}
