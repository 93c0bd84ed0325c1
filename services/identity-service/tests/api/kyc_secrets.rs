//! A whole journey with planted values: what people tell and send, and what reviewers write, is afterwards nowhere in logs, events and the
//! database, whatever way it is written.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};
use tracing_subscriber::fmt::MakeWriter;

use crate::kyc_world::{comes_to_stand, decide, kept, opened, photo, staff, twin_is, upload, world};

const BVN: &str = "28734561901";
const NIN: &str = "19283746501";
const BORN: &str = "1987-06-05";
const STREET: &str = "77 Planted Crescent";
const IN_DOCUMENT: &str = "planted words of a bill";
const IN_NOTE: &str = "planted words of a reviewer";

/// What all threads log, at every level.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// As it is, in hex, in base64, and its plain hash.
fn spellings(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    vec![
        secret.to_owned(),
        hex::encode(bytes),
        STANDARD.encode(bytes),
        hex::encode(Sha256::digest(bytes)),
        STANDARD.encode(Sha256::digest(bytes)),
    ]
}

#[tokio::test]
async fn what_people_give_to_be_verified_is_nowhere_in_the_clear() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    // For the whole process: workers run on threads of their own. Other tests may log here, too, which does no harm.
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();

    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    let address = json!({ "line": STREET, "city": "Lagos Island", "state": "Lagos" });
    let told = json!({ "tier": 3, "bvn": BVN, "nin": NIN, "dateOfBirth": BORN, "address": address });
    // Failures tell, too.
    twin_is(&twin, "down").await;
    let id = opened(&world, &person, &told).await;
    let document = photo(IN_DOCUMENT);
    upload(&world, &person, &id, ("address_document", "image/jpeg"), document.clone()).await;
    twin_is(&twin, "up").await;
    comes_to_stand(&world, &id, "in_review").await;
    let reviewers = [staff(&world, 2, "compliance").await, staff(&world, 3, "admin").await];
    for reviewer in &reviewers {
        let path = format!("/api/v1/identity/kyc/reviews/{id}");
        let review = world.get(&path, Some(&reviewer.access)).await.body;
        assert_eq!(review["claims"]["address"][0], STREET, "who may look sees it");
        let path = format!("{path}/documents/{}", review["documents"][0]["id"].as_str().unwrap());
        assert_eq!(world.get(&path, Some(&reviewer.access)).await.status, 200);
        let decided = decide(&world, reviewer, &id, "approve", &json!({ "note": IN_NOTE })).await;
        assert_eq!(decided.status, 200, "{decided:?}");
    }
    assert_eq!(kept(&world, &id).await.0, "approved");

    let (database, logged) = (world.dump().await, String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    assert!(
        database.contains("identity.kyc.case_decided") && logged.contains("KYC case"),
        "there is what to look at"
    );
    for secret in [BVN, NIN, BORN, STREET, IN_DOCUMENT, IN_NOTE] {
        for spelling in spellings(secret) {
            assert!(!database.contains(&spelling), "{secret} is in the database as {spelling}");
            // The twin, the neighbour in this process, masks too.
            assert!(!logged.contains(&spelling), "{secret} is in the log as {spelling}");
        }
    }
    assert!(!database.contains(&hex::encode(&document)));
}
