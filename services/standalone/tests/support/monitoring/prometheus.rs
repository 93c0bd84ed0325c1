//! A Prometheus of our own: Debian's program on a free loopback port, its data in a folder that goes with it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, File},
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

const DEADLINE: Duration = Duration::from_mins(1);
/// A rate needs two scrapes; one more, because the first may fall before the services counted anything.
const SCRAPES: i64 = 3;

#[derive(Debug)]
pub(crate) struct Prometheus {
    address: String,
    http: reqwest::Client,
    // Killed when dropped.
    process: Child,
    data: TempDir,
}

impl Prometheus {
    /// Returns when each target has been scraped a few times.
    pub(crate) async fn start(targets: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut started = Self::spawn(targets)?;
        // Somebody else may have been given the port meanwhile.
        tokio::time::sleep(Duration::from_millis(300)).await;
        if started.process.try_wait()?.is_some() {
            started = Self::spawn(targets)?;
        }
        started.scraped(targets).await?;
        Ok(started)
    }

    fn spawn(targets: &[(&str, &str)]) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let mut config =
            "global:\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\nscrape_configs:\n".to_owned();
        for (job, address) in targets {
            write!(config, "  - job_name: {job}\n    static_configs:\n      - targets: [\"{address}\"]\n")?;
        }
        fs::write(data.path().join("prometheus.yml"), config)?;
        // It cannot say which port it was given, so it is told one that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let log = File::create(data.path().join("log"))?;
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", data.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", data.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(log.try_clone()?)
            .stderr(log)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start prometheus: apt-get install prometheus")?;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
        Ok(Self { address, http, process, data })
    }

    async fn scraped(&mut self, targets: &[(&str, &str)]) -> anyhow::Result<()> {
        let wanted = format!("count(sum_over_time(up[5m]) >= {SCRAPES}) == {}", targets.len());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait()? {
                let log = fs::read_to_string(self.data.path().join("log"))?;
                bail!("prometheus ended with {status}:\n{log}");
            }
            // Refused connections are what its first moments look like.
            if let Ok(Ok(series)) = self.query(&wanted).await
                && !series.is_empty()
            {
                return Ok(());
            }
            if begun.elapsed() > DEADLINE {
                bail!("not every target could be scraped: {}", self.get("targets", &[]).await?);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The label names of each series in the answer, or why the query was refused.
    pub(crate) async fn query(&self, expr: &str) -> anyhow::Result<Result<Vec<BTreeSet<String>>, String>> {
        let answer = self.get("query", &[("query", expr)]).await?;
        if answer["status"] != "success" {
            return Ok(Err(answer["error"].to_string()));
        }
        let series = answer["data"]["result"].as_array().context("no vector")?;
        Ok(Ok(series.iter().map(|series| names(&series["metric"])).collect()))
    }

    /// The label names of all series of a metric; none when nobody exports it.
    pub(crate) async fn labels_of(&self, metric: &str) -> anyhow::Result<BTreeSet<String>> {
        let answer = self.get("series", &[("match[]", metric)]).await?;
        let series = answer["data"].as_array().with_context(|| format!("{metric}: {answer}"))?;
        Ok(series.iter().flat_map(names).collect())
    }

    async fn get(&self, call: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = format!("http://{}/api/v1/{call}", self.address);
        Ok(self.http.get(url).query(parameters).send().await?.json().await?)
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

fn names(labels: &Value) -> BTreeSet<String> {
    labels.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}
