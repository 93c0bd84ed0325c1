//! What support sees of customers: from events in any order, masked, as of when.

use chrono::{DateTime, TimeDelta, Utc};
use common_auth::Role;
use common_events::{
    Event,
    contracts::{
        Amount, EntrySnapshot, EventData, TransactionCompleted, TransactionFailed, TransactionInitiated,
        TransactionSnapshot, UserRegistered, UserSnapshot, UserUpdated, VirtualAccountIssued,
        VirtualAccountSnapshot, WalletClosed, WalletCreated, WalletCredited, WalletDebited, WalletFrozen,
        WalletSnapshot, WalletUnfrozen,
    },
};
use common_utils::{
    clock::{Clock, SystemClock},
    ids,
    money::Currency,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{self, Caller, World};

const ADMIN: &str = "/api/v1/admin";

pub(crate) fn user(id: Uuid, first_name: &str) -> UserSnapshot {
    UserSnapshot {
        user_id: id,
        email: format!("{}@example.com", first_name.to_lowercase()),
        phone_number: "+2348030000001".to_owned(),
        email_verified: None,
        phone_verified: None,
        first_name: first_name.to_owned(),
        last_name: "Obi".to_owned(),
        kyc_tier: 1,
        roles: vec!["user".to_owned()],
        status: "active".to_owned(),
        created_at: SystemClock.now(),
    }
}

pub(crate) fn wallet(id: Uuid, user_id: Uuid, status: &str) -> WalletSnapshot {
    WalletSnapshot {
        wallet_id: id,
        user_id,
        currency: "NGN".to_owned(),
        name: Some("Rent".to_owned()),
        status: status.to_owned(),
        freeze: (status == "frozen").then(|| "out".to_owned()),
        reason: (status == "frozen").then(|| "Reported as stolen".to_owned()),
        created_at: SystemClock.now(),
    }
}

pub(crate) fn naira(amount: i64) -> Amount {
    Amount { amount, currency: Currency::NGN }
}

pub(crate) fn transaction(
    id: Uuid,
    status: &str,
    from: (Uuid, Uuid),
    to: (Uuid, Uuid),
) -> TransactionSnapshot {
    TransactionSnapshot {
        transaction_id: id,
        kind: "transfer".to_owned(),
        status: status.to_owned(),
        amount: naira(150_000),
        fee: naira(0),
        from_wallet_id: Some(from.0),
        to_wallet_id: Some(to.0),
        from_user_id: Some(from.1),
        to_user_id: Some(to.1),
        narration: Some("for the school fees".to_owned()),
        reference: "TRF-1".to_owned(),
        failure: (status == "failed").then(|| "insufficient_funds".to_owned()),
        created_at: SystemClock.now(),
        completed_at: (status != "initiated").then(|| SystemClock.now()),
    }
}

pub(crate) fn entry(wallet_id: Uuid, user_id: Uuid, sequence: i64, transaction_id: Uuid) -> EntrySnapshot {
    EntrySnapshot {
        wallet_id,
        user_id,
        entry_id: ids::new_id(),
        sequence,
        transaction_id,
        transaction_type: "deposit".to_owned(),
        amount: naira(100),
        balance_after: sequence * 100,
        description: "from a bank".to_owned(),
        provider_reference: None,
        counterparty_name: Some("Chidi Eze".to_owned()),
        posted_at: SystemClock.now(),
    }
}

pub(crate) fn account(wallet_id: Uuid, user_id: Uuid) -> VirtualAccountSnapshot {
    VirtualAccountSnapshot {
        wallet_id,
        user_id,
        account_number: "9977581234".to_owned(),
        account_name: "Ada Obi".to_owned(),
        bank_name: "Providus Bank".to_owned(),
        bank_code: "101".to_owned(),
        provider: "providus".to_owned(),
        issued_at: SystemClock.now(),
    }
}

/// An event of this time.
fn at<T: EventData>(time: DateTime<Utc>, data: &T) -> Event {
    let mut event =
        world::event(T::TYPE, &data.subject(), "service:test", &serde_json::to_value(data).unwrap());
    event.time = time;
    event
}

async fn taken_in<T: EventData>(world: &World, data: &T) {
    world.take_in(&at(SystemClock.now(), data)).await;
}

async fn seen(world: &World, by: &Caller, path: &str) -> Value {
    world.get(by, &format!("{ADMIN}{path}")).await.expect(200).body
}

#[tokio::test]
async fn a_customer_is_seen_whole_and_masked() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let (ada, bola) = (world.person(Role::User).id, world.person(Role::User).id);
    let (purse, other) = ((ids::new_id(), ada), (ids::new_id(), bola));
    taken_in(&world, &UserRegistered(user(ada, "Ada"))).await;
    taken_in(&world, &UserRegistered(user(bola, "Bola"))).await;
    for (wallet_id, owner) in [purse, other] {
        taken_in(&world, &WalletCreated(wallet(wallet_id, owner, "active"))).await;
    }
    taken_in(&world, &VirtualAccountIssued(account(purse.0, ada))).await;
    let (deposit, transfer) = (ids::new_id(), ids::new_id());
    taken_in(&world, &WalletCredited(entry(purse.0, ada, 1, deposit))).await;
    let mut money_in = transaction(deposit, "completed", purse, purse);
    (money_in.from_wallet_id, money_in.from_user_id) = (None, None);
    taken_in(&world, &TransactionCompleted(money_in)).await;
    taken_in(&world, &TransactionInitiated(transaction(transfer, "initiated", purse, other))).await;
    taken_in(&world, &TransactionCompleted(transaction(transfer, "completed", purse, other))).await;
    let body = json!({ "subject": "Where?", "description": "It is gone.", "requesterId": ada });
    let ticket = world.post(&staff, &format!("{ADMIN}/tickets"), body).await.expect(201).id();

    let seen = seen(&world, &staff, &format!("/users/{ada}")).await;
    assert_eq!(seen["user"]["email"], "a***@example.com");
    assert_eq!(seen["user"]["phoneNumber"], "+234******0001");
    assert_eq!((&seen["user"]["firstName"], &seen["user"]["kycTier"]), (&json!("Ada"), &json!(1)));
    assert_eq!(seen["wallets"].as_array().unwrap().len(), 1);
    let wallet = &seen["wallets"][0];
    assert_eq!((&wallet["id"], &wallet["status"]), (&json!(purse.0), &json!("active")));
    assert_eq!((&wallet["balance"]["posted"], &wallet["balance"]["sequence"]), (&json!(100), &json!(1)));
    assert_eq!(wallet["virtualAccounts"][0]["accountNumber"], "******1234");
    let moved: Vec<(&Value, &Value)> = seen["transactions"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|moved| (&moved["id"], &moved["counterparty"]["name"]))
        .collect();
    assert_eq!(moved, [(&json!(transfer), &json!("Bola Obi")), (&json!(deposit), &json!("Chidi Eze"))]);
    assert_eq!(seen["tickets"][0]["id"], ticket);
    assert_eq!(seen["asOf"], seen["transactions"]["items"][0]["asOf"], "the newest of the events");
    let text = seen.to_string();
    for clear in ["ada@", "bola@", "8030000001", "9977581234", "school"] {
        assert!(!text.contains(clear), "{clear} is in {text}");
    }
    let stored = "SELECT string_agg(to_jsonb(u)::text, '') FROM support_users u";
    let stored: String = sqlx::query_scalar(stored).fetch_one(&world.db.pool).await.unwrap();
    assert!(!stored.contains("ada@") && !stored.contains("80300"), "{stored}");
}

