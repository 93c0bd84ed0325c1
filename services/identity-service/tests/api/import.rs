//! `identity-service users import`.

use serde_json::{Value, json};

use crate::{command::run, support::World};

/// "U*U", from the test vectors of crypt_blowfish.
const HASH: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

fn line(index: u32) -> Value {
    json!({
        "email": format!("old{index}@example.com"), "phoneNumber": format!("+23480300{index:05}"),
        "firstName": "Ada", "lastName": "Obi", "passwordHash": HASH, "phoneVerified": true,
    })
}

fn lines(count: u32) -> String {
    (1..=count).map(|index| line(index).to_string()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn people_from_elsewhere_log_in_with_the_password_they_had() {
    let world = World::start().await;
    world.register(1).await;
    let file = format!("{}\n\nnonsense\n", lines(3));
    let (status, text) = run(&world, &["import", "--dry-run"], &file).await;
    assert!(status == 2 && text.contains("3 people could be imported"), "{text}");
    assert_eq!(world.events("identity.user.registered").await.len(), 1);

    let (status, text) = run(&world, &["import"], &file).await;
    assert_eq!(status, 2, "{text}");
    // The number of the first is that of somebody who has registered.
    assert!(text.contains("line 5: it is no JSON object"), "{text}");
    assert!(text.contains("line 1: the address or the number is somebody's already"), "{text}");
    assert!(text.contains("2 people imported, 1 were there already, 1 lines are wrong"), "{text}");
    let events = world.events("identity.user.registered").await;
    assert_eq!((events.len(), &events[1]["data"]["phoneVerified"]), (3, &json!(true)));

    let login = json!({ "identifier": "old2@example.com", "password": "U*U" });
    let signed_in = world.post("/login", &login).await;
    assert_eq!((signed_in.status, &signed_in.body["user"]["phoneVerified"]), (200, &json!(true)));
    let hashes: Vec<String> = sqlx::query_scalar(
        "SELECT hash FROM password_credentials JOIN users ON id = user_id WHERE email LIKE 'old%' ORDER BY email",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap();
    assert!(hashes[0].starts_with("$argon2id$") && hashes[1] == HASH, "{hashes:?}");

    let again = run(&world, &["import"], &file).await.1;
    assert!(again.contains("0 people imported, 3 were there already"), "{again}");
    assert_eq!(world.post("/login", &login).await.status, 200);
    assert_eq!(world.events("identity.user.registered").await.len(), 3);
    let told: i64 =
        sqlx::query_scalar("SELECT count(*) FROM notices").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(told, 2, "only who registered was written to");
}

#[tokio::test]
async fn more_people_than_one_batch_come_in() {
    let world = World::start().await;
    let file = lines(1201);
    let (status, text) = run(&world, &["import"], &file).await;
    assert!(status == 0 && text.contains("1201 people imported"), "{text}");
    assert_eq!(world.events("identity.user.registered").await.len(), 1201);
}
