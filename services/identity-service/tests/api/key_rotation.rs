//! `identity-service keys pii …`: master keys of personal data are replaced beside a service that runs.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use common_utils::{
    crypto::sealing::{KeyFile, Sealer},
    ids,
};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    command::binary,
    kyc::KMS_TOKEN,
    personal_data::{
        A_WHILE, BVN, ERASE, dossier, dossier_at, down, person_keys, readable, verify, waits_for_a_lock,
        world,
    },
    support::{Person, World},
};

/// More than are wrapped anew in one transaction.
const MANY: usize = 250;
const BATCH: usize = 200;

fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = binary(&world.db);
    command.env("KEYS_DIR", world.keys.path()).args(["keys", "pii"]).args(arguments);
    command
}

/// Exit status and what was printed.
async fn told(mut command: Command) -> (i32, String) {
    let output = command.output().await.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

async fn pii(world: &World, arguments: &[&str]) -> (i32, String) {
    told(command(world, arguments)).await
}

/// The new key's name.
async fn rotate(world: &World) -> String {
    let (status, text) = pii(world, &["rotate"]).await;
    assert_eq!(status, 0, "{text}");
    text.split_whitespace().next().unwrap().to_owned()
}

/// How many keys are wrapped under each master key.
async fn wrapped(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, master, _) in person_keys(world).await {
        *counts.entry(master.unwrap_or_default()).or_default() += 1;
    }
    counts
}

/// People with keys, as the service would have made them. In the order of their ids.
async fn people_with_keys(world: &World, count: usize) -> Vec<Uuid> {
    let purpose = "wallet-platform/pii-wrap/v1";
    let key = KeyFile::load_or_create(&world.keys.path().join("pii.key")).unwrap();
    let sealer = Sealer::new(&key, purpose).unwrap();
    let mut users: Vec<Uuid> = (0..count).map(|_| ids::new_id()).collect();
    users.sort_unstable();
    let context = |user: &Uuid| [b"wallet-platform/person-key/v1".as_slice(), user.as_bytes()].concat();
    let wrapped: Vec<Vec<u8>> =
        users.iter().map(|user| sealer.seal(&context(user), &[7; 32]).unwrap()).collect();
    let insert = "
        WITH person AS (SELECT * FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS t (id, wrapped, number)),
        master AS (INSERT INTO master_keys (id, use, first_used_at) VALUES ($3, 'wrap', now())),
        people AS (
            INSERT INTO users (id, email, phone_number, first_name, last_name, roles, created_at, updated_at)
            SELECT id, number || '@example.com', '+2348' || (100000000 + number), 'Ada', 'Obi', '{user}', now(), now() FROM person
        )
        INSERT INTO person_keys (user_id, wrapped, key_id, created_at) SELECT id, wrapped, $3, now() FROM person";
    let master = format!("file:{}", hex::encode(sealer.id()));
    sqlx::query(insert).bind(&users).bind(wrapped).bind(master).execute(&world.db.pool).await.unwrap();
    users
}

