//! Logs: JSON in production, readable ones on a terminal. Traces go to `OTEL_EXPORTER_OTLP_ENDPOINT` where it is set.

use std::io::IsTerminal;

use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{config::Env, crash};

/// librdkafka tells of every attempt to connect; the relay and the consumers log once what matters of it.
const DEFAULT_FILTER: &str = "info,sqlx=warn,hyper=warn,librdkafka=off,rdkafka=off,refinery_core=warn";

/// Keeps the exporter alive; call [`Telemetry::flush`] before the process ends.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Sets up logs (`RUST_LOG`, `LOG_FORMAT=json|text`), metrics and traces of this process.
pub fn init(process: &'static str, env: &Env) -> anyhow::Result<Telemetry> {
    super::metrics::install()?;
    let filter = EnvFilter::try_new(env.text("RUST_LOG", DEFAULT_FILTER))?;
    let default_format = if std::io::stderr().is_terminal() { "text" } else { "json" };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match env.text("LOG_FORMAT", default_format).as_str() {
        "text" => lines.with_target(false).boxed(),
        _ => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    };
    let traces = env.get("OTEL_EXPORTER_OTLP_ENDPOINT").map(|_| exporter(process)).transpose()?;
    let tracing_layer =
        traces.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(process)));
    global::set_text_map_propagator(TraceContextPropagator::new());
    tracing_subscriber::registry().with(filter).with(lines).with(tracing_layer).try_init()?;
    log_panics();
    crash::arm(env)?;
    Ok(Telemetry { traces })
}

/// The exporter reads the `OTEL_*` variables itself, as the OpenTelemetry specification names them.
fn exporter(process: &'static str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    let resource = Resource::builder().with_service_name(process).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// A panic is a defect of ours: it goes to the log like every other, with its place.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, message, "panic");
    }));
}

impl Telemetry {
    /// Sends the spans that are still here.
    pub fn flush(self) {
        if let Some(Err(error)) = self.traces.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}
