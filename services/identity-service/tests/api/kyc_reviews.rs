//! `/kyc/reviews`: what reviewers see and decide, and who may.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    kyc_world::{
        BORN, BVN, NIN, case, decide, opened, photo, staff, stands, tier, tier_three, under_review, upload,
        world,
    },
    mailbox::until,
    support::{Answer, Person, World, answer, invalid, refusal},
};

const PATH: &str = "/api/v1/identity/kyc/reviews";

async fn look(world: &World, reviewer: &Person, path: &str) -> Answer {
    world.get(&format!("{PATH}{path}"), Some(&reviewer.access)).await
}

#[tokio::test]
async fn tier_three_takes_two_people() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let (first, second) = (staff(&world, 2, "compliance").await, staff(&world, 3, "admin").await);
    let id = under_review(&world, &person, BVN, NIN).await;
    let note = json!({ "note": "The bill is of last month." });
    let once = decide(&world, &first, &id, "approve", &note).await;
    assert_eq!((once.status, &once.body["status"]), (200, &json!("in_review")));
    assert_eq!(tier(&world, &person).await, 0);
    let twice = decide(&world, &first, &id, "approve", &json!({})).await;
    assert_eq!(twice.code(), refusal(409, "second_reviewer_required"));

    let review = look(&world, &second, &format!("/{id}")).await.body;
    assert_eq!((&review["approvalsNeeded"], &review["approvedBy"]), (&json!(2), &json!([first.id])));
    let approved = decide(&world, &second, &id, "approve", &json!({})).await;
    assert_eq!((approved.status, &approved.body["status"]), (200, &json!("approved")));
    assert_eq!(tier(&world, &person).await, 3);
    let decided = world.events("identity.kyc.case_decided").await;
    assert_eq!((decided.len(), &decided[0]["actor"]), (1, &json!(format!("staff:{}", second.id))));
    assert_eq!(world.events("identity.user.tier_changed").await[0]["data"]["newTier"], 3);
    assert_eq!(
        decide(&world, &first, &id, "reject", &json!({ "reason": "other" })).await.code(),
        refusal(409, "case_status")
    );
    let text: String = world.events("identity.kyc.case_updated").await.iter().map(Value::to_string).collect();
    assert!(text.contains(&first.id) && !text.contains("last month"), "a note is in no event");
}

#[tokio::test]
async fn of_many_reviewers_at_once_each_counts_once_and_two_are_enough() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = under_review(&world, &person, BVN, NIN).await;
    let one = staff(&world, 2, "compliance").await;
    let body = json!({});
    let answers =
        futures::future::join_all((0..4).map(|_| decide(&world, &one, &id, "approve", &body))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    let others = [staff(&world, 3, "admin").await, staff(&world, 4, "compliance").await];
    let answers =
        futures::future::join_all(others.iter().map(|other| decide(&world, other, &id, "approve", &body)))
            .await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "the third comes too late");
    assert_eq!(world.events("identity.user.tier_changed").await.len(), 1);
}

#[tokio::test]
async fn a_doubtful_case_of_tier_one_takes_one_person() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &json!({ "tier": 1, "nin": "11133344455", "dateOfBirth": BORN })).await;
    stands(&world, &person, &id, "in_review").await;
    let reviewer = staff(&world, 2, "compliance").await;
    let review = look(&world, &reviewer, &format!("/{id}")).await;
    assert_eq!(review.headers["cache-control"], "no-store");
    let claims = &review.body["claims"];
    assert_eq!((&claims["nin"], &claims["bvn"]), (&json!("*******4455"), &Value::Null));
    assert_eq!((&claims["firstName"], &claims["dateOfBirth"]), (&json!("Ada"), &json!(BORN)));
    let check = &review.body["checks"][0];
    assert_eq!((&check["finding"], &check["nameScore"]), (&json!("partial"), &json!(70)));
    assert_eq!(review.body["decisions"][1]["nameScore"], 70);
    assert_eq!(decide(&world, &reviewer, &id, "approve", &json!({})).await.body["status"], "approved");
    assert_eq!(tier(&world, &person).await, 1);
}

