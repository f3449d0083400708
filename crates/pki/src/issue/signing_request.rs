//! Certificate requests (PKCS#10, RFC 2986): what the holder of a key asks of a CA.

use der::{Decode, Encode};
use jiff::Timestamp;
use jose::{Signer, b64};
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::name::Name;
use x509_cert::request::{CertReqInfo, ExtensionReq, Version};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::{IssueError, Issuer, Request, Subject, algorithm_for, extensions, sign_der};
use crate::profile::Profile;

/// A certificate request in DER, signed by the key it is for. It asks for the
/// extensions that the profile wants of the key's holder: the key's identifier, key
/// usage, and the QcType. What only a CA can know (policies, addresses, validity) is
/// the CA's to add.
pub async fn signing_request(
    profile: Profile,
    subject: &Subject,
    signer: &dyn Signer,
) -> Result<Vec<u8>, IssueError> {
    let key = signer.public_key();
    // The extensions are those of a certificate; its dates do not enter them.
    let dates = Timestamp::UNIX_EPOCH;
    let wanted = Request::new(profile, subject.clone(), key.clone(), dates, dates);
    let wanted = extensions::of(&wanted, Issuer::Itself(signer))?;
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::try_from(ExtensionReq(wanted))?)?;
    let info = CertReqInfo {
        version: Version::V1,
        subject: Name::from_der(&subject.to_der()?)?,
        public_key: SubjectPublicKeyInfoOwned::from_der(&key.to_spki_der())?,
        attributes,
    };
    sign_der(&info.to_der()?, algorithm_for(key.curve()), signer).await
}

/// The request as PEM.
pub fn request_to_pem(der: &[u8]) -> String {
    let text = b64::encode_std(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE REQUEST-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE REQUEST-----\n");
    pem
}
