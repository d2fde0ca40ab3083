//! Protection against foreign web pages: requests of a browser are answered for pages of this origin only.
//!
//! Owns the checks of `Host`, `Origin`, `Sec-Fetch-Site` and `Referer`. A page of another origin can make a browser send
//! requests to loopback, directly (told by the last three) or under a name of its own that resolves to loopback (DNS
//! rebinding, told by `Host`). Another port of this machine is another origin. This holds for every method and content
//! type. Programs that are not browsers pass as long as they name the daemon by an address or an allowed name.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use whodunit_core::api::problem::{Code, Problem, echo};

use super::error::{ApiError, headers_too_large, uri_too_long};
use crate::daemon::Parts;
use crate::limits::{HEAD_BYTES_MAX, URI_BYTES_MAX};

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
    // The engine's own bound is one on its buffer, which a quick client can overrun.
    let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    if request.headers().iter().map(bytes).sum::<usize>() > HEAD_BYTES_MAX {
        return ApiError::from(headers_too_large()).into_response();
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
    /// Whether this is a name or address of the daemon. `authority` may end with any port.
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
    let host = host(uri, headers)?;
    if !allowed.has(host) {
        let detail = format!("this daemon is not known by the name `{}`", echo(host));
        return Err(Problem::new(Code::ForeignHost, detail)
            .hint("use `127.0.0.1` or `localhost`, or start the daemon with `--allow-host NAME`")
            .into());
    }
    if let Some(from) = foreign(host, headers) {
        let detail = format!("requests from a page of {from} are refused");
        return Err(Problem::new(Code::ForeignOrigin, detail)
            .hint("only pages of the daemon's own origin (scheme, host and port) are answered")
            .into());
    }
    Ok(())
}

/// The one name that the request calls this daemon by.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a str, ApiError> {
    let ambiguous = |detail: &str| Err(Problem::new(Code::Malformed, detail).into());
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = hosts.next().map(|host| host.to_str().unwrap_or("?"));
    if hosts.next().is_some() {
        return ambiguous("the request has more than one `Host`");
    }
    match (uri.authority().map(Authority::as_str), named) {
        (Some(target), Some(named)) if !target.eq_ignore_ascii_case(named) => {
            ambiguous("the request's target and its `Host` name different hosts")
        }
        (Some(target), _) => Ok(target),
        (None, named) => Ok(named.unwrap_or_default()),
    }
}

/// Where a browser's request comes from, when that is not this very origin.
fn foreign(host: &str, headers: &HeaderMap) -> Option<String> {
    let own = |text: &str| {
        let authority = text.strip_prefix("http://");
        authority.is_some_and(|authority| same_authority(authority, host))
    };
    for origin in headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("?");
        if !own(origin) {
            return Some(format!("`{}`", echo(origin)));
        }
    }
    let site_is_own = |site: &HeaderValue| site == "same-origin" || site == "none";
    if !headers.get_all("sec-fetch-site").iter().all(site_is_own) {
        return Some("another origin".to_owned());
    }
    // Browsers that know neither header name the page they come from all the same.
    for referer in headers.get_all(header::REFERER) {
        let referer = referer.to_str().unwrap_or("?");
        let end = referer
            .match_indices('/')
            .nth(2)
            .map_or(referer.len(), |(at, _)| at);
        let origin = referer.get(..end).unwrap_or_default();
        if !own(origin) {
            return Some(format!("`{}`", echo(origin)));
        }
    }
    None
}

/// Whether two authorities of `http` are one: case and the default port make no difference.
fn same_authority(one: &str, other: &str) -> bool {
    let full = |authority: &str| {
        let authority = authority.to_ascii_lowercase();
        match authority.strip_suffix(":80") {
            Some(host) => host.to_owned(),
            None => authority,
        }
    };
    full(one) == full(other)
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
