//! `DELETE /me`, `users erase`, and what is left of who was erased.

use std::{collections::BTreeSet, time::Duration};

use identity_service::notice_config::NoticeConfig;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;
use uuid::Uuid;

use crate::{
    command::{binary, run},
    kyc::twin,
    mailbox::until,
    personal_data::{BVN, dossier, person_keys, verify},
    support::{Answer, PASSWORD, Person, World, answer, invalid, kyc_at, refusal, registration},
};

async fn world() -> (World, String, DropGuard) {
    let (twin, guard) = twin().await;
    let world = World::configured(true, |config| {
        config.kyc = kyc_at(&twin);
        config.notices = NoticeConfig::mailbox(&twin, Duration::from_secs(5));
    })
    .await;
    (world, twin, guard)
}

async fn erase(world: &World, person: &Person, password: &str) -> Answer {
    let request = world.request(Method::DELETE, "/api/v1/identity/me").bearer_auth(&person.access);
    answer(request.json(&json!({ "currentPassword": password }))).await
}

async fn count(world: &World, condition: &str) -> i64 {
    let query = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {condition}"));
    sqlx::query_scalar(query).fetch_one(&world.db.pool).await.unwrap()
}

/// The `users erase` command, which needs the keys, too.
async fn command(world: &World, email: &str) -> (i32, String) {
    let mut command = binary(&world.db);
    command.env("KEYS_DIR", world.keys.path()).args(["users", "erase", "--email", email]);
    let output = command.output().await.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

#[tokio::test]
async fn who_is_erased_is_forgotten_at_once() {
    let (world, twin, _twin) = world().await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, BVN).await.status, 200);
    world.log_in(&person.email, "a wrong password").await;
    let wrong = erase(&world, &person, "wrong").await;
    assert_eq!(wrong.problem(), invalid("currentPassword", "wrong_password"));

    let erased = erase(&world, &person, PASSWORD).await;
    assert_eq!(erased.status, 200, "{erased:?}");
    let times = json!({ "erasedAt": "2026-03-01T12:00:00Z", "evidenceUntil": "2026-03-02T12:00:00Z" });
    assert_eq!(erased.body, times);
    assert_eq!(world.me(&person.access).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(world.refresh(&person.refresh).await.code(), refusal(401, "unauthenticated"));
    for identifier in [&person.email, &person.phone] {
        let refused = world.log_in(identifier, PASSWORD).await;
        assert_eq!(refused.code(), refusal(401, "invalid_credentials"), "as for nobody");
    }
    until("the notice", async || {
        let query = [("to", &person.email)];
        let sent = answer(world.client.get(format!("{twin}/twin/messages")).query(&query)).await;
        sent.body.to_string().contains("were erased").then_some(())
    })
    .await;

    let told = &world.events("identity.user.erased").await;
    assert_eq!(told.len(), 1);
    let mut data = times;
    data["userId"] = json!(person.id);
    assert_eq!(told[0]["data"], data);
    let updated = &world.events("identity.user.updated").await[0]["data"];
    assert_eq!(updated["email"], format!("{}@erased.invalid", person.id));
    assert_eq!((&updated["firstName"], &updated["status"]), (&json!("Erased"), &json!("closed")));
    assert_eq!(world.events("identity.session.ended").await[0]["data"]["reason"], "erased");

    // Events on their way are gone soon; nothing else names the person.
    let events: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE tablename LIKE 'outbox%'")
            .fetch_all(&world.db.pool)
            .await
            .unwrap();
    let emptied = sqlx::AssertSqlSafe(format!("TRUNCATE {}", events.join(", ")));
    sqlx::query(emptied).execute(&world.db.pool).await.unwrap();
    let dump = world.dump().await;
    assert!(dump.contains(&person.id));
    for known in [&person.email, &person.phone, "person1", "Ada", "Obi"] {
        assert!(!dump.contains(known), "{known} is in the database");
    }
    assert_eq!(dossier(&world, &person).await.code(), refusal(404, "not_found"), "evidence answers no call");
    let left = "sessions WHERE ended_at IS NULL OR device IS NOT NULL OR address IS NOT NULL";
    for nothing in [left, "password_credentials", "one_time_codes", "refresh_tokens"] {
        assert_eq!(count(&world, nothing).await, 0, "{nothing}");
    }
    assert_eq!(count(&world, "bvn_verifications").await, 1, "evidence is kept");
}

#[tokio::test]
async fn address_and_numbers_are_free_again() {
    let (world, _, _twin) = world().await;
    let before = world.register(1).await;
    assert_eq!(verify(&world, &before, BVN).await.status, 200);
    assert_eq!(erase(&world, &before, PASSWORD).await.status, 200);
    let after = world.register(1).await;
    assert_ne!(after.id, before.id);
    assert_eq!(verify(&world, &after, BVN).await.status, 200);
    assert_eq!(dossier(&world, &after).await.body["bvn"], BVN);
    let other = world.register(2).await;
    assert_eq!(verify(&world, &other, BVN).await.code(), refusal(409, "bvn_taken"));
}

