//! `/kyc/cases/{id}/documents`: what is taken, what becomes of it, and who sees it.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    kyc::twin,
    kyc_world::{
        BORN, BVN, NIN, case, comes_to_stand, opened, photo, signed_in, staff, stands, tier, tier_three,
        tier_two, twin_is, under_review, upload, world, world_with,
    },
    mailbox::until,
    support::{World, answer, invalid, refusal},
};

const ADDRESS: (&str, &str) = ("address_document", "image/jpeg");
const SELFIE: (&str, &str) = ("selfie", "image/jpeg");

async fn documents(world: &World) -> Vec<(String, i32, Vec<u8>)> {
    sqlx::query_as("SELECT kind, size, content FROM kyc_documents ORDER BY id")
        .fetch_all(&world.db.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_sent_is_kept_encrypted_and_the_case_goes_on() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_three(BVN, NIN)).await;
    stands(&world, &person, &id, "more_needed").await;
    let content = photo("an electricity bill");
    let sent = upload(&world, &person, &id, ADDRESS, content.clone()).await;
    assert_eq!((sent.status, &sent.body["status"]), (201, &json!("submitted")));
    let kept = documents(&world).await;
    assert_eq!(
        (kept[0].0.as_str(), usize::try_from(kept[0].1).unwrap()),
        ("address_document", content.len())
    );
    assert!(!kept[0].2.windows(11).any(|window| window == b"electricity"));
    assert_eq!(stands(&world, &person, &id, "in_review").await["reason"], "review_required");
}

#[tokio::test]
async fn the_same_file_again_is_one_document() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_two("11133344457")).await;
    // The number is looked up slowly, so the case is still open.
    for _ in 0..2 {
        assert_eq!(upload(&world, &person, &id, SELFIE, photo("me")).await.status, 201);
    }
    assert_eq!(documents(&world).await.len(), 1);
    let path = format!("/api/v1/identity/kyc/cases/{id}/documents?kind=selfie");
    let with_key = async |content: Vec<u8>| {
        let request = world.request(Method::POST, &path).bearer_auth(&person.access);
        let request = request.header("idempotency-key", "one").header("content-type", "image/jpeg");
        answer(request.body(content)).await
    };
    let first = with_key(photo("me again")).await;
    let again = with_key(photo("me again")).await;
    assert_eq!((first.status, again.body), (201, first.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(with_key(photo("another")).await.code(), refusal(422, "idempotency_key_reused"));
    assert_eq!(documents(&world).await.len(), 2);
}

#[tokio::test]
async fn a_document_that_does_not_fit_is_asked_for_again() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_three(BVN, NIN)).await;
    stands(&world, &person, &id, "more_needed").await;
    upload(&world, &person, &id, ADDRESS, photo("twin:mismatch")).await;
    let asked = until("another request", async || {
        Some(case(&world, &person, &id).await).filter(|case| case["reason"] == "document_mismatch")
    })
    .await;
    assert_eq!((&asked["status"], &asked["askedFor"]), (&json!("more_needed"), &json!(["address_document"])));
    upload(&world, &person, &id, ADDRESS, photo("twin:partial")).await;
    assert_eq!(stands(&world, &person, &id, "in_review").await["reason"], "partial_match");
}

/// A selfie is not needed; one that is sent counts. The provider is down while it comes.
#[tokio::test]
async fn what_is_optional_is_looked_at_when_it_is_there() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    twin_is(&twin, "down").await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    upload(&world, &person, &id, SELFIE, photo("twin:mismatch")).await;
    twin_is(&twin, "up").await;
    comes_to_stand(&world, &id, "more_needed").await;
    let person = signed_in(&world, &person).await;
    let asked = case(&world, &person, &id).await;
    assert_eq!((&asked["status"], &asked["askedFor"]), (&json!("more_needed"), &json!(["selfie"])));
    upload(&world, &person, &id, SELFIE, photo("my own face")).await;
    stands(&world, &person, &id, "approved").await;
    assert_eq!(tier(&world, &person).await, 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_named() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_three(BVN, NIN)).await;
    stands(&world, &person, &id, "more_needed").await;
    let wide = [&photo("")[..7], &[8, 0xff, 0xff, 0xff, 0xff], &photo("")[12..]].concat();
    let script = b"%PDF-1.7\n1 0 obj << /OpenAction << /S /JavaScript /JS (x) >> >> endobj\n%%EOF".to_vec();
    for (content_type, content, code) in [
        ("image/jpeg", Vec::new(), "required"),
        ("image/png", photo(""), "content_type_mismatch"),
        ("application/pdf", b"<html>".to_vec(), "content_type_mismatch"),
        ("image/jpeg", photo("")[..20].to_vec(), "invalid"),
        ("image/jpeg", wide, "out_of_range"),
        ("application/pdf", script, "active_content"),
    ] {
        let refused = upload(&world, &person, &id, ("address_document", content_type), content).await;
        assert_eq!(refused.problem(), invalid("content", code), "{content_type}");
    }
    let of_type =
        async |content_type| upload(&world, &person, &id, ("selfie", content_type), photo("")).await;
    assert_eq!(of_type("image/svg+xml").await.code(), refusal(415, "unsupported_media_type"));
    assert_eq!(of_type("text/html").await.code(), refusal(415, "unsupported_media_type"));
    let of_kind = async |kind| upload(&world, &person, &id, (kind, "image/jpeg"), photo("")).await;
    assert_eq!(of_kind("bvn").await.problem(), invalid("kind", "not_needed"));
    assert_eq!(of_kind("passport").await.status, 422);
    assert!(documents(&world).await.is_empty());
}

