//! What a certificate's extensions say.

use const_oid::AssociatedOid;
use der::{Decode, Encode};
use x509_cert::ext::pkix::{
    self, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, CertificatePolicies,
    CrlDistributionPoints, ExtendedKeyUsage, SubjectAltName, SubjectKeyIdentifier,
    crl::dp::ReasonFlags,
    name::{DistributionPointName, GeneralName},
};

use crate::certificate::Certificate;
use crate::name::Name;
use crate::oid::{self, Oid};
use crate::qc::{QcError, QcStatements};
use crate::tlv;

pub use x509_cert::ext::Extension;
pub use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};

/// A policy a certificate was issued under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its identifier.
    pub id: Oid,
    /// Where its practice statements are.
    pub cps: Vec<String>,
}

/// An alternative name of the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AltName {
    /// uniformResourceIdentifier.
    Uri(String),
    /// rfc822Name.
    Email(String),
    /// dNSName.
    Dns(String),
    /// otherName with id-at-telephoneNumber (TS 119 411-8, GEN-6.6.1-07).
    Phone(String),
    /// Another kind of name.
    Other,
}

/// A name of a CRL distribution point.
#[derive(Debug, Clone)]
pub enum PointName {
    /// A URL.
    Url(String),
    /// A name in a directory.
    Directory(Name),
}

impl PartialEq for PointName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Url(one), Self::Url(other)) => one == other,
            (Self::Directory(one), Self::Directory(other)) => one.matches(other),
            _ => false,
        }
    }
}

impl Eq for PointName {}

impl PointName {
    /// The names of a distribution point; one that is relative completes
    /// `issuer`. Other kinds of names are left out.
    pub(crate) fn all(point: &DistributionPointName, issuer: &Name) -> Vec<Self> {
        match point {
            DistributionPointName::FullName(names) => names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::UniformResourceIdentifier(url) => Some(Self::Url(url.to_string())),
                    GeneralName::DirectoryName(name) => {
                        Some(Self::Directory(Name::from(name.clone())))
                    }
                    _ => None,
                })
                .collect(),
            DistributionPointName::NameRelativeToCRLIssuer(rdn) => rdn
                .to_der()
                .ok()
                .and_then(|rdn| issuer.with_relative(&rdn))
                .map(Self::Directory)
                .into_iter()
                .collect(),
        }
    }
}

/// Where a certificate's revocation is told.
#[derive(Debug, Clone)]
pub struct Point {
    /// Its names; an unnamed point is its issuer's own.
    pub names: Vec<PointName>,
    /// The reasons it tells of; `None` for all.
    pub reasons: Option<ReasonFlags>,
    /// Whether someone else than the certificate's issuer signs its CRL.
    pub indirect: bool,
}

impl Certificate {
    /// cRLDistributionPoints; where the extension is absent, the issuer's own
    /// (RFC 5280, 6.3.3).
    pub fn distribution_points(&self) -> Vec<Point> {
        let issuer = self.issuer_name();
        let own = |issuer: &Name| vec![PointName::Directory(issuer.clone())];
        match self.get::<CrlDistributionPoints>() {
            None => vec![Point {
                names: own(&issuer),
                reasons: None,
                indirect: false,
            }],
            Some(points) => points
                .0
                .into_iter()
                .map(|point| Point {
                    names: match &point.distribution_point {
                        Some(names) => PointName::all(names, &issuer),
                        None => own(&issuer),
                    },
                    reasons: point.reasons,
                    indirect: point.crl_issuer.is_some(),
                })
                .collect(),
        }
    }

    /// Every extension, in order.
    pub fn extensions(&self) -> Vec<Extension> {
        // Decoded when the certificate was read, so it decodes again.
        Vec::from_der(self.extensions_der()).unwrap_or_default()
    }

    /// The extension with this id.
    pub fn extension(&self, id: Oid) -> Option<Extension> {
        self.extensions().into_iter().find(|e| e.extn_id == id)
    }