#[tokio::test]
async fn more_is_asked_for_and_a_new_round_counts_anew() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let (first, second) = (staff(&world, 2, "compliance").await, staff(&world, 3, "admin").await);
    let id = under_review(&world, &person, BVN, NIN).await;
    assert_eq!(decide(&world, &first, &id, "approve", &json!({})).await.status, 200);
    let ask = json!({ "reason": "document_outdated", "evidence": ["address_document"], "note": "Of 2019." });
    let asked = decide(&world, &second, &id, "ask-for-more", &ask).await;
    assert_eq!((asked.status, &asked.body["status"]), (200, &json!("more_needed")));
    let seen = case(&world, &person, &id).await;
    assert_eq!(
        (&seen["reason"], &seen["askedFor"]),
        (&json!("document_outdated"), &json!(["address_document"]))
    );
    assert!(!seen.to_string().contains("2019"), "a note is for reviewers");
    let sent = upload(&world, &person, &id, ("address_document", "image/jpeg"), photo("a newer bill")).await;
    assert_eq!(sent.status, 201);
    stands(&world, &person, &id, "in_review").await;
    let review = look(&world, &second, &format!("/{id}")).await.body;
    assert_eq!((&review["reviewRound"], &review["approvedBy"]), (&json!(2), &json!([])));
    let notes: Vec<_> =
        review["decisions"].as_array().unwrap().iter().filter_map(|one| one["note"].as_str()).collect();
    assert_eq!(notes, ["Of 2019."]);
    for reviewer in [&first, &second] {
        assert_eq!(decide(&world, reviewer, &id, "approve", &json!({})).await.status, 200);
    }
    assert_eq!(tier(&world, &person).await, 3);
}

#[tokio::test]
async fn a_rejection_has_a_reason_and_ends_it() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    let reviewer = staff(&world, 2, "compliance").await;
    let id = under_review(&world, &person, BVN, NIN).await;
    let problem = async |what: &str, body: Value| decide(&world, &reviewer, &id, what, &body).await.problem();
    assert_eq!(problem("reject", json!({})).await, invalid("reason", "required"));
    assert_eq!(
        problem("reject", json!({ "reason": "requirements_met" })).await,
        invalid("reason", "out_of_range")
    );
    assert_eq!(problem("reject", json!({ "reason": "other", "note": "" })).await, invalid("note", "length"));
    assert_eq!(
        problem("ask-for-more", json!({ "reason": "other", "evidence": [] })).await,
        invalid("evidence", "length")
    );
    assert_eq!(
        problem("ask-for-more", json!({ "reason": "other", "evidence": ["bvn"] })).await,
        invalid("kind", "not_needed")
    );
    assert_eq!(problem("approve", json!({ "tier": 3 })).await, invalid("tier", "unknown_field"));
    let rejected = decide(&world, &reviewer, &id, "reject", &json!({ "reason": "suspected_fraud" })).await;
    assert_eq!(
        (&rejected.body["status"], &rejected.body["reason"]),
        (&json!("rejected"), &json!("suspected_fraud"))
    );
    let told = case(&world, &person, &id).await;
    assert_eq!(told["reason"], "other", "who is suspected is not told");
    let listed = world.get("/api/v1/identity/kyc/cases", Some(&person.access)).await;
    assert_eq!(listed.body["items"][0]["reason"], "other");
    assert_eq!(tier(&world, &person).await, 0);
    until("the message", async || {
        let url = format!("{twin}/twin/messages?to={}", person.email);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        (text.contains("could not be verified") && !text.contains("fraud")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_look_is_kept_and_told() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let reviewer = staff(&world, 2, "compliance").await;
    let id = under_review(&world, &person, BVN, NIN).await;
    let queue = look(&world, &reviewer, "").await.body;
    assert_eq!(queue["items"][0]["id"], json!(id));
    assert!(world.events("identity.kyc.evidence_viewed").await.is_empty(), "the queue shows nobody");
    assert!(!queue.to_string().contains("Ada"));
    let review = look(&world, &reviewer, &format!("/{id}")).await.body;
    let document = review["documents"][0]["id"].as_str().unwrap();
    let path = format!("{PATH}/{id}/documents/{document}");
    let request = world.request(Method::GET, &path).bearer_auth(&reviewer.access);
    let response = request.send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("content-type"), header("x-content-type-options")),
        ("image/jpeg".to_owned(), "nosniff".to_owned())
    );
    assert_eq!(header("content-disposition"), format!("attachment; filename=\"{document}.jpg\""));
    assert_eq!(
        (header("cache-control"), header("content-security-policy")),
        ("no-store".to_owned(), "sandbox; default-src 'none'".to_owned())
    );
    assert_eq!(response.bytes().await.unwrap(), photo("bill"));

    let viewed = world.events("identity.kyc.evidence_viewed").await;
    let seen: Vec<_> = viewed.iter().map(|event| event["data"]["documentId"].clone()).collect();
    assert_eq!(seen, [Value::Null, json!(document)]);
    assert!(viewed.iter().all(|event| event["actor"] == format!("staff:{}", reviewer.id)));
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM kyc_accesses WHERE viewer_id = $1::uuid")
        .bind(&reviewer.id)
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(kept, 2);
    let nothing = look(&world, &reviewer, &format!("/{id}/documents/{id}")).await;
    assert_eq!(nothing.code(), refusal(404, "not_found"));
}

