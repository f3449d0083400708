//! AttestationApplicationId: which app asked for the key, as Android says.

use serde::Serialize;

use crate::asn1::{Asn1Error, Reader};

/// The most packages and signers of one application id.
const MAX: usize = 64;

/// The apps of the user id that asked for the key, and who signed them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplicationId {
    /// Several only where apps share a user id.
    pub packages: Vec<Package>,
    /// SHA-256 of each signing certificate.
    #[serde(with = "super::bytes::list")]
    pub signers: Vec<Vec<u8>>,
}

/// A package and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its versionCode.
    pub version: u64,
}

impl ApplicationId {
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, Asn1Error> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence("attestationApplicationId")?;
        outer.finish("attestationApplicationId")?;
        let mut id = Self {
            packages: Vec::new(),
            signers: Vec::new(),
        };
        let mut packages = fields.set("packageInfos")?;
        while !packages.is_empty() {
            let mut package = packages.sequence("packageInfo")?;
            id.packages.push(Package {
                name: package.text("packageName")?,
                version: package.integer("package version")?,
            });
            package.finish("packageInfo")?;
        }
        let mut signers = fields.set("signatureDigests")?;
        while !signers.is_empty() {
            id.signers.push(signers.octets("signatureDigest")?.to_vec());
        }
        fields.finish("attestationApplicationId")?;
        if id.packages.len() > MAX || id.signers.len() > MAX {
            return Err(Asn1Error::Length("attestationApplicationId".into()));
        }
        Ok(id)
    }
}
