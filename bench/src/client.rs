//! A light HTTP/1.1 client on one connection that is kept: it shares the processors with what it measures, so it does no
//! more than it must.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Above every time-out of the platform.
const PATIENCE: Duration = Duration::from_secs(40);
const LARGEST_ANSWER: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// `422 insufficient_funds`
    pub(crate) fn told(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let said = body["code"].as_str().or_else(|| body["message"].as_str()).unwrap_or_default();
        format!("{} {said}", self.status).trim_end().to_owned()
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(4_096) })
    }

    pub(crate) async fn get(&mut self, path: &str, token: &str) -> anyhow::Result<Answer> {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.call(request.as_bytes()).await
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn call(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        timeout(PATIENCE, self.exchange(request)).await.context("no answer came")?
    }

    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            let count = self.stream.read_buf(&mut self.read).await?;
            ensure!(count > 0, "the connection was closed");
            ensure!(self.read.len() <= LARGEST_ANSWER, "an answer without end");
            if let Some(answer) = parse(&self.read)? {
                return Ok(answer);
            }
        }
    }
}

/// None until all of it is there.
fn parse(read: &[u8]) -> anyhow::Result<Option<Answer>> {
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&read[..end])?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status =
        first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).context("no status")?.parse()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let Some(length) = length else { bail!("an answer that does not say its length: {first}") };
    let body = &read[end + 4..];
    let length = length?;
    Ok((body.len() >= length).then(|| Answer { status, body: body[..length].to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_all_of_it_is_there() {
        let whole =
            b"HTTP/1.1 422 Unprocessable Entity\r\nServer: x\r\nCONTENT-LENGTH: 13\r\n\r\n{\"code\":\"no\"}";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]).unwrap(), None, "{end}");
        }
        assert_eq!(parse(whole).unwrap().unwrap().told(), "422 no");
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