/// What identity-service publishes of somebody it has erased.
fn erased(id: Uuid) -> UserSnapshot {
    UserSnapshot {
        email: format!("{id}@erased.invalid"),
        phone_number: "+999123456789012".to_owned(),
        last_name: "Erased".to_owned(),
        status: "closed".to_owned(),
        ..user(id, "Erased")
    }
}

#[tokio::test]
async fn who_was_erased_is_seen_under_pseudonyms_alone() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let ada = world.person(Role::User).id;
    taken_in(&world, &UserRegistered(user(ada, "Adaeze"))).await;
    assert_eq!(seen(&world, &staff, &format!("/users/{ada}")).await["user"]["firstName"], "Adaeze");
    taken_in(&world, &UserUpdated(erased(ada))).await;
    let person = &seen(&world, &staff, &format!("/users/{ada}")).await["user"];
    let told = ["email", "phoneNumber", "firstName", "lastName", "status"].map(|field| person[field].clone());
    let masked = format!("{}***@erased.invalid", &ada.to_string()[..1]);
    assert_eq!(
        told,
        [json!(masked), json!("+999********9012"), json!("Erased"), json!("Erased"), json!("closed")]
    );
    // Nor is anything else of them left, in any table.
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&world.db.pool)
            .await
            .unwrap();
    for table in tables {
        let query = sqlx::AssertSqlSafe(format!("SELECT t::text FROM \"{table}\" AS t"));
        let rows: Vec<String> = sqlx::query_scalar(query).fetch_all(&world.db.pool).await.unwrap();
        let left: Vec<&String> = rows
            .iter()
            .filter(|row| ["Adaeze", "adaeze", "Obi", "0000001"].iter().any(|of| row.contains(of)))
            .collect();
        assert!(left.is_empty(), "{table}: {left:?}");
    }
}

