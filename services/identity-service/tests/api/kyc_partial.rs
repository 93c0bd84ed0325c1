//! Answers of the provider about a bank verification number that are neither yes nor no, the name that it is registered with, and what is
//! kept of a decision.

use serde_json::{Value, json};

use crate::{
    kyc_world::{
        BORN, BVN, NIN, case, decide, opened, staff, stands, tier, tier_two, twin_is, under_review, world,
    },
    support::{Answer, Person, World, refusal},
};

/// What the twin answers about the number from now on.
async fn twin_answers(twin: &str, bvn: &str, answer: &Value) {
    let told = json!({ "bvn": bvn, "answer": answer });
    let client = reqwest::Client::new();
    let done = client.post(format!("{twin}/twin/bvn-records")).json(&told).send().await.unwrap();
    assert_eq!(done.status(), 204);
}

async fn verify(world: &World, person: &Person, bvn: &str) -> Answer {
    world.post_as(&person.access, "/kyc/bvn", &json!({ "bvn": bvn, "dateOfBirth": BORN })).await
}

async fn reviewed(world: &World, reviewer: &Person, id: &str) -> Value {
    let seen = world.get(&format!("/api/v1/identity/kyc/reviews/{id}"), Some(&reviewer.access)).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    seen.body
}

/// What was done, to which end, why, by whom, and with which score, of all cases, oldest first.
async fn decisions(world: &World) -> Vec<(String, String, String, String, Option<i16>)> {
    sqlx::query_as(
        "SELECT action, to_status, reason, actor_type || ':' || actor_id, name_score
         FROM kyc_decisions ORDER BY decided_at, id",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap()
}

fn decided(
    action: &str,
    to: &str,
    reason: &str,
    score: i16,
) -> (String, String, String, String, Option<i16>) {
    let by = "service:identity-service".to_owned();
    (action.to_owned(), to.to_owned(), reason.to_owned(), by, Some(score))
}

#[tokio::test]
async fn what_fits_in_part_is_an_application_that_reviewers_decide() {
    let (world, twin, _guard) = world().await;
    let (person, reviewer) = (world.register(1).await, staff(&world, 2, "compliance").await);
    let answer = json!({ "status": "partial", "mismatched": ["dateOfBirth", "stateOfOrigin"], "registeredName": "OBI, Ada" });
    twin_answers(&twin, BVN, &answer).await;
    let undecided = verify(&world, &person, BVN).await;
    assert_eq!((undecided.status, &undecided.body["user"]["kycTier"]), (202, &json!(0)), "{undecided:?}");
    let told = &undecided.body["case"];
    assert_eq!(
        (&told["tier"], &told["status"], &told["reason"]),
        (&json!(1), &json!("in_review"), &json!("partial_match"))
    );
    let id = told["id"].as_str().unwrap();
    assert_eq!(case(&world, &person, id).await, *told);
    assert!(world.events("identity.user.verified").await.is_empty());

    let seen = reviewed(&world, &reviewer, id).await;
    let check = &seen["checks"][0];
    assert_eq!((&check["kind"], &check["finding"]), (&json!("bvn"), &json!("partial")));
    assert_eq!(check["nameScore"], 100);
    assert_eq!(check["matched"], json!(["first_name", "last_name"]));
    assert_eq!(check["mismatched"], json!(["date_of_birth", "other"]));
    assert_eq!(seen["decisions"][1]["nameScore"], 100);

    let approved = decide(&world, &reviewer, id, "approve", &json!({})).await;
    assert_eq!(approved.status, 200, "{approved:?}");
    assert_eq!(tier(&world, &person).await, 1);
    assert_eq!(world.events("identity.user.verified").await.len(), 1);
    assert_eq!(verify(&world, &person, BVN).await.status, 200, "verified before");
}

/// The provider has answered: nobody asks it again, and people do not wait for it.
#[tokio::test]
async fn a_partial_answer_within_an_application_goes_to_people_at_once() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    twin_answers(&twin, BVN, &json!({ "status": "partial", "registeredName": null })).await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    assert_eq!(stands(&world, &person, &id, "in_review").await["reason"], "partial_match");
    let attempts: i32 =
        sqlx::query_scalar("SELECT attempts FROM kyc_cases").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(attempts, 1);
    let reviewer = staff(&world, 2, "compliance").await;
    let seen = reviewed(&world, &reviewer, &id).await;
    let check = seen["checks"].as_array().unwrap().iter().find(|check| check["kind"] == "bvn").unwrap();
    assert_eq!((&check["finding"], &check["nameScore"]), (&json!("partial"), &Value::Null));
    assert_eq!(
        (&check["matched"], &check["mismatched"]),
        (&json!([]), &json!([])),
        "which part was not told"
    );
}

