//! `GET /api/v1/transactions`, `GET /api/v1/transactions/{id}` and the internal one: for the parties only.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common_utils::ids;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, TRANSACTIONS, World, between, naira};

fn amounts(page: &Answer) -> Vec<i64> {
    page.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["amount"]["amount"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_list_is_newest_first_and_paged_without_gaps() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    for number in 1..=7 {
        let (from, to) = if number % 3 == 0 { (&bola, &ada) } else { (&ada, &bola) };
        world.transfer(from, &format!("k{number}"), &between(from, to, number)).await;
        // Some are made at the same moment.
        world.advance(i64::from(number % 2 == 0));
    }
    for token in [&ada.token, &bola.token] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        for _ in 0..4 {
            let page = world.get(token, &format!("{TRANSACTIONS}?limit=2{cursor}")).await;
            seen.extend(amounts(&page));
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    }
    let whole = world.get(&ada.token, &format!("{TRANSACTIONS}?walletId={}", ada.wallet)).await;
    assert_eq!((amounts(&whole).len(), &whole.body["nextCursor"]), (7, &json!(null)));
}

#[tokio::test]
async fn filters_narrow_a_list_down() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let (second, _) = world.open_wallet(&ada.person, "NGN", 1_000);
    world.transfer(&ada, "k1", &between(&ada, &bola, 1)).await;
    world.advance(60);
    world.transfer(&ada, "k2", &between(&ada, &bola, 999_999)).await;
    world.advance(60);
    world.transfer(&ada, "k3", &naira(second, &json!({"walletId": bola.wallet}), 3)).await;
    let cases = [
        (String::new(), vec![3, 999_999, 1]),
        ("?status=completed".to_owned(), vec![3, 1]),
        ("?status=failed".to_owned(), vec![999_999]),
        ("?status=outcome_unknown".to_owned(), vec![]),
        ("?type=transfer".to_owned(), vec![3, 999_999, 1]),
        ("?type=deposit".to_owned(), vec![]),
        ("?from=2026-03-01T12:01:00Z".to_owned(), vec![3, 999_999]),
        ("?to=2026-03-01T12:01:00Z".to_owned(), vec![1]),
        ("?from=2026-03-01T12:00:30Z&to=2026-03-01T13:01:30%2B01:00".to_owned(), vec![999_999]),
        (format!("?walletId={second}"), vec![3]),
        (format!("?walletId={}&status=completed", ada.wallet), vec![1]),
    ];
    for (query, wanted) in cases {
        let page = world.get(&ada.token, &format!("{TRANSACTIONS}{query}")).await;
        assert_eq!((page.status, amounts(&page)), (StatusCode::OK, wanted), "{query}");
    }
    assert_eq!(amounts(&world.get(&bola.token, TRANSACTIONS).await), [3, 1]);
}

#[tokio::test]
async fn money_between_two_wallets_of_one_person_is_listed_once() {
    let world = World::new().await;
    let ada = world.customer("Ada", "Obi");
    let (second, _) = world.open_wallet(&ada.person, "NGN", 0);
    let sent = world.transfer(&ada, "k1", &naira(ada.wallet, &json!({"walletId": second}), 5)).await;
    assert_eq!(sent.status, StatusCode::CREATED);
    assert_eq!(amounts(&world.get(&ada.token, TRANSACTIONS).await), [5]);
    for wallet in [ada.wallet, second] {
        assert_eq!(amounts(&world.get(&ada.token, &format!("{TRANSACTIONS}?walletId={wallet}")).await), [5]);
    }
}

#[tokio::test]
async fn strangers_find_nothing() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let stranger = world.customer("Chi", "Eze");
    let sent = world.transfer(&ada, "k1", &between(&ada, &bola, 1)).await;
    let hidden = [
        format!("{TRANSACTIONS}/{}", sent.id()),
        format!("{TRANSACTIONS}/{}", ids::new_id()),
        format!("{TRANSACTIONS}/no-id"),
        format!("{TRANSACTIONS}/%00"),
        format!("{TRANSACTIONS}?walletId={}", ada.wallet),
        format!("{TRANSACTIONS}?walletId={}", ids::new_id()),
    ];
    for path in hidden {
        let answer = world.get(&stranger.token, &path).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "not_found"), "{path}");
    }
    assert_eq!(amounts(&world.get(&stranger.token, TRANSACTIONS).await), [] as [i64; 0]);
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let world = World::new().await;
    let ada = world.customer("Ada", "Obi");
    let forged = |position: Value| format!("cursor={}", URL_SAFE_NO_PAD.encode(position.to_string()));
    let cases = [
        ("limit=0".to_owned(), "limit range"),
        ("limit=101".to_owned(), "limit range"),
        ("limit=-1".to_owned(), "limit out_of_range"),
        ("status=gone".to_owned(), "status out_of_range"),
        ("type=gift".to_owned(), "type out_of_range"),
        ("walletId=7".to_owned(), "walletId out_of_range"),
        ("from=yesterday".to_owned(), "from out_of_range"),
        ("from=0001-01-01T00:00:00Z".to_owned(), "from out_of_range"),
        ("to=-262143-01-01T00:00:00Z".to_owned(), "to out_of_range"),
        ("to=%2B262142-01-01T00:00:00Z".to_owned(), "to out_of_range"),
        ("cursor=%00".to_owned(), "cursor out_of_range"),
        (format!("cursor={}", "A".repeat(50_000)), "cursor invalid"),
        (forged(json!(["-262143-01-01T00:00:00Z", Uuid::nil()])), "cursor invalid"),
        (forged(json!(["2026-01-01T00:00:00Z"])), "cursor invalid"),
        ("order=asc".to_owned(), "order unknown_field"),
    ];
    for (query, field) in cases {
        let shown: String = query.chars().take(60).collect();
        let refused = world.get(&ada.token, &format!("{TRANSACTIONS}?{query}")).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "validation_failed"), "{shown}");
        assert_eq!(refused.fields(), [field], "{shown}");
    }
}

