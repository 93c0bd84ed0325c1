//! The book in its file.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::{NOWHERE, Receiver, TestTwin, config, new_wallet, text};

#[tokio::test]
async fn a_second_start_finds_the_book_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("below/book.json");
    let twin = TestTwin::with(config(NOWHERE, Some(&file))).await;
    let (id, account_number) = twin.customer(1).await;
    let reference = text(&twin.fund(&account_number, "9999999999999.99").await.body["reference"]);
    // Written before it was answered: a kill right now would lose nothing.
    let on_disk = std::fs::read_to_string(&file).unwrap();
    assert!(on_disk.contains(&account_number) && on_disk.contains(&reference));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    twin.stop().await;

    let receiver = Receiver::refusing(0).await;
    let twin = TestTwin::with(config(&receiver.url, Some(&file))).await;
    let wallet = twin.get(&format!("/wallet/customer?customerId={id}")).await;
    assert_eq!(wallet.body["wallet"]["accountNumber"], json!(account_number));
    assert!(wallet.text.contains("9999999999999.99"), "{}", wallet.text);
    assert_eq!(twin.get(&format!("/merchant/transaction/{reference}")).await.status, 200);
    assert_eq!(twin.post("/wallet", &new_wallet(1)).await.status, 400);
    // The webhook that nobody took before the stop is sent now.
    let webhooks = receiver.wait_for(1).await;
    assert!(String::from_utf8_lossy(&webhooks[0].body).contains(&reference));
    twin.stop().await;
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("book.json");
    let twin = TestTwin::with(config(NOWHERE, Some(&file))).await;
    let accounts = customers_in_pairs(&twin, 30).await;
    let on_disk = std::fs::read_to_string(&file).unwrap();
    assert!(accounts.iter().all(|account| on_disk.contains(account)));
    twin.stop().await;
}

async fn customers_in_pairs(twin: &TestTwin, count: u32) -> Vec<String> {
    let mut accounts = Vec::new();
    for pair in 0..count / 2 {
        let (first, second) = tokio::join!(twin.customer(2 * pair), twin.customer(2 * pair + 1));
        accounts.extend([first.1, second.1]);
    }
    accounts
}

#[tokio::test]
async fn a_file_that_is_no_book_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("book.json");
    std::fs::write(&file, "not a book").unwrap();
    let refused = provider_twin::app(config(NOWHERE, Some(&file))).unwrap_err();
    assert!(refused.to_string().contains("is not a book"), "{refused}");
}
