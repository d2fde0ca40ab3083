//! Listening: connections in, the API on each, and a way to stop.
//!
//! Owns the sockets and the order of stopping: no new connections, live feeds end, requests under way finish, the store is
//! closed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::daemon::Daemon;
use crate::http::{LocalAddress, router};
use crate::limits::{CONNECTIONS_MAX, HEADER_TIMEOUT, SHUTDOWN_TIMEOUT};
use crate::store::StoreError;

/// Pause after an accept that failed for want of resources, so that it is not tried in a tight loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the daemon on a bound listener until `shutdown` is cancelled, then stops and closes the store.
pub async fn serve(
    listener: TcpListener,
    daemon: Daemon,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let app = router(&daemon);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            () = shutdown.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, app.clone(), connections.watcher());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tracing::info!("stopping");
    daemon.begin_to_stop();
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time and are cut off");
    }
    daemon.close().await
}

async fn connection(stream: TcpStream, app: Router, watcher: Watcher) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Small replies go out at once. Where this cannot be set they are merely slower.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(LocalAddress(local));
        app.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Whether an accept failed because of the connection it would have accepted, not because of us.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