#[tokio::test]
async fn evidence_goes_with_its_key_when_it_is_over() {
    let (world, _, _twin) = world().await;
    let (first, second) = (world.register(1).await, world.register(2).await);
    for (person, bvn) in [(&first, BVN), (&second, "22233344452")] {
        assert_eq!(verify(&world, person, bvn).await.status, 200);
    }
    assert_eq!(erase(&world, &first, PASSWORD).await.status, 200);
    world.advance(1);
    assert_eq!(erase(&world, &second, PASSWORD).await.status, 200);
    world.advance(24 * 60 * 60 - 1);
    // An instance looks when it starts.
    world.second_instance().await;
    let gone: Uuid = first.id.parse().unwrap();
    until("the end of the evidence", async || {
        (count(&world, "erasures WHERE forgotten_at IS NOT NULL").await > 0).then_some(())
    })
    .await;
    let keys = person_keys(&world).await;
    for (user, master, wrapped) in keys {
        assert_eq!((master.is_none(), wrapped.is_none()), (user == gone, user == gone), "{user}");
    }
    for table in ["bvn_verifications", "erasures WHERE profile IS NOT NULL"] {
        assert_eq!(count(&world, table).await, 1, "{table}: of the other one");
    }
    assert_eq!(count(&world, "users").await, 2, "ids stay");
}

/// Whatever is wrong with one person's rows, others are forgotten when it is time.
#[tokio::test]
async fn ones_trouble_keeps_nobody_elses_evidence() {
    let (world, _, _twin) = world().await;
    let (first, second) = (world.register(1).await, world.register(2).await);
    assert_eq!(erase(&world, &first, PASSWORD).await.status, 200);
    world.advance(1);
    assert_eq!(erase(&world, &second, PASSWORD).await.status, 200);
    world.fails_for("erasures", &first).await;
    world.advance(24 * 60 * 60);
    world.second_instance().await;
    until("the end of the other one's evidence", async || {
        (count(&world, "erasures WHERE forgotten_at IS NOT NULL").await > 0).then_some(())
    })
    .await;
    let kept: String = sqlx::query_scalar("SELECT user_id::text FROM erasures WHERE forgotten_at IS NULL")
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(kept, first.id);
}

#[tokio::test]
async fn asked_twice_at_one_moment_it_happens_once() {
    let (world, _, _twin) = world().await;
    let person = world.register(1).await;
    let (one, other) = tokio::join!(erase(&world, &person, PASSWORD), erase(&world, &person, PASSWORD));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert!(statuses[0] == 200 && [200, 401, 422].contains(&statuses[1]), "{statuses:?}");
    assert_eq!(world.events("identity.user.erased").await.len(), 1);
    assert_eq!(count(&world, "erasures").await, 1);
}

#[tokio::test]
async fn who_is_suspended_stays_known() {
    let (world, _, _twin) = world().await;
    let person = world.register(1).await;
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&world.db.pool).await.unwrap();
    assert_eq!(erase(&world, &person, PASSWORD).await.code(), refusal(403, "forbidden"));
    let (status, text) = command(&world, &person.email).await;
    assert!(status == 2 && text.contains("suspended"), "{text}");
    assert_eq!(count(&world, "erasures").await, 0);
    let kept: String = sqlx::query_scalar("SELECT email FROM users").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(kept, person.email);
}

#[tokio::test]
async fn support_erases_who_cannot_sign_in_any_more() {
    let (world, _, _twin) = world().await;
    let person = world.register(1).await;
    let closed =
        world.post_as(&person.access, "/me/deactivate", &json!({ "currentPassword": PASSWORD })).await;
    assert_eq!(closed.status, 204);
    let (status, text) = command(&world, &person.email).await;
    assert!(status == 0 && text.contains("is erased; evidence is kept until 203"), "five years: {text}");
    let told = &world.events("identity.user.erased").await[0];
    assert_eq!(
        (&told["data"]["userId"], &told["actor"]),
        (&json!(person.id), &json!("service:identity-service"))
    );
    let (status, text) = command(&world, &person.email).await;
    assert!(status == 4 && text.contains("no account"), "{text}");
    let (status, _) = run(&world, &["reactivate", "--email", &person.email], "").await;
    assert_eq!(status, 4);
    assert_eq!(world.post("/register", &registration(1)).await.status, 201);
}

/// Whoever makes a table about people decides here what becomes of it: deleted at once, or kept as evidence and ended with the person's
/// key, or without anything by which a person is known.
#[tokio::test]
async fn every_table_about_people_is_thought_of() {
    let world = World::start().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'user_id'",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap();
    let deleted = [
        "password_credentials",
        "password_resets",
        "one_time_codes",
        "api_keys",
        "sign_in_challenges",
        "totp_factors",
        "recovery_codes",
        "transaction_pins",
        "passkey_ceremonies",
        "passkeys",
        "passkey_owners",
        "device_challenges",
        "devices",
    ];
    let evidence = [
        "bvn_verifications",
        "nin_verifications",
        "kyc_cases",
        "kyc_documents",
        "kyc_decisions",
        "kyc_validity",
        "erasures",
        "person_keys",
    ];
    let without_origin = ["sessions"];
    let known: BTreeSet<&str> = [&deleted[..], &evidence[..], &without_origin].concat().into_iter().collect();
    assert_eq!(tables.iter().map(String::as_str).collect::<BTreeSet<&str>>(), known);
}

#[tokio::test]
async fn only_oneself_is_erased() {
    let (world, _, _twin) = world().await;
    let person = world.register(1).await;
    let request = world.request(Method::DELETE, "/api/v1/identity/me");
    let nobody = answer(request.json(&json!({ "currentPassword": PASSWORD }))).await;
    assert_eq!(nobody.code(), refusal(401, "unauthenticated"));
    let request = world.request(Method::DELETE, "/api/v1/identity/me").bearer_auth(&person.access);
    let body: Value = json!({ "currentPassword": PASSWORD, "userId": person.id });
    assert_eq!(answer(request.json(&body)).await.problem(), invalid("userId", "unknown_field"));
    assert_eq!(count(&world, "erasures").await, 0);
}
