//! Listening: connections in, the API on each, and a way to stop.
//!
//! Owns the sockets and the order of stopping: no new connections, live feeds and heavy work end, requests under way
//! finish, the store is closed.

mod bodies;
mod connections;
mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use self::bodies::{Received, Sent};
use self::connections::{Connection, Connections};
use self::socket::Socket;
use crate::config::Timeouts;
use crate::daemon::Daemon;
use crate::http::{LocalAddress, router};
use crate::limits::{HEAD_BYTES_MAX, SHUTDOWN_TIMEOUT};
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
    let timeouts = daemon.parts().config.timeouts;
    let open = Arc::new(Connections::new(timeouts.body_grace));
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let place = tokio::select! {
                    () = shutdown.cancelled() => break,
                    place = open.admit() => place,
                };
                let (app, watcher) = (app.clone(), connections.watcher());
                tokio::spawn(async move {
                    connection(stream, app, watcher, &place.connection, timeouts).await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection could be accepted");
                // It may be open files that are wanting: one that rests can be done without.
                open.close_one();
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
        open.close_all();
    }
    daemon.close().await
}

async fn connection(
    stream: TcpStream,
    app: Router,
    watcher: Watcher,
    own: &Arc<Connection>,
    timeouts: Timeouts,
) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Small replies go out at once. Where this cannot be set they are merely slower.
    drop(stream.set_nodelay(true));
    let service = service_fn(|request: Request<Incoming>| {
        let expects = request.headers().contains_key(header::EXPECT);
        let own = Arc::clone(own);
        let mut request =
            request.map(|body| Body::new(Received::new(body, expects, Arc::clone(&own))));
        request.extensions_mut().insert(LocalAddress(local));
        let answer = app.clone().oneshot(request);
        async move { Ok::<_, std::convert::Infallible>(answer.await?.map(|body| Sent::new(body, own))) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Socket::new(stream, timeouts.write)), service);
    let ended = tokio::select! {
        ended = watcher.watch(connection) => ended,
        () = own.closing.cancelled() => return,
    };
    if let Err(error) = ended {
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