#[tokio::test]
async fn a_master_key_is_replaced_while_people_read_and_write() {
    let (world, _, _twin) = world().await;
    let mut people = Vec::new();
    for index in 0..6 {
        people.push((world.register(index).await, format!("22233344{index:02}1")));
        let (person, bvn) = &people[people.len() - 1];
        assert_eq!(verify(&world, person, bvn).await.status, 200);
    }
    let newcomers = futures::future::join_all((6..12).map(|index| world.register(index))).await;
    let newcomers: Vec<(Person, String)> =
        newcomers.into_iter().zip((6..12).map(|index| format!("22233344{index:02}1"))).collect();
    let done = CancellationToken::new();
    let reading = async {
        let mut rounds = 0;
        while !done.is_cancelled() || rounds == 0 {
            world.advance(A_WHILE);
            for (person, bvn) in &people {
                readable(&dossier(&world, person).await, bvn);
            }
            rounds += 1;
        }
    };
    let writing = async {
        for (person, bvn) in &newcomers {
            let token = world.refresh(&person.refresh).await.body["tokens"]["accessToken"]
                .as_str()
                .unwrap()
                .to_owned();
            let person = Person { access: token, ..person.clone() };
            assert_eq!(verify(&world, &person, bvn).await.status, 200);
        }
    };
    let rotating = async {
        let new = rotate(&world).await;
        let (status, text) = pii(&world, &["rewrap"]).await;
        assert_eq!(status, 0, "{text}");
        new
    };
    let ((), (), new) = tokio::join!(reading, writing, async {
        let new = rotating.await;
        done.cancel();
        new
    });
    // One that was being wrapped at the very moment of the rotation may have come after the rewrapping.
    let (status, text) = pii(&world, &["rewrap"]).await;
    assert_eq!(status, 0, "{text}");
    assert_eq!(wrapped(&world).await, BTreeMap::from([(new.clone(), 12)]));

    let (_, text) = pii(&world, &["list"]).await;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.contains(&format!("{new}  wraps new keys, 12 so far").as_str()), "{text}");
    let old = lines.iter().find(|line| line.ends_with("opens 0 keys")).unwrap_or_else(|| panic!("{text}"));
    let old = old.split_whitespace().next().unwrap();
    let (status, text) = pii(&world, &["retire", old]).await;
    assert_eq!(status, 0, "{text}");
    assert!(!world.keys.path().join("pii.key").exists());
    assert_eq!(pii(&world, &["retire", old]).await.0, 0, "once more changes nothing");
    world.advance(A_WHILE);
    let fresh = world.instance(|_| ()).await;
    for (person, bvn) in people.iter().chain(&newcomers) {
        readable(&dossier(&world, person).await, bvn);
        readable(&dossier_at(&world, &fresh, person).await, bvn);
    }
    let known = world.register(20).await;
    assert_eq!(verify(&world, &known, &people[0].1).await.status, 409, "numbers are found as before");
}

#[tokio::test]
async fn a_key_that_is_in_use_stays() {
    let (world, _, _twin) = world().await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, BVN).await.status, 200);
    let (_, text) = pii(&world, &["list"]).await;
    let name = |ending: &str| {
        let line = text.lines().find(|line| line.ends_with(ending)).unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace().next().unwrap().to_owned()
    };
    let (first, lookup) = (name("wraps new keys, 1 so far"), name("finds stored values"));
    for (id, said) in
        [(first.as_str(), "rotate first"), (&lookup, "it stays"), ("file:0011", "no master key")]
    {
        let (status, text) = pii(&world, &["retire", id]).await;
        assert!(status == 2 && text.contains(said), "{text}");
    }
    rotate(&world).await;
    let (status, text) = pii(&world, &["retire", &first]).await;
    assert!(status == 2 && text.contains("1 keys are wrapped under it"), "{text}");
    world.advance(A_WHILE);
    readable(&dossier(&world, &person).await, BVN);
}

