//! `/internal/v1`, as other services call it.

use common_auth::testing::Callers;
use common_utils::{clock::SystemClock, ids};
use identity_service::SERVICE_NAME;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Person, World, answer, refusal};

async fn ask(world: &World, service: &str, path: &str) -> Answer {
    world.get(&format!("/internal/v1{path}"), Some(&world.services.mint(service).unwrap())).await
}

fn view(person: &Person) -> serde_json::Value {
    json!({
        "userId": person.id, "email": person.email, "phoneNumber": person.phone,
        "firstName": "Ada", "lastName": "Obi", "kycTier": 0, "status": "active",
    })
}

#[tokio::test]
async fn people_are_found_by_id_number_and_address() {
    let world = World::start().await;
    let person = world.register(1).await;
    for path in [
        format!("/users/{}", person.id),
        "/users?phoneNumber=%2B2348030000001".to_owned(),
        "/users?phoneNumber=+2348030000001".to_owned(),
        "/users?phoneNumber=08030000001".to_owned(),
        "/users?email=PERSON1@example.com".to_owned(),
    ] {
        let found = ask(&world, "transaction-service", &path).await;
        assert_eq!((found.status, found.body), (200, view(&person)), "{path}");
    }
    for path in [
        format!("/users/{}", ids::new_id()),
        "/users/not-an-id".to_owned(),
        "/users?phoneNumber=%2B2348030000002".to_owned(),
        "/users?phoneNumber=nobody".to_owned(),
        "/users?email=nobody".to_owned(),
    ] {
        assert_eq!(
            ask(&world, "transaction-service", &path).await.code(),
            refusal(404, "not_found"),
            "{path}"
        );
    }
    for path in ["/users", "/users?email=a@example.com&phoneNumber=1", "/users?name=Ada", "/users?email=%00"]
    {
        assert_eq!(
            ask(&world, "transaction-service", path).await.code(),
            refusal(422, "validation_failed"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn only_services_may_ask() {
    let world = World::start().await;
    let person = world.register(1).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = Callers::of(SERVICE_NAME, elsewhere.path(), &SystemClock::shared());
    let foreign = foreign.mint("wallet-service").unwrap();
    let for_another = world.services.calling("admin-service").mint("wallet-service").unwrap();
    for path in
        [format!("/users/{}", person.id), format!("/users/{}/kyc", person.id), "/users?email=a".to_owned()]
    {
        let path = format!("/internal/v1{path}");
        for token in [None, Some(&person.access), Some(&foreign), Some(&for_another)] {
            let token = token.map(String::as_str);
            assert_eq!(world.get(&path, token).await.code(), refusal(401, "unauthenticated"), "{path}");
        }
    }
    let expired = world.services.mint("wallet-service").unwrap();
    world.advance(61);
    let late = world.get(&format!("/internal/v1/users/{}", person.id), Some(&expired)).await;
    assert_eq!(late.code(), refusal(401, "unauthenticated"));
}

#[tokio::test]
async fn who_has_no_use_for_people_does_not_find_them() {
    let world = World::start().await;
    let person = world.register(1).await;
    for service in ["wallet-service", "identity-service", "transaction"] {
        for path in [format!("/users/{}", person.id), format!("/users?email={}", person.email)] {
            assert_eq!(ask(&world, service, &path).await.code(), refusal(403, "forbidden"), "{service:?}");
        }
    }
}

#[tokio::test]
async fn only_wallet_service_reads_identity_data() {
    let (address, _twin) = crate::kyc::twin().await;
    let world = World::with_kyc(crate::support::kyc_at(&address)).await;
    let person = world.register(1).await;
    let path = format!("/users/{}/kyc", person.id);
    assert_eq!(ask(&world, "wallet-service", &path).await.code(), refusal(404, "not_found"));

    let body = json!({ "bvn": "22233344451", "dateOfBirth": "1990-01-31" });
    assert_eq!(world.post_as(&person.access, "/kyc/bvn", &body).await.status, 200);
    let read = ask(&world, "wallet-service", &path).await;
    let expected = json!({
        "userId": person.id, "bvn": "22233344451", "dateOfBirth": "1990-01-31", "firstName": "Ada",
        "lastName": "Obi", "phoneNumber": person.phone, "email": person.email,
    });
    assert_eq!((read.status, read.body), (200, expected));
    for service in ["transaction-service", "admin-service", "identity-service"] {
        assert_eq!(ask(&world, service, &path).await.code(), refusal(403, "forbidden"), "{service}");
    }
    let strange = format!("/users/{}/kyc", ids::new_id());
    assert_eq!(ask(&world, "wallet-service", &strange).await.code(), refusal(404, "not_found"));
}

#[tokio::test]
async fn data_moved_to_another_person_does_not_open() {
    let (address, _twin) = crate::kyc::twin().await;
    let world = World::with_kyc(crate::support::kyc_at(&address)).await;
    let (person, stranger) = (world.register(1).await, world.register(2).await);
    let body = json!({ "bvn": "22233344451", "dateOfBirth": "1990-01-31" });
    assert_eq!(world.post_as(&person.access, "/kyc/bvn", &body).await.status, 200);
    let moved = sqlx::query("UPDATE bvn_verifications SET user_id = $1::uuid").bind(&stranger.id);
    moved.execute(&world.db.pool).await.unwrap();
    let path = format!("/users/{}/kyc", stranger.id);
    assert_eq!(ask(&world, "wallet-service", &path).await.code(), refusal(500, "internal_error"));
}

#[tokio::test]
async fn other_methods_are_told_which() {
    let world = World::start().await;
    let token = world.services.mint("wallet-service").unwrap();
    let request = world.request(Method::DELETE, "/internal/v1/users").bearer_auth(token);
    let refused = answer(request).await;
    assert_eq!(refused.code(), refusal(405, "method_not_allowed"));
    assert!(refused.headers["allow"].to_str().unwrap().contains("GET"));
}
