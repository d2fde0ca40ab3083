//! Deliveries, a clock that stands, a private authority, and the log of the whole test program.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;
use whodunit_daemon::clock::Clock;
use whodunit_daemon::handlers::{PipelineConfig, Resolve, handlers_by};
use whodunit_daemon::outbox::{Delivery, Handler, HandlerError};
use whodunit_daemon::store::BoxFuture;

/// When every test happens, in seconds since 1970: 2025-03-24T15:47:23Z.
pub(crate) const NOW: i64 = 1_742_831_243;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(NOW * 1_000_000 + 999_999)
    }
}

/// Names and where they are.
#[derive(Default)]
pub(crate) struct Names(pub(crate) HashMap<&'static str, Vec<IpAddr>>);

impl Resolve for Names {
    fn resolve(&self, name: &str) -> BoxFuture<io::Result<Vec<IpAddr>>> {
        let found = self.0.get(name).cloned();
        Box::pin(async move { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

/// The handlers of a configuration, by name.
pub(crate) fn set_up(config: &PipelineConfig, names: Names) -> HashMap<String, Arc<dyn Handler>> {
    let clock: Arc<dyn Clock> = Arc::new(Standing);
    let names: Arc<dyn Resolve> = Arc::new(names);
    handlers_by(config, &clock, &names)
        .unwrap()
        .into_iter()
        .map(|handler| (handler.name().to_owned(), handler))
        .collect()
}

/// A configuration from its text, in a folder of its own.
pub(crate) fn configure(
    folder: &Path,
    text: &str,
    env: &[(&str, &str)],
) -> Result<PipelineConfig, String> {
    let path = folder.join("pipeline.toml");
    std::fs::write(&path, text).unwrap();
    let env: HashMap<String, String> = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    PipelineConfig::load(Some(&path), folder, |name| env.get(name).cloned())
        .map_err(|error| error.to_string())
}

/// Sarah's account is made.
pub(crate) fn created() -> Delivery {
    delivery(
        "UserCreated",
        &json!({"username": "sarah", "email": "sarah@example.com", "first_name": "Sarah", "last_name": "Connor",
                "password_hash": "[redacted]"}),
    )
}

/// Sarah's password is changed.
pub(crate) fn password_changed() -> Delivery {
    let mut delivery = delivery(
        "UserPasswordChanged",
        &json!({"password_hash": "[redacted]"}),
    );
    delivery.event.event_id = String::from("0195c8a0-0000-7000-8000-000000000002");
    delivery.event.revision = Revision(2);
    let Value::Object(state) = json!({"username": "sarah", "email": "sarah@example.com", "first_name": "Sarah",
        "last_name": "Connor", "status": "active", "password_hash": "[redacted]"})
    else {
        unreachable!()
    };
    delivery.state = state;
    delivery
}

pub(crate) fn delivery(event_type: &str, data: &Value) -> Delivery {
    Delivery {
        event: Event {
            position: Position(7),
            stream: StreamName::new("user-7f3c").unwrap(),
            revision: Revision(1),
            event_id: "0195c8a0-0000-7000-8000-000000000001".to_owned(),
            event_type: event_type.to_owned(),
            schema_version: 1,
            recorded_at: "2025-03-24T15:47:23.123456Z".parse().unwrap(),
            actor: Some("api".to_owned()),
            reason: None,
            correlation_id: None,
            causation_id: None,
            data: data.into(),
            metadata: None,
        },
        state: data.as_object().unwrap().clone(),
        attempt: 1,
    }
}

/// What an attempt says went wrong.
pub(crate) async fn failure(handler: &Arc<dyn Handler>, delivery: Delivery) -> String {
    let HandlerError(text) = handler.handle(delivery).await.unwrap_err();
    text
}

/// A certificate authority of this test alone.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes its certificate to a file.
    pub(crate) fn write(&self, folder: &Path) {
        std::fs::write(folder.join("ca.pem"), &self.pem).unwrap();
    }

    /// TLS of a server that has this name or address.
    pub(crate) fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            );
        Arc::new(config.unwrap())
    }
}

/// Everything that this test program has logged since [`log`] was first called, down to the last trace.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn log() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .init();
        tracing::info!("the log is kept");
        log
    })
    .clone()
}
