//! What a stranger learns of who is registered, and of how an account stands: nothing, but what is written down here with its reason.
//!
//! Every open route is in the table, and a new one fails until somebody has judged it. How long refused log-ins take is in `login.rs`.

use std::collections::BTreeSet;

use common_utils::http::Access;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    devices::bind,
    factors::enrolled,
    forgotten::forgot,
    guessing::log_in_from,
    passkeys,
    personal_data::{self, verified_before, verify},
    phone::Phone,
    support::{Answer, PASSWORD, World, answer, refusal, registration},
};

/// What an open call tells of people.
#[derive(Debug)]
enum Tells {
    /// It takes nothing that names somebody: what is public, or random bits that were given out a moment ago.
    NamesNobody,
    /// It is answered alike, whomever it names, as a test shows.
    Alike(&'static str),
    /// It tells that there is somebody, and why it may.
    That(&'static str),
}

const OPEN: [(&str, Tells); 15] = [
    ("GET /.well-known/jwks.json", Tells::NamesNobody),
    ("GET /api/v1/identity/.well-known/jwks.json", Tells::NamesNobody),
    (
        "POST /api/v1/identity/devices/{id}/challenge",
        Tells::Alike("a_device_that_is_nobodys_is_challenged_as_any_other"),
    ),
    (
        "POST /api/v1/identity/devices/{id}/unlock",
        Tells::Alike("devices::one_refusal_whoever_a_device_is_not"),
    ),
    ("POST /api/v1/identity/login", Tells::Alike("how_an_account_stands_shows_to_nobody")),
    ("POST /api/v1/identity/mfa/verify", Tells::NamesNobody),
    ("POST /api/v1/identity/oauth/token", Tells::Alike("api_keys::what_is_no_key_in_force_gets_one_answer")),
    ("POST /api/v1/identity/passkeys/second-factor/finish", Tells::NamesNobody),
    ("POST /api/v1/identity/passkeys/second-factor/start", Tells::NamesNobody),
    ("POST /api/v1/identity/passkeys/sign-in/finish", Tells::NamesNobody),
    // The authenticator knows whose it is: nobody is named, so nobody's passkeys are told.
    ("POST /api/v1/identity/passkeys/sign-in/start", Tells::NamesNobody),
    ("POST /api/v1/identity/password/forgot", Tells::Alike("how_an_account_stands_shows_to_nobody")),
    ("POST /api/v1/identity/password/reset", Tells::NamesNobody),
    ("POST /api/v1/identity/refresh", Tells::NamesNobody),
    (
        "POST /api/v1/identity/register",
        Tells::That(
            "one address and one number are one person's, and who registers is signed in at once: they have to know what to \
             change. The gateway takes ten a minute of an address, and it is told that there is an account and no more: \
             a_registration_learns_that_a_contact_is_taken_and_no_more",
        ),
    ),
];

#[test]
fn every_open_route_is_judged() {
    let open =
        identity_service::routes().into_iter().filter(|route| matches!(route.access, Access::Anybody(_)));
    let open: BTreeSet<String> = open.map(|route| format!("{} {}", route.method, route.path)).collect();
    let judged: BTreeSet<String> = OPEN.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(open, judged);
    let reasons = OPEN.iter().all(|(_, tells)| match tells {
        Tells::NamesNobody => true,
        Tells::Alike(reason) | Tells::That(reason) => !reason.is_empty(),
    });
    assert!(reasons, "{OPEN:?}");
}

/// Everything of an answer that could differ; the correlation id is another one each time.
fn shown(mut answer: Answer) -> (u16, Value, Vec<(String, String)>) {
    if let Some(body) = answer.body.as_object_mut() {
        body.remove("correlationId");
    }
    let own = |name: &str| ["x-correlation-id", "date"].contains(&name);
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !own(name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort_unstable();
    (answer.status, answer.body, headers)
}

async fn set_status(world: &World, email: &str, status: &str) {
    let set = sqlx::query("UPDATE users SET status = $2 WHERE email = $1").bind(email).bind(status);
    assert_eq!(set.execute(&world.db.pool).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn how_an_account_stands_shows_to_nobody() {
    let world = World::start().await;
    let mut people = Vec::new();
    for (index, status) in [(1, "active"), (2, "suspended"), (3, "closed")] {
        let person = world.register(index).await;
        set_status(&world, &person.email, status).await;
        people.push(person);
    }
    people.push(enrolled(&world, 4).await.person);
    let mut person = world.register(5).await;
    passkeys::register(&world, &mut person).await;
    people.push(person);
    let person = world.register(6).await;
    bind(&world, &person.access, &Phone::new()).await;
    people.push(person);

    let known = people.iter().flat_map(|person| [person.email.as_str(), person.phone.as_str()]);
    let nobody = ["nobody@example.com", "+2348039999999", "nonsense"];
    let mut refused = Vec::new();
    let mut forgotten = Vec::new();
    for (number, identifier) in known.chain(nobody).enumerate() {
        let login = log_in_from(&world, &format!("203.0.113.{number}"), identifier, "not the password").await;
        refused.push((identifier, shown(login)));
        forgotten.push((identifier, shown(forgot(&world, identifier).await)));
    }
    assert_eq!((refused[0].1.0, forgotten[0].1.0), (401, 202));
    for answers in [refused, forgotten] {
        let differ: Vec<_> = answers.iter().filter(|(_, shown)| *shown != answers[0].1).collect();
        assert!(differ.is_empty(), "not as {:?}: {differ:?}", answers[0]);
    }
}

#[tokio::test]
async fn a_registration_learns_that_a_contact_is_taken_and_no_more() {
    let world = World::start().await;
    let mut answers = Vec::new();
    for (index, status) in [(1, "active"), (2, "suspended"), (3, "closed")] {
        let person = world.register(index).await;
        set_status(&world, &person.email, status).await;
        let try_with = async |field: &str, value: &str| {
            let mut body = registration(100 + index);
            body[field] = json!(value);
            world.post("/register", &body).await
        };
        let email = try_with("email", &person.email).await;
        assert_eq!(email.code(), refusal(409, "email_taken"));
        let phone = try_with("phoneNumber", &person.phone).await;
        assert_eq!(phone.code(), refusal(409, "phone_taken"));
        answers.push((shown(email), shown(phone)));
    }
    assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
    // Whose other contact it is does not show: both of one person's, or of two.
    let mut both = registration(200);
    both["email"] = json!("person1@example.com");
    both["phoneNumber"] = registration(1)["phoneNumber"].clone();
    let of_one = shown(world.post("/register", &both).await);
    both["phoneNumber"] = registration(2)["phoneNumber"].clone();
    assert_eq!(shown(world.post("/register", &both).await), of_one);
}

/// As `contacts.rs` shows for addresses.
#[tokio::test]
async fn nobody_learns_by_asking_that_a_number_is_taken() {
    let world = World::start().await;
    let person = world.register(1).await;
    let (owner, closed) = (world.register(2).await, world.register(3).await);
    set_status(&world, &closed.email, "closed").await;
    let mut answers = Vec::new();
    for number in [owner.phone.as_str(), closed.phone.as_str(), "+2348039999999"] {
        let body = json!({ "phoneNumber": number, "currentPassword": PASSWORD });
        answers.push(shown(world.post_as(&person.access, "/me/phone", &body).await));
        world.advance(60);
    }
    assert_eq!(answers[0].0, 202);
    assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_device_that_is_nobodys_is_challenged_as_any_other() {
    let world = World::start().await;
    let person = world.register(1).await;
    let (revoked, access) = bind(&world, &person.access, &Phone::new()).await;
    let request = world.request(Method::DELETE, &format!("/api/v1/identity/devices/{revoked}"));
    assert_eq!(answer(request.bearer_auth(&access)).await.status, 204);
    let other = world.register(2).await;
    let (bound, _) = bind(&world, &other.access, &Phone::new()).await;
    let nobody = common_utils::ids::new_id().to_string();
    let mut answers = Vec::new();
    for device in [&bound, &revoked, &nobody] {
        let answer = world.post(&format!("/devices/{device}/challenge"), &json!({})).await;
        // Random bits differ, and their lengths do not.
        let fields = answer.body.as_object().unwrap().iter();
        let fields: Vec<_> = fields.map(|(name, value)| (name.clone(), value.to_string().len())).collect();
        let headers: BTreeSet<String> = answer.headers.keys().map(ToString::to_string).collect();
        answers.push((answer.status, fields, headers));
    }
    assert_eq!(answers[0].0, 200);
    assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
}

/// That a number is taken is told to whom it belongs by its register: the name and the birthday are looked at first.
#[tokio::test]
async fn who_guesses_numbers_does_not_learn_which_are_verified_here() {
    let (world, _, _twin) = personal_data::world().await;
    let (owner, stranger) = (world.register(1).await, world.register(2).await);
    // The register has other names for numbers that end so.
    let (taken, free) = ("22233344459", "22233344469");
    verified_before(&world, &owner, taken).await;
    let answers = [verify(&world, &stranger, taken).await, verify(&world, &stranger, free).await];
    assert_eq!(answers[0].code(), refusal(422, "kyc_mismatch"));
    let [taken, free] = answers.map(shown);
    assert_eq!(taken, free);
}
