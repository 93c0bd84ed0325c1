//! `/passkeys/sign-in`, `/second-factor` and `/step-up`, with an authenticator in software.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    authenticator::{Authenticator, Fault},
    factors::claims,
    passkeys::{
        begin, begin_sign_in, elsewhere, finish_sign_in, finish_step_up, listed, register, renew, sign_in,
    },
    support::{PASSWORD, Person, World, refusal},
};

#[tokio::test]
async fn one_refusal_for_whatever_is_wrong_with_a_passkey() {
    let world = World::start().await;
    let (mut person, mut other) = (world.register(1).await, world.register(2).await);
    let mut authenticator = register(&world, &mut person).await;
    let theirs = register(&world, &mut other).await;
    let wrong: [Fault; 4] = [
        ("another page", |it| it.origin = "https://evil.example".to_owned()),
        ("another domain", |it| it.rp_id = "evil.example".to_owned()),
        ("nobody verified", |it| it.verifies = false),
        ("nobody named", |it| it.handle = String::new()),
    ];
    let mut refusals = Vec::new();
    for (what, spoil) in wrong {
        let mut spoilt = authenticator.clone();
        spoil(&mut spoilt);
        refusals.push((what, sign_in(&world, &mut spoilt).await));
    }
    let mut somebody_else = authenticator.clone();
    somebody_else.handle.clone_from(&theirs.handle);
    refusals.push(("somebody else named", sign_in(&world, &mut somebody_else).await));
    refusals.push(("unknown", sign_in(&world, &mut Authenticator::new()).await));
    for (what, field) in [("signature", "signature"), ("data", "authenticatorData")] {
        let begun = begin_sign_in(&world).await;
        let mut credential = authenticator.clone().get(&begun);
        let mut bytes = URL_SAFE_NO_PAD.decode(credential["response"][field].as_str().unwrap()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        credential["response"][field] = json!(URL_SAFE_NO_PAD.encode(bytes));
        refusals.push((what, finish_sign_in(&world, &begun, &credential).await));
    }
    let (begun, earlier) = (begin_sign_in(&world).await, begin_sign_in(&world).await);
    refusals.push(("challenge", finish_sign_in(&world, &begun, &authenticator.clone().get(&earlier)).await));
    for (what, refused) in &refusals {
        assert_eq!(refused.code(), refusal(401, "passkey_rejected"), "{what}");
        assert_eq!(refused.body["detail"], refusals[0].1.body["detail"], "{what}");
    }
    assert_eq!(sign_in(&world, &mut authenticator).await.status, 200, "none of that did it any harm");
}

#[tokio::test]
async fn of_two_uses_of_a_ceremony_at_once_one_wins() {
    let world = World::start().await;
    let mut person = world.register(1).await;
    let mut authenticator = register(&world, &mut person).await;
    let begun = begin_sign_in(&world).await;
    let credential = authenticator.get(&begun);
    let answers = join_all((0..4).map(|_| finish_sign_in(&world, &begun, &credential))).await;
    let statuses = answers.iter().map(|answer| answer.status);
    assert_eq!(statuses.clone().filter(|status| *status == 200).count(), 1, "{answers:?}");
    assert_eq!(statuses.filter(|status| *status == 422).count(), 3);
    let replayed = finish_sign_in(&world, &begun, &credential).await;
    assert_eq!(replayed.code(), refusal(422, "ceremony_expired"));
}

#[tokio::test]
async fn a_passkey_that_has_a_copy_is_disabled_and_its_owner_told() {
    let world = World::start().await;
    let mut person = world.register(1).await;
    let mut authenticator = register(&world, &mut person).await;
    let mut copy = authenticator.clone();
    assert_eq!(sign_in(&world, &mut authenticator).await.status, 200);
    assert_eq!(sign_in(&world, &mut authenticator).await.status, 200);
    let before = notices(&world, "passkey_disabled").await;
    assert_eq!(sign_in(&world, &mut copy).await.code(), refusal(401, "passkey_rejected"));
    assert_eq!(notices(&world, "passkey_disabled").await, before + 1);
    assert_eq!(listed(&world, &person.access).await[0]["status"], "disabled");
    // Nobody can tell which of the two is the owner's.
    assert_eq!(sign_in(&world, &mut authenticator).await.code(), refusal(401, "passkey_rejected"));
    // Whoever made the copy has not made the password enough by it.
    let login = world.log_in(&person.email, PASSWORD).await;
    assert_eq!(login.body["mfaRequired"], true, "{login:?}");
    let asked = world.post_as(&person.access, "/passkeys/step-up/start", &json!({})).await;
    assert_eq!(asked.code(), refusal(409, "no_passkey"));
}

async fn notices(world: &World, kind: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM notices WHERE kind = $1")
        .bind(kind)
        .fetch_one(&world.db.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_fresh_proof_is_asked_for_and_given_with_a_passkey_of_ones_own() {
    let world = World::start().await;
    let (mut person, mut other) = (world.register(1).await, world.register(2).await);
    let mut elsewhere = elsewhere(&world, &person).await;
    let mut authenticator = register(&world, &mut person).await;
    let mut theirs = register(&world, &mut other).await;
    renew(&world, &mut elsewhere).await;
    let person = elsewhere;
    let refused = world.post_as(&person.access, "/passkeys/register/start", &json!({})).await;
    assert_eq!(refused.code(), refusal(403, "step_up_required"));

    let begun = begin(&world, &person.access, "step-up").await;
    let allowed = &begun["publicKey"]["allowCredentials"];
    assert_eq!(allowed, &json!([{ "type": "public-key", "id": authenticator.id() }]));
    let credential = authenticator.get(&begun);
    let refused = finish_step_up(&world, &other.access, &begun, &credential).await;
    assert_eq!(refused.code(), refusal(422, "ceremony_expired"), "begun by somebody else");
    let proved = finish_step_up(&world, &person.access, &begun, &credential).await;
    assert_eq!(proved.status, 200, "{proved:?}");
    let fresh = proved.body["tokens"]["accessToken"].as_str().unwrap();
    assert_eq!(claims(fresh)["amr"], json!(["pwd", "hwk"]));
    assert_eq!((&claims(fresh)["acr"], &claims(fresh)["sid"]), (&json!("aal2"), &json!(person.session())));
    begin(&world, fresh, "register").await;

    let begun = begin(&world, &person.access, "step-up").await;
    let refused = finish_step_up(&world, &person.access, &begun, &theirs.get(&begun)).await;
    assert_eq!(refused.code(), refusal(422, "passkey_rejected"), "the passkey of somebody else");
    let nobody = world.register(3).await;
    let refused = world.post_as(&nobody.access, "/passkeys/step-up/start", &json!({})).await;
    assert_eq!(refused.code(), refusal(409, "no_passkey"));
}

#[tokio::test]
async fn a_passkey_ends_a_sign_in_that_began_with_the_password() {
    let world = World::start().await;
    let (mut person, mut other) = (world.register(1).await, world.register(2).await);
    let mut authenticator = register(&world, &mut person).await;
    let mut theirs = register(&world, &mut other).await;
    let challenged = async |person: &Person| {
        let login = world.log_in(&person.email, PASSWORD).await;
        assert_eq!(login.body["methods"], json!(["recovery", "passkey"]), "{login:?}");
        login.body["challengeId"].clone()
    };
    let start = async |challenge: &Value| {
        world.post("/passkeys/second-factor/start", &json!({ "challengeId": challenge })).await
    };
    let finish = async |challenge: &Value, begun: &Value, credential: &Value| {
        let body = json!({
            "challengeId": challenge, "ceremonyId": begun["ceremonyId"], "credential": credential,
        });
        world.post("/passkeys/second-factor/finish", &body).await
    };

    let challenge = challenged(&person).await;
    let begun = start(&challenge).await.body;
    let allowed = &begun["publicKey"]["allowCredentials"];
    assert_eq!(allowed, &json!([{ "type": "public-key", "id": authenticator.id() }]));
    let refused = finish(&challenge, &begun, &theirs.get(&begun)).await;
    assert_eq!(refused.code(), refusal(401, "passkey_rejected"), "the passkey of somebody else");
    let begun = start(&challenge).await.body;
    let credential = authenticator.get(&begun);
    let refused = finish(&challenged(&person).await, &begun, &credential).await;
    assert_eq!(refused.code(), refusal(422, "ceremony_expired"), "another sign-in");
    let refused = finish(&challenged(&other).await, &begun, &credential).await;
    assert_eq!(refused.code(), refusal(422, "ceremony_expired"), "the sign-in of somebody else");
    let refused = finish_sign_in(&world, &begun, &credential).await;
    assert_eq!(refused.code(), refusal(422, "ceremony_expired"), "a sign-in of its own");
    let signed_in = finish(&challenge, &begun, &credential).await;
    assert_eq!((signed_in.status, &signed_in.body["user"]["id"]), (200, &json!(person.id)), "{signed_in:?}");
    let said = claims(&Person::of(&signed_in).access);
    assert_eq!((&said["amr"], &said["acr"]), (&json!(["pwd", "hwk"]), &json!("aal2")));

    // The challenge is used up, by it as by a code.
    assert_eq!(start(&challenge).await.code(), refusal(422, "challenge_expired"));
    assert_eq!(start(&json!("nonsense")).await.code(), refusal(422, "challenge_expired"));
    let challenge = challenged(&person).await;
    let begun = start(&challenge).await.body;
    world.advance(300);
    let late = finish(&challenge, &begun, &authenticator.get(&begun)).await;
    assert_eq!(late.code(), refusal(422, "challenge_expired"));
}

#[tokio::test]
async fn whose_account_is_closed_has_no_use_of_a_passkey() {
    let world = World::start().await;
    let mut person = world.register(1).await;
    let mut authenticator = register(&world, &mut person).await;
    let begun = begin_sign_in(&world).await;
    sqlx::query("UPDATE users SET status = 'closed' WHERE email = $1")
        .bind(&person.email)
        .execute(&world.db.pool)
        .await
        .unwrap();
    let refused = finish_sign_in(&world, &begun, &authenticator.get(&begun)).await;
    assert_eq!(refused.code(), refusal(403, "forbidden"));
    authenticator.verifies = false;
    let refused = sign_in(&world, &mut authenticator).await;
    assert_eq!(refused.code(), refusal(401, "passkey_rejected"), "told to nobody but its owner");
}
