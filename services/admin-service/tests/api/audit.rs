//! The audit log: what is in it, who finds what, and that damage shows.

use admin_service::{
    AdminEvents,
    audit::{self, Broken, Reason},
};
use common_auth::Role;
use common_events::EventHandler;
use common_utils::ids;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::Executor;

use crate::world::{self, Caller, World};

const LOG: &str = "/api/v1/admin/audit-logs";

/// Recomputes an entry's hash from what the API shows, without any code of the service.
fn recomputed(entry: &Value) -> String {
    fn canonical(value: &Value) -> String {
        match value {
            Value::Object(fields) => {
                let mut sorted: Vec<_> = fields.iter().collect();
                sorted.sort_by_key(|(key, _)| key.chars().collect::<Vec<_>>());
                let inner: Vec<String> = sorted
                    .iter()
                    .map(|(key, value)| format!("{}:{}", json!(key), canonical(value)))
                    .collect();
                format!("{{{}}}", inner.join(","))
            }
            Value::Array(items) => {
                format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
            }
            scalar => scalar.to_string(),
        }
    }
    let mut entry = entry.clone();
    entry.as_object_mut().unwrap().remove("hash");
    hex::encode(Sha256::digest(canonical(&entry)))
}

/// Entries 1 to `count`: wallet n mod 2 was painted by staff member n mod 3. The log takes what no read model knows.
async fn fill(world: &World, count: usize) {
    for number in 1..=count {
        let (wallet, staff) = (number % 2, number % 3);
        let kind = if number % 5 == 0 { "wallet.unpainted" } else { "wallet.painted" };
        let data = json!({ "walletId": format!("w{wallet}"), "status": "frozen", "reason": "Ọ̀ní's wallet" });
        let event = world::event(kind, &format!("wallet/w{wallet}"), &format!("staff:s{staff}"), &data);
        world.take_in(&event).await;
    }
}

async fn sequences(world: &World, by: &Caller, query: &str) -> Vec<u64> {
    let page = world.get(by, &format!("{LOG}?{query}")).await.expect(200);
    let items = page.body["items"].as_array().unwrap();
    items.iter().map(|entry| entry["sequence"].as_u64().unwrap()).collect()
}

/// Changes the log as somebody would who may do everything on the database.
async fn tamper(world: &World, statement: &'static str) {
    let mut connection = world.db.pool.acquire().await.unwrap();
    connection.execute("SET session_replication_role = replica").await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.execute("SET session_replication_role = DEFAULT").await.unwrap();
}

#[tokio::test]
async fn an_entry_tells_who_did_what_without_personal_data() {
    let world = World::new().await;
    let officer = world.person(Role::Compliance);
    let user = ids::new_id();
    world.take_in(&world::user_event(user, &["user"], "active")).await;
    let page = world.get(&officer, LOG).await.expect(200);
    let entry = &page.body["items"][0];
    assert_eq!(entry["sequence"], 1);
    assert_eq!(entry["action"], "identity.user.updated");
    assert_eq!(entry["actor"], json!({ "type": "user", "id": user }));
    assert_eq!(entry["subject"], json!({ "type": "user", "id": user }));
    assert_eq!(entry["correlationId"], "a-correlation-id");
    assert_eq!(entry["previousHash"], "0".repeat(64));
    assert_eq!(entry["hash"], recomputed(entry));
    assert_eq!(entry["details"]["roles"], json!(["user"]));
    assert_eq!(entry["details"]["redacted"], json!(["email", "firstName", "lastName", "phoneNumber"]));
    let text = page.body.to_string();
    assert!(!text.contains("ada@example.com") && !text.contains("80300") && !text.contains("Obi"));
}

#[tokio::test]
async fn an_outsider_follows_the_chain_through_the_pages() {
    let world = World::new().await;
    let officer = world.person(Role::Admin);
    fill(&world, 7).await;
    let mut entries = Vec::new();
    let mut path = format!("{LOG}?limit=3");
    loop {
        let page = world.get(&officer, &path).await.expect(200);
        entries.extend(page.body["items"].as_array().unwrap().clone());
        let Some(cursor) = page.body["nextCursor"].as_str() else { break };
        path = format!("{LOG}?limit=3&cursor={cursor}");
    }
    entries.reverse();
    let mut previous = "0".repeat(64);
    for (entry, sequence) in entries.iter().zip(1..) {
        assert_eq!((&entry["sequence"], &entry["previousHash"]), (&json!(sequence), &json!(previous)));
        previous = recomputed(entry);
        assert_eq!(entry["hash"], previous);
    }
    assert_eq!(entries.len(), 7);
}

