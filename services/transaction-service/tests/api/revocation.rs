//! What identity-service takes back is refused by every instance of every service, as soon as Kafka has told it.

use std::sync::Arc;

use chrono::TimeDelta;
use common_auth::{Claims, Role, testing as auth};
use common_db::testing::TestDb;
use common_events::{
    Actor, EventContext, KafkaConfig, NewEvent,
    contracts::{EventData, SessionEndSnapshot, SessionEnded, UserSnapshot, UserUpdated},
    outbox,
    relay::Relay,
    testing::kafka,
    workers::Workers,
};
use common_utils::{
    clock::{Clock, SharedClock},
    config::Env,
    ids::{self, UserId},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use wallet_service::providers::Providers;

use crate::support::{World, eventually};

const TRANSACTIONS: &str = "/api/v1/transactions";
const WALLETS: &str = "/api/v1/wallet/wallets";

/// Two instances of transaction-service and one of wallet-service, and identity-service as far as Kafka shows it.
struct Platform {
    world: World,
    kafka: KafkaConfig,
    identity: TestDb,
    /// What is asked at which address.
    doors: Vec<String>,
    client: reqwest::Client,
    stop: CancellationToken,
    _at_end: DropGuard,
}

impl Platform {
    async fn new() -> Self {
        let kafka = kafka().await;
        let world = World::with(|config| config.kafka = kafka.clone()).await;
        let identity = TestDb::create("transaction", &transaction_service::migrations()).await;
        let stop = CancellationToken::new();
        Workers::new(&stop).relay(Relay {
            service: "identity",
            pool: identity.pool.clone(),
            database: identity.config.clone(),
            kafka: kafka.clone(),
        });
        let client = reqwest::Client::new();
        let at_end = stop.clone().drop_guard();
        let mut platform = Self { world, kafka, identity, doors: Vec::new(), client, stop, _at_end: at_end };
        for _ in 0..2 {
            platform.open_transactions().await;
        }
        platform.open_wallets().await;
        platform
    }

    fn clock(&self) -> SharedClock {
        Arc::clone(&self.world.clock) as SharedClock
    }

    async fn open_transactions(&mut self) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.doors.push(format!("http://{}{TRANSACTIONS}", listener.local_addr().unwrap()));
        let app = transaction_service::App::new(
            self.world.config.clone(),
            self.world.authenticator_of(transaction_service::SERVICE_NAME),
            self.clock(),
        );
        tokio::spawn(app.unwrap().run(listener, self.stop.clone()));
    }

    async fn open_wallets(&mut self) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.doors.push(format!("http://{}{WALLETS}", listener.local_addr().unwrap()));
        let db = TestDb::create("wallet", &wallet_service::migrations()).await;
        let env = Env::from_values("wallet", [("REDIS_PORT".to_owned(), "1".to_owned())].into());
        let config = wallet_service::config::Config {
            database: db.config.clone(),
            kafka: self.kafka.clone(),
            ..wallet_service::config::Config::from_env(&env).unwrap()
        };
        let authenticator = self.world.authenticator_of(wallet_service::SERVICE_NAME);
        let app =
            wallet_service::App::new(config, authenticator, Providers::default(), self.clock()).unwrap();
        let shutdown = self.stop.clone();
        tokio::spawn(async move {
            let served = app.run(listener, shutdown).await;
            drop(db);
            served
        });
    }

    async fn tell<T: EventData>(&self, event: &T) {
        let context =
            EventContext::new("identity-service", Actor::service("identity-service"), self.world.clock.now());
        let mut op = common_db::begin(&self.identity.pool).await.unwrap();
        outbox::publish_in_op(&mut op, &[NewEvent::new(&context, event).unwrap()]).await.unwrap();
        op.commit().await.unwrap();
    }

    async fn ask(&self, door: &str, token: &str) -> (u16, String) {
        let answer = self.client.get(door).bearer_auth(token).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.unwrap();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// With everything heard that has happened before.
    async fn is_ready(&self, door: &str) -> bool {
        let url = door.replace(TRANSACTIONS, "/health/ready");
        let answer = self.client.get(url).send().await.unwrap();
        let status = answer.status().as_u16();
        let health: serde_json::Value = answer.json().await.unwrap();
        let heard = health["dependencies"]["sessions"] == "up";
        // The clock of the test stands still, so whoever has not heard is not ready.
        assert_eq!(status == 200, heard, "{health}");
        heard
    }

    async fn open_everywhere(&self, token: &str) {
        for door in &self.doors {
            assert_eq!(self.ask(door, token).await, (200, String::new()), "{door}");
        }
    }

    async fn becomes(&self, token: &str, status: u16, code: &str) {
        for door in &self.doors {
            let refused = eventually(async || {
                let answer = self.ask(door, token).await;
                (answer != (200, String::new())).then_some(answer)
            });
            assert_eq!(refused.await, Some((status, code.to_owned())), "{door}");
        }
    }

    fn claims(&self, user: UserId) -> Claims {
        auth::claims(user, self.world.clock.now())
    }

    fn ended(&self, claims: &Claims) -> SessionEnded {
        let now = self.world.clock.now();
        SessionEnded(SessionEndSnapshot {
            user_id: claims.sub.uuid(),
            session_id: claims.sid,
            reason: "logout".to_owned(),
            ended_at: now,
            refused_until: now + TimeDelta::minutes(15),
        })
    }
}

