//! The books after the storm: does everything say the same, once?

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::{
    cluster::{Cluster, OPENING},
    load::{Outcome, Told},
};
use crate::customers::Customer;

/// Which events a service takes in, as a condition on its neighbours' outboxes.
const TAKEN_BY_WALLETS: &str = "type IN ('identity.user.registered', 'identity.user.verified')";
const TAKEN_BY_TRANSACTIONS: &str =
    "(type IN ('identity.user.registered', 'identity.user.verified', 'identity.user.updated',
              'wallet.created', 'wallet.virtual_account.issued')
     OR type = 'wallet.credited' AND payload::json -> 'data' ->> 'transactionType' = 'deposit')";

impl Cluster {
    /// Everybody serves, and everything that was begun has ended: transfers, deposits, and the ways of the events.
    pub(crate) async fn settled(&self, deposits: usize) {
        self.ready().await;
        self.none(
            "transfers in doubt",
            &self.transactions,
            "SELECT 1 FROM transactions WHERE status = 'initiated'",
        )
        .await;
        // Who died with a bank's notice in hand holds its lease for long; a test does not wait for that.
        let release = "UPDATE webhooks SET next_attempt_at = received_at WHERE status = 'received'";
        sqlx::query(release).execute(&self.wallets).await.unwrap();
        self.platform
            .until("all deposits", async || {
                let count = sqlx::query_scalar("SELECT count(*) FROM deposits").fetch_one(&self.wallets);
                usize::try_from(count.await.unwrap_or(0_i64)) == Ok(deposits)
            })
            .await;
        self.none("notices of the bank", &self.wallets, "SELECT 1 FROM webhooks WHERE status = 'received'")
            .await;
        for pool in [&self.identities, &self.wallets, &self.transactions] {
            self.none("events to publish", pool, "SELECT 1 FROM outbox WHERE published_at IS NULL").await;
        }
        let mut ways = vec![
            (&self.identities, &self.wallets, "wallet-service", TAKEN_BY_WALLETS),
            (&self.identities, &self.transactions, "transaction-service", TAKEN_BY_TRANSACTIONS),
            (&self.wallets, &self.transactions, "transaction-service", TAKEN_BY_TRANSACTIONS),
        ];
        if let Some(audit) = &self.audit {
            let all = [&self.identities, &self.wallets, &self.transactions];
            ways.extend(all.map(|publisher| (publisher, audit, "admin-service", "true")));
        }
        for (publisher, consumer, group, taken) in ways {
            let query = sqlx::AssertSqlSafe(format!("SELECT event_id FROM outbox WHERE {taken}"));
            let published: Vec<Uuid> = sqlx::query_scalar(query).fetch_all(publisher).await.unwrap();
            self.platform
                .until(&format!("all events at {group}"), async || {
                    let taken_in = sqlx::query_scalar(
                        "SELECT count(*) FROM inbox WHERE consumer = $1 AND event_id = ANY ($2)",
                    );
                    let count: i64 = taken_in.bind(group).bind(&published).fetch_one(consumer).await.unwrap();
                    usize::try_from(count) == Ok(published.len())
                })
                .await;
        }
    }

    async fn none(&self, what: &str, pool: &PgPool, query: &'static str) {
        self.platform
            .until(&format!("an end of {what}"), async || {
                sqlx::query(query).fetch_optional(pool).await.unwrap().is_none()
            })
            .await;
    }

    /// What everybody was told against what is written: `deposits` are those beyond the opening ones, by person.
    pub(crate) async fn check(&self, people: &[Customer], told: &[Told], deposits: &[(usize, i64)]) {
        self.transfers_are_as_told(people, told).await;
        self.postings_are_as_told(people, told).await;
        self.balances_follow(people, told, deposits).await;
        self.outflow_is_what_has_left().await;
        self.events_are_there_once().await;
        let (clean, report) = self.platform.verify("wallet-service", "ledger");
        assert!(clean, "{report}");
        if self.audit.is_some() {
            let (clean, report) = self.platform.verify("admin-service", "audit");
            assert!(clean, "{report}");
        }
    }