    /// basicConstraints.
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.get()
    }

    /// Whether basicConstraints say that it is a CA.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints().is_some_and(|b| b.ca)
    }

    /// keyUsage.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.get()
    }

    /// extKeyUsage; `None` where the extension is absent.
    pub fn extended_key_usage(&self) -> Option<Vec<Oid>> {
        self.get::<ExtendedKeyUsage>().map(|e| e.0)
    }

    /// certificatePolicies; empty where the extension is absent.
    pub fn policies(&self) -> Vec<Policy> {
        let policies = self.get::<CertificatePolicies>().map_or(vec![], |p| p.0);
        policies
            .into_iter()
            .map(|policy| Policy {
                id: policy.policy_identifier,
                cps: policy
                    .policy_qualifiers
                    .into_iter()
                    .flatten()
                    .filter(|q| q.policy_qualifier_id == oid::CPS_QUALIFIER)
                    .filter_map(|q| String::from_utf8(q.qualifier?.value().to_vec()).ok())
                    .collect(),
            })
            .collect()
    }

    /// subjectKeyIdentifier.
    pub fn subject_key_id(&self) -> Option<Vec<u8>> {
        self.get::<SubjectKeyIdentifier>()
            .map(|id| id.0.as_bytes().to_vec())
    }

    /// The key identifier in authorityKeyIdentifier.
    pub fn authority_key_id(&self) -> Option<Vec<u8>> {
        self.get::<AuthorityKeyIdentifier>()
            .and_then(|id| id.key_identifier)
            .map(|id| id.as_bytes().to_vec())
    }

    /// subjectAltName; empty where the extension is absent.
    pub fn alt_names(&self) -> Vec<AltName> {
        let names = self.get::<SubjectAltName>().map_or(vec![], |names| names.0);
        names.into_iter().map(alt_name).collect()
    }

    /// The addresses of its CRL, from the distribution points' full names.
    pub fn crl_urls(&self) -> Vec<String> {
        let points = self
            .get::<CrlDistributionPoints>()
            .map_or(vec![], |points| points.0);
        points
            .into_iter()
            .filter_map(|point| match point.distribution_point? {
                DistributionPointName::FullName(names) => Some(names),
                DistributionPointName::NameRelativeToCRLIssuer(_) => None,
            })
            .flatten()
            .filter_map(uri)
            .collect()
    }

    /// The addresses of its OCSP responders.
    pub fn ocsp_urls(&self) -> Vec<String> {
        self.access_urls(oid::AD_OCSP)
    }

    /// The addresses of its issuer's certificate.
    pub fn ca_issuers_urls(&self) -> Vec<String> {
        self.access_urls(oid::AD_CA_ISSUERS)
    }

    /// qcStatements; `None` where the extension is absent.
    pub fn qc_statements(&self) -> Result<Option<QcStatements>, QcError> {
        self.value_of(oid::QC_STATEMENTS)
            .map(QcStatements::from_der)
            .transpose()
    }

    /// Whether its issuer says that no revocation information exists (RFC 9608).
    pub fn no_rev_avail(&self) -> bool {
        self.value_of(oid::NO_REV_AVAIL).is_some()
    }

    /// Whether it carries the validity-assured short-term extension
    /// (EN 319 412-1, 5.2).
    pub fn is_validity_assured(&self) -> bool {
        self.value_of(oid::VALIDITY_ASSURED).is_some()
    }

    fn access_urls(&self, method: Oid) -> Vec<String> {
        let access = self
            .get::<AuthorityInfoAccessSyntax>()
            .map_or(vec![], |access| access.0);
        access
            .into_iter()
            .filter(|a| a.access_method == method)
            .filter_map(|a| uri(a.access_location))
            .collect()
    }

    fn get<T: AssociatedOid + for<'a> Decode<'a>>(&self) -> Option<T> {
        T::from_der(self.value_of(T::OID)?).ok()
    }

    /// What the extension with this id holds, found without decoding the others.
    fn value_of(&self, id: Oid) -> Option<&[u8]> {
        let mut extensions = tlv::next(&mut self.extensions_der())?.content;
        while !extensions.is_empty() {
            let mut fields = tlv::next(&mut extensions)?.content;
            if tlv::next(&mut fields)?.content != id.as_bytes() {
                continue;
            }
            let field = tlv::next(&mut fields)?;
            let value = match field.tag {
                tlv::BOOLEAN => tlv::next(&mut fields)?,
                _ => field,
            };
            return Some(value.content);
        }
        None
    }
}

fn uri(name: GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        _ => None,
    }
}

fn alt_name(name: pkix::name::GeneralName) -> AltName {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => AltName::Uri(uri.to_string()),
        GeneralName::Rfc822Name(email) => AltName::Email(email.to_string()),
        GeneralName::DnsName(dns) => AltName::Dns(dns.to_string()),
        GeneralName::OtherName(other) if other.type_id == oid::TELEPHONE_NUMBER => {
            AltName::Phone(String::from_utf8_lossy(other.value.value()).into_owned())
        }
        _ => AltName::Other,
    }
}
