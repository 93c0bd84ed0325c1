//! What somebody may not do who has another person's token, or had begun something in time: the calls after which an account is somebody
//! else's.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api_keys::{Key, refused},
    authenticator::Authenticator,
    command::run,
    devices,
    factors::{self, App},
    forgotten::{forgot, reset},
    mailbox::{self, Mailbox},
    passkeys::{self, elsewhere, renew},
    passwords::NEW,
    phone::Phone,
    support::{Answer, PASSWORD, Person, World, answer, invalid, refusal},
};

/// The calls that add what signs in.
async fn add(world: &World, token: &str, password: Option<&str>) -> [Answer; 3] {
    let with = |mut body: Value| {
        if let Some(password) = password {
            body["currentPassword"] = json!(password);
        }
        body
    };
    let phone = json!({ "publicKey": Phone::new().spki(), "name": "Phone", "platform": "ios" });
    [
        world.post_as(token, "/mfa/totp", &with(json!({}))).await,
        world.post_as(token, "/passkeys/register/start", &with(json!({}))).await,
        world.post_as(token, "/devices", &with(phone)).await,
    ]
}

#[tokio::test]
async fn a_fresh_token_alone_adds_nothing() {
    let world = World::start().await;
    let person = world.register(1).await;
    for refused in add(&world, &person.access, None).await {
        assert_eq!(refused.problem(), invalid("currentPassword", "required"));
    }
    for refused in add(&world, &person.access, Some("wrong")).await {
        assert_eq!(refused.problem(), invalid("currentPassword", "wrong_password"));
    }
    for refused in add(&world, &person.access, Some(&"x".repeat(1025))).await {
        assert_eq!(refused.problem(), invalid("currentPassword", "length"));
    }
    assert_eq!(waiting(&world).await, (0, 0, 0, 0));
    // However long ago they signed in: the password in the call is the proof.
    world.advance(301);
    for begun in add(&world, &person.access, Some(PASSWORD)).await {
        assert_eq!(begun.status, 200, "{begun:?}");
    }
    // What is tried here counts with what is tried elsewhere.
    for _ in 0..10 {
        add(&world, &person.access, Some("wrong")).await;
    }
    for waits in add(&world, &person.access, Some(PASSWORD)).await {
        assert_eq!(waits.code(), refusal(429, "rate_limited"));
    }
}

#[tokio::test]
async fn who_has_a_second_factor_adds_by_that_one() {
    let world = World::start().await;
    let mut person = world.register(1).await;
    passkeys::register(&world, &mut person).await;
    for begun in add(&world, &person.access, None).await {
        assert_eq!(begun.status, 200, "{begun:?}");
    }
    for refused in add(&world, &person.access, Some("wrong")).await {
        assert_eq!(refused.problem(), invalid("currentPassword", "wrong_password"), "told, it is looked at");
    }
    world.advance(301);
    for refused in add(&world, &person.access, Some(PASSWORD)).await {
        assert_eq!(refused.code(), refusal(403, "step_up_required"));
    }
}

async fn waiting(world: &World) -> (i64, i64, i64, i64) {
    let counts = "SELECT (SELECT count(*) FROM totp_factors WHERE confirmed_at IS NULL), (SELECT count(*) FROM passkey_ceremonies),
                         (SELECT count(*) FROM device_challenges),
                         (SELECT count(*) FROM one_time_codes WHERE purpose IN ('change_email', 'change_phone'))";
    sqlx::query_as(counts).fetch_one(&world.db.pool).await.unwrap()
}

async fn waiting_for_a_lock(world: &World, count: i64) {
    mailbox::until("all wait for a lock", async || {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waits: i64 = sqlx::query_scalar(waits).fetch_one(&world.db.pool).await.unwrap();
        (waits == count).then_some(())
    })
    .await;
}

/// What a thief has begun in a session of theirs, and what each is finished with.
struct Begun {
    thief: Person,
    app: App,
    ceremony: Value,
    device: Value,
    code: String,
}

