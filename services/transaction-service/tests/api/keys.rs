//! `Idempotency-Key`: the same key gets the same answer, for ever.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{World, between, naira};

#[tokio::test]
async fn a_repeated_call_is_answered_as_the_first_time() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let body = between(&ada, &bola, 30_000);
    let first = world.transfer(&ada, "k1", &body).await;
    for key in ["k1", "\"k1\""] {
        let again = world.transfer(&ada, key, &body).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert!(again.replayed());
    }
    assert_eq!(world.peers.book().balance(ada.wallet), 70_000);
    assert_eq!(world.event_types().await.len(), 2);
}

#[tokio::test]
async fn a_refusal_is_remembered_even_when_it_would_succeed_now() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let body = between(&ada, &bola, 150_000);
    let first = world.transfer(&ada, "k1", &body).await;
    assert_eq!((first.code(), first.replayed()), ("insufficient_funds", false));
    world.transfer(&bola, "k1", &between(&bola, &ada, 90_000)).await;

    let again = world.transfer(&ada, "k1", &body).await;
    assert_eq!((again.status, &again.body, again.replayed()), (first.status, &first.body, true));
    assert_eq!(world.transfer(&ada, "k2", &body).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let body = between(&ada, &bola, 100);
    world.transfer(&ada, "k1", &body).await;
    let mut narrated = body.clone();
    narrated["narration"] = json!("x");
    let others = [
        between(&ada, &bola, 101),
        narrated,
        naira(ada.wallet, &json!({"email": bola.person.email}), 100),
        // Not even one that would be refused before the ledger is asked.
        between(&ada, &ada, 100),
        naira(ada.wallet, &json!({"email": "nobody@example.com"}), 100),
    ];
    for other in others {
        let refused = world.transfer(&ada, "k1", &other).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "idempotency_key_reused"), "{other}");
    }
    assert_eq!(world.statuses().await, ["completed"]);
}

#[tokio::test]
async fn another_spelling_of_the_same_request_is_the_same() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let mut one = naira(ada.wallet, &json!({"phoneNumber": bola.person.phone}), 100);
    one["narration"] = json!("rent");
    let mut other = naira(ada.wallet, &json!({"phoneNumber": bola.person.phone.replace("+234", "0")}), 100);
    other["narration"] = json!(" rent ");
    let first = world.transfer(&ada, "k1", &one).await;
    let again = world.transfer(&ada, "k1", &other).await;
    assert_eq!((again.status, again.id(), again.replayed()), (StatusCode::CREATED, first.id(), true));
}

#[tokio::test]
async fn keys_are_the_callers_own() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let hers = world.transfer(&ada, "k1", &between(&ada, &bola, 100)).await;
    let his = world.transfer(&bola, "k1", &between(&bola, &ada, 100)).await;
    assert_eq!((hers.status, his.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_ne!(hers.id(), his.id());
}

#[tokio::test]
async fn the_answer_stays_when_the_recipient_is_gone_or_nobody_can_be_asked() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let body = naira(ada.wallet, &json!({"email": bola.person.email}), 100);
    let first = world.transfer(&ada, "k1", &body).await;
    assert_eq!(first.status, StatusCode::CREATED);

    world.peers.book().people.clear();
    let gone = world.transfer(&ada, "k1", &body).await;
    assert_eq!((gone.status, &gone.body, gone.replayed()), (first.status, &first.body, true));
    world.peers.book().lookups_down = true;
    let dark = world.transfer(&ada, "k1", &body).await;
    assert_eq!((dark.status, &dark.body, dark.replayed()), (first.status, &first.body, true));
}
