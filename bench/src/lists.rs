//! Lists of postings over HTTP, as another service sends them: JSON written and read, a token made and checked.

use std::fmt::Write as _;

use anyhow::ensure;
use common_auth::service_token::CallTokens;
use common_utils::ids;
use serde_json::Value;

use crate::{client::Connection, ledger::Trips, load::Caller, served::Served};

pub(crate) struct ListCaller {
    connection: Connection,
    tokens: CallTokens,
    trips: Trips,
    list: usize,
}

impl Caller for ListCaller {
    async fn call(&mut self) -> anyhow::Result<u32> {
        let body = self.body()?;
        let request = format!(
            "POST /internal/v1/postings HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.tokens.mint()?,
            body.len(),
        );
        let answer = self.connection.call(request.as_bytes()).await?;
        ensure!(answer.status == 200, "a list is answered by {}", answer.told());
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let results = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        let posted = results.iter().filter(|result| result["outcome"] == "posted").count();
        ensure!(posted == self.list, "{posted} of {} are posted", self.list);
        Ok(u32::try_from(posted)?)
    }
}

impl ListCaller {
    pub(crate) async fn of(served: &Served, trips: Trips, list: usize) -> anyhow::Result<Self> {
        let connection = Connection::open(served.address).await?;
        Ok(Self { connection, tokens: served.services.clone(), trips, list })
    }

    fn body(&self) -> anyhow::Result<String> {
        let mut body = String::from(r#"{"postings":["#);
        for place in 0..self.list {
            let (from, to, amount) = self.trips.next();
            let comma = if place == 0 { "" } else { "," };
            write!(
                body,
                r#"{comma}{{"id":"{}","type":"transfer","description":"Lunch","legs":[{{"debit":{{"walletId":"{from}"}},"credit":{{"walletId":"{to}"}},"amount":{{"amount":{amount},"currency":"NGN"}}}}]}}"#,
                ids::new_id(),
            )?;
        }
        body.push_str("]}");
        Ok(body)
    }
}
