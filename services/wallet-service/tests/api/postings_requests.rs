//! The request that a posting came from, which its events tell of.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{
    World,
    postings::{PATH, hold, pay, release},
    request,
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The correlation id and the traceparent of the last events, oldest first.
fn requests(events: &[Value], last: usize) -> Vec<(&str, Option<&str>)> {
    let told = events[events.len() - last..].iter();
    told.map(|event| (event["correlationid"].as_str().unwrap(), event["traceparent"].as_str())).collect()
}

#[tokio::test]
async fn each_posting_is_told_of_under_the_request_that_it_names() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let mut list = [(); 4].map(|()| pay(ada, bola, 1));
    list[0]["correlationId"] = json!("order-17.a_B");
    list[0]["traceparent"] = json!(PARENT);
    list[1]["correlationId"] = json!("x".repeat(64));
    list[2]["traceparent"] = json!("~".repeat(100));
    let mut call = request(Method::POST, PATH, &world.service_token(), Some(&json!({ "postings": list })));
    call.headers_mut().insert("x-correlation-id", "the-call".parse().unwrap());
    assert_eq!(world.send(call).await.status.as_u16(), 200);
    let (longest, parent) = ("x".repeat(64), "~".repeat(100));
    let expected = [
        ("order-17.a_B", Some(PARENT)),
        (longest.as_str(), None),
        ("the-call", Some(parent.as_str())),
        ("the-call", None),
    ];
    assert_eq!(requests(&world.events(ada).await, 4), expected);
    assert_eq!(requests(&world.events(bola).await, 4), expected);
    // It is no content: who sends the same again does it in another request.
    list[0]["correlationId"] = json!("order-17.again");
    let again = world.post_list(&list).await;
    assert!(again.body["results"].as_array().unwrap().iter().all(|result| result["replayed"] == true));
}

#[tokio::test]
async fn requests_that_cannot_be_told_are_refused() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let held = hold(ada, 1);
    let (long_id, long_parent) = ("x".repeat(65), "x".repeat(101));
    for (field, wrong) in [
        ("correlationId", json!("")),
        ("correlationId", json!("a b")),
        ("correlationId", json!("a\n")),
        ("correlationId", json!("ü")),
        ("correlationId", json!(long_id)),
        ("correlationId", json!(17)),
        ("traceparent", json!("")),
        ("traceparent", json!("a\tb")),
        ("traceparent", json!("00-ü")),
        ("traceparent", json!("\u{7f}")),
        ("traceparent", json!(long_parent)),
        ("traceparent", json!({})),
    ] {
        let mut posting = release(&held);
        posting[field] = wrong;
        let answer = world.post_list(&[held.clone(), posting]).await;
        assert_eq!(answer.refusal(), (422, "validation_failed"), "{answer:?}");
        assert_eq!(answer.fields(), [format!("postings[1].{field}")]);
    }
    assert_eq!(world.count("postings").await, 1);
}