#[tokio::test]
async fn other_services_see_a_transaction_with_both_owners() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let sent = world.transfer(&ada, "k1", &between(&ada, &bola, 1)).await;
    let path = format!("/internal/v1/transactions/{}", sent.id());
    let token = world.services.mint("admin-service").unwrap();
    let mut wanted = sent.body.clone();
    wanted["fromUserId"] = json!(ada.person.id);
    wanted["toUserId"] = json!(bola.person.id);
    assert_eq!(world.get(&token, &path).await.body, wanted);
    let unknown = world.get(&token, &format!("/internal/v1/transactions/{}", ids::new_id())).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let other = world.services.mint("wallet-service").unwrap();
    assert_eq!(world.get(&other, &path).await.status, StatusCode::FORBIDDEN);
    // A person's token opens nothing here.
    assert_eq!(world.get(&ada.token, &path).await.status, StatusCode::UNAUTHORIZED);
    let anonymous = Request::get(&path).body(Body::empty()).unwrap();
    assert_eq!(world.send(anonymous).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_contract_names_every_public_route_and_no_internal_one() {
    let world = World::new().await;
    let page = world.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
    let mut paths: Vec<&String> = page.body["paths"].as_object().unwrap().keys().collect();
    paths.sort();
    assert_eq!(
        paths,
        ["/api/v1/transactions", "/api/v1/transactions/transfers", "/api/v1/transactions/{id}"]
    );
    assert_eq!(page.body, serde_json::to_value(transaction_service::openapi()).unwrap());
}

#[tokio::test]
async fn a_page_reads_the_indexes_and_stops() {
    let world = World::new().await;
    let wallets: Vec<Uuid> = (0..2).map(|_| ids::new_id()).collect();
    sqlx::query(
        "INSERT INTO transactions (id, type, status, amount, currency, from_wallet_id, to_wallet_id, from_user_id,
             to_user_id, reference, correlation_id, created_at, completed_at)
         SELECT gen_random_uuid(), 'transfer', 'completed', 1, 'NGN',
                CASE WHEN n % 2 = 0 THEN $1 ELSE $2 END, CASE WHEN n % 2 = 0 THEN $2 ELSE $1 END,
                $1, $1, 'r', 'c', now() - n * interval '1 second', now()
         FROM generate_series(1, 20000) n",
    )
    .bind(wallets[0])
    .bind(wallets[1])
    .execute(world.pool())
    .await
    .unwrap();
    sqlx::query("ANALYZE transactions").execute(world.pool()).await.unwrap();
    let plan: Value = sqlx::query_scalar(
        // As the service asks it.
        "EXPLAIN (ANALYZE, FORMAT JSON)
         SELECT t.* FROM UNNEST($1::uuid[]) AS mine (wallet_id)
         CROSS JOIN LATERAL (
             SELECT w.* FROM wallet_transactions w
             WHERE w.wallet_id = mine.wallet_id
               AND w.visible
               AND NOT (w.incoming AND w.from_wallet_id IS NOT NULL AND w.from_wallet_id = ANY($1))
               AND (w.created_at, w.id) < ('9999-12-31', $2)
               AND w.created_at >= '1970-01-01' AND w.created_at < '9999-12-31'
             ORDER BY w.created_at DESC, w.id DESC LIMIT 21
         ) t
         ORDER BY t.created_at DESC, t.id DESC LIMIT 21",
    )
    .bind(&wallets[..1])
    .bind(Uuid::max())
    .fetch_one(world.pool())
    .await
    .unwrap();
    let mut read = Vec::new();
    collect(&plan[0]["Plan"], &mut read);
    let scans: Vec<&str> = read.iter().map(|(index, _)| index.as_str()).collect();
    assert_eq!(scans, ["transactions_from_wallet_idx", "transactions_to_wallet_idx"], "{plan:#}");
    // A page is merged from both; neither is read on to its end.
    assert!(read.iter().all(|(_, rows)| *rows <= 22.0), "{plan:#}");
}

/// The index and the rows of every scan of a table.
fn collect(node: &Value, found: &mut Vec<(String, f64)>) {
    let kind = node["Node Type"].as_str().unwrap();
    if kind.contains("Scan") && kind != "Function Scan" && kind != "Subquery Scan" {
        let index = node["Index Name"].as_str().unwrap_or(kind).to_owned();
        found.push((index, node["Actual Rows"].as_f64().unwrap()));
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        collect(child, found);
    }
}