#[tokio::test]
async fn each_filter_finds_its_entries_newest_first() {
    let world = World::new().await;
    let officer = world.person(Role::Compliance);
    fill(&world, 6).await;
    for (query, expected) in [
        ("subject=wallet:w0", vec![6, 4, 2]),
        ("actor=staff:s1", vec![4, 1]),
        ("action=wallet.unpainted", vec![5]),
        ("subject=wallet:w0&actor=staff:s1", vec![4]),
        ("subject=user:w0", vec![]),
        ("subject=wallet:w0&limit=2", vec![6, 4]),
        ("from=2020-01-01T00:00:00Z&limit=1", vec![6]),
        ("to=2020-01-01T00:00:00Z", vec![]),
    ] {
        assert_eq!(sequences(&world, &officer, query).await, expected, "{query}");
    }
    let third = world.get(&officer, &format!("{LOG}?limit=4")).await.body["items"][3].clone();
    let at = third["occurredAt"].as_str().unwrap();
    assert_eq!(sequences(&world, &officer, &format!("from={at}")).await, [6, 5, 4, 3], "from is included");
    assert_eq!(sequences(&world, &officer, &format!("to={at}")).await, [2, 1], "to is not");
}

/// Seldom subjects must not be looked for along the whole log.
#[tokio::test]
async fn each_filter_has_an_index() {
    let world = World::new().await;
    fill(&world, 1).await;
    let mut op = common_db::begin(&world.db.pool).await.unwrap();
    op.execute("SET LOCAL enable_seqscan = off").await.unwrap();
    for (filter, index) in [
        ("subject_type = 'wallet' AND subject_id = 'w1'", "audit_entries_subject_idx"),
        ("actor_type = 'staff' AND actor_id = 's1'", "audit_entries_actor_idx"),
        ("action = 'wallet.painted'", "audit_entries_action_idx"),
    ] {
        let explain = format!(
            "EXPLAIN SELECT * FROM audit_entries WHERE {filter} AND sequence < 9 ORDER BY sequence DESC"
        );
        let plan: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(explain)).fetch_all(&mut *op).await.unwrap();
        assert!(plan.concat().contains(index), "{plan:?}");
    }
}

#[tokio::test]
async fn eight_who_append_at_once_keep_the_chain_whole() {
    let world = World::new().await;
    let appenders = (0..8).map(async |number| {
        for round in 0..25 {
            let event = world::event("wallet.painted", "wallet/w", &format!("staff:s{number}"), &json!({}));
            let mut op = common_db::begin(&world.db.pool).await.unwrap();
            AdminEvents.handle_in_op(&mut op, &event).await.unwrap();
            // Some of them fail after they have appended; that must leave no gap.
            if round % 5 == 4 { op.rollback().await.unwrap() } else { op.commit().await.unwrap() }
        }
    });
    futures::future::join_all(appenders).await;
    let result = audit::verify(&world.db.pool).await.unwrap();
    assert!(result.ok, "{result:?}");
    assert_eq!(result.entries, 8 * 20);
}

#[tokio::test]
async fn verify_tells_that_the_log_is_whole() {
    let world = World::new().await;
    let officer = world.person(Role::Compliance);
    let path = format!("{LOG}/verify");
    assert_eq!(world.get(&officer, &path).await.expect(200).body, json!({ "ok": true, "entries": 0 }));
    fill(&world, 3).await;
    assert_eq!(world.get(&officer, &path).await.expect(200).body, json!({ "ok": true, "entries": 3 }));
}

