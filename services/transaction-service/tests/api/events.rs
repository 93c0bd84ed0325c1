//! What other services tell by Kafka: who can be paid, and money that came in.

use common_db::testing::TestDb;
use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{
        Amount, EntrySnapshot, UserRegistered, UserSnapshot, UserUpdated, VirtualAccountIssued,
        VirtualAccountSnapshot, WalletCreated, WalletCredited, WalletSnapshot,
    },
    outbox,
    relay::Relay,
    testing::kafka,
    workers::Workers,
};
use common_utils::{clock::Clock, ids, money::Currency};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{
    limits::rich,
    support::{Customer, TRANSACTIONS, World, between, eventually, naira},
};

/// The service on a real Kafka, and another service that publishes there.
struct Platform {
    world: World,
    others: TestDb,
    _stop: [DropGuard; 2],
}

impl Platform {
    async fn new() -> Self {
        let kafka = kafka().await;
        let world = World::with(|config| config.kafka = kafka.clone()).await;
        // Only events tell it anything here.
        world.peers.book().lookups_down = true;
        let others = TestDb::create("transaction", &transaction_service::migrations()).await;
        let stop = CancellationToken::new();
        Workers::new(&stop).relay(Relay {
            service: "other",
            pool: others.pool.clone(),
            database: others.config.clone(),
            kafka,
        });
        let service = world.run_instance().await;
        Self { world, others, _stop: [stop.drop_guard(), service.drop_guard()] }
    }

    async fn publish(&self, events: &[NewEvent]) {
        let mut op = common_db::begin(&self.others.pool).await.unwrap();
        outbox::publish_in_op(&mut op, events).await.unwrap();
        op.commit().await.unwrap();
    }

    fn context(&self, seconds: i64) -> EventContext {
        let time = self.world.clock.now() + chrono::TimeDelta::seconds(seconds);
        EventContext::new("other", Actor::provider("providus"), time)
    }

    fn user(&self, customer: &Customer) -> UserSnapshot {
        UserSnapshot {
            user_id: customer.person.id,
            email: customer.person.email.clone(),
            phone_number: customer.person.phone.clone(),
            email_verified: Some(true),
            phone_verified: None,
            first_name: customer.person.first.clone(),
            last_name: customer.person.last.clone(),
            kyc_tier: 0,
            roles: vec!["user".to_owned()],
            status: "active".to_owned(),
            created_at: self.world.clock.now(),
        }
    }

    /// What is published when somebody registers and gets a wallet with an account number.
    fn welcome(&self, customer: &Customer) -> Vec<NewEvent> {
        let wallet = WalletSnapshot {
            wallet_id: customer.wallet,
            user_id: customer.person.id,
            currency: "NGN".to_owned(),
            name: None,
            status: "active".to_owned(),
            freeze: None,
            reason: None,
            created_at: self.world.clock.now(),
        };
        let number = VirtualAccountSnapshot {
            wallet_id: customer.wallet,
            user_id: customer.person.id,
            account_number: customer.number.clone(),
            account_name: "Wallet".to_owned(),
            bank_name: "Providus".to_owned(),
            bank_code: "101".to_owned(),
            provider: "providus".to_owned(),
            issued_at: self.world.clock.now(),
        };
        let context = self.context(0);
        vec![
            NewEvent::new(&context, &UserRegistered(self.user(customer))).unwrap(),
            NewEvent::new(&context, &WalletCreated(wallet)).unwrap(),
            NewEvent::new(&context, &VirtualAccountIssued(number)).unwrap(),
        ]
    }

    fn credit(&self, customer: &Customer, transaction: Uuid, kind: &str) -> EntrySnapshot {
        EntrySnapshot {
            wallet_id: customer.wallet,
            user_id: customer.person.id,
            entry_id: ids::new_id(),
            sequence: 1,
            transaction_id: transaction,
            transaction_type: kind.to_owned(),
            amount: Amount { amount: 15_000, currency: Currency::NGN },
            balance_after: 15_000,
            description: "Deposit".to_owned(),
            provider_reference: Some("XW-1".to_owned()),
            counterparty_name: Some("CHI\0 EZE".to_owned()),
            posted_at: self.world.clock.now(),
        }
    }

    /// Whom the directory knows wholly.
    async fn two_customers(&self) -> (Customer, Customer) {
        let (ada, bola) = (self.world.customer("Ada", "Obi"), self.world.customer("Bola", "Ade"));
        self.publish(&self.welcome(&ada)).await;
        self.publish(&self.welcome(&bola)).await;
        self.wait_for_count("directory_users", 2).await;
        self.wait_for_count("directory_account_numbers", 2).await;
        (ada, bola)
    }

    async fn count(&self, table: &'static str) -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(self.world.pool()).await.unwrap()
    }

    async fn wait_for_count(&self, table: &'static str, wanted: i64) {
        let found = eventually(async || (self.count(table).await == wanted).then_some(())).await;
        assert!(found.is_some(), "{table}: {} instead of {wanted}", self.count(table).await);
    }
}

#[tokio::test]
async fn the_directory_is_filled_by_events_and_asks_nobody() {
    let platform = Platform::new().await;
    let world = &platform.world;
    let (ada, bola) = platform.two_customers().await;
    let ways = [
        json!({"walletId": bola.wallet}),
        json!({"accountNumber": bola.number}),
        json!({"phoneNumber": bola.person.phone}),
        json!({"email": bola.person.email}),
    ];
    for (index, to) in ways.iter().enumerate() {
        let sent = world.transfer(&ada, &format!("k{index}"), &naira(ada.wallet, to, 100)).await;
        assert_eq!(
            (sent.status.as_u16(), &sent.body["counterparty"]["name"]),
            (201, &json!("Bola A.")),
            "{to}"
        );
    }
    assert_eq!(world.peers.book().lookups, 0);
}

