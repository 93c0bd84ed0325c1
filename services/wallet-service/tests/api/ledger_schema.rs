//! What the schema refuses, whoever asks: each invariant under its name.

use common_db::constraint;
use common_utils::ids;
use sqlx::error::DatabaseError;
use uuid::Uuid;

use crate::support::{World, transfer};

/// The name of the constraint that refuses the statement, or the state that a trigger raises.
async fn refused_by(world: &World, statement: &str) -> String {
    let error = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()))
        .execute(&world.db.pool)
        .await
        .expect_err(statement);
    let state = || error.as_database_error().and_then(DatabaseError::code).unwrap_or_default().into_owned();
    constraint::violated(&error).map_or_else(state, str::to_owned)
}

#[tokio::test]
async fn history_is_not_rewritten() {
    const RESTRICT_VIOLATION: &str = "23001";
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    world.post_one(transfer(ada, bola, 1)).await;
    for statement in [
        "UPDATE entries SET amount = amount + 1",
        "UPDATE entries SET description = '' WHERE false",
        "DELETE FROM entries",
        "TRUNCATE entries",
        "UPDATE postings SET outcome = 'refused', refusal = '{}'",
        "DELETE FROM postings",
        "TRUNCATE postings CASCADE",
        "DELETE FROM holds",
        "TRUNCATE holds CASCADE",
    ] {
        assert_eq!(refused_by(&world, statement).await, RESTRICT_VIOLATION, "{statement}");
    }
    world.verify().await;
}

#[tokio::test]
async fn wrong_rows_are_refused_by_name() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (new, posting): (Uuid, Uuid) = (ids::new_id(), ids::new_id());
    let entry = |sequence: i64, amount: i64, direction: &str| {
        format!(
            "INSERT INTO entries SELECT '{ada}', {sequence}, '{new}', id, '{direction}', {amount}, 0, '', now()
             FROM postings LIMIT 1"
        )
    };
    let hold = |amount: i64, captured: i64, status: &str, closed: &str| {
        format!(
            "INSERT INTO holds VALUES ('{new}', '{ada}', {amount}, {captured}, '{status}', now(), now(), {closed})"
        )
    };
    let cases = [
        (
            format!("UPDATE balances SET posted = -1 WHERE account_id = '{ada}'"),
            "balances_available_above_floor",
        ),
        (
            format!("UPDATE balances SET held = 101 WHERE account_id = '{ada}'"),
            "balances_available_above_floor",
        ),
        (format!("UPDATE balances SET held = -1 WHERE account_id = '{ada}'"), "balances_held_not_negative"),
        (
            format!("UPDATE balances SET may_overdraw = true WHERE account_id = '{ada}'"),
            "balances_rules_fkey",
        ),
        (format!("UPDATE balances SET currency = 'USD' WHERE account_id = '{ada}'"), "balances_rules_fkey"),
        (format!("UPDATE accounts SET status = 'asleep' WHERE id = '{ada}'"), "accounts_status_known"),
        (format!("UPDATE accounts SET code = 'fee' WHERE id = '{ada}'"), "accounts_code_of_platform"),
        (entry(1, 1, "credit"), "entries_pkey"),
        (entry(0, 1, "credit"), "entries_sequence_positive"),
        (entry(9, 0, "credit"), "entries_amount_positive"),
        (entry(9, 1, "sideways"), "entries_direction_known"),
        (
            format!(
                "INSERT INTO entries VALUES ('{ada}', 9, '{new}', '{posting}', 'credit', 1, 1, '', now())"
            ),
            "entries_posting_fkey",
        ),
        (
            format!("INSERT INTO postings VALUES ('{posting}', '', 'transfer', 'refused', NULL, now())"),
            "postings_refusal_given",
        ),
        ("INSERT INTO postings SELECT * FROM postings LIMIT 1".to_owned(), "postings_pkey"),
        (hold(0, 0, "held", "NULL"), "holds_amount_positive"),
        (hold(5, 6, "captured", "now()"), "holds_captured_within"),
        (hold(5, 0, "captured", "now()"), "holds_captured_means_some"),
        (hold(5, 0, "released", "NULL"), "holds_closed_once"),
        (
            format!(
                "INSERT INTO wallets (id, user_id, currency, place, created_at)
                     VALUES ('{ada}', '{new}', 'NGN', 10, now())"
            ),
            "wallets_place_within",
        ),
    ];
    for (statement, name) in cases {
        assert_eq!(refused_by(&world, &statement).await, name, "{statement}");
    }
    world.verify().await;
}

#[tokio::test]
async fn a_hold_in_its_final_state_stays_as_it_is() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let hold = ids::new_id();
    sqlx::query("INSERT INTO holds VALUES ($1, $2, 10, 0, 'released', now(), now(), now())")
        .bind(hold)
        .bind(ada.uuid())
        .execute(&world.db.pool)
        .await
        .unwrap();
    let reopened = format!("UPDATE holds SET status = 'held', closed_at = NULL WHERE id = '{hold}'");
    assert_eq!(refused_by(&world, &reopened).await, "23001");
}
