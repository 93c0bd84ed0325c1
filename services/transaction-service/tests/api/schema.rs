//! What the database itself does not let happen, whatever the code does.

use common_db::constraint;
use common_utils::ids;

use crate::support::{World, between, eventually};

/// The name of the constraint that refuses this.
async fn refused(world: &World, statement: &'static str) -> String {
    let error = sqlx::query(statement).execute(world.pool()).await.expect_err(statement);
    constraint::violated(&error).unwrap_or_else(|| panic!("{statement}: {error}")).to_owned()
}

#[tokio::test]
async fn what_is_final_or_was_asked_for_is_not_rewritten() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    world.transfer(&ada, "k1", &between(&ada, &bola, 1)).await;
    for statement in [
        "UPDATE transactions SET status = 'failed', failure_code = 'x', failure_message = 'x', completed_at = NULL",
        "UPDATE transactions SET completed_at = now()",
        "DELETE FROM transactions",
        "TRUNCATE transactions",
    ] {
        assert_eq!(refused(&world, statement).await, "transactions_kept", "{statement}");
    }
    world.peers.fail(crate::peers::Fault::Down);
    world.transfer(&ada, "k2", &between(&ada, &bola, 1)).await;
    for statement in [
        "UPDATE transactions SET amount = 2 WHERE status = 'initiated'",
        "UPDATE transactions SET to_wallet_id = gen_random_uuid() WHERE status = 'initiated'",
        "UPDATE transactions SET narration = 'x' WHERE status = 'initiated'",
        "UPDATE transactions SET outflow_day = NULL WHERE status = 'initiated'",
        "UPDATE transactions SET over_limit = NULL WHERE status = 'initiated'",
    ] {
        assert_eq!(refused(&world, statement).await, "transactions_kept", "{statement}");
    }
}

#[tokio::test]
async fn no_row_contradicts_itself() {
    let world = World::new().await;
    let cases = [
        ("amount", "0", "transactions_amount_positive"),
        ("fee", "-1", "transactions_fee_not_negative"),
        ("type", "'gift'", "transactions_type_known"),
        ("status", "'pending'", "transactions_completed_when"),
        ("to_wallet_id", "from_wallet_id", "transactions_wallets_differ"),
        ("from_user_id", "NULL", "transactions_wallets_have_owners"),
        ("completed_at", "NULL", "transactions_completed_when"),
        ("failure_code", "'x'", "transactions_failed_why"),
        ("leased_until", "now()", "transactions_leased_while_initiated"),
        ("narration", "repeat('x', 101)", "transactions_narration_length"),
        ("outflow_device", "now()", "transactions_outflow_device_within_day"),
        ("over_limit", "'luck'", "transactions_over_limit_known"),
        ("over_limit", "'daily_outflow'", "transactions_over_limit_moves_nothing"),
        ("over_limit_most", "1", "transactions_over_limit_whole"),
    ];
    for (column, value, constraint) in cases {
        let columns = [
            ("id", "gen_random_uuid()"),
            ("type", "'transfer'"),
            ("status", "'completed'"),
            ("amount", "1"),
            ("fee", "0"),
            ("currency", "'NGN'"),
            ("from_wallet_id", "from_wallet_id"),
            ("to_wallet_id", "gen_random_uuid()"),
            ("from_user_id", "gen_random_uuid()"),
            ("to_user_id", "gen_random_uuid()"),
            ("narration", "NULL::text"),
            ("reference", "'r'"),
            ("failure_code", "NULL::text"),
            ("correlation_id", "'c'"),
            ("leased_until", "NULL::timestamptz"),
            ("created_at", "now()"),
            ("completed_at", "now()"),
            ("outflow_day", "NULL::timestamptz"),
            ("outflow_device", "NULL::timestamptz"),
            ("over_limit", "NULL::text"),
            ("over_limit_most", "NULL::bigint"),
        ];
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let values: Vec<&str> =
            columns.iter().map(|(name, good)| if *name == column { value } else { *good }).collect();
        let statement = format!(
            "INSERT INTO transactions ({}) SELECT {} FROM (SELECT '{}'::uuid AS from_wallet_id) AS one",
            names.join(", "),
            values.join(", "),
            ids::new_id()
        );
        let error =
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(world.pool()).await.expect_err(constraint);
        assert_eq!(constraint::violated(&error), Some(constraint), "{error}");
    }
}

#[tokio::test]
async fn what_has_left_is_never_less_than_nothing() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    world.transfer(&ada, "k1", &between(&ada, &bola, 1)).await;
    assert_eq!(
        refused(&world, "UPDATE outflow_windows SET moved = -1").await,
        "outflow_windows_moved_not_negative"
    );
    assert_eq!(refused(&world, "UPDATE outflow_windows SET kind = 'x'").await, "outflow_windows_kind_known");
    let never = "INSERT INTO ceiling_refusals VALUES (gen_random_uuid(), now(), gen_random_uuid(), 0)";
    assert_eq!(refused(&world, never).await, "ceiling_refusals_refused_positive");
}

#[tokio::test]
async fn contact_data_is_not_kept_in_the_clear() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let body = crate::support::naira(ada.wallet, &serde_json::json!({"phoneNumber": bola.person.phone}), 1);
    world.transfer(&ada, "k1", &body).await;
    let kept: String = sqlx::query_scalar(
        "SELECT string_agg(t::text, ' ') FROM (
             SELECT d::text FROM directory_wallets d UNION ALL SELECT x::text FROM transactions x
             UNION ALL SELECT i::text FROM idempotency_keys i UNION ALL SELECT o.payload FROM outbox o) AS t",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert!(kept.contains(&bola.wallet.to_string()));
    assert!(!kept.contains(&bola.person.phone) && !kept.contains(&bola.person.email));
}

/// A plan that was made while the table was empty would read all of it, for as long as its connection lives.
#[tokio::test]
async fn transfers_are_found_by_their_index_from_the_first_one_on() {
    const TRANSFERS: i64 = 30;
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let seen = async || -> (i64, i64, i64) {
        sqlx::query_as(
            "SELECT t.seq_scan, t.n_tup_upd, i.idx_tup_read FROM pg_stat_user_tables t
             JOIN pg_stat_user_indexes i USING (relid)
             WHERE t.relname = 'transactions' AND i.indexrelname = 'transactions_pkey'",
        )
        .fetch_one(world.pool())
        .await
        .unwrap()
    };
    let (before, ..) = seen().await;
    for number in 0..TRANSFERS {
        let sent = world.transfer(&ada, &format!("k{number}"), &between(&ada, &bola, 10)).await;
        assert_eq!(sent.status.as_u16(), 201);
    }
    // A session tells its numbers when it has rested for a while.
    let after = eventually(async || {
        let (scans, updates, read) = seen().await;
        (updates >= TRANSFERS).then_some((scans, read))
    });
    let (scans, read) = after.await.unwrap();
    assert_eq!(scans, before);
    // Each of them is looked for a few times; who went through the index would have read some 500.
    assert!(read <= TRANSFERS * 4, "{read}");
}