/// As of a national number: order and accents make no difference, an initial is for people, another name is somebody else.
#[tokio::test]
async fn the_registered_name_is_compared_whatever_the_provider_thinks() {
    let (world, twin, _guard) = world().await;
    for (index, (registered, answer, reason, score)) in [
        ("ÒBÍ, Àdá", (200, None), "requirements_met", 100),
        ("OBI ADA CHIOMA", (200, None), "requirements_met", 97),
        ("OBI A.", (202, None), "partial_match", 70),
        ("BELLO MUSA", (422, Some("kyc_mismatch")), "identity_mismatch", 0),
    ]
    .into_iter()
    .enumerate()
    {
        let person = world.register(u32::try_from(index).unwrap()).await;
        let bvn = format!("2223334440{index}");
        twin_answers(&twin, &bvn, &json!({ "status": "match", "registeredName": registered })).await;
        let said = verify(&world, &person, &bvn).await;
        assert_eq!((said.status, said.body["code"].as_str()), answer, "{registered}: {said:?}");
        let kept: (String, Option<i16>) = sqlx::query_as(
            "SELECT reason, name_score FROM kyc_decisions WHERE user_id = $1::uuid AND action <> 'open'",
        )
        .bind(&person.id)
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
        assert_eq!(kept, (reason.to_owned(), Some(score)), "{registered}");
    }
}

#[tokio::test]
async fn each_decision_about_a_number_is_kept_with_who_when_and_why() {
    let (world, _twin, _guard) = world().await;
    let (person, other) = (world.register(1).await, world.register(2).await);
    assert_eq!(verify(&world, &person, "22233344459").await.code(), refusal(422, "kyc_mismatch"));
    assert_eq!(verify(&world, &person, "22233344458").await.code(), refusal(422, "kyc_not_found"));
    assert_eq!(verify(&world, &person, BVN).await.status, 200);
    assert_eq!(verify(&world, &person, BVN).await.status, 200, "decided before");
    assert_eq!(verify(&world, &other, BVN).await.code(), refusal(409, "bvn_taken"));
    let kept = decisions(&world).await;
    let opened = |person: &Person| {
        let [open, submitted, received] = ["open", "submitted", "received"].map(str::to_owned);
        (open, submitted, received, format!("user:{}", person.id), None)
    };
    let no_name = |row: (String, String, String, String, Option<i16>)| (row.0, row.1, row.2, row.3, None);
    let expected = [
        opened(&person),
        decided("reject", "rejected", "identity_mismatch", 0),
        opened(&person),
        no_name(decided("reject", "rejected", "number_not_found", 0)),
        opened(&person),
        decided("approve", "approved", "requirements_met", 100),
        opened(&other),
        decided("reject", "rejected", "number_taken", 100),
    ];
    assert_eq!(kept, expected);
    let providers: Vec<String> =
        sqlx::query_scalar("SELECT provider FROM kyc_checks").fetch_all(&world.db.pool).await.unwrap();
    assert_eq!(providers, ["bvn-check"; 4]);
    let ended: Vec<Value> = world.events("identity.kyc.case_decided").await;
    let statuses: Vec<_> = ended.iter().map(|event| event["data"]["status"].clone()).collect();
    assert_eq!(statuses, ["rejected", "rejected", "approved", "rejected"]);
    let mine = world.get("/api/v1/identity/kyc/cases", Some(&person.access)).await.body;
    assert_eq!(mine["items"].as_array().unwrap().len(), 3);
}