#[tokio::test]
async fn a_log_longer_than_a_batch_is_verified_whole() {
    let world = World::new().await;
    let mut op = common_db::begin(&world.db.pool).await.unwrap();
    for _ in 0..1001 {
        let event = world::event("wallet.painted", "wallet/w", "staff:s", &json!({}));
        AdminEvents.handle_in_op(&mut op, &event).await.unwrap();
    }
    op.commit().await.unwrap();
    assert_eq!(audit::verify(&world.db.pool).await.unwrap().entries, 1001);
    tamper(&world, "UPDATE audit_entries SET action = 'x' WHERE sequence = 1001").await;
    let broken = Some(Broken { sequence: 1001, reason: Reason::Changed });
    assert_eq!(audit::verify(&world.db.pool).await.unwrap().first_broken, broken);
}

#[tokio::test]
async fn every_damage_is_found_where_it_begins() {
    for (statement, sequence, reason) in [
        (
            "UPDATE audit_entries SET details = details || '{\"status\":\"active\"}' WHERE sequence = 2",
            2,
            "changed",
        ),
        ("UPDATE audit_entries SET actor_id = 'nobody' WHERE sequence = 5", 5, "changed"),
        (
            "UPDATE audit_entries SET occurred_at = occurred_at + interval '1 microsecond' WHERE sequence = 1",
            1,
            "changed",
        ),
        ("UPDATE audit_entries SET details = '[]' WHERE sequence = 4", 4, "changed"),
        ("UPDATE audit_entries SET hash = sha256('x') WHERE sequence = 3", 3, "changed"),
        ("UPDATE audit_entries SET previous_hash = sha256('x') WHERE sequence = 3", 3, "not_linked"),
        ("DELETE FROM audit_entries WHERE sequence = 3", 3, "missing"),
        ("DELETE FROM audit_entries WHERE sequence >= 4", 4, "missing"),
        ("DELETE FROM audit_entries", 1, "missing"),
        ("UPDATE audit_head SET sequence = 4", 4, "not_the_head"),
        ("UPDATE audit_head SET hash = sha256('x')", 5, "not_the_head"),
        ("UPDATE audit_entries SET sequence = 9 WHERE sequence = 5", 5, "missing"),
    ] {
        let world = World::new().await;
        let officer = world.person(Role::Compliance);
        fill(&world, 5).await;
        tamper(&world, statement).await;
        let found = world.get(&officer, &format!("{LOG}/verify")).await.expect(200);
        let first_broken = json!({ "sequence": sequence, "reason": reason });
        assert_eq!(
            (&found.body["ok"], &found.body["firstBroken"]),
            (&json!(false), &first_broken),
            "{statement}"
        );
    }
}

#[tokio::test]
async fn what_is_written_cannot_be_changed_by_the_service() {
    let world = World::new().await;
    fill(&world, 1).await;
    for statement in [
        "UPDATE audit_entries SET action = 'x'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "INSERT INTO audit_head SELECT false, sequence, hash FROM audit_head",
        "INSERT INTO audit_entries SELECT 2, occurred_at, actor_type, actor_id, action, subject_type, subject_id,
         correlation_id, details, previous_hash, hash FROM audit_entries",
    ] {
        assert!(world.db.pool.execute(statement).await.is_err(), "{statement}");
    }
    assert!(audit::verify(&world.db.pool).await.unwrap().ok);
}

#[tokio::test]
async fn the_command_ends_with_status_1_when_the_log_is_damaged() {
    let world = World::new().await;
    fill(&world, 2).await;
    let run = async || {
        let config = &world.db.config;
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_admin-service"));
        command.args(["audit", "verify"]);
        command.envs([("DB_HOST", &config.host), ("DB_NAME", &config.name), ("DB_USER", &config.user)]);
        command.env("DB_PORT", config.port.to_string());
        if let Some(password) = &config.password {
            command.env("DB_PASSWORD", secrecy::ExposeSecret::expose_secret(password));
        }
        let output = command.output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run().await, (Some(0), "{\"ok\":true,\"entries\":2}\n".to_owned()));
    tamper(&world, "UPDATE audit_entries SET action = 'x' WHERE sequence = 1").await;
    let (status, told) = run().await;
    assert_eq!(status, Some(1));
    assert!(told.contains("\"firstBroken\":{\"sequence\":1,\"reason\":\"changed\"}"), "{told}");
}