/// Whoever has the address or the number next is not taken for them, and nobody is shown their name.
#[tokio::test]
async fn who_was_erased_is_found_by_nothing_they_were_known_by() {
    let platform = Platform::new().await;
    let world = &platform.world;
    let (ada, bola) = platform.two_customers().await;
    let ways = [json!({"phoneNumber": bola.person.phone}), json!({"email": bola.person.email})];
    for (index, to) in ways.iter().enumerate() {
        let sent = world.transfer(&ada, &format!("before{index}"), &naira(ada.wallet, to, 100)).await;
        assert_eq!(sent.body["counterparty"]["name"], "Bola A.", "{to}");
    }
    let before = world.peers.book().lookups;
    assert_eq!(before, 0, "the directory knows them");

    let erased = UserSnapshot {
        email: format!("{}@erased.invalid", bola.person.id),
        phone_number: "+999123456789012".to_owned(),
        first_name: "Erased".to_owned(),
        last_name: "Erased".to_owned(),
        status: "closed".to_owned(),
        ..platform.user(&bola)
    };
    platform.publish(&[NewEvent::new(&platform.context(10), &UserUpdated(erased)).unwrap()]).await;
    platform.wait_for_count("inbox", 7).await;
    for (index, to) in ways.iter().enumerate() {
        let sent = world.transfer(&ada, &format!("after{index}"), &naira(ada.wallet, to, 100)).await;
        assert_eq!(sent.status.as_u16(), 503, "{to}: nobody is known by it, and identity-service is away");
    }
    assert!(world.peers.book().lookups > before, "which was asked");
    let names: Vec<String> = sqlx::query_scalar("SELECT display_name FROM directory_users ORDER BY 1")
        .fetch_all(world.pool())
        .await
        .unwrap();
    assert_eq!(names, ["Ada O.", "Erased E."]);
}

#[tokio::test]
async fn an_older_event_that_comes_later_changes_nothing() {
    let platform = Platform::new().await;
    let ada = platform.world.customer("Ada", "Obi");
    let named = |seconds, first: &str| {
        let user = UserSnapshot { first_name: first.to_owned(), ..platform.user(&ada) };
        NewEvent::new(&platform.context(seconds), &UserUpdated(user)).unwrap()
    };
    platform.publish(&[named(10, "Adaeze"), named(0, "Ada")]).await;
    platform.wait_for_count("inbox", 2).await;
    let name: String = sqlx::query_scalar("SELECT display_name FROM directory_users")
        .fetch_one(platform.world.pool())
        .await
        .unwrap();
    assert_eq!(name, "Adaeze O.");
}

#[tokio::test]
async fn a_tier_that_falls_lets_less_go_from_its_event_on() {
    let platform = Platform::new().await;
    let world = &platform.world;
    let (ada, bola) = (rich(world, "Ada"), rich(world, "Bola"));
    let reaches = async |seconds, kyc_tier| {
        let user = UserSnapshot { kyc_tier, ..platform.user(&ada) };
        platform.publish(&[NewEvent::new(&platform.context(seconds), &UserUpdated(user)).unwrap()]).await;
        let known = eventually(async || {
            let query = "SELECT true FROM directory_users WHERE user_id = $1 AND kyc_tier = $2";
            let query = sqlx::query_scalar::<_, bool>(query).bind(ada.person.id).bind(kyc_tier);
            query.fetch_optional(world.pool()).await.unwrap()
        });
        assert!(known.await.is_some());
    };
    platform.publish(&platform.welcome(&ada)).await;
    platform.publish(&platform.welcome(&bola)).await;
    platform.wait_for_count("directory_account_numbers", 2).await;
    reaches(1, 2).await;
    let sent = world.transfer(&ada, "k1", &between(&ada, &bola, 6_000_000)).await;
    assert_eq!(sent.status.as_u16(), 201, "{}", sent.body);
    reaches(2, 1).await;
    let refused = world.transfer(&ada, "k2", &between(&ada, &bola, 1)).await;
    assert_eq!(
        (refused.code(), refused.fields()),
        ("limit_exceeded", vec!["amount.amount daily_outflow".to_owned()])
    );
}

#[tokio::test]
async fn a_deposit_becomes_a_transaction_once() {
    let platform = Platform::new().await;
    let world = &platform.world;
    let ada = world.customer("Ada", "Obi");
    let transaction = ids::new_id();
    let mut events = platform.welcome(&ada);
    // A movement that is no deposit, which is passed over, and the same deposit told twice.
    for (transaction, kind) in
        [(ids::new_id(), "transfer"), (transaction, "deposit"), (transaction, "deposit")]
    {
        let entry = platform.credit(&ada, transaction, kind);
        events.push(NewEvent::new(&platform.context(0), &WalletCredited(entry)).unwrap());
    }
    platform.publish(&events).await;
    platform.wait_for_count("inbox", 5).await;

    let listed = world.get(&ada.token, TRANSACTIONS).await;
    let now = json!(world.clock.now());
    let wanted = json!([{
        "id": transaction, "type": "deposit", "status": "completed",
        "amount": {"amount": 15_000, "currency": "NGN"}, "fee": {"amount": 0, "currency": "NGN"},
        "fromWalletId": null, "toWalletId": ada.wallet, "counterparty": {"name": "CHI EZE"}, "narration": null,
        "reference": "XW-1", "failure": null, "createdAt": now, "completedAt": now
    }]);
    assert_eq!(listed.body["items"], wanted);
    let told: Vec<Value> = world.events().await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["type"], &told[0]["actor"]),
        (&json!("transaction.completed"), &json!("provider:providus"))
    );
    assert_eq!(told[0]["data"]["toUserId"], json!(ada.person.id));
}
