//! Many calls at the same time.

use std::{collections::HashSet, time::Duration};

use axum::http::StatusCode;

use crate::{
    peers::Fault,
    support::{World, between, read, transfer_request},
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
    assert_eq!(world.peers.book().balance(bola.wallet), 105_000);
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
