//! An authenticator in software: it makes a passkey and uses it as the standard says (Web Authentication, 6 and 7), and, where a test
//! asks for it, as the standard forbids.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey, signature::Signer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const ORIGIN: &str = "http://localhost:5173";
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const CREDENTIAL_INCLUDED: u8 = 0x40;

/// What is wrong with an authenticator, and how it comes to that.
pub(crate) type Fault = (&'static str, fn(&mut Authenticator));

/// With one passkey.
#[derive(Debug, Clone)]
pub(crate) struct Authenticator {
    key: SigningKey,
    id: [u8; 32],
    /// How it knows its owner: told when the passkey is made.
    pub(crate) handle: String,
    pub(crate) counter: u32,
    /// The page that it is used on, as the browser says.
    pub(crate) origin: String,
    pub(crate) rp_id: String,
    /// Whether its owner showed a finger, a face or a PIN.
    pub(crate) verifies: bool,
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        Self {
            key: SigningKey::from_slice(&rand::random::<[u8; 32]>()).unwrap(),
            id: rand::random(),
            handle: String::new(),
            counter: 0,
            origin: ORIGIN.to_owned(),
            rp_id: "localhost".to_owned(),
            verifies: true,
        }
    }

    pub(crate) fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.id)
    }

    /// Answers `navigator.credentials.create`.
    pub(crate) fn create(&mut self, begun: &Value) -> Value {
        let options = &begun["publicKey"];
        options["user"]["id"].as_str().unwrap().clone_into(&mut self.handle);
        let mut data = self.authenticator_data(CREDENTIAL_INCLUDED);
        // No model is told.
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(self.id);
        data.extend(self.public_key());
        let client = self.client_data("webauthn.create", options);
        json!({
            "id": self.id(), "rawId": self.id(), "type": "public-key", "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
            "response": {
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
                "attestationObject": URL_SAFE_NO_PAD.encode(attestation_object(&data)),
                "transports": ["internal"],
            },
        })
    }

    /// Answers `navigator.credentials.get`.
    pub(crate) fn get(&mut self, begun: &Value) -> Value {
        self.counter += 1;
        let data = self.authenticator_data(0);
        let client = self.client_data("webauthn.get", &begun["publicKey"]);
        let signed = [data.as_slice(), &Sha256::digest(&client)].concat();
        let signature: Signature = self.key.sign(&signed);
        json!({
            "id": self.id(), "rawId": self.id(), "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
                "authenticatorData": URL_SAFE_NO_PAD.encode(data),
                "signature": URL_SAFE_NO_PAD.encode(signature.to_der().as_bytes()),
                "userHandle": self.handle,
            },
        })
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.verifies { USER_VERIFIED } else { 0 };
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(flags | USER_PRESENT | verified);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }

    /// COSE (RFC 9053): an EC2 key for ES256 on P-256, with its coordinates.
    fn public_key(&self) -> Vec<u8> {
        let point = VerifyingKey::from(&self.key).to_sec1_point(false);
        let map = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01];
        let (x, y) = ([0x21, 0x58, 0x20], [0x22, 0x58, 0x20]);
        [&map[..], &x, point.x().unwrap(), &y, point.y().unwrap()].concat()
    }
}

/// CBOR: `{"fmt": "none", "attStmt": {}, "authData": …}`.
fn attestation_object(data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap();
    [&b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"[..], &[length], data].concat()
}
