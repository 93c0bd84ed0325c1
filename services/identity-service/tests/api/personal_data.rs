//! Personal data under people's own keys, and the master keys above these: files, or the key management service of the provider's twin.

use std::time::Duration;

use common_utils::{
    crypto::{
        keyed_hash,
        sealing::{KeyFile, Sealer},
    },
    http_client::BreakerConfig,
};
use identity_service::KmsConfig;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;
use uuid::Uuid;

use crate::{
    kyc::{KMS_TOKEN, twin},
    mailbox::until,
    support::{Answer, Person, World, answer, kyc_at, refusal},
};

pub(crate) const BVN: &str = "22233344451";
const BORN: &str = "1990-01-31";
/// Longer than an opened key is kept in memory.
pub(crate) const A_WHILE: i64 = 61;

pub(crate) async fn world() -> (World, String, DropGuard) {
    let (twin, guard) = twin().await;
    (World::with_kyc(kyc_at(&twin)).await, twin, guard)
}

pub(crate) fn kms_at(base_url: &str, token: &str) -> KmsConfig {
    KmsConfig {
        base_url: base_url.to_owned(),
        key: "wallet-pii".to_owned(),
        token: token.into(),
        timeout: Duration::from_secs(5),
        breaker: BreakerConfig { failures: 3, pause: Duration::ZERO },
    }
}

/// A world whose keys the twin wraps.
async fn kms_world(token: &str) -> (World, String, DropGuard) {
    let (twin, guard) = twin().await;
    let world = World::configured(false, |config| {
        config.kyc = kyc_at(&twin);
        config.kms = Some(kms_at(&twin, token));
    })
    .await;
    (world, twin, guard)
}

pub(crate) async fn verify(world: &World, person: &Person, bvn: &str) -> Answer {
    world.post_as(&person.access, "/kyc/bvn", &json!({ "bvn": bvn, "dateOfBirth": BORN })).await
}

pub(crate) async fn dossier_at(world: &World, address: &str, person: &Person) -> Answer {
    let url = format!("{address}/internal/v1/users/{}/kyc", person.id);
    let token = world.services.mint("wallet-service").unwrap();
    answer(world.client.get(url).bearer_auth(token)).await
}

/// What wallet-service would be told.
pub(crate) async fn dossier(world: &World, person: &Person) -> Answer {
    dossier_at(world, &world.address, person).await
}

/// The number and the birthday can be read.
pub(crate) fn readable(dossier: &Answer, bvn: &str) {
    let told = (dossier.status, &dossier.body["bvn"], &dossier.body["dateOfBirth"]);
    assert_eq!(told, (200, &json!(bvn), &json!(BORN)));
}

/// The master key and the wrapped key of each person who has one.
pub(crate) async fn person_keys(world: &World) -> Vec<(Uuid, Option<String>, Option<Vec<u8>>)> {
    sqlx::query_as("SELECT user_id, key_id, wrapped FROM person_keys ORDER BY user_id")
        .fetch_all(&world.db.pool)
        .await
        .unwrap()
}

pub(crate) async fn down(world: &World, twin: &str, mode: &str) {
    let change = world.client.request(Method::POST, format!("{twin}/twin/faults"));
    assert_eq!(answer(change.json(&json!({ "mode": mode }))).await.status, 200);
}

#[tokio::test]
async fn each_person_has_a_key_that_opens_nothing_of_others() {
    let (world, _, _twin) = world().await;
    let (first, second) = (world.register(1).await, world.register(2).await);
    for (person, bvn) in [(&first, BVN), (&second, "22233344452")] {
        assert_eq!(verify(&world, person, bvn).await.status, 200);
        readable(&dossier(&world, person).await, bvn);
    }
    let keys = person_keys(&world).await;
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|(_, master, _)| master.as_deref().unwrap().starts_with("file:")), "{keys:?}");
    assert_ne!(keys[0].2, keys[1].2);

    let swap = "UPDATE person_keys SET wrapped = (SELECT wrapped FROM person_keys AS other WHERE other.user_id <> person_keys.user_id)";
    sqlx::query(swap).execute(&world.db.pool).await.unwrap();
    readable(&dossier(&world, &first).await, BVN);
    world.advance(A_WHILE);
    assert_eq!(dossier(&world, &first).await.code(), refusal(500, "internal_error"), "out of memory by now");
}