/// They know the password, and nothing else is asked for yet.
async fn begun(world: &World, mailbox: &Mailbox, person: &Person) -> Begun {
    let thief = elsewhere(world, person).await;
    let app = App::of(factors::begin(world, &thief.access).await.body["secret"].as_str().unwrap());
    let ceremony = passkeys::begin(world, &thief.access, "register").await;
    let phone = Phone::new();
    let challenge = devices::begin(world, &thief.access, &phone.spki()).await.body;
    let change = json!({ "email": "thief@example.com", "currentPassword": PASSWORD });
    assert_eq!(world.post_as(&thief.access, "/me/email", &change).await.status, 202);
    let code = mailbox.code("thief@example.com", 1).await;
    Begun { thief, app, ceremony, device: devices::signed(&phone, &challenge), code }
}

impl Begun {
    /// All at once.
    async fn finish(&self, world: &World, token: &str) -> [Answer; 4] {
        let (app, credential) = (self.app.code(world), Authenticator::new().create(&self.ceremony));
        let code = json!({ "code": self.code });
        let finished = tokio::join!(
            factors::confirm(world, token, &app),
            passkeys::finish_registering(world, token, &self.ceremony, &credential),
            devices::confirm(world, token, &self.device),
            world.post_as(token, "/me/email/confirm", &code),
        );
        finished.into()
    }
}

#[tokio::test]
async fn what_a_thief_has_begun_is_over_when_its_owner_adds_a_second_factor() {
    let (world, mailbox) = mailbox::world().await;
    let mut owner = world.register(1).await;
    let mut begun = begun(&world, &mailbox, &owner).await;
    assert_eq!(waiting(&world).await, (1, 1, 1, 1));
    let mut authenticator = passkeys::register(&world, &mut owner).await;
    assert_eq!(waiting(&world).await, (0, 0, 0, 0));
    renew(&world, &mut begun.thief).await;
    for refused in begun.finish(&world, &begun.thief.access).await {
        assert_eq!(refused.code(), refusal(403, "step_up_required"));
        assert_eq!(refused.body["methods"], json!(["recovery", "passkey"]));
    }
    // Nor is anything of it left for who may.
    let codes = ["enrolment_expired", "ceremony_expired", "challenge_expired", "code_expired"];
    for (refused, code) in begun.finish(&world, &owner.access).await.iter().zip(codes) {
        assert_eq!(refused.code(), refusal(422, code));
    }
    let there = Person::of(&passkeys::sign_in(&world, &mut authenticator).await);
    assert_eq!(world.me(&there.access).await.body["user"]["email"], owner.email);
    assert_eq!(factors::claims(&there.access)["factors"], json!(["recovery", "hwk"]));
}

/// The token was looked at before the factor came, the row after.
#[tokio::test]
async fn nor_is_it_finished_at_the_moment_when_the_factor_comes() {
    let (world, mailbox) = mailbox::world().await;
    let owner = world.register(1).await;
    let begun = begun(&world, &mailbox, &owner).await;
    let mut adding = world.db.pool.begin().await.unwrap();
    sqlx::query("UPDATE users SET factors = ARRAY['hwk', 'recovery']").execute(&mut *adding).await.unwrap();
    let added = async {
        waiting_for_a_lock(&world, 4).await;
        adding.commit().await.unwrap();
    };
    let (finished, ()) = tokio::join!(begun.finish(&world, &begun.thief.access), added);
    for refused in finished {
        assert_eq!(refused.code(), refusal(401, "token_expired"));
    }
}

/// All that acts for somebody without their password.
struct Holder {
    owner: Person,
    authenticator: Authenticator,
    phone: Phone,
    device: String,
    key: Key,
}

/// A code, and a notice of each that they have.
const HOLDERS_MAIL: usize = 6;

