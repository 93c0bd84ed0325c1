//! Where a session was opened and with what, as far as the client says.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use common_utils::http::{ClientAddress, Input};

use crate::app::AppState;

/// Names of browsers are shorter; whoever sends more is cut.
const LONGEST_DEVICE: usize = 200;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) address: Option<IpAddr>,
    pub(crate) device: Option<Device>,
}

/// The client's `User-Agent`, without what could not be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device(String);

impl Device {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let shown = |letter: &char| !letter.is_control() && !is_invisible(*letter);
        let name: String = text.trim().chars().filter(shown).take(LONGEST_DEVICE).collect();
        (!name.trim().is_empty()).then_some(Self(name))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Letters that turn the direction of the text or have no width: with them one name could pass for another.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl Input for Origin {}

impl FromRequestParts<AppState> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let named =
            parts.headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        Ok(Self { address, device: named.and_then(|name| Device::parse(&name)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_goes_and_the_rest_is_cut() {
        let name = |text: &str| Device::parse(text).map(|device| device.0);
        assert_eq!(name(" Firefox/140 \u{7}\r\n(Linux) ").as_deref(), Some("Firefox/140 (Linux)"));
        assert_eq!(name("safe\u{202e}exe.\u{200b}").as_deref(), Some("safeexe."));
        assert_eq!(name(&"ọ".repeat(5000)).unwrap().chars().count(), LONGEST_DEVICE);
        for nothing in ["", "  ", "\u{1}\u{2}", "\u{200b}"] {
            assert_eq!(name(nothing), None, "{nothing:?}");
        }
    }
}
