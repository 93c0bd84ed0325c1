//! Services killed in the middle of transfers. Whatever was in doubt ends once, a retry with the same key gets that
//! answer, and the books are right.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{customers::Customer, deployment::Deployment};

const AMOUNT: i64 = 100;
const CLIENTS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_wallet_service_leaves_no_transfer_in_doubt() {
    killed_while_transferring("wallet-service", "wallet").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_transaction_service_leaves_no_transfer_in_doubt() {
    killed_while_transferring("transaction-service", "transaction").await;
}

async fn killed_while_transferring(program: &str, service: &str) {
    let platform = Deployment::apart().await;
    let ada = platform.funded_customer("5000.00").await;
    let bola = platform.customer().await;
    let before = platform.available(&ada).await;
    let mut completed = 0;

    for round in 0..3 {
        let stop = AtomicBool::new(false);
        let clients = (0..CLIENTS)
            .map(|client| send_until_stopped(&platform, &ada, &bola, format!("{round}-{client}"), &stop));
        let killer = async {
            // When the kill strikes is left to chance on purpose.
            tokio::time::sleep(Duration::from_millis(rand::random_range(200..700))).await;
            platform.kill(program);
            stop.store(true, Ordering::Relaxed);
        };
        let (answers, ()) = tokio::join!(futures::future::join_all(clients), killer);
        platform.start(program);
        platform.ready_service(service).await;
        let answers: BTreeMap<String, Option<u16>> = answers.into_iter().flatten().collect();
        assert!(answers.values().any(Option::is_some), "the kill came before the first answer");
        completed += end_all(&platform, &ada, &bola, answers).await;
    }

    assert_eq!(before - platform.available(&ada).await, completed * AMOUNT);
    assert_eq!(platform.available(&bola).await, completed * AMOUNT);
    let (clean, report) = platform.verify_ledger();
    assert!(clean, "{report}");
}

/// Each key, and the final answer it got, if it got one.
async fn send_until_stopped(
    platform: &Deployment,
    from: &Customer,
    to: &Customer,
    prefix: String,
    stop: &AtomicBool,
) -> BTreeMap<String, Option<u16>> {
    let mut answers = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let key = format!("{prefix}-{}", answers.len());
        let answer = platform.transfer(from, to, AMOUNT, &key).await.map(|(status, _)| status);
        answers.insert(key, answer.filter(|status| matches!(status, 201 | 422)));
    }
    answers
}

/// Every key is tried again until it has a final answer, which must be the one that was given before.
async fn end_all(
    platform: &Deployment,
    from: &Customer,
    to: &Customer,
    answers: BTreeMap<String, Option<u16>>,
) -> i64 {
    let mut completed = 0;
    for (key, earlier) in answers {
        let last = std::cell::Cell::new(0);
        platform
            .until(&format!("an end of {key}"), async || {
                let answer = platform.transfer(from, to, AMOUNT, &key).await;
                last.set(answer.map_or(0, |(status, _)| status));
                matches!(last.get(), 201 | 422)
            })
            .await;
        assert!(
            earlier.is_none_or(|status| status == last.get()),
            "{key} was {earlier:?} and is {}",
            last.get()
        );
        completed += i64::from(last.get() == 201);
    }
    completed
}
