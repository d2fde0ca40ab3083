//! Metrics of a daemon, as Prometheus reads them.
//!
//! Owns what is counted while the daemon works, and the names. What can be asked of the store or a projection is a gauge
//! that is read at each scrape, so that it is never stale. Labels are bounded: routes, categories with a model,
//! handlers; never a stream, an actor or anything else that comes from an event.

mod plain;
mod usage;

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

pub(crate) use plain::plain;
pub(crate) use usage::Usage;

/// Names and values of a time series' labels.
type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>;

/// How an append ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppendEnd {
    /// It is in the log.
    Stored,
    /// It was in the log before.
    Repeated,
    /// It did not fit the log: a wrong revision, a conflict, a taken key.
    Refused,
    /// The store failed.
    Failed,
}

impl AppendEnd {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Repeated => "repeated",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    request_seconds: Family<Labels, Histogram, fn() -> Histogram>,
    appends: Family<Labels, Counter>,
    append_seconds: Histogram,
    events: Counter,
    decisions: Family<Labels, Counter>,
    decide_seconds: Histogram,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// From 0.1 ms to about 26 s.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 4.0, 10))
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("whodunit"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            appends: Family::default(),
            append_seconds: seconds(),
            events: Counter::default(),
            decisions: Family::default(),
            decide_seconds: seconds(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "http_requests",
            "HTTP requests answered",
            self.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time until the headers of a reply are sent",
            self.request_seconds.clone(),
        );
        registry.register("appends", "Appends by outcome", self.appends.clone());
        registry.register(
            "append_duration_seconds",
            "Time from handing an append to the store until it is durable",
            self.append_seconds.clone(),
        );
        registry.register(
            "events_appended",
            "Events added to the log",
            self.events.clone(),
        );
        registry.register(
            "decisions",
            "Commands decided, by category and outcome",
            self.decisions.clone(),
        );
        registry.register(
            "decide_duration_seconds",
            "Time to prepare and decide a command",
            self.decide_seconds.clone(),
        );
        self
    }

    /// A request was answered.
    pub(crate) fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = vec![
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        self.requests.get_or_create(&labels).inc();
        let labels = vec![("route", route.to_owned())];
        self.request_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// An append came to its end, with so many new events.
    pub(crate) fn appended(&self, end: AppendEnd, events: usize, took: Duration) {
        let labels = vec![("outcome", end.as_str().to_owned())];
        self.appends.get_or_create(&labels).inc();
        self.append_seconds.observe(took.as_secs_f64());
        self.events.inc_by(events as u64);
    }

    /// A command was decided.
    pub(crate) fn decided(&self, category: &str, accepted: bool, took: Duration) {
        let outcome = if accepted { "accepted" } else { "rejected" };
        let labels = vec![
            ("category", category.to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        self.decisions.get_or_create(&labels).inc();
        self.decide_seconds.observe(took.as_secs_f64());
    }

    /// Everything, with the gauges as they are now, in the `OpenMetrics` text format.
    pub(crate) fn text(&self, now: &Reading) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &now.ours)?;
        encode_registry(&mut text, &now.process)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// Gauges, read at one moment.
#[derive(Debug)]
pub(crate) struct Reading {
    ours: Registry,
    /// Names without our prefix.
    process: Registry,
}

impl Reading {
    pub(crate) fn new() -> Self {
        Self {
            ours: Registry::with_prefix("whodunit"),
            process: Registry::default(),
        }
    }

    /// A gauge whose name is another's convention.
    pub(crate) fn process_gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        let gauge = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
        gauge.set(value);
        self.process.register(name, help, gauge);
    }

    /// The same of a counter.
    pub(crate) fn process_counter(&mut self, name: &'static str, help: &'static str, value: f64) {
        let counter = Counter::<f64, std::sync::atomic::AtomicU64>::default();
        counter.inc_by(value);
        self.process.register(name, help, counter);
    }

    /// One gauge with its time series.
    pub(crate) fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        series: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        let gauges = Gauges::default();
        for (labels, value) in series {
            gauges.get_or_create(&labels).set(value);
        }
        self.ours.register(name, help, gauges);
    }
}
