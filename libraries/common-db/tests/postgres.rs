//! What this crate makes of a real Postgres' answers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use common_db::{
    DbConfig, PgPool, constraint,
    migrate::{self, Migrations, Mode},
    testing::TestDb,
};

async fn told(pool: &PgPool, query: &'static str, value: &str) -> (u16, &'static str) {
    let error = sqlx::query(query).bind(value).execute(pool).await.expect_err("it is refused");
    let problem = constraint::problem(error);
    (problem.status().as_u16(), problem.code())
}

#[tokio::test]
async fn a_value_that_postgres_cannot_keep_is_no_fault_of_ours() {
    let db = TestDb::create("common", &Migrations::common()).await;
    for (query, value) in [
        ("SELECT $1::text", "a\0b"),
        ("SELECT $1::text::jsonb", r#"{"a":"\u0000"}"#),
        ("SELECT $1::text::timestamptz", "294277-01-01 00:00:00Z"),
        ("SELECT $1::text::bigint", "9223372036854775808"),
    ] {
        assert_eq!(told(&db.pool, query, value).await, (422, "validation_failed"), "{query} {value}");
    }
}

#[tokio::test]
async fn our_own_faults_are_ours() {
    let db = TestDb::create("common", &Migrations::common()).await;
    assert_eq!(told(&db.pool, "SELECT 1 / ($1::text::int)", "0").await, (500, "internal_error"));
    assert_eq!(told(&db.pool, "SELECT nothing FROM nowhere WHERE $1::text = ''", "").await.0, 500);
}

/// Several instances that start at once on an empty server. Which answer the slower ones get hangs on the moment.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_migrations_may_run_at_once() {
    let db = TestDb::create("common", &Migrations::common()).await;
    for round in 0..3 {
        let config = DbConfig { name: format!("{}_{round}", db.config.name), ..db.config.clone() };
        let migrating: Vec<_> = (0..8)
            .map(|_| {
                let config = config.clone();
                tokio::spawn(async move { migrate::run(&config, &Migrations::common(), Mode::Apply).await })
            })
            .collect();
        let mut answers = Vec::new();
        for task in migrating {
            answers.push(task.await.unwrap());
        }
        let drop = format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", config.name);
        sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&db.pool).await.unwrap();
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
}