#[tokio::test]
async fn first_keys_made_at_one_moment_are_one() {
    let (world, _, _twin) = world().await;
    let person = world.register(1).await;
    let other = world.instance(|_| ()).await;
    let checks = (0..8).map(|index| {
        let address = if index % 2 == 0 { &world.address } else { &other };
        let request = world.client.post(format!("{address}/api/v1/identity/kyc/bvn"));
        answer(request.bearer_auth(&person.access).json(&json!({ "bvn": BVN, "dateOfBirth": BORN })))
    });
    let answers = futures::future::join_all(checks).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(person_keys(&world).await.len(), 1);
    for address in [&world.address, &other] {
        readable(&dossier_at(&world, address, &person).await, BVN);
    }
}

/// As an earlier release has written it, under the deployment's one key.
pub(crate) async fn verified_before(world: &World, person: &Person, bvn: &str) {
    let key = KeyFile::load_or_create(&world.keys.path().join("pii.key")).unwrap();
    let purpose = "wallet-platform/pii/v1";
    let sealer = Sealer::new(&key, purpose).unwrap();
    let user: Uuid = person.id.parse().unwrap();
    let seal = |field: &str, plain: &str| {
        sealer.seal(&[user.as_bytes(), field.as_bytes()].concat(), plain.as_bytes()).unwrap()
    };
    let lookup = keyed_hash(key.derive(purpose, "lookup").as_slice(), &[b"bvn", bvn.as_bytes()]);
    sqlx::query(
        "INSERT INTO bvn_verifications (user_id, bvn_lookup, bvn, date_of_birth, provider, verified_at)
         VALUES ($1, $2, $3, $4, 'bvn-check', now())",
    )
    .bind(user)
    .bind(lookup.as_slice())
    .bind(seal("bvn", bvn))
    .bind(seal("date-of-birth", BORN))
    .execute(&world.db.pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn what_the_deployments_key_has_encrypted_is_moved_to_peoples_own() {
    let (world, _, _twin) = world().await;
    let damaged = world.register(0).await;
    verified_before(&world, &damaged, "22233344453").await;
    let damage = "UPDATE bvn_verifications SET bvn = set_byte(bvn, 30, (get_byte(bvn, 30) + 1) % 256)";
    sqlx::query(damage).execute(&world.db.pool).await.unwrap();
    let (before, now) = (world.register(1).await, world.register(2).await);
    verified_before(&world, &before, BVN).await;
    readable(&dossier(&world, &before).await, BVN);
    assert!(person_keys(&world).await.is_empty(), "reading moves nothing");
    assert_eq!(verify(&world, &now, BVN).await.code(), refusal(409, "bvn_taken"), "it is found as before");

    world.second_instance().await;
    until("the number under its person's key", async || {
        let versions =
            "SELECT get_byte(bvn, 0) + get_byte(date_of_birth, 0) FROM bvn_verifications ORDER BY user_id";
        let versions: Vec<i32> = sqlx::query_scalar(versions).fetch_all(&world.db.pool).await.unwrap();
        // One that is damaged stays where it is, and holds up no other.
        (versions == [2, 4]).then_some(())
    })
    .await;
    readable(&dossier(&world, &before).await, BVN);
    assert_eq!(verify(&world, &now, BVN).await.code(), refusal(409, "bvn_taken"));
}

pub(crate) const ERASE: &str = "UPDATE person_keys SET wrapped = NULL, key_id = NULL, erased_at = now()";

#[tokio::test]
async fn nothing_is_written_under_a_key_that_is_being_erased() {
    let (world, _, _twin) = world().await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, BVN).await.status, 200);
    sqlx::query("DELETE FROM bvn_verifications").execute(&world.db.pool).await.unwrap();

    // It has the key in memory, and meets an eraser that has not committed.
    let mut erasing = world.db.pool.begin().await.unwrap();
    sqlx::query(ERASE).execute(&mut *erasing).await.unwrap();
    let (verified, ()) = tokio::join!(verify(&world, &person, BVN), async {
        waits_for_a_lock(&world).await;
        erasing.commit().await.unwrap();
    });
    assert_eq!(verified.code(), refusal(403, "forbidden"));
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM bvn_verifications").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(rows, 0);
    world.advance(A_WHILE);
    let fresh = world.log_in(&person.email, crate::support::PASSWORD).await;
    let again = verify(&world, &Person::of(&fresh), BVN).await;
    assert_eq!(again.code(), refusal(403, "forbidden"), "and no other key is made");
    assert!(person_keys(&world).await.iter().all(|(_, _, wrapped)| wrapped.is_none()));
}

