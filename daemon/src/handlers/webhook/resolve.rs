//! Name resolution.
//!
//! Owns the trait that tests replace. Does not check whether an address is allowed.

use std::io;
use std::net::IpAddr;

use crate::store::BoxFuture;

/// Resolves host names.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a host's name.
    fn resolve(&self, name: &str) -> BoxFuture<io::Result<Vec<IpAddr>>>;
}

/// The system's resolver: its hosts file, its name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str) -> BoxFuture<io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
