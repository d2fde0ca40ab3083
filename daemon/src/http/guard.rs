//! Who may speak to the daemon from a browser: nobody but pages of this machine.
//!
//! Owns the checks of `Host` and `Origin`. A page of a foreign site can make a browser send requests to loopback, directly
//! (told by `Origin` and `Sec-Fetch-Site`) or under a name of its own that resolves to loopback (DNS rebinding, told by
//! `Host`). Programs that are not browsers pass as long as they name the daemon by an address or an allowed name.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::text::shown;

use super::error::{ApiError, uri_too_long};
use crate::daemon::Parts;
use crate::limits::URI_BYTES_MAX;

/// The address a connection was accepted at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalAddress(pub(crate) SocketAddr);

pub(crate) async fn guard(
    State(parts): State<Arc<Parts>>,
    request: Request,
    next: Next,
) -> Response {
    let local = request
        .extensions()
        .get::<LocalAddress>()
        .map(|LocalAddress(address)| address.ip());
    let allowed = Allowed {
        parts: &parts,
        local,
    };
    let whole = request.uri().path_and_query();
    if whole.is_some_and(|whole| whole.as_str().len() > URI_BYTES_MAX) {
        return ApiError::from(uri_too_long()).into_response();
    }
    match check(&allowed, request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

struct Allowed<'a> {
    parts: &'a Parts,
    local: Option<IpAddr>,
}

impl Allowed<'_> {
    /// Whether this is a name or address of ours. `authority` may end with a port: any will do.
    fn has(&self, authority: &str) -> bool {
        let host = host_of(authority);
        if host.eq_ignore_ascii_case("localhost") {
            return true;
        }
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            let config = &self.parts.config;
            return address.is_loopback() || Some(address) == self.local || config.allow_remote;
        }
        let names = &self.parts.config.allowed_hosts;
        names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// An authority without its port and without the dot that may end a full name.
fn host_of(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() =>
        {
            // The colons of a bare IPv6 address are no port: an address with a port has brackets.
            if host.contains(':') && !host.ends_with(']') {
                authority
            } else {
                host
            }
        }
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host)
}

fn check(allowed: &Allowed<'_>, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let text =
        |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = uri.authority().map(axum::http::uri::Authority::as_str);
    let host = host.or_else(|| text(header::HOST)).unwrap_or_default();
    if !allowed.has(host) {
        let detail = format!("this daemon does not go by the name `{}`", shown(host));
        return Err(Problem::new(Code::ForeignHost, detail)
            .hint("use `127.0.0.1` or `localhost`, or start the daemon with `--allow-host NAME`")
            .into());
    }
    let cross_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    let origin = text(header::ORIGIN);
    let foreign = origin.is_some_and(|origin| {
        let authority = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        authority.is_none_or(|authority| !allowed.has(authority))
    });
    if cross_site || foreign {
        let from = origin.map_or("another site".to_owned(), |origin| {
            format!("`{}`", shown(origin))
        });
        let detail = format!("a page of {from} has no business with this daemon");
        return Err(Problem::new(Code::ForeignOrigin, detail).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_host_is_told_from_its_port() {
        for (authority, host) in [
            ("localhost", "localhost"),
            ("localhost:4780", "localhost"),
            ("localhost.:4780", "localhost"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]:4780", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("evil.example:80", "evil.example"),
            ("localhost.evil.example", "localhost.evil.example"),
            ("", ""),
        ] {
            assert_eq!(host_of(authority), host, "{authority}");
        }
    }
}
