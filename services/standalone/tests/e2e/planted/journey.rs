//! Two customers and the staff use all that there is, and everything secret or personal that is told on the way is planted.

use std::collections::BTreeMap;

use common_utils::clock::{Clock, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::{
    client::{Person, text},
    secrets::{Planted, What},
};
use crate::{customers::Customer, deployment::Deployment, main_job};

pub(crate) struct Journey<'a> {
    platform: &'a Deployment,
    pub(crate) planted: Planted,
    /// Who has signed in already: the gateway counts log-ins.
    staff: BTreeMap<&'static str, Person>,
}

/// What somebody signs in with.
struct Account {
    email: String,
    phone: String,
    password: String,
}

impl<'a> Journey<'a> {
    pub(crate) async fn made(platform: &'a Deployment, planted: Planted) -> Self {
        let mut journey = Self { platform, planted, staff: BTreeMap::new() };
        let (ada_account, ada) = journey.registered().await;
        let (bola_account, bola) = journey.registered().await;
        journey.mistakes(&ada_account, &ada).await;
        journey.verified(&ada_account, &ada).await;
        journey.raised(&ada).await;
        let wallet = journey.money(&ada, &bola, &bola_account).await;
        journey.helped(&ada, &wallet).await;
        journey.secured(&ada_account, &ada).await;
        journey.moved(&bola_account, &bola).await;
        journey
    }

    fn plant(&mut self, what: What, value: impl Into<String>) -> String {
        self.planted.plant(what, value)
    }

    /// The tokens of somebody who signs in.
    fn person(&mut self, signed_in: &Value) -> Person {
        let person = Person::of(signed_in);
        self.plant(What::AccessToken, &person.access);
        self.plant(What::RefreshToken, &person.refresh);
        person
    }

    async fn registered(&mut self) -> (Account, Person) {
        let account = Account {
            email: self.plant(What::Email, format!("{}@example.com", letters(12))),
            phone: self.plant(What::Phone, format!("+234803{}", digits(7))),
            password: self.plant(What::Password, format!("{} to other places", letters(12))),
        };
        let name = self.plant(What::LastName, letters(14));
        let body = json!({
            "email": account.email, "phoneNumber": account.phone, "password": account.password,
            "firstName": "Ada", "lastName": name,
        });
        let request = self.platform.call(Method::POST, "/identity/register", "");
        let (status, answer) = self.platform.send(request.json(&body)).await;
        assert_eq!(status, 201, "{answer}");
        let person = self.person(&answer);
        (account, person)
    }

