//! `bench auth`: what checking a token costs, how many sign in a second beside bare argon2, what a flood of sign-ins does
//! to the calls of those who are signed in, and whether the time of a refusal tells who has an account.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::ensure;
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use chrono::TimeDelta;
use common_auth::{
    claims::DEFAULT_ISSUER, service_token::ServiceTokens, signing::TokenSigner, testing,
    verify::TokenVerifier,
};
use common_db::migrate::{self, Mode};
use common_utils::{
    clock::{SharedClock, SystemClock},
    config::Env,
    http::server,
    ids::{self, UserId},
};
use identity_service::{App, SERVICE, SERVICE_NAME, config::Config, migrations};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    client::Connection,
    database::Server,
    keys::Keys,
    latency::Latencies,
    load::{self, Caller, Measured},
    machine,
    meter::Meter,
    options::Options,
    quiet, report,
    signed_in::{Call, SignedIn, Tokens, request},
    strangers,
    table::{NOTHING, Table, milliseconds, ratio, whole},
};

const DATABASE: &str = "bench_auth";
const PASSWORD: &str = "correct horse battery staple";
/// Sessions on the list of those that ended.
const ENDED: usize = 10_000;
const TOKENS: usize = 5_000;
const PEOPLE: usize = 32;
/// At once.
const FLOOD: usize = 32;
const READERS: usize = 4;

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let server = Server::from_env()?;
    let machine = machine::describe(&server.admin).await?;
    let meter = Meter::new(server.admin.clone()).await?;
    let checks = checks().await?;
    let service = Service::start(&server).await?;
    let logins = logins(options, &service, &meter).await?;
    let emails: Vec<String> = service.people.iter().map(|person| person.email.clone()).collect();
    let refusals = strangers::compare(service.address, &emails).await?.table();
    service.end().await?;
    server.drop(DATABASE).await?;
    let about = format!(
        "`×` is the median beside that of a token that is checked anew. The list has {ENDED} ended sessions. Logging in \
         takes {FLOOD} clients of {PEOPLE} people; bare argon2 has the same parameters, and a thread on every core that does nothing else. \
         What those who are signed in call has {READERS} clients, over HTTP, from identity-service itself; each call is measured in quiet and \
         beside a flood of its own.\n\n{refusals}\n\n{}",
        strangers::about()
    );
    report::publish(options, "auth", &format!("{machine}\n\n{checks}\n\n{logins}\n\n{about}"))
}

/// A token that was seen before, with and without a list of ended sessions, beside one that was not.
async fn checks() -> anyhow::Result<Table> {
    let (clock, signer) = (SystemClock::shared(), TokenSigner::ephemeral()?);
    let verifier =
        TokenVerifier::with_keys(DEFAULT_ISSUER, &[signer.public_key().clone()], Arc::clone(&clock));
    let tokens: Vec<String> = (0..TOKENS)
        .map(|_| signer.sign(&testing::claims(UserId::new(), clock.now())))
        .collect::<anyhow::Result<_>>()?;
    let anew = check_all(&verifier, &tokens).await?;
    let remembered = check_all(&verifier, &tokens).await?;
    let until = clock.now() + TimeDelta::minutes(15);
    for _ in 0..ENDED {
        verifier.revocations().end_session(ids::new_id(), until);
    }
    let listed = check_all(&verifier, &tokens).await?;
    let mut table = Table::new(&["checking a token", "p50 µs", "p99 µs", "×"]);
    for (what, times) in [
        ("anew", &anew),
        ("remembered, nothing on the list", &remembered),
        ("remembered, a full list", &listed),
    ] {
        let micros = |time: std::time::Duration| format!("{:.2}", time.as_secs_f64() * 1_000_000.0);
        let share = times.p50().as_secs_f64() / anew.p50().as_secs_f64();
        table.push(vec![what.to_owned(), micros(times.p50()), micros(times.p99()), format!("{share:.3}")]);
    }
    Ok(table)
}

