//! `GET` and `DELETE /sessions`, and that what ended lets nobody in.

use common_auth::{Claims, Role, signing::TokenSigner, testing};
use common_utils::{clock::Clock, ids};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, World, answer, invalid, refusal};

const SESSIONS: &str = "/api/v1/identity/sessions";

async fn sessions(world: &World, token: &str) -> Vec<Value> {
    let page = world.get(SESSIONS, Some(token)).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.body["items"].as_array().unwrap().clone()
}

async fn end(world: &World, token: &str, path: &str) -> Answer {
    answer(world.request(Method::DELETE, &format!("{SESSIONS}{path}")).bearer_auth(token)).await
}

/// Signs the person in once more, with headers that say where and with what.
async fn sign_in(world: &World, person: &Person, headers: &[(&str, &str)]) -> Person {
    let mut login = world.request(Method::POST, "/api/v1/identity/login");
    for (name, value) in headers {
        login = login.header(*name, *value);
    }
    let signed_in = answer(login.json(&json!({ "identifier": person.email, "password": PASSWORD }))).await;
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    Person::of(&signed_in)
}

#[tokio::test]
async fn each_place_is_listed_with_its_device_and_address() {
    let world = World::start().await;
    let first = world.register(1).await;
    world.register(2).await;
    world.advance(60);
    let phone = sign_in(
        &world,
        &first,
        &[("user-agent", "Phone\t/1.0 \u{202e}x"), ("x-forwarded-for", "6.6.6.6, 102.89.23.4")],
    )
    .await;
    let at_first = &sessions(&world, &phone.access).await[0];
    let where_from = (&at_first["device"], &at_first["ip"], &at_first["lastUsedAt"]);
    assert_eq!(where_from, (&json!("Phone/1.0 x"), &json!("102.89.23.4"), &json!("2026-03-01T12:01:00Z")));
    world.advance(60);
    let refresh = world
        .request(Method::POST, "/api/v1/identity/refresh")
        .header("user-agent", "Phone/1.1")
        .header("x-forwarded-for", "197.210.5.6")
        .json(&json!({ "refreshToken": phone.refresh }));
    assert_eq!(answer(refresh).await.status, 200);
    let listed = sessions(&world, &phone.access).await;
    let expected = json!({
        "id": phone.session(), "createdAt": "2026-03-01T12:01:00Z", "lastUsedAt": "2026-03-01T12:02:00Z",
        "expiresAt": "2026-03-08T12:01:00Z", "device": "Phone/1.1", "ip": "197.210.5.6", "current": true,
    });
    assert_eq!(listed[0], expected);
    assert_eq!(listed.len(), 2, "and not a stranger's");
    assert_eq!(listed[1]["id"], json!(first.session()));
    assert_eq!((&listed[1]["ip"], &listed[1]["current"]), (&json!("127.0.0.1"), &json!(false)));
    assert_eq!(listed[1]["device"], Value::Null, "this client does not say what it is");
}

#[tokio::test]
async fn the_list_is_paged_and_leaves_out_what_is_over() {
    let world = World::start().await;
    let first = world.register(1).await;
    let mut ids = vec![json!(first.session())];
    for _ in 0..4 {
        ids.push(json!(sign_in(&world, &first, &[]).await.session()));
    }
    ids.reverse();
    assert_eq!(
        end(&world, &first.access, &format!("/{}", ids.remove(1).as_str().unwrap())).await.status,
        204
    );
    let page = async |query: &str| world.get(&format!("{SESSIONS}{query}"), Some(&first.access)).await;
    let seen = |page: &Answer| -> Vec<Value> {
        page.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
    };
    let one = page("?limit=3").await;
    let next = one.body["nextCursor"].as_str().unwrap();
    let two = page(&format!("?limit=3&cursor={next}")).await;
    assert_eq!([seen(&one), seen(&two)].concat(), ids);
    assert_eq!(two.body["nextCursor"], Value::Null);
    assert_eq!(page("?limit=0").await.problem(), invalid("limit", "range"));
    assert_eq!(page("?cursor=x").await.problem(), invalid("cursor", "invalid"));
    world.advance(7 * 86_400 - 60);
    let fresh = sign_in(&world, &first, &[]).await;
    world.advance(60);
    assert_eq!(sessions(&world, &fresh.access).await.len(), 1, "the others have expired");
}

