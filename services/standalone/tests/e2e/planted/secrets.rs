//! What is planted, and every way in which it might be written down.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use sha2::{Digest, Sha256};
use totp_rs::Secret as TotpSecret;

/// Fewer characters than this are found by chance.
const SHORTEST_PIECE: usize = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Bvn,
    Nin,
    DateOfBirth,
    Street,
    Document,
    ReviewNote,
    Email,
    Phone,
    LastName,
    Password,
    Pin,
    /// Of six digits: sent to a person, or shown by an app.
    Code,
    TotpSecret,
    RecoveryCode,
    ResetToken,
    AccessToken,
    RefreshToken,
    ApiKeySecret,
    WebhookSecret,
    /// With which the platform proves itself to others.
    OwnCredential,
    /// Whatever looks like one: nobody planted those with which the services prove themselves to each other.
    AnyToken,
}

/// One way to write one thing.
#[derive(Debug, Clone)]
pub(crate) struct Spelling {
    pub(crate) what: What,
    pub(crate) how: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Digits alone, which count only where no others stand beside them.
    pub(crate) bare_digits: bool,
}

/// What a journey has planted.
#[derive(Debug, Clone)]
pub(crate) struct Planted(Vec<(What, String)>);

impl Planted {
    pub(crate) fn new() -> Self {
        // The beginnings of a token's header, and of a key's file.
        let beginnings =
            [r#"{"alg":"#, r#"{"typ":"#].map(|head| URL_SAFE_NO_PAD.encode(head)[..10].to_owned());
        let any = beginnings.into_iter().chain(["PRIVATE KEY-----".to_owned()]);
        Self(any.map(|text| (What::AnyToken, text)).collect())
    }

    pub(crate) fn plant(&mut self, what: What, value: impl Into<String>) -> String {
        let value = value.into();
        assert!(!value.is_empty(), "{what:?}");
        if !self.0.iter().any(|(other, known)| *other == what && *known == value) {
            self.0.push((what, value.clone()));
        }
        value
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (What, &str)> {
        self.0.iter().map(|(what, value)| (*what, value.as_str()))
    }

    pub(crate) fn spellings(&self) -> Vec<Spelling> {
        self.all().flat_map(|(what, value)| spellings(what, value)).collect()
    }
}

fn spellings(what: What, value: &str) -> Vec<Spelling> {
    let bare_digits = matches!(what, What::Pin | What::Code);
    let mut all = Vec::new();
    for form in forms(what, value) {
        let mut add = |how, bytes: Vec<u8>, bare_digits| {
            all.push(Spelling { what, how, bytes, bare_digits });
        };
        add("as it is", form.clone(), bare_digits);
        add("in hex", hex::encode(&form).into_bytes(), false);
        for piece in in_base64(&form) {
            add("in base64", piece.into_bytes(), false);
        }
        if let Ok(text) = std::str::from_utf8(&form)
            && text.contains('@')
        {
            add("in a URL", text.replace('@', "%40").into_bytes(), false);
        }
        // A plain hash hides nothing that can be guessed. Random bits it does hide, and so they are stored.
        if is_guessable(what) {
            let hash = Sha256::digest(&form);
            add("as its plain hash", hash.to_vec(), false);
            add("as its plain hash in hex", hex::encode(hash).into_bytes(), false);
            add("as its plain hash in base64", STANDARD_NO_PAD.encode(hash).into_bytes(), false);
            add("as its plain hash in base64", URL_SAFE_NO_PAD.encode(hash).into_bytes(), false);
        }
    }
    all
}

/// The forms that a value has of its own accord.
fn forms(what: What, value: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![value.as_bytes().to_vec()];
    let mut add = |form: &[u8]| forms.push(form.to_vec());
    match what {
        What::DateOfBirth => {
            let [year, month, day] = value.split('-').collect::<Vec<_>>()[..] else { panic!("{value}") };
            add(format!("{day}/{month}/{year}").as_bytes());
            add(format!("{day}-{month}-{year}").as_bytes());
            add(format!("{year}{month}{day}").as_bytes());
        }
        // The end of each of its spellings, and its national one.
        What::Phone => {
            add(&value.as_bytes()[value.len() - 10..]);
            add(format!("0{}", &value[value.len() - 10..]).as_bytes());
        }
        What::TotpSecret => add(TotpSecret::try_from_base32(value).unwrap().as_bytes()),
        What::RecoveryCode => add(value.replace('-', "").as_bytes()),
        What::AccessToken => value.split('.').skip(1).for_each(|part| add(part.as_bytes())),
        What::WebhookSecret => {
            let bare = value.strip_prefix("whsec_").unwrap();
            add(bare.as_bytes());
            add(&STANDARD.decode(bare).unwrap());
        }
        _ => {}
    }
    forms
}

fn is_guessable(what: What) -> bool {
    !matches!(
        what,
        What::ResetToken
            | What::AccessToken
            | What::RefreshToken
            | What::ApiKeySecret
            | What::WebhookSecret
            | What::OwnCredential
            | What::AnyToken
    )
}

/// What can be read of it wherever it stands in something that was encoded as a whole: that depends on what stands before it.
fn in_base64(form: &[u8]) -> Vec<String> {
    let mut pieces = Vec::new();
    for before in 0..3 {
        let whole = [&[0; 2][..before], form].concat();
        let (skipped, ragged) = ([0, 2, 3][before], whole.len() % 3 != 0);
        for text in [STANDARD_NO_PAD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
            let end = text.len() - usize::from(ragged);
            pieces.push(text[skipped.min(end)..end].to_owned());
        }
    }
    pieces.retain(|piece| piece.len() >= SHORTEST_PIECE);
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}