/// Person number `index`, with an API key and a device, a passkey, an app and a PIN.
async fn holder(world: &World, index: u32) -> Holder {
    let mut owner = world.register(index).await;
    // For a year: commands go by the clock of the machine.
    let key = json!({ "name": "Shop", "scopes": ["wallets:read"], "expiresInDays": 365, "currentPassword": PASSWORD });
    let key = Key::of(&world.make(&owner, &key).await);
    let phone = Phone::new();
    let (device, access) = devices::bind(world, &owner.access, &phone).await;
    owner.access = access;
    let pin = json!({ "pin": "4739", "currentPassword": PASSWORD });
    assert_eq!(world.post_as(&owner.access, "/pin", &pin).await.status, 204);
    let authenticator = passkeys::register(world, &mut owner).await;
    let begun = factors::begin(world, &owner.access).await;
    let app = App::of(begun.body["secret"].as_str().unwrap());
    owner.access = factors::access_of(&factors::confirm(world, &owner.access, &app.code(world)).await);
    assert_eq!(world.exchange(&key).await.status, 200);
    Holder { owner, authenticator, phone, device, key }
}

impl Holder {
    /// Neither the machine nor the phone gets in any more, and services hear that the machine's tokens are over.
    async fn has_no_keys(&self, world: &World) {
        assert_eq!(refused(&world.exchange(&self.key).await), (401, "invalid_client"));
        let unlocked = devices::unlock(world, &self.device, &self.phone).await;
        assert_eq!(unlocked.code(), refusal(401, "device_rejected"));
        let ended = world.events("identity.session.ended").await;
        let of_the_key = ended.iter().filter(|event| event["data"]["reason"] == "api_key_revoked").count();
        assert_eq!((of_the_key, world.events("identity.api_key.revoked").await.len()), (1, 1));
        assert_eq!(world.me(&self.owner.access).await.code(), refusal(401, "unauthenticated"));
    }

    async fn has_nothing(&mut self, world: &World, password: &str) {
        self.has_no_keys(world).await;
        let signed_in = passkeys::sign_in(world, &mut self.authenticator).await;
        assert_eq!(signed_in.code(), refusal(401, "passkey_rejected"));
        let entered = Person::of(&world.log_in(&self.owner.email, password).await);
        let enrolled = world.get("/api/v1/identity/mfa", Some(&entered.access)).await;
        assert_eq!(enrolled.body, json!({ "methods": [], "totpSince": null, "recoveryCodesLeft": 0 }));
        let pin = world.post_as(&entered.access, "/pin/verify", &json!({ "pin": "4739" })).await;
        assert_eq!(pin.code(), refusal(404, "not_found"));
    }
}

async fn removed(world: &World) -> Vec<Value> {
    let events = world.events("identity.user.factor_removed").await;
    events.iter().map(|event| event["data"]["factor"].clone()).collect()
}

/// Somebody has registered with an address that is another person's, who comes later, reads what is sent there and resets the password.
#[tokio::test]
async fn who_proves_an_address_by_a_reset_has_the_account_to_themselves() {
    let (world, mailbox) = mailbox::world().await;
    let mut hijacked = holder(&world, 1).await;
    let email = hijacked.owner.email.clone();
    forgot(&world, &email).await;
    let token = mailbox.token(&email, HOLDERS_MAIL + 1).await;
    assert_eq!(reset(&world, &token, NEW).await.status, 204);
    hijacked.has_nothing(&world, NEW).await;
    assert_eq!(removed(&world).await, ["device", "passkey", "totp"]);
    let gone = "Gone with it: a phone, a passkey, an authenticator app, your transaction PIN, API keys.";
    mailbox.told(&email, HOLDERS_MAIL + 2, gone).await;
}

/// Who loses the mailbox to somebody does not lose the second factor with it.
#[tokio::test]
async fn a_reset_of_who_is_known_by_the_address_takes_keys_and_leaves_second_factors() {
    let (world, mailbox) = mailbox::world().await;
    let mut holder = holder(&world, 1).await;
    let email = holder.owner.email.clone();
    sqlx::query("UPDATE users SET email_verified = true").execute(&world.db.pool).await.unwrap();
    forgot(&world, &email).await;
    let token = mailbox.token(&email, HOLDERS_MAIL + 1).await;
    assert_eq!(reset(&world, &token, NEW).await.status, 204);
    holder.has_no_keys(&world).await;
    assert_eq!(removed(&world).await, ["device"]);
    let login = world.log_in(&email, NEW).await;
    assert_eq!(login.body["methods"], json!(["totp", "recovery", "passkey"]), "{login:?}");
    assert_eq!(passkeys::sign_in(&world, &mut holder.authenticator).await.status, 200);
}