#[tokio::test]
async fn only_reviewers_and_never_in_their_own_matter() {
    let (world, _twin, _guard) = world().await;
    let reviewer = staff(&world, 1, "compliance").await;
    let id = under_review(&world, &reviewer, BVN, NIN).await;
    let own = look(&world, &reviewer, &format!("/{id}")).await;
    assert_eq!(own.code(), refusal(403, "forbidden"));
    assert_eq!(decide(&world, &reviewer, &id, "approve", &json!({})).await.code(), refusal(403, "forbidden"));
    for (index, role) in ["customer", "support", "finance"].into_iter().enumerate() {
        let index = 10 + u32::try_from(index).unwrap();
        let customer = role == "customer";
        let other = if customer { world.register(index).await } else { staff(&world, index, role).await };
        for path in ["", &format!("/{id}"), &format!("/{id}/documents/{id}")] {
            assert_eq!(look(&world, &other, path).await.code(), refusal(403, "forbidden"), "{role} {path}");
        }
        let answer = decide(&world, &other, &id, "approve", &json!({})).await;
        assert_eq!(answer.code(), refusal(403, "forbidden"), "{role}");
    }
    let anonymous = answer(world.request(Method::GET, PATH)).await;
    assert_eq!(anonymous.code(), refusal(401, "unauthenticated"));
    let another = staff(&world, 20, "admin").await;
    let unknown = decide(&world, &another, &reviewer.id, "approve", &json!({})).await;
    assert_eq!(unknown.code(), refusal(404, "not_found"));
}

#[tokio::test]
async fn the_queue_is_filtered_ordered_and_paged() {
    let (world, _twin, _guard) = world().await;
    let reviewer = staff(&world, 1, "compliance").await;
    let mut ids = Vec::new();
    for index in 2..5 {
        let person = world.register(index).await;
        let claims = json!({ "tier": 1, "nin": format!("1113334{index}445"), "dateOfBirth": BORN });
        let id = opened(&world, &person, &claims).await;
        stands(&world, &person, &id, "in_review").await;
        ids.push(id);
    }
    let person = world.register(9).await;
    let id = opened(&world, &person, &tier_three(BVN, NIN)).await;
    stands(&world, &person, &id, "more_needed").await;
    let list = async |query: &str| {
        let page = look(&world, &reviewer, query).await.body;
        let items: Vec<_> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect();
        (items, page["nextCursor"].clone())
    };
    let newest: Vec<_> = ids.iter().rev().cloned().collect();
    assert_eq!(list("").await.0, newest);
    assert_eq!(list("?order=asc").await.0, ids);
    let (page, cursor) = list("?order=asc&limit=2").await;
    assert_eq!(page, ids[..2]);
    assert_eq!(
        list(&format!("?order=asc&cursor={}", cursor.as_str().unwrap())).await,
        (vec![ids[2].clone()], Value::Null)
    );
    assert_eq!(list("?status=more_needed").await.0, [id]);
    assert!(list("?tier=2").await.0.is_empty());
    assert_eq!(look(&world, &reviewer, "?tier=4").await.problem(), invalid("tier", "range"));
}