#[tokio::test]
async fn ten_mebibytes_are_taken_and_not_more() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_three(BVN, NIN)).await;
    stands(&world, &person, &id, "more_needed").await;
    let sized = |size: usize| {
        let mut content = photo("");
        content.resize(size, b'x');
        content
    };
    let limit = 10 * 1024 * 1024;
    let refused = upload(&world, &person, &id, ADDRESS, sized(limit + 1)).await;
    assert_eq!(refused.problem(), invalid("content", "out_of_range"));
    let refused = upload(&world, &person, &id, ADDRESS, sized(limit + 2)).await;
    assert_eq!(refused.code(), refusal(413, "payload_too_large"));
    assert_eq!(upload(&world, &person, &id, ADDRESS, sized(limit)).await.status, 201);
}

#[tokio::test]
async fn a_case_takes_ten_documents_and_none_while_it_is_reviewed_or_after() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    twin_is(&twin, "down").await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    for index in 0..10 {
        assert_eq!(upload(&world, &person, &id, SELFIE, photo(&format!("{index}"))).await.status, 201);
    }
    let eleventh = upload(&world, &person, &id, SELFIE, photo("one more")).await;
    assert_eq!(eleventh.code(), refusal(409, "too_many_documents"));

    twin_is(&twin, "up").await;
    let other = world.register(2).await;
    let reviewed = under_review(&world, &other, "22233344461", "11133344461").await;
    let late = upload(&world, &other, &reviewed, ADDRESS, photo("late")).await;
    assert_eq!(late.code(), refusal(409, "case_status"));
    let third = world.register(3).await;
    let ended =
        opened(&world, &third, &json!({ "tier": 1, "nin": "11133344459", "dateOfBirth": BORN })).await;
    stands(&world, &third, &ended, "rejected").await;
    assert_eq!(upload(&world, &third, &ended, SELFIE, photo("")).await.code(), refusal(409, "case_status"));
}

/// A file that was begun takes room until it has come or is given up; others are told at once, and no other call waits.
#[tokio::test]
async fn there_is_room_for_so_much_at_once() {
    let (twin, _guard) = twin().await;
    let world = world_with(&twin, |config| config.kyc_policy.upload_mebibytes = 10).await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_three(BVN, NIN)).await;
    stands(&world, &person, &id, "more_needed").await;
    let mut slow = TcpStream::connect(world.address.trim_start_matches("http://")).await.unwrap();
    let path = format!("/api/v1/identity/kyc/cases/{id}/documents?kind=selfie");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: identity\r\nAuthorization: Bearer {}\r\nContent-Type: image/jpeg\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        person.access,
        10 * 1024 * 1024,
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // It is told to go on when its body is read, and has room by then.
    let mut go_on = [0; 21];
    slow.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue");
    let refused = upload(&world, &person, &id, SELFIE, photo("me")).await;
    assert_eq!(refused.code(), refusal(503, "overloaded"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(case(&world, &person, &id).await["status"], "more_needed", "other calls are answered");
    let unsigned = answer(world.request(Method::POST, &path).header("content-type", "image/jpeg")).await;
    assert_eq!(unsigned.code(), refusal(401, "unauthenticated"), "who is nobody is told nothing of it");

    drop(slow);
    until("room again", async || {
        let sent = upload(&world, &person, &id, ADDRESS, photo("bill")).await;
        assert!([201, 503].contains(&sent.status), "{sent:?}");
        (sent.status == 201).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_strangers_case_takes_nothing() {
    let (world, _twin, _guard) = world().await;
    let (person, stranger) = (world.register(1).await, world.register(2).await);
    let id = opened(&world, &person, &tier_three(BVN, NIN)).await;
    let refused = upload(&world, &stranger, &id, ADDRESS, photo("")).await;
    assert_eq!(refused.code(), refusal(404, "not_found"));
    let reviewer = staff(&world, 3, "compliance").await;
    assert_eq!(upload(&world, &reviewer, &id, ADDRESS, photo("")).await.code(), refusal(404, "not_found"));
    let path = format!("/api/v1/identity/kyc/cases/{id}/documents?kind=selfie");
    let anonymous = answer(world.request(Method::POST, &path).json(&Value::Null)).await;
    assert_eq!(anonymous.code(), refusal(401, "unauthenticated"));
}
