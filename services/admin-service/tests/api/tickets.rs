//! What staff do with tickets.

use common_auth::Role;
use common_utils::ids;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{self, Answer, Caller, World};

const TICKETS: &str = "/api/v1/admin/tickets";

/// The types of the events in the outbox, oldest first.
async fn published(world: &World) -> Vec<(String, String, Value)> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT type, key, payload FROM outbox ORDER BY position")
            .fetch_all(&world.db.pool)
            .await
            .unwrap();
    rows.into_iter().map(|(kind, key, event)| (kind, key, serde_json::from_str(&event).unwrap())).collect()
}

async fn assign(world: &World, by: &Caller, ticket: &str, to: Uuid) -> Answer {
    world.post(by, &format!("{TICKETS}/{ticket}/assign"), json!({ "assigneeId": to })).await
}

async fn resolve(world: &World, by: &Caller, ticket: &str, how: &str) -> Answer {
    world.post(by, &format!("{TICKETS}/{ticket}/resolve"), json!({ "resolution": how })).await
}

#[tokio::test]
async fn a_ticket_is_opened_taken_commented_and_resolved() {
    let world = World::new().await;
    let (staff, customer) = (world.person(Role::Support), world.person(Role::User));
    let transaction = ids::new_id();
    world.neighbours.tell(|known| known.transactions.insert(transaction, (customer.id, ids::new_id())));
    let body = json!({
        "subject": "Transfer not received", "description": "Sent yesterday.\nNothing came.",
        "requesterId": customer.id, "priority": "high",
        "relatedTo": { "type": "transaction", "id": transaction },
    });
    let opened = world.post(&staff, TICKETS, body).await.expect(201);
    let id = opened.id();
    let mut shown = opened.body.clone();
    shown.as_object_mut().unwrap().retain(|field, _| !matches!(field.as_str(), "id" | "createdAt"));
    assert_eq!(
        shown,
        json!({
            "subject": "Transfer not received", "description": "Sent yesterday.\nNothing came.", "status": "open",
            "priority": "high", "requesterId": customer.id, "assigneeId": null, "comments": [],
            "relatedTo": { "type": "transaction", "id": transaction }, "resolution": null, "resolvedAt": null,
        })
    );

    let taken = assign(&world, &staff, &id, staff.id).await.expect(200);
    assert_eq!((&taken.body["status"], &taken.body["assigneeId"]), (&json!("in_progress"), &json!(staff.id)));
    let comment = json!({ "body": "Asked the bank.", "internal": true });
    let commented = world.post(&staff, &format!("{TICKETS}/{id}/comments"), comment).await.expect(200);
    assert_eq!(commented.body["comments"][0]["authorType"], "staff");
    assert_eq!(commented.body["comments"][0]["internal"], true);
    let resolved = resolve(&world, &staff, &id, "It has arrived.").await.expect(200);
    assert_eq!(resolved.body["status"], "resolved");
    assert_eq!(resolved.body["resolution"], "It has arrived.");
    assert!(resolved.body["resolvedAt"].is_string());
    let got = world.get(&staff, &format!("{TICKETS}/{id}")).await.expect(200);
    assert_eq!(got.body, resolved.body);

    let events = published(&world).await;
    let kinds: Vec<&str> = events.iter().map(|(kind, ..)| kind.as_str()).collect();
    let expected =
        ["admin.ticket.created", "admin.ticket.assigned", "admin.ticket.commented", "admin.ticket.resolved"];
    assert_eq!(kinds, expected);
    for (_, key, event) in &events {
        assert_eq!(*key, id, "events are keyed by ticket");
        assert_eq!(event["actor"], format!("staff:{}", staff.id));
        assert!(!event.to_string().contains("yesterday"), "the words stay here");
    }
}

#[tokio::test]
async fn what_is_resolved_stays_so_and_doing_it_again_changes_nothing() {
    let world = World::new().await;
    let (staff, customer) = (world.person(Role::Support), world.person(Role::User));
    let id = world.ticket(&staff, &customer).await;
    assign(&world, &staff, &id, staff.id).await.expect(200);
    assign(&world, &staff, &id, staff.id).await.expect(200);
    resolve(&world, &staff, &id, "Done.").await.expect(200);
    resolve(&world, &staff, &id, "Done.").await.expect(200);
    assert_eq!(published(&world).await.len(), 3, "created, assigned, resolved");
    let refused = resolve(&world, &staff, &id, "Done otherwise.").await;
    assert_eq!(refused.refusal(), (409, "ticket_resolved", vec![]));
    assert_eq!(assign(&world, &staff, &id, staff.id).await.refusal(), (409, "ticket_resolved", vec![]));
}

