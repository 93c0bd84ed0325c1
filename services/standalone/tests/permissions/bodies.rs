//! What is sent: for every route a body that it takes, so that no refusal of the body stands in the place of what the caller is
//! answered. Codes and signatures are wrong ones, in their form; a route that is not here takes no body, or an empty one.

use common_utils::ids;
use serde_json::{Value, json};

use crate::{
    callers::Caller,
    matrix::Route,
    scene::{self, PASSWORD, Person, Scene, registration},
};

/// Of the form of those that stand for a challenge or a reset, and nobody's.
const TOKEN: &str = "5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ";

pub(crate) enum Body {
    None,
    Json(Value),
    Form(Vec<(&'static str, String)>),
    Photo(Vec<u8>),
}

pub(crate) fn of(route: &Route, scene: &Scene, caller: Caller) -> Body {
    // Who is nobody sends what the owner would.
    let person = scene.person(if caller.is_person() { caller } else { Caller::Owner });
    match route.name().as_str() {
        "DELETE /api/v1/identity/me" => Body::Json(json!({ "currentPassword": PASSWORD })),
        "POST /api/v1/identity/oauth/token" => Body::Form(vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", scene.api_key.clone()),
            ("client_secret", scene.api_secret.clone()),
        ]),
        "POST /api/v1/identity/kyc/cases/{id}/documents" => Body::Photo(photo()),
        name if name.starts_with("GET ") || name.starts_with("DELETE ") => Body::None,
        name if name.contains("/identity/") => Body::Json(to_identity(name, scene, person)),
        name => Body::Json(to_others(name, scene, person)),
    }
}

fn to_identity(name: &str, scene: &Scene, person: &Person) -> Value {
    let code = json!({ "code": "123456" });
    match name {
        "POST /api/v1/identity/register" => registration(),
        "POST /api/v1/identity/login" => json!({ "identifier": person.email, "password": PASSWORD }),
        "POST /api/v1/identity/refresh" | "POST /api/v1/identity/logout" => {
            json!({ "refreshToken": person.refresh })
        }
        "PATCH /api/v1/identity/me" => json!({ "firstName": "Adaeze" }),
        "POST /api/v1/identity/me/email" => {
            json!({ "email": registration()["email"], "currentPassword": PASSWORD })
        }
        "POST /api/v1/identity/me/phone" => {
            json!({ "phoneNumber": registration()["phoneNumber"], "currentPassword": PASSWORD })
        }
        "POST /api/v1/identity/me/email/confirm"
        | "POST /api/v1/identity/me/phone/confirm"
        | "POST /api/v1/identity/verification/email/confirm"
        | "POST /api/v1/identity/verification/phone/confirm"
        | "POST /api/v1/identity/mfa/totp/confirm" => code,
        "POST /api/v1/identity/mfa/verify" => {
            json!({ "challengeId": TOKEN, "method": "totp", "code": "123456" })
        }
        "POST /api/v1/identity/step-up" => json!({ "method": "password", "password": PASSWORD }),
        "POST /api/v1/identity/me/deactivate"
        | "POST /api/v1/identity/mfa/totp"
        | "POST /api/v1/identity/passkeys/register/start"
        | "POST /api/v1/identity/api-keys/{id}/rotate" => json!({ "currentPassword": PASSWORD }),
        "POST /api/v1/identity/password/change" => {
            json!({ "currentPassword": PASSWORD, "newPassword": "another way to other places" })
        }
        "POST /api/v1/identity/password/reset" => {
            json!({ "token": TOKEN, "newPassword": "another way to other places" })
        }
        "POST /api/v1/identity/pin" => json!({ "pin": "4739", "currentPassword": PASSWORD }),
        "POST /api/v1/identity/pin/change" => json!({ "currentPin": "4739", "newPin": "8065" }),
        "POST /api/v1/identity/pin/verify" => json!({ "pin": "4739" }),
        "POST /api/v1/identity/api-keys" => json!({
            "name": "Web shop", "scopes": ["wallets:read"], "expiresInDays": 1, "currentPassword": PASSWORD,
        }),
        "POST /api/v1/identity/kyc/bvn" => json!({ "bvn": scene.bvn, "dateOfBirth": "1990-01-31" }),
        "POST /api/v1/identity/kyc/cases" => application(&scene.bvn),
        "POST /api/v1/identity/kyc/reviews/{id}/ask-for-more" => {
            json!({ "reason": "document_unreadable", "evidence": ["address_document"] })
        }
        "POST /api/v1/identity/kyc/reviews/{id}/reject" => json!({ "reason": "suspected_fraud" }),
        "POST /api/v1/identity/password/forgot" => json!({ "identifier": person.email }),
        "PATCH /api/v1/identity/passkeys/{id}" | "PATCH /api/v1/identity/devices/{id}" => {
            json!({ "name": "Old phone" })
        }
        "POST /api/v1/identity/devices" => json!({
            "publicKey": scene::public_key(), "name": "Phone", "platform": "android", "currentPassword": PASSWORD,
        }),
        "POST /api/v1/identity/devices/confirm"
        | "POST /api/v1/identity/devices/{id}/unlock"
        | "POST /api/v1/identity/devices/{id}/step-up/finish" => {
            json!({ "challengeId": ids::new_id(), "signature": "" })
        }
        "POST /api/v1/identity/passkeys/register/finish" => {
            let response = json!({ "clientDataJSON": "AAAA", "attestationObject": "AAAA" });
            json!({ "ceremonyId": ids::new_id(), "name": "Phone", "credential": credential(&response) })
        }
        "POST /api/v1/identity/passkeys/sign-in/finish" | "POST /api/v1/identity/passkeys/step-up/finish" => {
            json!({ "ceremonyId": ids::new_id(), "credential": credential(&assertion()) })
        }
        "POST /api/v1/identity/passkeys/second-factor/start" => json!({ "challengeId": TOKEN }),
        "POST /api/v1/identity/passkeys/second-factor/finish" => json!({
            "challengeId": TOKEN, "ceremonyId": ids::new_id(), "credential": credential(&assertion()),
        }),
        _ => json!({}),
    }
}

fn to_others(name: &str, scene: &Scene, person: &Person) -> Value {
    let reason = json!({ "reason": "for the matrix" });
    let order = json!({ "reason": "for the matrix", "actorId": scene.person(Caller::Admin).id });
    match name {
        "POST /api/v1/wallet/wallets" => json!({ "currency": "USD" }),
        "POST /api/v1/transactions/transfers" => scene.transfer(&scene.wallet),
        "POST /internal/v1/postings" => json!({ "postings": [{
            "id": ids::new_id(), "type": "transfer", "description": "for the matrix",
            "legs": [{ "debit": { "walletId": scene.wallet }, "credit": { "walletId": scene.other_wallet },
                       "amount": { "amount": 100, "currency": "NGN" } }],
        }] }),
        "POST /internal/v1/wallets/{id}/freeze"
        | "POST /internal/v1/wallets/{id}/unfreeze"
        | "POST /internal/v1/wallets/{id}/close" => order,
        "PUT /internal/v1/wallets/{id}/bounds" => {
            json!({ "floor": 0, "ceiling": null, "reason": "for the matrix", "actorId": scene.person(Caller::Admin).id })
        }
        "POST /api/v1/admin/tickets" => {
            json!({ "subject": "Call back", "description": "They asked.", "requesterId": scene.person(Caller::Owner).id })
        }
        "POST /api/v1/admin/tickets/mine" => {
            json!({ "subject": "Where?", "description": "It has not come." })
        }
        "POST /api/v1/admin/tickets/{id}/comments" | "POST /api/v1/admin/tickets/mine/{id}/comments" => {
            json!({ "body": "Any news?" })
        }
        // To themselves: of others, events would tell whether they work on tickets, and none are carried here.
        "POST /api/v1/admin/tickets/{id}/assign" => json!({ "assigneeId": person.id }),
        "POST /api/v1/admin/tickets/{id}/resolve" => json!({ "resolution": "It has come." }),
        "POST /api/v1/admin/dead-letters/replay" => json!({ "ids": [ids::new_id()] }),
        "POST /api/v1/admin/wallets/{id}/freeze"
        | "POST /api/v1/admin/wallets/{id}/unfreeze"
        | "POST /api/v1/admin/dead-letters/{id}/discard"
        | "POST /api/v1/admin/webhook-endpoints/{id}/disable" => reason,
        "POST /api/v1/admin/webhook-endpoints" => {
            json!({ "url": "https://matrix.invalid/webhooks", "eventTypes": ["wallet.*"] })
        }
        "POST /api/v1/admin/webhook-endpoints/{id}/resend" => json!({ "from": "2026-02-01T00:00:00Z" }),
        _ => json!({}),
    }
}

/// For the highest tier, which takes everything.
pub(crate) fn application(bvn: &str) -> Value {
    let address = json!({ "line": "1 Marina Road", "city": "Lagos Island", "state": "Lagos" });
    json!({ "tier": 3, "bvn": bvn, "nin": bvn, "dateOfBirth": "1990-01-31", "address": address })
}

fn credential(response: &Value) -> Value {
    json!({ "id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response, "extensions": {} })
}

fn assertion() -> Value {
    json!({ "authenticatorData": "AAAA", "clientDataJSON": "AAAA", "signature": "AAAA", "userHandle": null })
}

/// A small one, as phones make them.
fn photo() -> Vec<u8> {
    let head = [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 2, 0x58, 3, 0x20, 1, 1, 0x11, 0, 0xff, 0xda, 0, 4, 1, 2];
    [&head[..], b"picture", &[0xff, 0xd9]].concat()
}
