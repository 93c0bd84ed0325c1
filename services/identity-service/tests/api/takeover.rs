//! What somebody may not do who has another person's token, or had begun something in time: the calls after which an account is somebody
//! else's.

use serde_json::{Value, json};

use crate::{
    authenticator::Authenticator,
    devices,
    factors::{self, App},
    mailbox::{self, Mailbox},
    passkeys::{self, elsewhere, renew},
    phone::Phone,
    support::{Answer, PASSWORD, Person, World, invalid, refusal},
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