#[tokio::test]
async fn an_account_that_is_opened_again_has_neither_keys_nor_devices_of_before() {
    let (world, mailbox) = mailbox::world().await;
    let mut holder = holder(&world, 1).await;
    let email = holder.owner.email.clone();
    let body = json!({ "currentPassword": PASSWORD });
    assert_eq!(world.post_as(&holder.owner.access, "/me/deactivate", &body).await.status, 204);
    mailbox.told(&email, HOLDERS_MAIL + 1, "Gone with it: a phone, API keys.").await;
    let (status, text) = run(&world, &["reactivate", "--email", &email], "").await;
    assert_eq!(status, 0, "{text}");
    holder.has_no_keys(&world).await;
    assert_eq!(removed(&world).await, ["device"]);
    let told = "SELECT count(*) FROM notices WHERE kind = 'account_reactivated'";
    let told: i64 = sqlx::query_scalar(told).fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(told, 1);
    // Their second factors are still theirs.
    assert_eq!(passkeys::sign_in(&world, &mut holder.authenticator).await.status, 200);
}

#[tokio::test]
async fn services_hear_that_the_keys_of_who_is_erased_are_over() {
    let world = World::start().await;
    let holder = holder(&world, 1).await;
    let erased = world.request(Method::DELETE, "/api/v1/identity/me").bearer_auth(&holder.owner.access);
    let erased = answer(erased.json(&json!({ "currentPassword": PASSWORD }))).await;
    assert_eq!(erased.status, 200, "{erased:?}");
    holder.has_no_keys(&world).await;
}

/// A thief who has come in and added a device and a key is out, too, and what they have begun is over.
#[tokio::test]
async fn an_operator_who_resets_factors_leaves_the_account_to_the_password_alone() {
    let world = World::start().await;
    let mut holder = holder(&world, 1).await;
    let thief = Person::of(&passkeys::sign_in(&world, &mut holder.authenticator).await);
    passkeys::begin(&world, &thief.access, "register").await;
    devices::begin(&world, &thief.access, &Phone::new().spki()).await;
    let command = ["reset-factors", "--email", &holder.owner.email];
    let (status, text) = run(&world, &command, "").await;
    assert!(status == 0 && text.contains("with the password alone"), "{text}");
    assert_eq!(waiting(&world).await, (0, 0, 0, 0));
    assert_eq!(world.refresh(&thief.refresh).await.code(), refusal(401, "unauthenticated"));
    let ended = world.events("identity.session.ended").await;
    assert!(ended.iter().any(|event| event["data"]["reason"] == "factors_reset"), "{ended:?}");
    assert_eq!(ended[0]["actor"], "service:identity-service");
    holder.has_nothing(&world, PASSWORD).await;
    assert_eq!(removed(&world).await, ["device", "passkey", "totp"]);
}

/// A device is no second factor, and lets in all the same.
#[tokio::test]
async fn an_operator_takes_a_device_from_who_has_nothing_else() {
    let world = World::start().await;
    let owner = world.register(1).await;
    let phone = Phone::new();
    let (device, _) = devices::bind(&world, &owner.access, &phone).await;
    let (status, text) = run(&world, &["reset-factors", "--email", &owner.email], "").await;
    assert!(status == 0 && text.contains("with the password alone"), "{text}");
    let unlocked = devices::unlock(&world, &device, &phone).await;
    assert_eq!(unlocked.code(), refusal(401, "device_rejected"));
    let (status, text) = run(&world, &["reset-factors", "--email", &owner.email], "").await;
    assert!(status == 0 && text.contains("no second factor, and is signed in nowhere"), "{text}");
}
