//! The correlation id: the client's own where it is one, else a new one; the client and the service hear of the same.

use gateway::Config;
use http::StatusCode;
use uuid::Uuid;

use crate::support::{World, get, rendered, token, world, world_of};

const NAME: &str = "x-correlation-id";
const PATH: &str = "/api/v1/wallet/wallets";

/// What the client and the service are told after the client sent `offered`.
async fn told(world: &World, offered: &[&str]) -> (String, String) {
    let call = get(PATH).header("authorization", format!("Bearer {}", token("ada")));
    let call = offered.iter().fold(call, |call, value| call.header(NAME, *value));
    let answer = world.send(call).await;
    assert_eq!(answer.status, StatusCode::OK);
    let client = answer.header(NAME).unwrap().to_owned();
    (client, answer.json()["headers"][NAME].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_fitting_one_is_taken_over() {
    let (world, longest) = (world(), "x".repeat(64));
    for fits in ["a", "order-17.a_B", &longest] {
        assert_eq!(told(&world, &[fits]).await, (fits.to_owned(), fits.to_owned()));
    }
}

#[tokio::test]
async fn for_any_other_one_is_made_that_both_sides_are_told() {
    let (world, long) = (world(), "x".repeat(65));
    for wrong in
        [&["a b"][..], &["<script>"], &["a,b"], &["a;b"], &[&long], &[""], &["a", "b"], &["a", "a"], &[]]
    {
        let (client, service) = told(&world, wrong).await;
        assert!(client.parse::<Uuid>().is_ok(), "{wrong:?}: {client}");
        assert_eq!(client, service, "{wrong:?}");
    }
}

#[tokio::test]
async fn so_it_is_where_no_service_is_reached() {
    let world = world();
    for (path, status) in [("/nowhere", StatusCode::NOT_FOUND), (PATH, StatusCode::UNAUTHORIZED)] {
        let kept = world.send(get(path).header(NAME, "mine")).await;
        assert_eq!((kept.status, kept.header(NAME)), (status, Some("mine")));
        let made = world.send(get(path).header(NAME, "not mine")).await;
        assert_eq!(made.status, status);
        assert!(made.header(NAME).unwrap().parse::<Uuid>().is_ok(), "{:?}", made.headers);
    }
}

#[tokio::test]
async fn a_file_without_one_of_the_functions_does_without_what_it_does() {
    let text = rendered();
    let (rewrite, access) = (text.find("      rewrite:\n").unwrap(), text.find("      access:\n").unwrap());
    let end = text.find("  - name: correlation-id\n").unwrap();
    let without_rewrite = format!("{}{}", &text[..rewrite], &text[access..]);
    let (client, service) = told(&world_of(Config::parse(&without_rewrite).unwrap()), &["a b"]).await;
    assert_eq!((client.as_str(), service.as_str()), ("a b", "a b"));

    let without_access = format!("{}{}", &text[..access], &text[end..]);
    let world = world_of(Config::parse(&without_access).unwrap());
    let (client, service) = told(&world, &["a b"]).await;
    assert!(client == service && client != "a b", "{client} {service}");
    let call = get(PATH).header("authorization", format!("Bearer {}", token("ada")));
    let seen = world.send(call.header("x-ratelimit-subject", "mine")).await.json();
    assert_eq!(seen["headers"]["x-ratelimit-subject"], "mine");
}
