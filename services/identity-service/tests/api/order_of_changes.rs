//! In which order other services learn of somebody's changes: by the times of events, which follow the order of the commits.

use chrono::{DateTime, TimeDelta, Utc};
use common_utils::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    command::run,
    kyc::twin,
    kyc_world::{BORN, BVN, NIN, opened, signed_in, stands, tier_two, world_at},
    mailbox::until,
    support::{Answer, PASSWORD, Person, World, answer, kyc_at},
};

const DAY: i64 = 24 * 3600;
/// Events that tell how somebody is. Who closes their account is told of twice in one transaction, which is one change.
const SNAPSHOTS: [&str; 3] = ["identity.user.registered", "identity.user.updated", "identity.user.verified"];

async fn updated_at(world: &World, person: &Person) -> DateTime<Utc> {
    let query = "SELECT updated_at FROM users WHERE id = $1::uuid";
    sqlx::query_scalar(query).bind(&person.id).fetch_one(&world.db.pool).await.unwrap()
}

/// The times of the person's snapshots, in the order in which they were written.
async fn times(world: &World, person: &Person) -> Vec<DateTime<Utc>> {
    let payloads: Vec<String> =
        sqlx::query_scalar("SELECT payload FROM outbox WHERE type = ANY($1) ORDER BY position")
            .bind(SNAPSHOTS)
            .fetch_all(&world.db.pool)
            .await
            .unwrap();
    let events = payloads.iter().map(|payload| serde_json::from_str::<Value>(payload).unwrap());
    events
        .filter(|event| event["data"]["userId"] == person.id)
        .map(|event| event["time"].as_str().unwrap().parse().unwrap())
        .collect()
}

async fn rename(world: &World, person: &Person, name: &str) -> Answer {
    let request = world.request(Method::PATCH, "/api/v1/identity/me").bearer_auth(&person.access);
    answer(request.json(&json!({ "firstName": name }))).await
}

async fn command(world: &World, arguments: &[&str]) {
    let (status, text) = run(world, arguments, "").await;
    assert_eq!(status, 0, "{text}");
}

/// A lapse that waits for the row while another change of the person is under way is the later one of the two, and told as such.
#[tokio::test]
async fn a_lapse_that_waited_is_later_than_what_it_waited_for() {
    let (twin, _guard) = twin().await;
    let world = world_at(&twin).await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    stands(&world, &person, &id, "approved").await;
    // Of the lapse alone: nobody is reminded.
    let reminded = "UPDATE kyc_validity SET reminded_at = verified_at WHERE user_id = $1::uuid";
    sqlx::query(reminded).bind(&person.id).execute(&world.db.pool).await.unwrap();

    let mut holder = world.db.pool.begin().await.unwrap();
    let lock = "SELECT 1 FROM users WHERE id = $1::uuid FOR UPDATE";
    sqlx::query(lock).bind(&person.id).execute(&mut *holder).await.unwrap();
    world.advance(365 * 4 * DAY);
    until("a lapse that waits", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&world.db.pool).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    world.advance(1);
    let changed = world.clock.now();
    let change = "UPDATE users SET email_verified = true, updated_at = $2 WHERE id = $1::uuid";
    sqlx::query(change).bind(&person.id).bind(changed).execute(&mut *holder).await.unwrap();
    holder.commit().await.unwrap();

    until("the lapse", async || {
        let updated = world.events("identity.user.updated").await;
        updated.last().filter(|event| event["data"]["kycTier"] == 1).map(drop)
    })
    .await;
    let lapsed = *times(&world, &person).await.last().unwrap();
    assert!(lapsed > changed, "{lapsed} is told after {changed}");
    assert_eq!(updated_at(&world, &person).await, lapsed);
    let change = &world.events("identity.user.tier_changed").await[1]["data"];
    assert_eq!(change["changedAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), lapsed);
}

/// Each change is made by a clock that is behind that of the change before, as of another instance.
#[tokio::test]
async fn times_ascend_though_clocks_differ() {
    let (twin, _guard) = twin().await;
    let world = World::with_kyc(kyc_at(&twin)).await;
    let person = world.register(1).await;
    let mut before = updated_at(&world, &person).await;
    // Answers a sign-in of that time: tokens of a time to come are refused.
    let mut later = async |what: &str| {
        let after = updated_at(&world, &person).await;
        assert!(after > before, "{what}: {after} after {before}");
        before = after;
        world.advance(-30);
        signed_in(&world, &person).await
    };
    assert_eq!(rename(&world, &person, "Adaeze").await.status, 200);
    let session = later("names").await;
    assert_eq!(rename(&world, &session, "Ada").await.status, 200);
    let session = later("names again").await;
    let pin = json!({ "pin": "4739", "currentPassword": PASSWORD });
    assert_eq!(world.post_as(&session.access, "/pin", &pin).await.status, 204);
    let session = later("a PIN").await;
    let claim = json!({ "bvn": BVN, "dateOfBirth": BORN });
    assert_eq!(world.post_as(&session.access, "/kyc/bvn", &claim).await.status, 200);
    later("a tier").await;

    // Commands go by the machine's clock, which is far ahead; what comes next is a moment later all the same.
    let email = person.email.as_str();
    command(&world, &["grant-role", "--email", email, "--role", "support"]).await;
    later("a role").await;
    command(&world, &["suspend", "--email", email]).await;
    command(&world, &["unsuspend", "--email", email]).await;
    later("suspended and not").await;
    command(&world, &["reset-factors", "--email", email]).await;
    let session = later("factors").await;
    let ahead = updated_at(&world, &person).await;
    let proof = json!({ "currentPassword": PASSWORD });
    assert_eq!(world.post_as(&session.access, "/me/deactivate", &proof).await.status, 204);
    let closed = updated_at(&world, &person).await;
    assert_eq!(closed - ahead, TimeDelta::microseconds(1));
    command(&world, &["reactivate", "--email", email]).await;
    let session = later("opened again").await;
    let request = world.request(Method::DELETE, "/api/v1/identity/me").bearer_auth(&session.access);
    assert_eq!(answer(request.json(&proof)).await.status, 200);

    let times = times(&world, &person).await;
    assert_eq!(times.len(), 10, "{times:?}");
    assert!(times.is_sorted_by(|before, after| before < after), "{times:?}");
    assert!(times.contains(&closed));
    assert_eq!(times.last(), Some(&updated_at(&world, &person).await));
}
