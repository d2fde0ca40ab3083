//! TLS trust: the system's certificate authorities, and those that a file adds.
//!
//! Owns the reading of them and the TLS settings of webhooks. Never turns a check off.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::HandlersError;

/// The authorities that a PEM file adds.
///
/// # Errors
/// When it cannot be read, or holds none.
pub(super) fn authorities(
    ca_file: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, HandlersError> {
    let Some(path) = ca_file else {
        return Ok(Vec::new());
    };
    let fail = |reason: String| {
        HandlersError::Authorities(format!(
            "the authorities in `{}` cannot be used: {reason}\nhint: `ca_file` names a file of certificates in PEM form",
            path.display()
        ))
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| fail(error.to_string()))?;
    if found.is_empty() {
        return Err(fail("it holds no certificate".to_owned()));
    }
    Ok(found)
}

/// All authorities to trust: the system's, and those that a file adds.
///
/// # Errors
/// When the file cannot be used, or when there is no authority to trust at all.
pub(super) fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, HandlersError> {
    let mut store = RootCertStore::empty();
    for authority in authorities(ca_file)? {
        store.add(authority).map_err(|error| {
            HandlersError::Authorities(format!(
                "an authority in `{}` cannot be used: {error}",
                ca_file.unwrap_or(Path::new("")).display()
            ))
        })?;
    }
    // Of the system's, one that does not parse is no reason to do without the others.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(HandlersError::Authorities(
            "this system has no certificate authorities to trust, so no server can be checked\nhint: install them (often the package `ca-certificates`), or name a file of them as `ca_file`".to_owned(),
        ));
    }
    Ok(store)
}

/// TLS as a client that trusts these.
///
/// # Errors
/// When the library has no protocol version in common with itself.
pub(super) fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, HandlersError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HandlersError::Authorities(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