    /// Each key has led to one transfer, which ended as its sender was told.
    async fn transfers_are_as_told(&self, people: &[Customer], told: &[Told]) {
        let rows = sqlx::query(
            "SELECT k.key, t.id, t.status, t.amount, t.from_wallet_id, t.to_wallet_id
             FROM transactions t JOIN idempotency_keys k ON k.resource_id = t.id WHERE t.type = 'transfer'",
        );
        let rows = rows.fetch_all(&self.transactions).await.unwrap();
        let mut written = HashMap::new();
        for row in &rows {
            let content: (Uuid, String, i64, Uuid, Uuid) = (
                row.get("id"),
                row.get("status"),
                row.get("amount"),
                row.get("from_wallet_id"),
                row.get("to_wallet_id"),
            );
            assert!(written.insert(row.get::<String, _>("key"), content).is_none(), "a key twice");
        }
        for Told { wish, outcome, .. } in told {
            let (id, status, amount, from, to) = written.remove(&wish.key).expect(&wish.key);
            let expected = match outcome {
                Outcome::Completed(told) => (*told, "completed"),
                Outcome::Refused => (id, "failed"),
            };
            assert_eq!((id, status.as_str(), amount), (expected.0, expected.1, wish.amount), "{wish:?}");
            assert_eq!((from, to), (wallet(people, wish.from), wallet(people, wish.to)), "{wish:?}");
        }
        assert!(written.is_empty(), "nobody asked for {written:?}");
        let all: i64 = sqlx::query_scalar("SELECT count(*) FROM transactions WHERE type = 'transfer'")
            .fetch_one(&self.transactions)
            .await
            .unwrap();
        assert_eq!(usize::try_from(all), Ok(told.len()), "a transfer without a key");
    }

    /// What was answered as done is posted, once and with its amount; what was answered as refused is not.
    async fn postings_are_as_told(&self, people: &[Customer], told: &[Told]) {
        let rows = sqlx::query(
            "SELECT p.id, p.outcome,
                    array_agg(concat_ws(' ', e.direction, e.account_id, e.amount) ORDER BY e.direction)
                        FILTER (WHERE e.id IS NOT NULL) AS entries
             FROM postings p LEFT JOIN entries e ON e.posting_id = p.id WHERE p.type = 'transfer' GROUP BY p.id",
        );
        let rows = rows.fetch_all(&self.wallets).await.unwrap();
        let posted: HashMap<Uuid, (String, Option<Vec<String>>)> =
            rows.iter().map(|row| (row.get("id"), (row.get("outcome"), row.get("entries")))).collect();
        for Told { wish, outcome, .. } in told {
            let Outcome::Completed(id) = outcome else { continue };
            let side = |word, person| format!("{word} {} {}", wallet(people, person), wish.amount);
            let entries = vec![side("credit", wish.to), side("debit", wish.from)];
            assert_eq!(posted.get(id), Some(&("posted".to_owned(), Some(entries))), "{wish:?}");
        }
        let completed = told.iter().filter(|told| told.outcome != Outcome::Refused).count();
        let moved = posted.values().filter(|(_, entries)| entries.is_some()).count();
        assert_eq!((moved, posted.len()), (completed, told.len()), "postings that move money, and all");
    }

    async fn balances_follow(&self, people: &[Customer], told: &[Told], deposits: &[(usize, i64)]) {
        let mut expected: BTreeMap<Uuid, i64> =
            (0..people.len()).map(|person| (wallet(people, person), OPENING)).collect();
        let mut add =
            |person: usize, amount: i64| *expected.get_mut(&wallet(people, person)).unwrap() += amount;
        for Told { wish, outcome, .. } in told {
            if *outcome != Outcome::Refused {
                add(wish.from, -wish.amount);
                add(wish.to, wish.amount);
            }
        }
        for (person, amount) in deposits {
            add(*person, *amount);
        }
        let rows = sqlx::query("SELECT account_id, posted FROM balances WHERE account_id = ANY ($1)");
        let wallets: Vec<Uuid> = expected.keys().copied().collect();
        let rows = rows.bind(wallets).fetch_all(&self.wallets).await.unwrap();
        let found: BTreeMap<Uuid, i64> =
            rows.iter().map(|row| (row.get("account_id"), row.get("posted"))).collect();
        assert_eq!(found, expected);
        let sums: Vec<String> = sqlx::query_scalar(
            "SELECT currency::text FROM balances GROUP BY currency HAVING sum(posted) <> 0",
        )
        .fetch_all(&self.wallets)
        .await
        .unwrap();
        assert!(sums.is_empty(), "{sums:?} do not sum to zero");
    }

