//! How the attesting key came into the device: from the factory, or remotely.

use jose::cbor::{self, Limits};
use pki::{Certificate, Oid};
use serde::Serialize;

use crate::asn1::{Asn1Error, Reader};

/// "Provisioning information extension".
const EXTENSION: Oid = Oid::new_unwrap("1.3.6.1.4.1.11129.2.1.30");

/// Where the attesting key and its certificate come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "method")]
pub enum Provisioning {
    /// Put into many devices in the factory; cannot be replaced.
    Factory,
    /// Certified remotely for this device, for a few weeks (RKP).
    Remote {
        /// About how many certificates the device got in the last 30 days.
        certificates_issued: Option<u64>,
    },
}

impl Provisioning {
    /// Read from certificates whose signatures hold, the attested key's first.
    pub(crate) fn of(chain: &[Certificate]) -> Result<Self, Asn1Error> {
        let extension = chain
            .iter()
            .skip(1)
            .find_map(|certificate| certificate.extension(EXTENSION));
        if let Some(extension) = extension {
            return Ok(Provisioning::Remote {
                certificates_issued: issued(extension.extn_value.as_bytes())?,
            });
        }
        // The names of Google's remote provisioning CAs, from those that issued.
        let remote = chain.iter().skip(1).any(|certificate| {
            let name = certificate.subject_name();
            name.organization().as_deref() == Some("Google LLC")
                && name
                    .common_name()
                    .is_some_and(|name| name.starts_with("Droid CA"))
        });
        Ok(if remote {
            Provisioning::Remote {
                certificates_issued: None,
            }
        } else {
            Provisioning::Factory
        })
    }
}

/// A CBOR map in which 1 is the number of certificates. Some issuers wrap it in
/// an OCTET STRING of its own.
fn issued(value: &[u8]) -> Result<Option<u64>, Asn1Error> {
    let mut reader = Reader::new(value);
    let inner = match reader.octets("provisioning information") {
        Ok(inner) if reader.is_empty() => inner,
        _ => value,
    };
    let map = cbor::parse(inner, Limits::bytes(4096))
        .map_err(|error| Asn1Error::Cbor(format!("provisioning information: {error}")))?;
    if map.as_map().is_none() {
        return Err(Asn1Error::Cbor(
            "provisioning information: not a CBOR map".into(),
        ));
    }
    Ok(cbor::get(&map, 1)
        .and_then(|number| number.as_integer())
        .and_then(|number| u64::try_from(number).ok()))
}
