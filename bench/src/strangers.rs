//! Whether somebody who tries passwords can tell by the time of the answer which accounts there are: sign-ins with an unknown
//! address beside sign-ins with a wrong password, in turns, one at a time.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::json;

use crate::{
    client::Connection,
    latency::Latencies,
    table::{Table, milliseconds},
};

/// Of each kind. Each comes from an address of its own, and few to one account, so that nobody has to wait.
const TRIES: usize = 400;

#[derive(Debug)]
pub(crate) struct Compared {
    unknown: Vec<Duration>,
    wrong: Vec<Duration>,
}

/// `known` are addresses of people who have an account.
pub(crate) async fn compare(service: SocketAddr, known: &[String]) -> anyhow::Result<Compared> {
    let mut connection = Connection::open(service).await?;
    let mut compared = Compared { unknown: Vec::with_capacity(TRIES), wrong: Vec::with_capacity(TRIES) };
    for round in 0..TRIES {
        let nobody = format!("nobody{round}@example.com");
        let somebody = known[round % known.len()].clone();
        // Whoever comes second finds warmer caches, so they take turns at that as well.
        for turn in [round % 2, (round + 1) % 2] {
            let (identifier, times) = match turn {
                0 => (&nobody, &mut compared.unknown),
                _ => (&somebody, &mut compared.wrong),
            };
            times.push(refused(&mut connection, identifier, 2 * round + turn).await?);
        }
    }
    Ok(compared)
}

async fn refused(connection: &mut Connection, identifier: &str, source: usize) -> anyhow::Result<Duration> {
    let body = json!({ "identifier": identifier, "password": "not anybody's password" }).to_string();
    let request = format!(
        "POST /api/v1/identity/login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 10.1.{}.{}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        source / 250,
        source % 250 + 1,
        body.len()
    );
    let began = Instant::now();
    let answer = connection.call(request.as_bytes()).await?;
    let took = began.elapsed();
    ensure!(answer.told() == "401 invalid_credentials", "signing in as {identifier}: {}", answer.told());
    Ok(took)
}

impl Compared {
    pub(crate) fn table(self) -> Table {
        let share = share_of_longer(&self.unknown, &self.wrong);
        let mut table =
            Table::new(&["a sign-in that is refused", "p50 ms", "p99 ms", "longer than the other"]);
        for (what, times, share) in
            [("unknown account", self.unknown, share), ("wrong password", self.wrong, 1.0 - share)]
        {
            let times = Latencies::new(times);
            table.push(vec![
                what.to_owned(),
                milliseconds(times.p50()),
                milliseconds(times.p99()),
                format!("{:.1} %", share * 100.0),
            ]);
        }
        table
    }
}

/// How the table is to be read.
pub(crate) fn about() -> String {
    let tries = TRIES as f64;
    // The deviation of the Mann-Whitney statistic where both are alike.
    let bound = 1.96 * ((2.0 * tries + 1.0) / (12.0 * tries * tries)).sqrt() * 100.0;
    format!(
        "Of all pairs of one refusal of each kind, so many times the one took longer than the other: where nothing can be told by the \
         time, it is 50 % ± {bound:.1} in nineteen of twenty runs (Mann-Whitney, {TRIES} of each in turns)."
    )
}

/// Of all pairs, the share in which the one of `left` is the longer; ties count half.
fn share_of_longer(left: &[Duration], right: &[Duration]) -> f64 {
    let mut sum = 0.0;
    for one in left {
        for other in right {
            sum += match one.cmp(other) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    sum / (left.len() as f64 * right.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_longer_ones_counts_pairs() {
        let of = |left: &[u64], right: &[u64]| {
            let times = |all: &[u64]| all.iter().map(|time| Duration::from_millis(*time)).collect::<Vec<_>>();
            share_of_longer(&times(left), &times(right))
        };
        assert_eq!(of(&[1, 2], &[3, 4]).to_bits(), 0.0_f64.to_bits());
        assert_eq!(of(&[3, 4], &[1, 2]).to_bits(), 1.0_f64.to_bits());
        assert_eq!(of(&[1, 2, 3], &[1, 2, 3]).to_bits(), 0.5_f64.to_bits());
    }
}