#[tokio::test]
async fn a_transaction_is_seen_with_both_sides_and_its_tickets() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let (ada, bola) = (world.person(Role::User).id, world.person(Role::User).id);
    let (purse, other) = ((ids::new_id(), ada), (ids::new_id(), bola));
    let (asked, not_asked) = (ids::new_id(), ids::new_id());
    taken_in(&world, &UserRegistered(user(ada, "Ada"))).await;
    for id in [asked, not_asked] {
        taken_in(&world, &TransactionFailed(transaction(id, "failed", purse, other))).await;
        world.neighbours.tell(|known| known.transactions.insert(id, (ada, bola)));
    }
    taken_in(&world, &WalletCreated(wallet(other.0, bola, "active"))).await;
    let body = json!({ "subject": "Why?", "description": "It failed.", "requesterId": bola,
                       "relatedTo": { "type": "transaction", "id": asked } });
    let ticket = world.post(&staff, &format!("{ADMIN}/tickets"), body).await.expect(201).id();

    let seen_asked = seen(&world, &staff, &format!("/transactions/{asked}")).await;
    assert_eq!(seen_asked["transaction"]["failure"], "insufficient_funds");
    assert_eq!(seen_asked["transaction"]["amount"], json!({ "amount": 150_000, "currency": "NGN" }));
    assert_eq!(seen_asked["parties"]["from"]["email"], "a***@example.com");
    assert_eq!(seen_asked["parties"]["to"], Value::Null, "nothing was told of them");
    assert_eq!(seen_asked["wallets"].as_array().unwrap().len(), 1);
    assert_eq!(seen_asked["tickets"][0]["id"], ticket);
    assert!(!seen_asked.to_string().contains("school"));
    let untouched = seen(&world, &staff, &format!("/transactions/{not_asked}")).await;
    assert_eq!(untouched["tickets"], json!([]));
}

#[tokio::test]
async fn transactions_come_in_pages_from_both_sides_each_once() {
    let world = World::new().await;
    let staff = world.person(Role::Admin);
    let (ada, bola) = (ids::new_id(), ids::new_id());
    let (purse, other) = ((ids::new_id(), ada), (ids::new_id(), bola));
    taken_in(&world, &UserRegistered(user(ada, "Ada"))).await;
    let mut sent: Vec<Uuid> = (0..25).map(|_| ids::new_id()).collect();
    for (place, id) in sent.iter().enumerate() {
        // Sent, received, and from one wallet of hers to another.
        let (from, to) = [(purse, other), (other, purse), (purse, (other.0, ada))][place % 3];
        taken_in(&world, &TransactionCompleted(transaction(*id, "completed", from, to))).await;
    }
    taken_in(&world, &TransactionCompleted(transaction(ids::new_id(), "completed", other, other))).await;
    sent.reverse();
    let ids = |page: &Value| -> Vec<Uuid> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().parse().unwrap()).collect()
    };
    let first = seen(&world, &staff, &format!("/users/{ada}")).await["transactions"].clone();
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = seen(&world, &staff, &format!("/users/{ada}/transactions?cursor={cursor}")).await;
    assert_eq!([ids(&first), ids(&rest)].concat(), sent);
    assert_eq!(rest["nextCursor"], Value::Null);
}

