//! Customers of a deployment, who come straight to the services: the gateway's rates are tried elsewhere.

use serde_json::{Value, json};

use super::deployment::Deployment;

pub(crate) const PASSWORD: &str = "a long way to other places";

pub(crate) struct Customer {
    pub(crate) token: String,
    pub(crate) wallet_id: String,
    /// Empty before there is one.
    pub(crate) account_number: String,
}

impl Deployment {
    /// Registered; the wallet follows.
    pub(crate) async fn register(&self) -> (String, String) {
        let tag = rand::random_range(1_000_000_u32..10_000_000);
        let body = json!({
            "email": format!("customer.{tag}.{}@example.com", rand::random::<u32>()),
            "phoneNumber": format!("+23480{}", rand::random_range(10_000_000_u32..100_000_000) ),
            "password": PASSWORD, "firstName": "Ada", "lastName": "Example",
        });
        let url = format!("{}/api/v1/identity/register", self.service("identity"));
        let answer = self.client.post(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let answer: Value = answer.json().await.unwrap();
        let text = |pointer: &str| answer.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        (text("/tokens/accessToken"), text("/user/id"))
    }

    /// With a wallet.
    pub(crate) async fn customer(&self) -> Customer {
        let (token, _) = self.register().await;
        let wallet_id = self.wallet_of(&token).await;
        Customer { token, wallet_id, account_number: String::new() }
    }

    pub(crate) async fn wallet_of(&self, token: &str) -> String {
        let url = format!("{}/api/v1/wallet/wallets", self.service("wallet"));
        self.until("a wallet", async || first_wallet(&self.get(&url, token).await.1).is_some()).await;
        first_wallet(&self.get(&url, token).await.1).unwrap()
    }

    /// With a wallet, an account number at the bank, and money that came in there.
    pub(crate) async fn funded_customer(&self, naira: &str) -> Customer {
        let customer = self.customer().await;
        let bvn = format!("22{}1", rand::random_range(10_000_000_u32..100_000_000));
        let url = format!("{}/api/v1/identity/kyc/bvn", self.service("identity"));
        let body = json!({ "bvn": bvn, "dateOfBirth": "1990-05-17" });
        let answer = self.client.post(url).bearer_auth(&customer.token).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap_or_default());

        let url = format!("{}/api/v1/wallet/wallets/{}", self.service("wallet"), customer.wallet_id);
        let number = async || {
            let wallet = self.get(&url, &customer.token).await.1;
            wallet.pointer("/virtualAccounts/0/accountNumber").and_then(Value::as_str).map(str::to_owned)
        };
        self.until("an account number", async || number().await.is_some()).await;
        let customer = Customer { account_number: number().await.unwrap(), ..customer };
        self.pay_in(&customer, naira).await;
        self.until("the deposit", async || self.available(&customer).await > 0).await;
        customer
    }

    /// Somebody pays to their account number; the bank tells of it twice.
    pub(crate) async fn pay_in(&self, customer: &Customer, naira: &str) {
        let body = json!({
            "accountNumber": customer.account_number, "amount": naira, "senderName": "Chidi", "deliveries": 2,
        });
        let twin = format!("{}/twin/inbound-transfers", self.value("TWIN_URL"));
        let answer = self.client.post(twin).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }

    pub(crate) async fn available(&self, customer: &Customer) -> i64 {
        let url = format!("{}/api/v1/wallet/wallets/{}/balance", self.service("wallet"), customer.wallet_id);
        self.get(&url, &customer.token).await.1.get("available").and_then(Value::as_i64).unwrap_or(-1)
    }

    /// One attempt; None when there was no answer.
    pub(crate) async fn transfer(
        &self,
        from: &Customer,
        to: &Customer,
        amount: i64,
        key: &str,
    ) -> Option<(u16, Value)> {
        let url = format!("{}/api/v1/transactions/transfers", self.service("transaction"));
        let body = json!({
            "fromWalletId": from.wallet_id, "to": { "walletId": to.wallet_id },
            "amount": { "amount": amount, "currency": "NGN" },
        });
        let request =
            self.client.post(url).bearer_auth(&from.token).header("Idempotency-Key", key).json(&body);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }
}

fn first_wallet(page: &Value) -> Option<String> {
    page.pointer("/items/0/id")?.as_str().map(str::to_owned)
}
