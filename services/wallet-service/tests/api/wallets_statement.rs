//! Statements: what happened in a wallet in a period, as JSON and as a file.

use axum::http::Method;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use common_utils::{
    clock::Clock,
    ids::{UserId, WalletId},
    money::{Currency, Money},
};
use serde_json::{Value, json};

use crate::support::{
    Answer, World, equity, leg, of, posting,
    postings::{capture, hold, pay, platform, reverse, share, with},
};

/// The most entries that a file has.
const MOST: usize = 10_000;

fn path(wallet: WalletId, query: &str) -> String {
    format!("/api/v1/wallet/wallets/{wallet}/statement?{query}")
}

fn at(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Ada's entries: +100 and −10 at noon; −20, +5 and −5 at 12:30, a hold of 30; −7 of it at 13:00, +7 and −70 at 13:30.
async fn history() -> (World, UserId, WalletId) {
    let world = World::open().await;
    let (user, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let held = with(hold(ada, 30), "/hold/expiresAt", json!("2026-01-01T13:30:00Z"));
    let taken = capture(&held, &[share(&platform("fee"), 7)]);
    let half_an_hour = TimeDelta::minutes(30);
    world.all_posted(&[pay(ada, bola, 10)]).await;
    world.clock.advance(half_an_hour);
    world.all_posted(&[pay(ada, bola, 20), pay(bola, ada, 5), pay(ada, bola, 5), held]).await;
    world.clock.advance(half_an_hour);
    world.is_posted(&taken).await;
    world.clock.advance(half_an_hour);
    world.all_posted(&[reverse(&taken), pay(ada, bola, 70)]).await;
    world.clock.advance(half_an_hour);
    (world, user, ada)
}

fn signed(entry: &Value) -> i64 {
    let amount = entry["amount"]["amount"].as_i64().unwrap();
    if entry["direction"] == "credit" { amount } else { -amount }
}

/// All pages of it. Opening and closing are the same on each.
async fn whole(
    world: &World,
    user: UserId,
    wallet: WalletId,
    period: &str,
    limit: usize,
) -> (i64, Vec<Value>, i64) {
    let (mut items, mut ends, mut cursor) = (Vec::new(), None, String::new());
    loop {
        let page = world.get(user, &path(wallet, &format!("{period}&limit={limit}{cursor}"))).await;
        assert_eq!(page.status.as_u16(), 200, "{page:?}");
        let both = (page.body["opening"].as_i64().unwrap(), page.body["closing"].as_i64().unwrap());
        assert_eq!(*ends.get_or_insert(both), both, "{period}");
        let here = page.body["items"].as_array().unwrap().clone();
        assert!(here.len() <= limit);
        items.extend(here);
        match page.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (both.0, items, both.1),
        }
    }
}

/// The rows of a file, split at its commas.
fn rows(answer: &Answer) -> Vec<Vec<&str>> {
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let text = answer.text.strip_suffix("\r\n").unwrap();
    text.split("\r\n").map(|row| row.split(',').collect()).collect()
}

fn minor(text: &str) -> i64 {
    Money::parse_major(text, Currency::NGN).unwrap().amount
}

#[tokio::test]
async fn a_statement_has_the_documented_shape() {
    let (world, user, ada) = history().await;
    let period = "from=2026-01-01T12:30:00Z&to=2026-01-01T14:30:00%2B01:00";
    let body = world.get(user, &path(ada, &format!("{period}&limit=1"))).await.body;
    let entry = &body["items"][0];
    let expected = json!({
        "walletId": ada, "currency": "NGN", "from": "2026-01-01T12:30:00Z", "to": "2026-01-01T13:30:00Z",
        "opening": 90, "closing": 63,
        "items": [{
            "id": entry["id"], "sequence": 3, "direction": "debit", "amount": { "amount": 20, "currency": "NGN" },
            "balanceAfter": 70, "transactionId": entry["transactionId"], "description": "Lunch",
            "createdAt": "2026-01-01T12:30:00Z"
        }],
        "nextCursor": body["nextCursor"]
    });
    assert_eq!(body, expected);
    assert!(body["nextCursor"].is_string());
    let json = world.get(user, &path(ada, &format!("{period}&limit=1&format=json"))).await;
    assert_eq!(json.body, body);
}

/// Every period between two of these moments: those of entries, just before and just after them, before there was a
/// wallet, and after today.
#[tokio::test]
async fn opening_and_entries_make_closing_on_every_period() {
    let (world, user, ada) = history().await;
    let noon: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
    let moments = [0, 30, 60, 90].map(|minutes| noon + TimeDelta::minutes(minutes)).into_iter();
    let tick = TimeDelta::microseconds(1);
    let mut moments: Vec<_> = moments.flat_map(|moment| [moment - tick, moment, moment + tick]).collect();
    moments.extend([noon - TimeDelta::days(300), noon + TimeDelta::days(60)]);
    moments.sort();
    let all = whole(&world, user, ada, "from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z", 100).await.1;
    assert_eq!(all.iter().map(signed).collect::<Vec<_>>(), [100, -10, -20, 5, -5, -7, 7, -70]);
    let posted_before = |moment: DateTime<Utc>| -> i64 {
        let time = |entry: &Value| entry["createdAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        all.iter().filter(|entry| time(entry) < moment).map(signed).sum()
    };
    let mut periods = 0;
    for (place, from) in moments.iter().enumerate() {
        for to in &moments[place + 1..] {
            periods += 1;
            let period = format!("from={}&to={}", at(*from), at(*to));
            let (opening, entries, closing) = whole(&world, user, ada, &period, 2).await;
            assert_eq!((opening, closing), (posted_before(*from), posted_before(*to)), "{period}");
            assert_eq!(opening + entries.iter().map(signed).sum::<i64>(), closing, "{period}");

            let file = world.get(user, &path(ada, &format!("{period}&format=csv"))).await;
            let rows = rows(&file);
            let (first, last) = (&rows[1], &rows[rows.len() - 1]);
            assert_eq!((minor(first[4]), first[7]), (opening, "Opening balance"));
            assert_eq!((minor(last[4]), last[7]), (closing, "Closing balance"));
            let between: Vec<&str> = rows[2..rows.len() - 1].iter().map(|row| row[0]).collect();
            let sequences: Vec<String> = entries.iter().map(|entry| entry["sequence"].to_string()).collect();
            assert_eq!(between, sequences, "{period}");
        }
    }
    assert_eq!(periods, 91);
}

#[tokio::test]
async fn a_wallet_in_which_nothing_happened_has_statements_too() {
    let world = World::open().await;
    let (user, ada) = world.person_with(0).await;
    for period in [
        "from=2025-12-01T00:00:00Z&to=2026-01-01T12:00:00Z",
        "from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z",
        "from=-262142-01-01T00:00:00Z&to=-262142-02-01T00:00:00Z",
        "from=%2B262142-01-01T00:00:00Z&to=%2B262142-02-01T00:00:00Z",
    ] {
        assert_eq!(whole(&world, user, ada, period, 20).await, (0, vec![], 0), "{period}");
        let file = world.get(user, &path(ada, &format!("{period}&format=csv"))).await;
        assert_eq!(rows(&file).len(), 3);
    }
}

#[tokio::test]
async fn a_file_is_what_a_spreadsheet_reads() {
    let world = World::open().await;
    let (user, ada) = world.person_with(150_000).await;
    let (staff, bola) = world.person_with(0).await;
    let bounds = json!({ "floor": -10_000, "ceiling": null, "reason": "r", "actorId": staff });
    world.order(Method::PUT, &format!("/internal/v1/wallets/{ada}/bounds"), &bounds).await;
    let described = |amount, words: &str| with(pay(ada, bola, amount), "/description", json!(words));
    let list = [
        described(150_005, "=HYPERLINK(\"http://x\",\"bonus\")"),
        described(1, "@home, \"now\""),
        described(4, "Rent – ₦"),
    ];
    world.all_posted(&list).await;
    let period = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00.5Z&format=csv";
    let answer = world.get(user, &path(ada, period)).await;
    let ids: Vec<&str> = list.iter().map(|posting| posting["id"].as_str().unwrap()).collect();
    let funded: String =
        sqlx::query_scalar("SELECT posting_id::text FROM entries WHERE account_id = $1 AND sequence = 1")
            .bind(ada.uuid())
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
    let noon = "2026-01-01T12:00:00Z";
    let expected = [
        "sequence,createdAt,direction,amount,balanceAfter,currency,transactionId,description".to_owned(),
        ",2026-01-01T00:00:00Z,,,0.00,NGN,,Opening balance".to_owned(),
        format!("1,{noon},credit,1500.00,1500.00,NGN,{funded},Lunch"),
        format!(
            "2,{noon},debit,1500.05,-0.05,NGN,{},\"'=HYPERLINK(\"\"http://x\"\",\"\"bonus\"\")\"",
            ids[0]
        ),
        format!("3,{noon},debit,0.01,-0.06,NGN,{},\"'@home, \"\"now\"\"\"", ids[1]),
        format!("4,{noon},debit,0.04,-0.10,NGN,{},Rent – ₦", ids[2]),
        ",2026-01-02T00:00:00.500Z,,,-0.10,NGN,,Closing balance\r\n".to_owned(),
    ];
    assert_eq!(answer.text, expected.join("\r\n"));
    let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/csv; charset=utf-8");
    let name = format!("statement-{ada}-20260101T000000Z-20260102T000000Z.csv");
    assert_eq!(header("content-disposition"), format!("attachment; filename=\"{name}\""));
}

#[tokio::test]
async fn amounts_in_a_file_have_the_digits_of_their_currency() {
    let world = World::open().await;
    let user = UserId::new();
    let dollars = world.wallet(user, "USD").await;
    let amount = Money::new(5, Currency::USD);
    let result = world
        .post_one(posting(vec![wallet_service::ledger::Leg { debit: equity(), credit: of(dollars), amount }]))
        .await;
    assert_eq!(result.outcome.name(), "posted");
    let period = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&format=csv";
    let answer = world.get(user, &path(dollars, period)).await;
    assert_eq!(rows(&answer)[2][3..6], ["0.05", "0.05", "USD"]);
}

#[tokio::test]
async fn a_file_is_as_long_as_it_may_be() {
    let world = World::open().await;
    let (user, ada) = world.person_with(0).await;
    let list: Vec<_> = (0..MOST / 500).map(|_| posting(vec![leg(equity(), of(ada), 1); 500])).collect();
    world.ledger().post(list).await.unwrap();
    let period = "from=2026-01-01T12:00:00Z&to=2026-01-01T13:00:00Z";
    let file = world.get(user, &path(ada, &format!("{period}&format=csv"))).await;
    assert_eq!(rows(&file).len(), MOST + 3);
    world.fund(ada, 1).await;
    let answer = world.get(user, &path(ada, &format!("{period}&format=csv"))).await;
    assert_eq!(answer.refusal(), (422, "statement_too_long"));
    assert!(answer.body["detail"].as_str().unwrap().contains("shorter"), "{answer:?}");
    let page = world.get(user, &path(ada, &format!("{period}&limit=100"))).await;
    assert_eq!(page.body["closing"], MOST + 1);
    assert_eq!(page.body["items"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn somebody_elses_statement_is_not_there() {
    let (world, user, ada) = history().await;
    let stranger = world.person_with(0).await.0;
    let period = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    for format in ["json", "csv"] {
        let query = format!("{period}&format={format}");
        assert_eq!(world.get(stranger, &path(ada, &query)).await.refusal(), (404, "not_found"));
        assert_eq!(world.get(user, &path(WalletId::new(), &query)).await.refusal(), (404, "not_found"));
        let service = world.internal_get(&path(ada, &query)).await;
        assert_eq!(service.refusal(), (401, "unauthenticated"));
    }
    // What is asked for does not tell whether it is there.
    assert_eq!(
        world.get(stranger, &path(ada, "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z")).await.refusal(),
        (404, "not_found")
    );
}

#[tokio::test]
async fn periods_and_formats_that_do_not_fit_are_named() {
    let (world, user, ada) = history().await;
    let (from, to) = ("from=2026-01-01T00:00:00Z", "to=2026-01-02T00:00:00Z");
    let good = format!("{from}&{to}");
    for (query, fields) in [
        (to.to_owned(), vec!["from"]),
        (from.to_owned(), vec!["to"]),
        (format!("from=2026-01-01&{to}"), vec!["from"]),
        (format!("from=&{to}"), vec!["from"]),
        (format!("{from}&to=2026-01-02T00:00:00"), vec!["to"]),
        (format!("{from}&to=1767225600"), vec!["to"]),
        (format!("{from}&to=2026-01-01T00:00:00Z"), vec!["to"]),
        (format!("{from}&to=2025-12-31T23:59:59Z"), vec!["to"]),
        (format!("{from}&to=2027-01-02T00:00:00.000001Z"), vec!["to"]),
        (format!("{from}&to=%2B262142-01-01T00:00:00Z"), vec!["to"]),
        (format!("{good}&format=pdf"), vec!["format"]),
        (format!("{good}&format=CSV"), vec!["format"]),
        (format!("{good}&format="), vec!["format"]),
        (format!("{good}&limit=0"), vec!["limit"]),
        (format!("{good}&limit=101"), vec!["limit"]),
        (format!("{good}&cursor=x"), vec!["cursor"]),
        (format!("{good}&order=asc"), vec!["order"]),
        (format!("{good}&format=csv&limit=10"), vec!["limit"]),
        (format!("{good}&format=csv&cursor=Mg&limit=10"), vec!["limit", "cursor"]),
        (format!("{from}&to=2025-01-01T00:00:00Z&format=csv&limit=10"), vec!["to", "limit"]),
    ] {
        let answer = world.get(user, &path(ada, &query)).await;
        assert_eq!((answer.refusal(), answer.fields()), ((422, "validation_failed"), fields), "{query}");
    }
    let refused = world.get(user, &path(ada, &format!("{good}&format=pdf"))).await;
    let message = refused.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("`json`") && message.contains("`csv`"), "{message}");
    // A leap year is 366 days.
    let year = world.get(user, &path(ada, &format!("{from}&to=2027-01-02T00:00:00Z"))).await;
    assert_eq!(year.status.as_u16(), 200);
}

/// A period that has not ended is read while others post.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_agrees_with_itself_while_others_post() {
    let world = World::open().await;
    let (user, ada) = world.person_with(1_000).await;
    let (_, bola) = world.person_with(0).await;
    let ledger = world.ledger();
    let writer = tokio::spawn(async move {
        for _ in 0..80 {
            ledger.post(vec![posting(vec![leg(of(ada), of(bola), 1)])]).await.unwrap();
        }
    });
    let now = world.clock.now();
    let period = format!("from={}&to={}&limit=100", at(now), at(now + TimeDelta::hours(1)));
    let mut read = 0;
    while !writer.is_finished() || read == 0 {
        let body = world.get(user, &path(ada, &period)).await.body;
        let items = body["items"].as_array().unwrap();
        let sum: i64 = items.iter().map(signed).sum();
        assert_eq!(body["opening"].as_i64().unwrap() + sum, body["closing"].as_i64().unwrap(), "{body}");
        read += 1;
    }
    writer.await.unwrap();
    assert_eq!(whole(&world, user, ada, &period[..period.len() - 10], 100).await.2, 920);
}