#[tokio::test]
async fn rewrapping_that_was_killed_is_taken_up_again() {
    let (world, _, _twin) = world().await;
    let users = people_with_keys(&world, MANY).await;
    let new = rotate(&world).await;
    let mut holding = world.db.pool.begin().await.unwrap();
    let last = users[MANY - 1];
    sqlx::query("SELECT FROM person_keys WHERE user_id = $1 FOR SHARE")
        .bind(last)
        .execute(&mut *holding)
        .await
        .unwrap();
    let mut child = command(&world, &["rewrap"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    waits_for_a_lock(&world).await;
    child.kill().await.unwrap();
    holding.commit().await.unwrap();
    let counts = wrapped(&world).await;
    assert_eq!((counts[&new], counts.values().sum::<usize>()), (BATCH, MANY), "the first batch is done");

    let (status, text) = pii(&world, &["rewrap"]).await;
    assert!(status == 0 && text.contains("50 keys were wrapped anew"), "{text}");
    assert_eq!(wrapped(&world).await, BTreeMap::from([(new, MANY)]));
    let (status, text) = pii(&world, &["rewrap"]).await;
    assert!(status == 0 && text.contains("0 keys were wrapped anew"), "{text}");
}

#[tokio::test]
async fn a_key_that_is_erased_meanwhile_stays_erased() {
    let (world, _, _twin) = world().await;
    let users = people_with_keys(&world, 3).await;
    rotate(&world).await;
    let mut erasing = world.db.pool.begin().await.unwrap();
    let erase = sqlx::AssertSqlSafe(format!("{ERASE} WHERE user_id = $1"));
    sqlx::query(erase).bind(users[1]).execute(&mut *erasing).await.unwrap();
    let ((status, text), ()) = tokio::join!(pii(&world, &["rewrap"]), async {
        waits_for_a_lock(&world).await;
        erasing.commit().await.unwrap();
    });
    assert!(status == 0 && text.contains("2 keys were wrapped anew"), "{text}");
    let keys = person_keys(&world).await;
    assert!(keys[1].1.is_none() && keys[1].2.is_none());
}

#[tokio::test]
async fn a_damaged_key_is_named_and_holds_up_no_other() {
    let (world, _, _twin) = world().await;
    let users = people_with_keys(&world, 3).await;
    let new = rotate(&world).await;
    let damage = "UPDATE person_keys SET wrapped = set_byte(wrapped, 30, (get_byte(wrapped, 30) + 1) % 256) WHERE user_id = $1";
    sqlx::query(damage).bind(users[1]).execute(&world.db.pool).await.unwrap();
    let (status, text) = pii(&world, &["rewrap"]).await;
    assert!(
        status == 1 && text.contains("2 keys were wrapped anew") && text.contains(&users[1].to_string()),
        "{text}"
    );
    assert_eq!(wrapped(&world).await[&new], 2);
}

#[tokio::test]
async fn keys_move_from_files_to_a_service_and_the_files_can_go() {
    let (world, twin, _twin) = world().await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, BVN).await.status, 200);
    let old = wrapped(&world).await.into_keys().next().unwrap();
    let with_kms = async |arguments: &[&str]| {
        let mut command = command(&world, arguments);
        command.env("PII_KMS_URL", &twin).env("PII_KMS_KEY", "wallet-pii").env("PII_KMS_TOKEN", KMS_TOKEN);
        tokio::time::timeout(Duration::from_mins(1), told(command)).await.unwrap()
    };
    down(&world, &twin, "down").await;
    let (status, text) = with_kms(&["rewrap"]).await;
    assert_eq!(status, 1, "{text}");
    assert_eq!(wrapped(&world).await.into_keys().next(), Some(old.clone()));
    down(&world, &twin, "up").await;
    let (status, text) = with_kms(&["rewrap"]).await;
    assert!(status == 0 && text.contains("1 keys were wrapped anew"), "{text}");
    let (status, text) = with_kms(&["rotate"]).await;
    assert!(status == 0 && text.starts_with("kms:wallet-pii:v2 wraps new keys"), "{text}");
    assert_eq!(with_kms(&["rewrap"]).await.0, 0);
    assert_eq!(wrapped(&world).await, BTreeMap::from([("kms:wallet-pii:v2".to_owned(), 1)]));
    for id in [old.as_str(), "kms:wallet-pii:v1"] {
        let (status, text) = with_kms(&["retire", id]).await;
        assert_eq!(status, 0, "{id}: {text}");
    }
    let (status, text) = pii(&world, &["list"]).await;
    assert!(status == 1 && text.contains("PII_KMS_URL"), "without the service nothing can be read: {text}");

    let kms = crate::personal_data::kms_at(&twin, KMS_TOKEN);
    let fresh = world.instance(|config| config.kms = Some(kms)).await;
    readable(&dossier_at(&world, &fresh, &person).await, BVN);
}
