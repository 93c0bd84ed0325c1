//! What this crate makes of a real Postgres' answers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use common_db::{PgPool, constraint, migrate::Migrations, testing::TestDb};

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