#[tokio::test]
async fn a_ticket_goes_only_to_somebody_who_works_on_tickets() {
    let world = World::new().await;
    let (staff, colleague) = (world.person(Role::Support), world.person(Role::Support));
    let id = world.ticket(&staff, &world.person(Role::User)).await;
    let refused = (422, "validation_failed", vec!["assigneeId"]);
    assert_eq!(assign(&world, &staff, &id, colleague.id).await.refusal(), refused, "not heard of yet");
    world.take_in(&world::user_event(colleague.id, &["user", "support"], "active")).await;
    assign(&world, &staff, &id, colleague.id).await.expect(200);
    for (roles, status) in [
        (vec!["user", "support"], "suspended"),
        (vec!["user", "finance"], "active"),
        (vec!["user"], "active"),
    ] {
        let other = world.ticket(&staff, &staff).await;
        world.take_in(&world::user_event(colleague.id, &roles, status)).await;
        let answer = assign(&world, &staff, &other, colleague.id).await;
        assert_eq!(answer.refusal(), refused, "{roles:?} {status}");
    }
}

#[tokio::test]
async fn an_old_event_about_staff_changes_nothing() {
    let world = World::new().await;
    let (staff, colleague) = (world.person(Role::Support), world.person(Role::Support));
    let old = world::user_event(colleague.id, &["user", "support"], "active");
    world.take_in(&world::user_event(colleague.id, &["user", "compliance"], "active")).await;
    world.take_in(&old).await;
    let id = world.ticket(&staff, &staff).await;
    assert_eq!(assign(&world, &staff, &id, colleague.id).await.status, 422);
}

#[tokio::test]
async fn requester_and_related_thing_must_exist() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let body = |requester: Uuid, related: Value| json!({ "subject": "s", "description": "d", "requesterId": requester, "relatedTo": related });
    let unknown = world.post(&staff, TICKETS, body(ids::new_id(), Value::Null)).await;
    assert_eq!(unknown.refusal(), (422, "validation_failed", vec!["requesterId"]));
    for kind in ["transaction", "wallet", "user"] {
        let related = json!({ "type": kind, "id": ids::new_id() });
        let answer = world.post(&staff, TICKETS, body(staff.id, related)).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec!["relatedTo.id"]), "{kind}");
    }
    let wallet = ids::new_id();
    world.neighbours.tell(|known| known.wallets.insert(wallet, ids::new_id()));
    for related in [json!({ "type": "wallet", "id": wallet }), json!({ "type": "user", "id": staff.id })] {
        world.post(&staff, TICKETS, body(staff.id, related)).await.expect(201);
    }
}

#[tokio::test]
async fn a_service_that_is_away_is_503_and_leaves_nothing_behind() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let body = json!({ "subject": "s", "description": "d", "requesterId": staff.id });
    world.neighbours.tell(|known| known.away = true);
    let answer = world.post_keyed(&staff, TICKETS, &body, "k").await;
    assert_eq!(answer.refusal(), (503, "dependency_unavailable", vec![]));
    assert!(answer.headers.contains_key("retry-after"));
    let alone = world.alone();
    let refused =
        world::send(&alone, "POST".parse().unwrap(), TICKETS, Some(&staff), Some(body.to_string()), None);
    assert_eq!(refused.await.status, 503, "nobody listens there");
    world.neighbours.tell(|known| known.away = false);
    world.post_keyed(&staff, TICKETS, &body, "k").await.expect(201);
    assert_eq!(world.get(&staff, TICKETS).await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_key_answers_as_the_first_time() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let body = json!({ "subject": "s", "description": "d", "requesterId": staff.id });
    let first = world.post_keyed(&staff, TICKETS, &body, "key-1").await.expect(201);
    assert!(!first.headers.contains_key("idempotent-replayed"));
    world.neighbours.tell(|known| known.away = true);
    let again = world.post_keyed(&staff, TICKETS, &body, "\"key-1\"").await.expect(201);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.body, first.body);
    world.neighbours.tell(|known| known.away = false);
    let other = json!({ "subject": "other", "description": "d", "requesterId": staff.id });
    let reused = world.post_keyed(&staff, TICKETS, &other, "key-1").await;
    assert_eq!(reused.refusal(), (422, "idempotency_key_reused", vec![]));
    world.post_keyed(&world.person(Role::Support), TICKETS, &body, "key-1").await.expect(201);

    let path = format!("{TICKETS}/{}/comments", first.id());
    let comment = json!({ "body": "Hello" });
    world.post_keyed(&staff, &path, &comment, "key-2").await.expect(200);
    let again = world.post_keyed(&staff, &path, &comment, "key-2").await.expect(200);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.body["comments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_calls_with_one_key_one_opens_the_ticket() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let body = json!({ "subject": "s", "description": "d", "requesterId": staff.id });
    let calls = (0..10).map(|_| world.post_keyed(&staff, TICKETS, &body, "one"));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.id() == answers[0].id()));
    let fresh = answers.iter().filter(|answer| !answer.headers.contains_key("idempotent-replayed"));
    assert_eq!(fresh.count(), 1);
}

