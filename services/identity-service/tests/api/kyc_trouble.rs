//! Cases about which something is wrong: numbers of two people, rows that cannot be read, rules that are gone.

use serde_json::json;

use crate::{
    kyc_world::{
        BORN, BVN, NIN, comes_to_stand, decide, kept, open, opened, staff, stands, tier, tier_two, twin_is,
        under_review, world,
    },
    mailbox::until,
    support::refusal,
};

/// Somebody else of the same name, born on another day.
const NAMESAKE: &str = "1971-07-07";

/// Who is verified by one number, born on one day, is not verified by the number of a namesake.
#[tokio::test]
async fn a_namesakes_number_does_not_join() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &json!({ "tier": 1, "nin": NIN, "dateOfBirth": BORN })).await;
    stands(&world, &person, &id, "approved").await;
    let other = json!({ "bvn": BVN, "dateOfBirth": NAMESAKE });
    assert_eq!(world.post_as(&person.access, "/kyc/bvn", &other).await.code(), refusal(409, "conflict"));
    let other = json!({ "tier": 2, "bvn": BVN, "nin": NIN, "dateOfBirth": NAMESAKE });
    assert_eq!(open(&world, &person, &other).await.code(), refusal(409, "conflict"));
    let own = json!({ "bvn": BVN, "dateOfBirth": BORN });
    assert_eq!(world.post_as(&person.access, "/kyc/bvn", &own).await.status, 200);
}

/// Both are looked at while nothing is verified yet: the first to be decided says who the person is.
#[tokio::test]
async fn of_two_applications_about_two_birthdays_one_is_approved() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    twin_is(&twin, "down").await;
    let first = opened(&world, &person, &json!({ "tier": 1, "nin": NIN, "dateOfBirth": BORN })).await;
    let second = json!({ "tier": 2, "bvn": BVN, "nin": NIN, "dateOfBirth": NAMESAKE });
    let second = opened(&world, &person, &second).await;
    twin_is(&twin, "up").await;
    let mut ends = Vec::new();
    for id in [&first, &second] {
        let decided = until("a decision", async || {
            world.advance(60);
            Some(kept(&world, id).await).filter(|(status, _)| status != "submitted")
        });
        ends.push(decided.await);
    }
    ends.sort();
    let end = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
    assert_eq!(ends, [end("approved", "requirements_met"), end("rejected", "identity_mismatch")]);
}

/// What the rules cannot decide, whatever the trouble, comes to people in the end; they can reject it.
#[tokio::test]
async fn a_case_that_cannot_be_read_is_handed_to_people() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    twin_is(&twin, "down").await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    sqlx::query("UPDATE kyc_cases SET claims = 'damaged', attempts = 14 WHERE id = $1::uuid")
        .bind(&id)
        .execute(&world.db.pool)
        .await
        .unwrap();
    twin_is(&twin, "up").await;
    assert_eq!(comes_to_stand(&world, &id, "in_review").await, "provider_unavailable");
    let reviewer = staff(&world, 2, "compliance").await;
    let rejected = decide(&world, &reviewer, &id, "reject", &json!({ "reason": "other" })).await;
    assert_eq!((rejected.status, &rejected.body["status"]), (200, &json!("rejected")));
}

/// Where a country, or one of its tiers, is verified no more, what was applied for is still told, and can be ended.
#[tokio::test]
async fn cases_of_a_country_that_is_gone_are_told_and_can_be_ended() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let reviewer = staff(&world, 2, "compliance").await;
    let id = under_review(&world, &person, BVN, NIN).await;
    sqlx::query("UPDATE kyc_cases SET country = 'KE'").execute(&world.db.pool).await.unwrap();
    let listed = world.get("/api/v1/identity/kyc/cases", Some(&person.access)).await;
    assert_eq!((listed.status, &listed.body["items"][0]["takes"]), (200, &json!([])));
    let path = format!("/api/v1/identity/kyc/reviews/{id}");
    let seen = world.get(&path, Some(&reviewer.access)).await;
    assert_eq!((seen.status, &seen.body["approvalsNeeded"]), (200, &json!(null)));
    let approved = decide(&world, &reviewer, &id, "approve", &json!({})).await;
    assert_eq!(approved.status, 422, "there are no rules by which");
    let rejected = decide(&world, &reviewer, &id, "reject", &json!({ "reason": "other" })).await;
    assert_eq!((rejected.status, &rejected.body["status"]), (200, &json!("rejected")));
    assert_eq!(tier(&world, &person).await, 0);
}

/// One that is submitted finds no rules, and comes to people, too.
#[tokio::test]
async fn a_case_without_rules_is_handed_to_people() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    twin_is(&twin, "down").await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    sqlx::query("UPDATE kyc_cases SET country = 'KE', attempts = 14").execute(&world.db.pool).await.unwrap();
    assert_eq!(comes_to_stand(&world, &id, "in_review").await, "provider_unavailable");
}