/// An application that waits for the provider, or for people, keeps nobody from being verified by the number; a second doubt about the
/// same tier is not put before people beside the first.
#[tokio::test]
async fn another_application_for_the_tier_may_be_open() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    let answer = json!({ "status": "partial", "registeredName": "OBI ADA" });
    twin_answers(&twin, "22233344400", &answer).await;
    assert_eq!(verify(&world, &person, "22233344400").await.status, 202);
    assert_eq!(verify(&world, &person, "22233344400").await.code(), refusal(409, "case_open"));
    let verified = verify(&world, &person, BVN).await;
    assert_eq!(
        (verified.status, &verified.body["user"]["kycTier"]),
        (200, &json!(1)),
        "they mistyped it before"
    );
}

#[tokio::test]
async fn without_a_finding_nothing_is_kept_of_it() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    twin_is(&twin, "down").await;
    assert_eq!(verify(&world, &person, BVN).await.code(), refusal(503, "dependency_unavailable"));
    assert!(decisions(&world).await.is_empty());
}

/// Who follows `identity.user.tier_changed`, or the last of what tells who a person is, knows their tier, by whatever they were verified.
#[tokio::test]
async fn every_change_of_a_tier_is_an_event_that_others_follow() {
    let (world, _twin, _guard) = world().await;
    let (person, straight) = (world.register(1).await, world.register(3).await);
    let id = opened(&world, &person, &json!({ "tier": 1, "nin": NIN, "dateOfBirth": BORN })).await;
    stands(&world, &person, &id, "approved").await;
    follows(&world, &person, &[(0, 1, "kyc_case")]).await;
    assert_eq!(
        world.events("identity.user.verified").await.len(),
        0,
        "no number by which a bank opens an account"
    );
    assert_eq!(verify(&world, &person, BVN).await.status, 200);
    follows(&world, &person, &[(0, 1, "kyc_case")]).await;
    assert_eq!(world.events("identity.user.verified").await.len(), 1);
    let id = opened(&world, &person, &json!({ "tier": 2, "dateOfBirth": BORN })).await;
    stands(&world, &person, &id, "approved").await;
    follows(&world, &person, &[(0, 1, "kyc_case"), (1, 2, "kyc_case")]).await;

    let id = under_review(&world, &straight, "22233344461", "11133344461").await;
    for index in [4, 5] {
        let reviewer = staff(&world, index, "compliance").await;
        let approved = decide(&world, &reviewer, &id, "approve", &json!({})).await;
        assert_eq!(approved.status, 200, "{approved:?}");
    }
    follows(&world, &straight, &[(0, 3, "kyc_case")]).await;
}

/// What others are told of the person's tier is so, in both ways.
async fn follows(world: &World, person: &Person, changes: &[(i64, i64, &str)]) {
    let of = |event: &Value| event["data"]["userId"] == person.id.as_str();
    let told: Vec<_> = world.events("identity.user.tier_changed").await.into_iter().filter(of).collect();
    let read = |event: &Value| {
        let data = &event["data"];
        let tier = |name: &str| data[name].as_i64().unwrap();
        (tier("oldTier"), tier("newTier"), data["evidence"].as_str().unwrap().to_owned())
    };
    let expected = changes.iter().map(|(old, new, by)| (*old, *new, (*by).to_owned()));
    assert_eq!(told.iter().map(read).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let latest: String = sqlx::query_scalar(
        "SELECT payload FROM outbox WHERE type IN ('identity.user.registered', 'identity.user.verified', 'identity.user.updated')
             AND payload::jsonb -> 'data' ->> 'userId' = $1 ORDER BY position DESC LIMIT 1",
    )
    .bind(&person.id)
    .fetch_one(&world.db.pool)
    .await
    .unwrap();
    let latest: Value = serde_json::from_str(&latest).unwrap();
    assert_eq!(latest["data"]["kycTier"], changes.last().map_or(0, |change| change.1));
    assert_eq!(latest["data"]["kycTier"], tier(world, person).await);
}