#[tokio::test]
async fn of_two_who_resolve_at_once_one_is_refused() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let id = world.ticket(&staff, &staff).await;
    let (one, two) = tokio::join!(resolve(&world, &staff, &id, "One."), resolve(&world, &staff, &id, "Two."));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn lists_are_filtered_and_paged_newest_first() {
    let world = World::new().await;
    let (staff, customer) = (world.person(Role::Support), world.person(Role::User));
    let mut tickets = Vec::new();
    for _ in 0..5 {
        tickets.push(world.ticket(&staff, &customer).await);
    }
    let other = world.ticket(&staff, &world.person(Role::User)).await;
    assign(&world, &staff, &tickets[0], staff.id).await.expect(200);
    let ids = |answer: &Answer| -> Vec<String> {
        let items = answer.body["items"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };

    let mut found = Vec::new();
    let mut path = format!("{TICKETS}?requesterId={}&limit=2", customer.id);
    loop {
        let page = world.get(&staff, &path).await.expect(200);
        found.extend(ids(&page));
        let Some(cursor) = page.body["nextCursor"].as_str() else { break };
        path = format!("{TICKETS}?requesterId={}&limit=2&cursor={cursor}", customer.id);
    }
    tickets.reverse();
    assert_eq!(found, tickets);
    for (query, expected) in [
        (format!("assigneeId={}", staff.id), vec![tickets[4].clone()]),
        ("status=in_progress".to_owned(), vec![tickets[4].clone()]),
        ("status=closed".to_owned(), vec![]),
        (format!("status=open&requesterId={}", customer.id), tickets[..4].to_vec()),
        ("limit=1".to_owned(), vec![other]),
    ] {
        let page = world.get(&staff, &format!("{TICKETS}?{query}")).await.expect(200);
        assert_eq!(ids(&page), expected, "{query}");
    }
}

#[tokio::test]
async fn a_list_shows_the_newest_comments_of_each_ticket() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let (busy, quiet) = (world.ticket(&staff, &staff).await, world.ticket(&staff, &staff).await);
    for number in 0..22 {
        let body = json!({ "body": format!("comment {number}") });
        world.post(&staff, &format!("{TICKETS}/{busy}/comments"), body).await.expect(200);
    }
    let page = world.get(&staff, TICKETS).await.expect(200);
    assert_eq!(
        (&page.body["items"][0]["id"], &page.body["items"][0]["comments"]),
        (&json!(quiet), &json!([]))
    );
    let shown = page.body["items"][1]["comments"].as_array().unwrap();
    assert_eq!(
        (shown.len(), &shown[0]["body"], &shown[19]["body"]),
        (20, &json!("comment 2"), &json!("comment 21"))
    );
    let whole = world.get(&staff, &format!("{TICKETS}/{busy}")).await;
    assert_eq!(whole.body["comments"].as_array().unwrap().len(), 22);
}

#[tokio::test]
async fn a_ticket_takes_no_more_than_500_comments() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let id = world.ticket(&staff, &staff).await;
    sqlx::query(
        "INSERT INTO ticket_comments
         SELECT gen_random_uuid(), $1::uuid, $2, 'staff', 'b', false, now() FROM generate_series(1, 499)",
    )
    .bind(id.parse::<Uuid>().unwrap())
    .bind(staff.id)
    .execute(&world.db.pool)
    .await
    .unwrap();
    let path = format!("{TICKETS}/{id}/comments");
    world.post(&staff, &path, json!({ "body": "the last" })).await.expect(200);
    let refused = world.post(&staff, &path, json!({ "body": "one more" })).await;
    assert_eq!(refused.refusal(), (409, "ticket_full", vec![]));
}