async fn check_all(verifier: &TokenVerifier, tokens: &[String]) -> anyhow::Result<Latencies> {
    let mut times = Vec::with_capacity(tokens.len());
    for token in tokens {
        let began = Instant::now();
        verifier.verify(token).await?;
        times.push(began.elapsed());
    }
    Ok(Latencies::new(times))
}

async fn logins(options: &Options, service: &Service, meter: &Meter) -> anyhow::Result<Table> {
    let bare =
        quiet::measure(options, meter, async || load::run(service.hashers()?, options.timing(), meter).await);
    let bare = bare.await?;
    let flood = quiet::measure(options, meter, async || {
        load::run(service.flood().await?, options.timing(), meter).await
    });
    let flood = flood.await?;
    let mut table = Table::new(&["load", "a second", "p50 ms", "p99 ms", "of the first", "p99, of quiet"]);
    table.push(row("bare argon2", &bare, Some(&bare), None));
    table.push(row("logging in", &flood, Some(&bare), None));
    for call in Call::ALL {
        let calm = quiet::measure(options, meter, async || {
            load::run(service.signed_in(call).await?, options.timing(), meter).await
        });
        let calm = calm.await?;
        let (beside, disturbed) = tokio::join!(
            load::run(service.flood().await?, options.timing(), meter),
            load::run(service.signed_in(call).await?, options.timing(), meter),
        );
        let (name, quiet_p99) = (call.name(), Some(calm.latencies.p99().as_secs_f64()));
        table.push(row(&format!("{name}, quiet"), &calm, None, quiet_p99));
        table.push(row(&format!("{name} beside logging in"), &disturbed?, None, quiet_p99));
        table.push(row(&format!("logging in beside {name}"), &beside?, Some(&bare), None));
    }
    Ok(table)
}

fn row(what: &str, measured: &Measured, first: Option<&Measured>, quiet_p99: Option<f64>) -> Vec<String> {
    let beside = |shown: Option<f64>| shown.map_or_else(|| NOTHING.to_owned(), ratio);
    vec![
        what.to_owned(),
        whole(measured.rate()),
        milliseconds(measured.latencies.p50()),
        milliseconds(measured.latencies.p99()),
        beside(first.map(|first| measured.rate() / first.rate())),
        beside(quiet_p99.map(|quiet| measured.latencies.p99().as_secs_f64() / quiet)),
    ]
}

/// identity-service in this process: its routes alone, without relay and workers.
struct Service {
    address: SocketAddr,
    people: Arc<[Person]>,
    /// With the parameters of the service.
    argon2: Argon2<'static>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<anyhow::Result<()>>,
    _keys: Keys,
}

#[derive(Debug, Clone)]
struct Person {
    email: String,
    tokens: Tokens,
}

