//! What is sent. A route that is not here is sent an empty object, which gets past the door as anything else does, and is refused
//! with 422 where something is required.

use common_utils::ids;
use serde_json::{Value, json};

use crate::{
    callers::Caller,
    matrix::Route,
    scene::{PASSWORD, Scene, registration},
};

/// Null for no body.
pub(crate) fn of(route: &Route, scene: &Scene, caller: Caller) -> Value {
    let erasing = route.name() == "DELETE /api/v1/identity/me";
    if matches!(route.method.as_str(), "GET" | "DELETE") && !erasing {
        return Value::Null;
    }
    // Who is nobody sends what the owner would.
    let person = scene.person(if caller.is_person() { caller } else { Caller::Owner });
    let reason = json!({ "reason": "for the matrix" });
    let order = json!({ "reason": "for the matrix", "actorId": scene.person(Caller::Admin).id });
    match route.name().as_str() {
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
        "POST /api/v1/identity/me/deactivate"
        | "DELETE /api/v1/identity/me"
        | "POST /api/v1/identity/mfa/totp"
        | "POST /api/v1/identity/passkeys/register/start"
        | "POST /api/v1/identity/api-keys/{id}/rotate" => json!({ "currentPassword": PASSWORD }),
        "POST /api/v1/identity/password/change" => {
            json!({ "currentPassword": PASSWORD, "newPassword": "another way to other places" })
        }
        "POST /api/v1/identity/password/forgot" => json!({ "identifier": person.email }),
        "PATCH /api/v1/identity/passkeys/{id}" | "PATCH /api/v1/identity/devices/{id}" => {
            json!({ "name": "Old phone" })
        }
        "POST /api/v1/identity/devices/{id}/step-up/finish" => {
            json!({ "challengeId": ids::new_id(), "signature": "" })
        }
        "POST /api/v1/wallet/wallets" => json!({ "currency": "USD" }),
        "POST /api/v1/transactions/transfers" => scene.transfer(&scene.wallet),
        "POST /internal/v1/postings" => json!({ "postings": [{
            "id": ids::new_id(), "type": "transfer", "description": "for the matrix",
            "legs": [{ "debit": { "walletId": scene.wallet }, "credit": { "walletId": scene.other_wallet },
                       "amount": { "amount": 100, "currency": "NGN" } }],
        }] }),
        "POST /internal/v1/wallets/{id}/freeze" | "POST /internal/v1/wallets/{id}/unfreeze" => order,
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
        "POST /api/v1/admin/tickets/{id}/resolve" => json!({ "resolution": "It has come." }),
        "POST /api/v1/admin/dead-letters/replay" => json!({ "ids": [ids::new_id()] }),
        "POST /api/v1/admin/wallets/{id}/freeze"
        | "POST /api/v1/admin/wallets/{id}/unfreeze"
        | "POST /api/v1/admin/dead-letters/{id}/discard"
        | "POST /api/v1/admin/webhook-endpoints/{id}/disable" => reason,
        "POST /api/v1/admin/webhook-endpoints" => {
            json!({ "url": "https://matrix.invalid/webhooks", "eventTypes": ["wallet.*"] })
        }
        _ => json!({}),
    }
}
