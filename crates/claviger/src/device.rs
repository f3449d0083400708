//! Devices by their URI: the binary knows every family there is.

use std::sync::Arc;

use wscd::Wscd;

use crate::exit::{Doing, Failure};
use crate::settings::Device;

/// Opens the device of a configuration, with what its operator vouches for.
pub(crate) async fn configured(device: &Device) -> Result<Arc<dyn Wscd>, Failure> {
    match &device.assurance {
        Some(assurance) => wscd_pkcs11::open_as(&device.uri, assurance.assured())
            .await
            .doing("the device"),
        None => open(&device.uri).await,
    }
}

/// Opens the device that a URI names, `software:…` or `pkcs11:…`, as one that claims no
/// level.
pub(crate) async fn open(uri: &str) -> Result<Arc<dyn Wscd>, Failure> {
    let scheme = uri.split(':').next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case(wscd_pkcs11::SCHEME) {
        return wscd_pkcs11::open(uri).await.doing("the device");
    }
    match wscd::open(uri).await {
        Err(wscd::OpenError::UnknownScheme { scheme }) => Err(Failure::new(format!(
            "the device: no device of scheme {scheme:?} is known; known: software, {}",
            wscd_pkcs11::SCHEME
        ))),
        Err(error @ wscd::OpenError::Locked { .. }) => Err(Failure::new(format!(
            "the device: {error}: stop the node first"
        ))),
        opened => opened.doing("the device"),
    }
}

/// Whether what the device holds outlives its being closed: all but the software
/// device in memory.
pub(crate) fn is_kept(uri: &str) -> bool {
    !uri.eq_ignore_ascii_case("software:")
}
