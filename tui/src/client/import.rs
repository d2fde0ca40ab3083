//! Sending records: a streamed body, with the mapping before them when there is one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use reqwest::{Body, RequestBuilder};
use whodunit_core::api::write::ImportReport;

use super::{Client, ClientError};

/// How long nothing may move, neither a piece going out nor the report coming back.
const STALL_TIMEOUT: Duration = Duration::from_mins(2);

/// Of `POST /v1/import`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, as its caller writes it"
)]
pub struct ImportQuery {
    /// Whether to stop at the first bad record.
    pub strict: bool,
    /// Whether events that cannot keep their own revision get the next one.
    pub renumber: bool,
    /// Whether a redacted export may go into a log that holds other history.
    pub allow_redacted: bool,
    /// Whether to import nothing and tell what would be.
    pub dry_run: bool,
    /// A mapping (TOML), for records that are not in our own export format.
    pub mapping: Option<String>,
}

pub(super) async fn send<S>(
    client: &Client,
    request: RequestBuilder,
    query: &ImportQuery,
    records: S,
) -> Result<ImportReport, ClientError>
where
    S: Stream<Item = io::Result<Vec<u8>>> + Send + 'static,
{
    let progress = Arc::new(Progress::default());
    let watched = {
        let progress = Arc::clone(&progress);
        records.map(move |piece| {
            progress.pieces.fetch_add(1, Ordering::Relaxed);
            piece.inspect_err(|error| progress.fail(error))
        })
    };
    let request = match &query.mapping {
        None => request
            .header("content-type", "application/x-ndjson")
            .body(Body::wrap_stream(watched)),
        Some(mapping) => {
            let boundary = boundary();
            let head = multipart_head(&boundary, mapping);
            let tail = format!("\r\n--{boundary}--\r\n");
            let body = stream::iter([Ok(head.into_bytes())])
                .chain(watched)
                .chain(stream::iter([Ok(tail.into_bytes())]));
            request
                .header(
                    "content-type",
                    format!("multipart/form-data; boundary={boundary}"),
                )
                .body(Body::wrap_stream(body))
        }
    };
    let exchange = async {
        let response = client.accept(request.send().await).await?;
        client.decode(response).await
    };
    let result = tokio::select! {
        result = exchange => result,
        () = stalled(&progress) => Err(ClientError::Timeout {
            url: client.url().to_owned(),
            seconds: STALL_TIMEOUT.as_secs(),
        }),
    };
    match (result, progress.failure()) {
        // The daemon only sees a body that ends too early; the reader's own error says why.
        (Err(_), Some(reason)) => Err(ClientError::Source(reason)),
        (result, _) => result,
    }
}

/// What the sending side has done so far.
#[derive(Default)]
struct Progress {
    pieces: AtomicU64,
    failure: std::sync::Mutex<Option<String>>,
}

impl Progress {
    fn fail(&self, error: &io::Error) {
        if let Ok(mut failure) = self.failure.lock() {
            *failure = Some(error.to_string());
        }
    }

    fn failure(&self) -> Option<String> {
        self.failure.lock().ok().and_then(|failure| failure.clone())
    }
}

/// Returns once no piece was taken for [`STALL_TIMEOUT`].
async fn stalled(progress: &Progress) {
    let mut before = progress.pieces.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(STALL_TIMEOUT).await;
        let now = progress.pieces.load(Ordering::Relaxed);
        if now == before {
            return;
        }
        before = now;
    }
}

fn multipart_head(boundary: &str, mapping: &str) -> String {
    format!(
        "--{boundary}\r\n\
         Content-Disposition: form-data; name=\"mapping\"; filename=\"mapping.toml\"\r\n\
         Content-Type: application/toml\r\n\r\n\
         {mapping}\r\n\
         --{boundary}\r\n\
         Content-Disposition: form-data; name=\"records\"; filename=\"records.ndjson\"\r\n\
         Content-Type: application/x-ndjson\r\n\r\n"
    )
}

/// Unguessable, so that no record can contain it: the standard library keys its hashers at random.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("whodunit-{:016x}{:016x}", random(), random())
}