#[tokio::test]
async fn an_ended_session_lets_nobody_in_from_that_moment_on() {
    let world = World::start().await;
    let person = world.register(1).await;
    let phone = sign_in(&world, &person, &[]).await;
    assert_eq!(world.me(&phone.access).await.status, 200);
    let path = format!("/{}", phone.session());
    for _ in 0..2 {
        assert_eq!(end(&world, &person.access, &path).await.status, 204);
    }
    assert_eq!(world.me(&phone.access).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(world.refresh(&phone.refresh).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(world.me(&person.access).await.status, 200);
    let ended = world.events("identity.session.ended").await;
    assert_eq!(ended.len(), 1, "ended once");
    let expected = json!({
        "userId": person.id, "sessionId": phone.session(), "reason": "ended",
        "endedAt": "2026-03-01T12:00:00Z", "refusedUntil": "2026-03-01T12:16:00Z",
    });
    assert_eq!(ended[0]["data"], expected);
    assert_eq!(ended[0]["subject"], format!("user/{}", person.id));
}

#[tokio::test]
async fn a_strangers_session_is_not_there() {
    let world = World::start().await;
    let (person, stranger) = (world.register(1).await, world.register(2).await);
    let path = format!("/{}", stranger.session());
    assert_eq!(end(&world, &person.access, &path).await.code(), refusal(404, "not_found"));
    assert_eq!(
        end(&world, &person.access, &format!("/{}", ids::new_id())).await.code(),
        refusal(404, "not_found")
    );
    assert_eq!(end(&world, &person.access, "/nonsense").await.code(), refusal(404, "not_found"));
    assert_eq!(world.me(&stranger.access).await.status, 200);
    assert!(world.events("identity.session.ended").await.is_empty());
}

#[tokio::test]
async fn all_others_end_or_all_of_them() {
    let world = World::start().await;
    let (person, stranger) = (world.register(1).await, world.register(2).await);
    let others = [sign_in(&world, &person, &[]).await, sign_in(&world, &person, &[]).await];
    assert_eq!(end(&world, &person.access, "").await.status, 204);
    for other in &others {
        assert_eq!(world.me(&other.access).await.code(), refusal(401, "unauthenticated"));
    }
    assert_eq!(world.me(&person.access).await.status, 200);
    assert_eq!(end(&world, &person.access, "?current=maybe").await.status, 422);
    assert_eq!(end(&world, &person.access, "?current=true").await.status, 204);
    assert_eq!(world.me(&person.access).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(world.me(&stranger.access).await.status, 200);
    assert_eq!(world.events("identity.session.ended").await.len(), 3);
}

#[tokio::test]
async fn a_log_out_and_a_reused_token_are_told_of() {
    let world = World::start().await;
    let (person, other) = (world.register(1).await, world.register(2).await);
    world.post_as(&person.access, "/logout", &json!({ "refreshToken": person.refresh })).await;
    assert_eq!(world.me(&person.access).await.code(), refusal(401, "unauthenticated"));
    world.refresh(&other.refresh).await;
    world.advance(11);
    world.refresh(&other.refresh).await;
    assert_eq!(world.me(&other.access).await.code(), refusal(401, "unauthenticated"));
    let ended = world.events("identity.session.ended").await;
    let said: Vec<_> =
        ended.iter().map(|event| (&event["data"]["reason"], &event["data"]["sessionId"])).collect();
    let expected = [(json!("logout"), json!(person.session())), (json!("reuse"), json!(other.session()))];
    assert_eq!(said, expected.iter().map(|(reason, id)| (reason, id)).collect::<Vec<_>>());
}

#[tokio::test]
async fn many_sessions_end_some_at_a_time() {
    let world = World::start().await;
    let person = world.register(1).await;
    sqlx::query(
        "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at)
         SELECT gen_random_uuid(), $1::uuid, now(), now(), now() + interval '100 years' FROM generate_series(1, 450)",
    )
    .bind(&person.id)
    .execute(&world.db.pool)
    .await
    .unwrap();
    assert_eq!(end(&world, &person.access, "").await.status, 204);
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!((open, world.events("identity.session.ended").await.len()), (1, 450));
}

#[tokio::test]
async fn a_token_does_not_outlive_what_it_says() {
    let world = World::start().await;
    let person = world.register(1).await;
    let change = async |sql: &'static str| {
        sqlx::query(sql).execute(&world.db.pool).await.unwrap();
        let refreshed = world.refresh(&person.refresh).await;
        (world.me(&person.access).await, refreshed)
    };
    let (old, _) = change("UPDATE users SET roles = '{user,support}'").await;
    assert_eq!(old.code(), refusal(401, "token_expired"));
    let (old, _) = change("UPDATE users SET roles = '{user}'").await;
    assert_eq!(old.status, 200);
    let (old, _) = change("UPDATE users SET kyc_tier = 1").await;
    assert_eq!(old.status, 200, "who was verified a moment ago goes on");
    let (old, refreshed) = change("UPDATE users SET status = 'suspended'").await;
    assert_eq!((old.code(), refreshed.code()), (refusal(403, "forbidden"), refusal(403, "forbidden")));
    sqlx::query("UPDATE users SET status = 'active'").execute(&world.db.pool).await.unwrap();

    let signer = TokenSigner::load_or_create(world.keys.path()).unwrap();
    let now =
        Claims { sid: person.session(), ..testing::claims(person.id.parse().unwrap(), world.clock.now()) };
    for claims in [Claims { tier: 2, ..now.clone() }, Claims { roles: vec![Role::User, Role::Admin], ..now }]
    {
        assert_eq!(
            world.me(&signer.sign(&claims).unwrap()).await.code(),
            refusal(401, "token_expired"),
            "{claims:?}"
        );
    }
}

/// However many somebody opens who knows the password: ending all of them stays one request's work.
#[tokio::test]
async fn who_opens_too_many_loses_the_oldest() {
    let world = World::start().await;
    let first = world.register(1).await;
    let second = sign_in(&world, &first, &[]).await;
    for _ in 0..98 {
        sign_in(&world, &first, &[]).await;
    }
    assert_eq!(world.me(&first.access).await.status, 200, "a hundred");
    let newest = sign_in(&world, &first, &[]).await;
    assert_eq!(world.me(&first.access).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(world.me(&second.access).await.status, 200);
    assert_eq!(world.me(&newest.access).await.status, 200);
    let ended = world.events("identity.session.ended").await;
    let told = (&ended[0]["data"]["sessionId"], &ended[0]["data"]["reason"]);
    assert_eq!((ended.len(), told), (1, (&json!(first.session()), &json!("too_many"))));
}