    /// What is counted against each person's day is the sum of their transfers of that day that have not failed.
    async fn outflow_is_what_has_left(&self) {
        let wrong: Vec<String> = sqlx::query_scalar(
            "SELECT concat_ws(' ', user_id, starts_at, w.moved, sent.amount)
             FROM (SELECT from_user_id AS user_id, outflow_day AS starts_at, sum(amount) AS amount FROM transactions
                   WHERE outflow_day IS NOT NULL AND status <> 'failed' GROUP BY from_user_id, outflow_day) sent
             FULL JOIN (SELECT * FROM outflow_windows WHERE kind = 'daily_outflow') w USING (user_id, starts_at)
             WHERE COALESCE(w.moved, -1) <> COALESCE(sent.amount, 0)",
        )
        .fetch_all(&self.transactions)
        .await
        .unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let counted: i64 = sqlx::query_scalar("SELECT count(*) FROM outflow_windows WHERE moved > 0")
            .fetch_one(&self.transactions)
            .await
            .unwrap();
        assert!(counted > 0);
    }

    /// Of each entry, each status of each transaction, and each person's wallet: exactly one.
    async fn events_are_there_once(&self) {
        let entries = "SELECT e.id::text AS subject, count(o.payload) AS events FROM entries e
             JOIN accounts a ON a.id = e.account_id AND a.kind = 'customer'
             LEFT JOIN (SELECT payload::json -> 'data' ->> 'entryId' AS entry, payload FROM outbox
                        WHERE type IN ('wallet.credited', 'wallet.debited')) o ON o.entry = e.id::text
             GROUP BY e.id HAVING count(o.payload) <> 1";
        let unknown = "SELECT payload AS subject, 1::bigint AS events FROM outbox
             WHERE type IN ('wallet.credited', 'wallet.debited')
               AND NOT EXISTS (SELECT FROM entries e WHERE e.id::text = payload::json -> 'data' ->> 'entryId')";
        let order = "SELECT payload AS subject, 1::bigint AS events FROM (
                 SELECT payload, sequence, lag(sequence) OVER (PARTITION BY key ORDER BY position) AS before FROM (
                     SELECT payload, key, position, (payload::json -> 'data' ->> 'sequence')::bigint AS sequence
                     FROM outbox WHERE type IN ('wallet.credited', 'wallet.debited')) o) o
             WHERE sequence <> COALESCE(before, 0) + 1";
        let statuses = "SELECT t.id::text AS subject, count(o.type) AS events FROM transactions t
             LEFT JOIN (SELECT payload::json -> 'data' ->> 'transactionId' AS id, type FROM outbox) o
                 ON o.id = t.id::text AND o.type = ANY (ARRAY['transaction.initiated', 'transaction.' || t.status])
             WHERE t.type = 'transfer' GROUP BY t.id HAVING count(o.type) <> 2 OR count(DISTINCT o.type) <> 2";
        let deposits = "SELECT t.id::text AS subject, count(*) AS events FROM transactions t
             JOIN outbox o ON o.payload::json -> 'data' ->> 'transactionId' = t.id::text
             WHERE t.type = 'deposit' GROUP BY t.id HAVING count(*) <> 1";
        for (pool, query) in [
            (&self.wallets, entries),
            (&self.wallets, unknown),
            (&self.wallets, order),
            (&self.transactions, statuses),
            (&self.transactions, deposits),
        ] {
            let wrong = sqlx::query(query).fetch_all(pool).await.unwrap();
            let wrong: Vec<(String, i64)> =
                wrong.iter().map(|row| (row.get("subject"), row.get("events"))).collect();
            assert!(wrong.is_empty(), "{query}\n{wrong:#?}");
        }
        let count = async |pool: &PgPool, query: &'static str| -> i64 {
            sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
        };
        let people = count(&self.identities, "SELECT count(*) FROM users").await;
        let wallets = count(&self.wallets, "SELECT count(*) FROM wallets WHERE is_default").await;
        let deposits = count(&self.wallets, "SELECT count(*) FROM deposits").await;
        let shown =
            count(&self.transactions, "SELECT count(*) FROM transactions WHERE type = 'deposit'").await;
        assert_eq!(
            json!([people, deposits]),
            json!([wallets, shown]),
            "wallets of people, deposits in lists"
        );
    }
}

fn wallet(people: &[Customer], person: usize) -> Uuid {
    people[person].wallet_id.parse().unwrap()
}
