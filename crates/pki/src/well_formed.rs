//! Whether the extensions that RFC 5280 defines are encoded as it defines them.

use der::Decode;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, ExtendedKeyUsage, InhibitAnyPolicy, KeyUsage, NameConstraints,
    PolicyConstraints, PolicyMappings, SubjectAltName, SubjectKeyIdentifier,
};

use crate::oid::{self, Oid};

/// What is wrong with a certificate's extensions.
#[derive(Debug)]
pub(crate) enum Malformed {
    /// One does not hold what it must.
    Extension(Oid, der::Error),
    /// One stands twice (RFC 5280, 4.2).
    Duplicate(Oid),
}

/// The extensions that RFC 5280 defines hold what they must, and none stands
/// twice.
pub(crate) fn check(extensions: &[Extension]) -> Result<(), Malformed> {
    for (i, extension) in extensions.iter().enumerate() {
        let id = extension.extn_id;
        if extensions.iter().skip(i + 1).any(|e| e.extn_id == id) {
            return Err(Malformed::Duplicate(id));
        }
        let value = extension.extn_value.as_bytes();
        match id {
            oid::BASIC_CONSTRAINTS => read::<BasicConstraints>(value),
            oid::KEY_USAGE => read::<KeyUsage>(value),
            oid::EXTENDED_KEY_USAGE => read::<ExtendedKeyUsage>(value),
            oid::SUBJECT_KEY_IDENTIFIER => read::<SubjectKeyIdentifier>(value),
            oid::AUTHORITY_KEY_IDENTIFIER => read::<AuthorityKeyIdentifier>(value),
            oid::SUBJECT_ALT_NAME => read::<SubjectAltName>(value),
            oid::CERTIFICATE_POLICIES => read::<CertificatePolicies>(value),
            oid::POLICY_MAPPINGS => read::<PolicyMappings>(value),
            oid::POLICY_CONSTRAINTS => read::<PolicyConstraints>(value),
            oid::INHIBIT_ANY_POLICY => read::<InhibitAnyPolicy>(value),
            oid::NAME_CONSTRAINTS => read::<NameConstraints>(value),
            oid::CRL_DISTRIBUTION_POINTS => read::<CrlDistributionPoints>(value),
            oid::AUTHORITY_INFO_ACCESS => read::<AuthorityInfoAccessSyntax>(value),
            _ => Ok(()),
        }
        .map_err(|cause| Malformed::Extension(id, cause))?;
    }
    Ok(())
}

fn read<T: for<'a> Decode<'a, Error = der::Error>>(value: &[u8]) -> Result<(), der::Error> {
    T::from_der(value).map(drop)
}
