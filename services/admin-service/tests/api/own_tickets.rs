//! A customer's own tickets.

use common_auth::Role;
use common_utils::ids;
use serde_json::{Value, json};

use crate::world::World;

const MINE: &str = "/api/v1/admin/tickets/mine";

#[tokio::test]
async fn a_customer_opens_a_ticket_and_talks_with_staff() {
    let world = World::new().await;
    let (ada, staff) = (world.person(Role::User), world.person(Role::Support));
    let opened =
        world.post(&ada, MINE, json!({ "subject": "Help", "description": "Please" })).await.expect(201);
    assert_eq!((&opened.body["requesterId"], &opened.body["priority"]), (&json!(ada.id), &json!("normal")));
    let id = opened.id();
    let staff_comments = format!("/api/v1/admin/tickets/{id}/comments");
    world.post(&staff, &staff_comments, json!({ "body": "looks odd", "internal": true })).await.expect(200);
    world.post(&staff, &staff_comments, json!({ "body": "We look into it." })).await.expect(200);
    let own_comments = format!("{MINE}/{id}/comments");
    let answered = world.post(&ada, &own_comments, json!({ "body": "Thank you" })).await.expect(200);
    let bodies = |ticket: &Value| -> Vec<String> {
        let comments = ticket["comments"].as_array().unwrap();
        comments.iter().map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    };
    let visible = ["We look into it.", "Thank you"];
    assert_eq!(bodies(&answered.body), visible);
    assert_eq!(bodies(&world.get(&ada, &format!("{MINE}/{id}")).await.expect(200).body), visible);
    assert_eq!(bodies(&world.get(&ada, MINE).await.expect(200).body["items"][0]), visible);
    let seen_by_staff = world.get(&staff, &format!("/api/v1/admin/tickets/{id}")).await.expect(200);
    assert_eq!(bodies(&seen_by_staff.body).len(), 3);
    assert_eq!(seen_by_staff.body["comments"][2]["authorType"], "customer");
}

#[tokio::test]
async fn a_strangers_ticket_is_none() {
    let world = World::new().await;
    let (ada, bola) = (world.person(Role::User), world.person(Role::User));
    // Not even staff get at others' tickets this way.
    let staff = world.person(Role::Admin);
    let id = world.post(&ada, MINE, json!({ "subject": "s", "description": "d" })).await.expect(201).id();
    for stranger in [&bola, &staff] {
        assert_eq!(world.get(stranger, &format!("{MINE}/{id}")).await.refusal().1, "not_found");
        let comment = world.post(stranger, &format!("{MINE}/{id}/comments"), json!({ "body": "b" })).await;
        assert_eq!(comment.refusal(), (404, "not_found", vec![]));
        assert_eq!(world.get(stranger, MINE).await.body["items"], json!([]));
    }
}

#[tokio::test]
async fn customers_relate_to_what_is_theirs_and_to_nothing_else() {
    let world = World::new().await;
    let (ada, bola) = (world.person(Role::User), world.person(Role::User));
    let [sent, received, strange, own_wallet, other_wallet] = [(); 5].map(|()| ids::new_id());
    world.neighbours.tell(|known| {
        known.transactions.insert(sent, (ada.id, bola.id));
        known.transactions.insert(received, (bola.id, ada.id));
        known.transactions.insert(strange, (bola.id, ids::new_id()));
        known.wallets.insert(own_wallet, ada.id);
        known.wallets.insert(other_wallet, bola.id);
    });
    for (kind, id, status) in [
        ("transaction", sent, 201),
        ("transaction", received, 201),
        ("transaction", strange, 422),
        ("transaction", ids::new_id(), 422),
        ("wallet", own_wallet, 201),
        ("wallet", other_wallet, 422),
        ("user", ada.id, 201),
        ("user", bola.id, 422),
    ] {
        let body = json!({ "subject": "s", "description": "d", "relatedTo": { "type": kind, "id": id } });
        let answer = world.post(&ada, MINE, body).await.expect(status);
        if status == 422 {
            assert_eq!(answer.refusal(), (422, "validation_failed", vec!["relatedTo.id"]), "{kind} {id}");
        }
    }
}

#[tokio::test]
async fn what_only_staff_may_say_is_an_unknown_field() {
    let world = World::new().await;
    let ada = world.person(Role::User);
    let whole = json!({ "subject": "s", "description": "d" });
    for (field, value) in [("requesterId", json!(ids::new_id())), ("priority", json!("urgent"))] {
        let mut body = whole.clone();
        body[field] = value;
        let answer = world.post(&ada, MINE, body).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec![field]));
    }
    let id = world.post(&ada, MINE, whole).await.expect(201).id();
    let comment = json!({ "body": "b", "internal": true });
    let answer = world.post(&ada, &format!("{MINE}/{id}/comments"), comment).await;
    assert_eq!(answer.refusal(), (422, "validation_failed", vec!["internal"]));
}

#[tokio::test]
async fn a_key_works_for_own_tickets_too() {
    let world = World::new().await;
    let ada = world.person(Role::User);
    let body = json!({ "subject": "s", "description": "d" });
    let first = world.post_keyed(&ada, MINE, &body, "k").await.expect(201);
    let again = world.post_keyed(&ada, MINE, &body, "k").await.expect(201);
    assert_eq!((again.id(), &again.headers["idempotent-replayed"]), (first.id(), &"true".parse().unwrap()));
    assert_eq!(world.get(&ada, MINE).await.body["items"].as_array().unwrap().len(), 1);
}