    /// What does not go through is told of, too, and a client may send anything anywhere.
    async fn mistakes(&mut self, account: &Account, person: &Person) {
        let platform = self.platform;
        let wrong = self.plant(What::Password, format!("{} another", letters(12)));
        let body = json!({ "identifier": account.email, "password": wrong });
        platform.refused("/identity/login", "", body, 401).await;
        let body = json!({ "identifier": [account.phone], "password": { (wrong.as_str()): wrong } });
        platform.refused("/identity/login", "", body, 422).await;
        let broken = format!(r#"{{ "email": "{}", "password": "{wrong}", "#, account.email);
        let request = platform.call(Method::POST, "/identity/register", "");
        let request = request.header("Content-Type", "application/json").body(broken);
        assert_eq!(platform.send(request).await.0, 400);
        let bvn = self.plant(What::Bvn, format!("22{}1", digits(8)));
        let born = self.plant(What::DateOfBirth, "1871-11-23");
        let body = json!({ "bvn": format!("{bvn}0"), "dateOfBirth": born, (bvn.as_str()): born });
        platform.refused("/identity/kyc/bvn", &person.access, body, 422).await;
        let token = self.plant(What::RefreshToken, letters(43));
        platform.refused("/identity/refresh", "", json!({ "refreshToken": token }), 401).await;
        let query = [
            ("access_token", &person.access),
            ("email", &account.email),
            ("phoneNumber", &account.phone),
            ("bvn", &bvn),
        ];
        let request = platform.call(Method::GET, "/identity/me", &person.access).query(&query);
        platform.send(request).await;
    }

    /// Both contacts, and the BVN.
    async fn verified(&mut self, account: &Account, person: &Person) {
        for (kind, contact) in [("email", &account.email), ("phone", &account.phone)] {
            let code = self.platform.message(contact, "").await;
            self.plant(What::Code, &code);
            let path = format!("/identity/verification/{kind}/confirm");
            self.platform.post(&path, &person.access, json!({ "code": code })).await;
        }
    }

    /// Tier three: every claim, a document, and two reviewers with their notes.
    async fn raised(&mut self, person: &Person) {
        let platform = self.platform;
        let bvn = self.plant(What::Bvn, format!("22{}1", digits(8)));
        let nin = self.plant(What::Nin, format!("19{}1", digits(8)));
        let born = self.plant(What::DateOfBirth, "1987-06-05");
        let body = json!({ "bvn": bvn, "dateOfBirth": born });
        platform.post("/identity/kyc/bvn", &person.access, body).await;
        let street = self.plant(What::Street, format!("77 {} Crescent", letters(12)));
        let address = json!({ "line": street, "city": "Lagos Island", "state": "Lagos" });
        let body = json!({ "tier": 3, "bvn": bvn, "nin": nin, "dateOfBirth": born, "address": address });
        let id = text(&platform.post("/identity/kyc/cases", &person.access, body).await, "/id");

        let path = format!("/identity/kyc/cases/{id}");
        let stands = |status: &'static str| move |case: &Value| (case["status"] == status).then_some(());
        platform.wait(&path, &person.access, stands("more_needed")).await;
        let mark = self.plant(What::Document, letters(40));
        let upload = platform.call(Method::POST, &format!("{path}/documents"), &person.access);
        let upload = upload.query(&[("kind", "address_document")]).header("Content-Type", "image/jpeg");
        let (status, answer) = platform.send(upload.body(photo(&mark))).await;
        assert_eq!(status, 201, "{answer}");
        platform.wait(&path, &person.access, stands("in_review")).await;

        for role in ["compliance", "admin"] {
            let reviewer = self.staff(role).await;
            let review = format!("/identity/kyc/reviews/{id}");
            let (status, seen) = platform.send(platform.call(Method::GET, &review, &reviewer.access)).await;
            assert_eq!((status, &seen["claims"]["address"][0]), (200, &json!(street)), "{seen}");
            let document = format!("{review}/documents/{}", text(&seen, "/documents/0/id"));
            assert_eq!(platform.send(platform.call(Method::GET, &document, &reviewer.access)).await.0, 200);
            let note = self.plant(What::ReviewNote, format!("they told {}", letters(12)));
            platform.post(&format!("{review}/approve"), &reviewer.access, json!({ "note": note })).await;
        }
        platform.wait(&path, &person.access, stands("approved")).await;
    }

    async fn staff(&mut self, role: &'static str) -> Person {
        if let Some(person) = self.staff.get(role) {
            return person.clone();
        }
        let password = self.plant(What::Password, main_job::password(role));
        main_job::create_staff(self.platform, role);
        let signed_in = self.platform.log_in(&main_job::email(role), &password).await;
        let person = self.person(&signed_in);
        self.staff.insert(role, person.clone());
        person
    }

    /// In from the bank, and on to somebody who is named by address and by number.
    async fn money(&mut self, ada: &Person, bola: &Person, to: &Account) -> Customer {
        let platform = self.platform;
        let wallet_id = platform.wallet_of(&ada.access).await;
        platform.wallet_of(&bola.access).await;
        let path = format!("/wallet/wallets/{wallet_id}");
        let number = |wallet: &Value| {
            wallet.pointer("/virtualAccounts/0/accountNumber").and_then(Value::as_str).map(str::to_owned)
        };
        let account_number = platform.wait(&path, &ada.access, number).await;
        let customer = Customer { token: ada.access.clone(), wallet_id, account_number };
        platform.pay_in(&customer, "5000.00").await;
        platform.until("the deposit", async || platform.available(&customer).await > 0).await;
        for to in [json!({ "email": to.email }), json!({ "phoneNumber": to.phone })] {
            let body = json!({
                "fromWalletId": customer.wallet_id, "to": to, "amount": { "amount": 1_000, "currency": "NGN" },
            });
            let request = platform.call(Method::POST, "/transactions/transfers", &ada.access);
            let request = request.header("Idempotency-Key", letters(20)).json(&body);
            let (status, answer) = platform.send(request).await;
            assert_eq!(status, 201, "{answer}");
        }
        customer
    }

    async fn helped(&mut self, ada: &Person, wallet: &Customer) {
        let platform = self.platform;
        let [support, compliance, admin] =
            [self.staff("support").await, self.staff("compliance").await, self.staff("admin").await];
        let seen = format!("/admin/users/{}", ada.id);
        platform.wait(&seen, &support.access, |user| user["code"].is_null().then_some(())).await;
        let body = json!({ "subject": "Where?", "description": "It has not come.", "requesterId": ada.id });
        platform.post("/admin/tickets", &support.access, body).await;
        for what in ["freeze", "unfreeze"] {
            let path = format!("/admin/wallets/{}/{what}", wallet.wallet_id);
            platform.post(&path, &compliance.access, json!({ "reason": "asked for" })).await;
        }
        let body = json!({ "url": "https://planted.invalid/webhooks", "eventTypes": ["wallet.*"] });
        let made = platform.post("/admin/webhook-endpoints", &admin.access, body).await;
        self.plant(What::WebhookSecret, text(&made, "/secret"));
    }

    /// An authenticator app with its recovery codes, a PIN, an API key, and a refresh token that comes twice.
    async fn secured(&mut self, account: &Account, person: &Person) {
        let platform = self.platform;
        let proof = json!({ "currentPassword": account.password });
        let begun = platform.post("/identity/mfa/totp", &person.access, proof).await;
        let secret = self.plant(What::TotpSecret, text(&begun, "/secret"));
        let code = self.totp(&secret, 0);
        let path = "/identity/mfa/totp/confirm";
        let confirmed = platform.post(path, &person.access, json!({ "code": code })).await;
        let recovery: Vec<String> =
            confirmed["recoveryCodes"].as_array().unwrap().iter().map(|code| text(code, "")).collect();
        for code in &recovery {
            self.plant(What::RecoveryCode, code);
        }
        self.plant(What::AccessToken, text(&confirmed, "/tokens/accessToken"));

        let challenge = text(&platform.log_in(&account.phone, &account.password).await, "/challengeId");
        // The next one: none is taken twice.
        let code = self.totp(&secret, 30);
        let body = json!({ "challengeId": challenge, "method": "totp", "code": code });
        let signed_in = platform.post("/identity/mfa/verify", "", body).await;
        let person = self.person(&signed_in);
        let body = json!({ "method": "recovery", "code": recovery[0] });
        let proved = platform.post("/identity/step-up", &person.access, body).await;
        let access = self.plant(What::AccessToken, text(&proved, "/tokens/accessToken"));

        let pin = self.plant(What::Pin, "580274");
        let body = json!({ "pin": pin, "currentPassword": account.password });
        platform.post("/identity/pin", &access, body).await;
        let given = platform.post("/identity/pin/verify", &access, json!({ "pin": pin })).await;
        self.plant(What::AccessToken, text(&given, "/tokens/accessToken"));
        self.machine(account, &access).await;

        let refreshed =
            platform.post("/identity/refresh", "", json!({ "refreshToken": person.refresh })).await;
        self.plant(What::AccessToken, text(&refreshed, "/tokens/accessToken"));
        let next = self.plant(What::RefreshToken, text(&refreshed, "/tokens/refreshToken"));
        let refreshed = platform.post("/identity/refresh", "", json!({ "refreshToken": next })).await;
        self.plant(What::AccessToken, text(&refreshed, "/tokens/accessToken"));
        let last = self.plant(What::RefreshToken, text(&refreshed, "/tokens/refreshToken"));
        platform.refused("/identity/refresh", "", json!({ "refreshToken": person.refresh }), 401).await;
        // The first came back, late: whoever has them, all of the session's are over.
        platform.refused("/identity/refresh", "", json!({ "refreshToken": last }), 401).await;
    }

    async fn machine(&mut self, account: &Account, access: &str) {
        let platform = self.platform;
        let body = json!({
            "name": "Web shop", "scopes": ["wallets:read"], "expiresInDays": 1,
            "currentPassword": account.password,
        });
        let made = platform.post("/identity/api-keys", access, body).await;
        let secret = self.plant(What::ApiKeySecret, text(&made, "/clientSecret"));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &text(&made, "/apiKey/id")),
            ("client_secret", &secret),
        ];
        let request = platform.call(Method::POST, "/identity/oauth/token", "").form(&form);
        let (status, answer) = platform.send(request).await;
        assert_eq!(status, 200, "{answer}");
        let token = self.plant(What::AccessToken, text(&answer, "/access_token"));
        assert_eq!(platform.send(platform.call(Method::GET, "/wallet/wallets", &token)).await.0, 200);
    }

    /// What the app of somebody shows so many seconds from now.
    fn totp(&mut self, secret: &str, seconds: i64) -> String {
        let secret = Secret::try_from_base32(secret).unwrap();
        let at = u64::try_from(SystemClock.now().timestamp() + seconds).unwrap();
        let code = Builder::new().with_secret(secret).build().unwrap().generate(at).to_string();
        self.plant(What::Code, code)
    }

    /// Another address, another number, and a password that was forgotten.
    async fn moved(&mut self, account: &Account, person: &Person) {
        let platform = self.platform;
        let email = self.plant(What::Email, format!("{}@example.com", letters(12)));
        let phone = self.plant(What::Phone, format!("+234803{}", digits(7)));
        for (kind, field, contact) in [("email", "email", &email), ("phone", "phoneNumber", &phone)] {
            let path = format!("/identity/me/{kind}");
            let body = json!({ (field): contact, "currentPassword": account.password });
            platform.post(&path, &person.access, body).await;
            let code = platform.message(contact, "").await;
            self.plant(What::Code, &code);
            platform.post(&format!("{path}/confirm"), &person.access, json!({ "code": code })).await;
        }
        platform.post("/identity/password/forgot", "", json!({ "identifier": email })).await;
        let token = platform.message(&email, "set it with: ").await;
        self.plant(What::ResetToken, &token);
        let password = self.plant(What::Password, format!("{} to places again", letters(12)));
        let body = json!({ "token": token, "newPassword": password });
        platform.post("/identity/password/reset", "", body).await;
        let signed_in = platform.log_in(&phone, &password).await;
        self.person(&signed_in);

        // The last that is told of the journey has come to who hears of it last.
        let officer = self.staff("compliance").await;
        let action = "identity.user.password_changed";
        let path = format!("/admin/audit-logs?subject=user:{}&action={action}", person.id);
        let told = |page: &Value| page.pointer("/items/0").map(|_| ());
        platform.wait(&path, &officer.access, told).await;
    }
}

/// A small photo, with `mark` where phones write their own.
fn photo(mark: &str) -> Vec<u8> {
    let head = [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 2, 0x58, 3, 0x20, 1, 1, 0x11, 0, 0xff, 0xda, 0, 4, 1, 2];
    [&head[..], b"picture", &[0xff, 0xd9], mark.as_bytes()].concat()
}

pub(crate) fn letters(count: usize) -> String {
    (0..count).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect()
}

fn digits(count: usize) -> String {
    (0..count).map(|_| char::from(rand::random_range(b'0'..=b'9'))).collect()
}