impl Service {
    async fn start(server: &Server) -> anyhow::Result<Self> {
        server.drop(DATABASE).await?;
        let database = server.config(DATABASE);
        migrate::run(&database, &migrations(), Mode::Apply).await?;
        let clock: SharedClock = SystemClock::shared();
        let keys = Keys::new();
        let config = Config::from_env(&Env::of_process(SERVICE))?;
        let config = Config { database, keys_dir: keys.0.clone(), ..config };
        let (memory, passes) = (config.passwords.memory_kib, config.passwords.passes);
        let params =
            Params::new(memory, passes, 1, None).map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let services = ServiceTokens::with_keys(SERVICE_NAME, &keys.0.join("services"), Arc::clone(&clock))?;
        let router = App::new(config, services, clock)?.router();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, stop) = (listener.local_addr()?, CancellationToken::new());
        let serving = tokio::spawn(server::serve(listener, router, stop.clone()));
        let mut people = Vec::with_capacity(PEOPLE);
        for index in 0..PEOPLE {
            people.push(register(address, index).await?);
        }
        Ok(Self { address, people: people.into(), argon2, stop, serving, _keys: keys })
    }

    /// On every core one.
    fn hashers(&self) -> anyhow::Result<Vec<Hasher>> {
        let failed = |error| anyhow::anyhow!("argon2: {error}");
        let hash: Arc<str> =
            self.argon2.hash_password(PASSWORD.as_bytes()).map_err(failed)?.to_string().into();
        let cores = std::thread::available_parallelism()?.get();
        let hasher = |_| Hasher { argon2: self.argon2.clone(), hash: Arc::clone(&hash) };
        Ok((0..cores).map(hasher).collect())
    }

    async fn flood(&self) -> anyhow::Result<Vec<Login>> {
        let mut all = Vec::with_capacity(FLOOD);
        for place in 0..FLOOD {
            let connection = Connection::open(self.address).await?;
            all.push(Login { connection, email: self.people[place % PEOPLE].email.clone() });
        }
        Ok(all)
    }

    async fn signed_in(&self, call: Call) -> anyhow::Result<Vec<SignedIn>> {
        let mut all = Vec::with_capacity(READERS);
        for person in self.people.iter().take(READERS) {
            // Signed in anew: a refresh token is good for one use.
            let tokens = if call == Call::Refresh {
                log_in(self.address, &person.email).await?
            } else {
                person.tokens.clone()
            };
            all.push(SignedIn::new(self.address, tokens, call).await?);
        }
        Ok(all)
    }

    async fn end(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.serving.await?
    }
}

async fn register(address: SocketAddr, index: usize) -> anyhow::Result<Person> {
    let email = format!("bench{index}@example.com");
    let body = json!({
        "email": email, "phoneNumber": format!("+23480300{index:05}"), "password": PASSWORD,
        "firstName": "Ada", "lastName": "Obi",
    });
    let answer = Connection::open(address).await?.call(&post("register", &body)).await?;
    ensure!(answer.status == 201, "nobody can register: {}", answer.told());
    let said: Value = serde_json::from_slice(&answer.body)?;
    let tokens = Tokens::of(&said["tokens"])?;
    // Where somebody has signed in before, only their own failures count.
    log_in(address, &email).await?;
    Ok(Person { email, tokens })
}

async fn log_in(address: SocketAddr, email: &str) -> anyhow::Result<Tokens> {
    let answer = Connection::open(address).await?.call(&login(email)).await?;
    ensure!(answer.status == 200, "nobody can log in: {}", answer.told());
    let said: Value = serde_json::from_slice(&answer.body)?;
    Tokens::of(&said["tokens"])
}

fn login(email: &str) -> Vec<u8> {
    post("login", &json!({ "identifier": email, "password": PASSWORD }))
}

fn post(path: &str, body: &Value) -> Vec<u8> {
    request("POST", path, None, body)
}

/// Argon2 and nothing else: no queue, no turns, the priority of everything.
struct Hasher {
    argon2: Argon2<'static>,
    hash: Arc<str>,
}

impl Caller for Hasher {
    async fn call(&mut self) -> anyhow::Result<u32> {
        let (argon2, hash) = (self.argon2.clone(), Arc::clone(&self.hash));
        let verified = tokio::task::spawn_blocking(move || {
            let parsed = PasswordHash::new(&hash)?;
            argon2.verify_password(PASSWORD.as_bytes(), &parsed)
        });
        ensure!(verified.await?.is_ok(), "the right password is wrong");
        Ok(1)
    }
}

struct Login {
    connection: Connection,
    email: String,
}

impl Caller for Login {
    async fn call(&mut self) -> anyhow::Result<u32> {
        let answer = self.connection.call(&login(&self.email)).await?;
        // Beyond the longest queue they are told to come again.
        ensure!(matches!(answer.status, 200 | 503), "logging in: {}", answer.told());
        Ok(u32::from(answer.status == 200))
    }
}