#[tokio::test]
async fn who_erases_waits_for_what_is_being_written() {
    let (world, _, _twin) = world().await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, BVN).await.status, 200);
    let mut writing = world.db.pool.begin().await.unwrap();
    sqlx::query("UPDATE bvn_verifications SET bvn = bvn").execute(&mut *writing).await.unwrap();
    let erase = async { sqlx::query(ERASE).execute(&world.db.pool).await.unwrap().rows_affected() };
    let (erased, ()) = tokio::join!(erase, async {
        waits_for_a_lock(&world).await;
        assert!(person_keys(&world).await[0].2.is_some(), "not while it is being written");
        writing.commit().await.unwrap();
    });
    assert_eq!(erased, 1);
    let after =
        sqlx::query("UPDATE bvn_verifications SET bvn = bvn").execute(&world.db.pool).await.unwrap_err();
    assert_eq!(after.as_database_error().unwrap().constraint(), Some("person_keys_live"));
}

/// Until some session of this database does.
pub(crate) async fn waits_for_a_lock(world: &World) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("a session that waits", async || {
        let sessions: i64 = sqlx::query_scalar(waiting).fetch_one(&world.db.pool).await.unwrap();
        (sessions > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_key_management_service_wraps_and_opens() {
    let (world, twin, _twin) = kms_world(KMS_TOKEN).await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, BVN).await.status, 200);
    let keys = person_keys(&world).await;
    assert_eq!(keys[0].1.as_deref(), Some("kms:wallet-pii:v1"));
    assert!(keys[0].2.as_ref().unwrap().starts_with(b"vault:v1:"), "as the service gave it");

    down(&world, &twin, "down").await;
    readable(&dossier(&world, &person).await, BVN);
    world.advance(A_WHILE);
    assert_eq!(dossier(&world, &person).await.code(), refusal(503, "dependency_unavailable"));
    down(&world, &twin, "up").await;
    until("the service again", async || {
        let dossier = dossier(&world, &person).await;
        (dossier.status == 200).then(|| readable(&dossier, BVN))
    })
    .await;

    let keys = format!("{twin}/v1/transit/keys/wallet-pii/rotate");
    let rotated = answer(world.client.post(keys).header("x-vault-token", KMS_TOKEN)).await;
    assert_eq!(rotated.body["data"]["latest_version"], 2);
    let second = world.register(2).await;
    assert_eq!(verify(&world, &second, "22233344452").await.status, 200);
    world.advance(A_WHILE);
    readable(&dossier(&world, &person).await, BVN);
    readable(&dossier(&world, &second).await, "22233344452");
    let masters: Vec<_> =
        person_keys(&world).await.into_iter().map(|(_, master, _)| master.unwrap()).collect();
    assert_eq!(masters, ["kms:wallet-pii:v1", "kms:wallet-pii:v2"]);
}

#[tokio::test]
async fn without_the_key_management_service_nothing_is_stored() {
    let (world, twin, _twin) = kms_world("another token").await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, BVN).await.code(), refusal(503, "dependency_unavailable"));
    assert!(person_keys(&world).await.is_empty());
    assert_eq!(dossier(&world, &person).await.code(), refusal(404, "not_found"));

    // An instance that may.
    let other = world.instance(|config| config.kms = Some(kms_at(&twin, KMS_TOKEN))).await;
    let request = world.client.post(format!("{other}/api/v1/identity/kyc/bvn"));
    let claim: Value = json!({ "bvn": BVN, "dateOfBirth": BORN });
    assert_eq!(answer(request.bearer_auth(&person.access).json(&claim)).await.status, 200);
    readable(&dossier_at(&world, &other, &person).await, BVN);
    let dump = world.dump().await;
    assert!(dump.contains("kms:wallet-pii:v1") && !dump.contains(KMS_TOKEN));
}

#[tokio::test]
async fn what_files_have_wrapped_stays_readable_beside_a_service() {
    let (world, twin, _twin) = world().await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, BVN).await.status, 200);
    let other = world.instance(|config| config.kms = Some(kms_at(&twin, KMS_TOKEN))).await;
    readable(&dossier_at(&world, &other, &person).await, BVN);
}