fn standing(user: UserId, roles: &[&str], status: &str) -> UserUpdated {
    UserUpdated(UserSnapshot {
        user_id: user.uuid(),
        email: "ada@example.com".to_owned(),
        phone_number: "+2348031234567".to_owned(),
        email_verified: None,
        phone_verified: None,
        first_name: "Ada".to_owned(),
        last_name: "Obi".to_owned(),
        kyc_tier: 0,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        status: status.to_owned(),
        created_at: chrono::DateTime::UNIX_EPOCH,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_api_key_is_refused_by_all_instances_of_two_services() {
    let platform = Platform::new().await;
    let scopes = "wallets:read transactions:read".parse().unwrap();
    let machine = auth::machine_claims(UserId::new(), scopes, platform.world.clock.now());
    let token = platform.world.signed(&machine);
    platform.open_everywhere(&token).await;
    // A change of its owner's roles is none of its own.
    platform.tell(&standing(machine.sub, &["user", "support"], "active")).await;
    platform.tell(&platform.ended(&machine)).await;
    platform.becomes(&token, 401, "unauthenticated").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ended_is_refused_by_all_instances_of_two_services() {
    let platform = Platform::new().await;
    let user = UserId::new();
    let (lost, kept) = (platform.claims(user), platform.claims(user));
    let (lost_token, kept_token) = (platform.world.signed(&lost), platform.world.signed(&kept));
    // Remembered as verified: what is remembered has to be looked at again.
    platform.open_everywhere(&lost_token).await;
    platform.tell(&platform.ended(&lost)).await;
    platform.becomes(&lost_token, 401, "unauthenticated").await;
    platform.open_everywhere(&kept_token).await;

    // An instance that starts later knows of it from the moment on at which it says that it is ready.
    let mut platform = platform;
    platform.doors.clear();
    platform.open_transactions().await;
    let door = &platform.doors[0];
    let ready = eventually(async || platform.is_ready(door).await.then_some(()));
    assert_eq!(ready.await, Some(()));
    assert_eq!(platform.ask(door, &lost_token).await, (401, "unauthenticated".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_was_taken_and_an_account_that_was_closed_work_no_longer() {
    let platform = Platform::new().await;
    let user = UserId::new();
    let customer = platform.claims(user);
    let admin = Claims { roles: vec![Role::User, Role::Admin], sid: ids::new_id(), ..customer.clone() };
    let (customer, admin) = (platform.world.signed(&customer), platform.world.signed(&admin));
    platform.open_everywhere(&admin).await;
    platform.tell(&standing(user, &["user"], "active")).await;
    platform.becomes(&admin, 401, "token_expired").await;
    platform.open_everywhere(&customer).await;

    platform.world.advance(1);
    platform.tell(&standing(user, &["user"], "suspended")).await;
    platform.becomes(&customer, 403, "forbidden").await;
}
