//! Many calls at the same time.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use axum::http::StatusCode;

use crate::{
    peers::Fault,
    support::{Answer, Customer, World, between, read, transfer_request},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_calls_with_one_key_make_one_transfer() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let body = between(&ada, &bola, 5_000);
    world.peers.fail(Fault::Slow(Duration::from_millis(50)));
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let call = tower::ServiceExt::oneshot(world.router.clone(), transfer_request(&ada, "k1", &body));
            tokio::spawn(async move { read(call.await.unwrap()).await })
        })
        .collect();
    let mut ids = HashSet::new();
    let mut first = 0;
    for call in calls {
        let answer = call.await.unwrap();
        if answer.status == StatusCode::CREATED {
            ids.insert(answer.id());
            first += usize::from(!answer.replayed());
        } else {
            assert_eq!((answer.status.as_u16(), answer.code()), (409, "request_in_progress"));
        }
    }
    assert_eq!((ids.len(), first), (1, 1));
    assert_eq!(world.statuses().await, ["completed"]);
    assert_eq!(world.event_types().await, ["transaction.initiated", "transaction.completed"]);
    assert_eq!(world.peers.book().balance(bola.wallet), 105_000);
}

/// Sends them all at once, each under a key of its own: its number and the amount.
async fn send_all(world: &World, from: &Customer, to: &Customer, amounts: &[i64]) -> Vec<Answer> {
    let calls = amounts.iter().enumerate().map(|(number, amount)| {
        let request = transfer_request(from, &format!("k{number}"), &between(from, to, *amount));
        let call = tower::ServiceExt::oneshot(world.router.clone(), request);
        tokio::spawn(async move { read(call.await.unwrap()).await })
    });
    let calls: Vec<_> = calls.collect();
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

/// What was told of each transfer, in order.
async fn told(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in world.events().await {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        told.entry(text("subject")).or_default().push(text("type"));
    }
    told
}

/// It shares its statement with others that begin, and with others that end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transfer_that_the_database_refuses_fails_alone() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let statement = async |text: &'static str| sqlx::query(text).execute(world.pool()).await.unwrap();
    statement("ALTER TABLE transactions ADD CONSTRAINT unlucky CHECK (amount <> 13)").await;
    let amounts: Vec<i64> = (0..60).map(|number| if number % 20 == 7 { 13 } else { 10 }).collect();
    for (answer, amount) in send_all(&world, &ada, &bola, &amounts).await.iter().zip(&amounts) {
        let expected = if *amount == 13 { 500 } else { 201 };
        assert_eq!(answer.status.as_u16(), expected, "{:?}", answer.body);
    }
    assert_eq!(world.statuses().await, vec!["completed"; 57]);
    statement("ALTER TABLE transactions DROP CONSTRAINT unlucky").await;
    // What failed left its key unused; the others are known.
    for (answer, amount) in send_all(&world, &ada, &bola, &amounts).await.iter().zip(&amounts) {
        assert_eq!((answer.status.as_u16(), answer.replayed()), (201, *amount != 13));
    }
    assert_eq!(world.peers.book().balance(bola.wallet), 100_000 + 57 * 10 + 3 * 13);
    let told = told(&world).await;
    assert_eq!(told.len(), 60);
    assert!(
        told.values().all(|types| *types == ["transaction.initiated", "transaction.completed"]),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transfers_to_and_fro_do_not_get_in_each_others_way() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let calls: Vec<_> = (0..60)
        .map(|number| {
            let (from, to) = if number % 2 == 0 { (&ada, &bola) } else { (&bola, &ada) };
            let request = transfer_request(from, &format!("k{number}"), &between(from, to, 1_000));
            let call = tower::ServiceExt::oneshot(world.router.clone(), request);
            tokio::spawn(async move { read(call.await.unwrap()).await.status })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), StatusCode::CREATED);
    }
    assert_eq!(world.peers.book().balance(ada.wallet), 100_000);
    assert_eq!(world.statuses().await, vec!["completed"; 60]);
}