#[tokio::test]
async fn an_older_event_that_comes_later_changes_nothing() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let (ada, now) = (ids::new_id(), SystemClock.now());
    let (purse, moved) = ((ids::new_id(), ada), ids::new_id());
    let minutes = |minutes: i64| now + TimeDelta::minutes(minutes);
    // What was later comes first.
    world.take_in(&at(minutes(2), &UserUpdated(user(ada, "Adaeze")))).await;
    world.take_in(&at(minutes(1), &UserRegistered(user(ada, "Ada")))).await;
    world.take_in(&at(minutes(3), &WalletFrozen(wallet(purse.0, ada, "frozen")))).await;
    world.take_in(&at(minutes(2), &WalletUnfrozen(wallet(purse.0, ada, "active")))).await;
    world.take_in(&at(minutes(1), &WalletCreated(wallet(purse.0, ada, "active")))).await;
    world.take_in(&at(minutes(1), &WalletCredited(entry(purse.0, ada, 7, moved)))).await;
    // The number of the entry decides, and not the clock.
    world.take_in(&at(minutes(5), &WalletDebited(entry(purse.0, ada, 6, moved)))).await;
    world
        .take_in(&at(minutes(1), &TransactionCompleted(transaction(moved, "completed", purse, purse))))
        .await;
    // An end is an end, whatever the clock of another instance says.
    world
        .take_in(&at(minutes(2), &TransactionInitiated(transaction(moved, "initiated", purse, purse))))
        .await;

    let seen = seen(&world, &staff, &format!("/users/{ada}")).await;
    assert_eq!(seen["user"]["firstName"], "Adaeze");
    let wallet_seen = &seen["wallets"][0];
    assert_eq!((&wallet_seen["status"], &wallet_seen["freeze"]), (&json!("frozen"), &json!("out")));
    assert_eq!(wallet_seen["balance"]["sequence"], 7);
    assert_eq!(seen["transactions"]["items"][0]["status"], "completed");

    // And what is later does change it.
    world.take_in(&at(minutes(4), &WalletClosed(wallet(purse.0, ada, "closed")))).await;
    world.take_in(&at(minutes(6), &WalletDebited(entry(purse.0, ada, 8, moved)))).await;
    let body = world.get(&staff, &format!("{ADMIN}/users/{ada}")).await.expect(200).body;
    assert_eq!(
        (&body["wallets"][0]["status"], &body["wallets"][0]["freeze"]),
        (&json!("closed"), &Value::Null)
    );
    assert_eq!(body["wallets"][0]["balance"]["posted"], 800);
}

#[tokio::test]
async fn within_one_batch_the_latest_event_counts_too() {
    use common_events::EventHandler;
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let (ada, now) = (ids::new_id(), SystemClock.now());
    let purse = (ids::new_id(), ada);
    let events = [
        at(now + TimeDelta::minutes(1), &UserUpdated(user(ada, "Adaeze"))),
        at(now, &UserRegistered(user(ada, "Ada"))),
        at(now + TimeDelta::minutes(1), &WalletFrozen(wallet(purse.0, ada, "frozen"))),
        at(now, &WalletCreated(wallet(purse.0, ada, "active"))),
        at(now, &WalletCredited(entry(purse.0, ada, 2, ids::new_id()))),
        at(now, &WalletCredited(entry(purse.0, ada, 1, ids::new_id()))),
    ];
    let mut op = common_db::begin(&world.db.pool).await.unwrap();
    let all: Vec<&Event> = events.iter().collect();
    admin_service::AdminEvents.handle_all_in_op(&mut op, &all).await.unwrap();
    op.commit().await.unwrap();
    let seen = seen(&world, &staff, &format!("/users/{ada}")).await;
    assert_eq!(
        (&seen["user"]["firstName"], &seen["wallets"][0]["status"]),
        (&json!("Adaeze"), &json!("frozen"))
    );
    assert_eq!(seen["wallets"][0]["balance"]["sequence"], 2);
}

#[tokio::test]
async fn data_that_does_not_fit_its_type_is_refused_as_a_whole() {
    use common_events::EventHandler;
    let world = World::new().await;
    let event = world::event("wallet.frozen", "wallet/w", "service:test", &json!({ "walletId": "w" }));
    let mut op = common_db::begin(&world.db.pool).await.unwrap();
    assert!(admin_service::AdminEvents.handle_in_op(&mut op, &event).await.is_err());
}
