//! The extensions of a certificate that is asked for.

use der::asn1::{Any, Ia5String, OctetString};
use der::{Encode, Tag};
use x509_cert::ext::pkix::certpolicy::{
    CertificatePolicies, PolicyInformation, PolicyQualifierInfo,
};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, OtherName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};

use super::{IssueError, Issuer, Request, Subject, key_identifier};
use crate::extension::{AltName, Extension, KeyUsage, Policy};
use crate::oid;
use crate::profile::Profile;
use crate::qc::QcStatements;

pub(super) fn of(request: &Request, issuer: Issuer<'_>) -> Result<Vec<Extension>, IssueError> {
    let profile = request.profile;
    let is_ca = profile == Profile::Ca;
    let mut made = Vec::new();
    let mut add = |id, critical, value: Vec<u8>| -> Result<(), der::Error> {
        made.push(Extension {
            extn_id: id,
            critical,
            extn_value: OctetString::new(value)?,
        });
        Ok(())
    };
    if let Issuer::Ca { certificate, .. } = issuer {
        let id = match certificate.subject_key_id() {
            Some(id) => id,
            None => key_identifier(issuer.signer().public_key()),
        };
        let id = AuthorityKeyIdentifier {
            key_identifier: Some(OctetString::new(id)?),
            ..AuthorityKeyIdentifier::default()
        };
        add(oid::AUTHORITY_KEY_IDENTIFIER, false, id.to_der()?)?;
    }
    let id = SubjectKeyIdentifier(OctetString::new(key_identifier(&request.public_key))?);
    add(oid::SUBJECT_KEY_IDENTIFIER, false, id.to_der()?)?;
    let usage = match profile {
        Profile::Ca => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
        // Type B of EN 319 412-2, table 1: attestations are content that is
        // committed to, and most readers look for digitalSignature.
        Profile::Eaa | Profile::Qeaa | Profile::PubEaa => {
            KeyUsages::DigitalSignature | KeyUsages::NonRepudiation
        }
        _ => KeyUsages::DigitalSignature.into(),
    };
    let usage = KeyUsage(usage);
    add(oid::KEY_USAGE, true, usage.to_der()?)?;
    let constraints = BasicConstraints {
        ca: is_ca,
        path_len_constraint: request.path_len.filter(|_| is_ca),
    };
    add(oid::BASIC_CONSTRAINTS, true, constraints.to_der()?)?;
    if profile == Profile::ListOperator {
        let purposes = ExtendedKeyUsage(vec![oid::TSL_SIGNING]);
        add(oid::EXTENDED_KEY_USAGE, false, purposes.to_der()?)?;
    }
    let policies = policies(request, issuer);
    if !policies.is_empty() {
        add(oid::CERTIFICATE_POLICIES, false, policies_der(&policies)?)?;
    }
    if !request.alt_names.is_empty() {
        let names = request
            .alt_names
            .iter()
            .map(general_name)
            .collect::<Result<Vec<_>, _>>()?;
        add(
            oid::SUBJECT_ALT_NAME,
            false,
            SubjectAltName(names).to_der()?,
        )?;
    }
    if !request.crl_urls.is_empty() {
        let points = request
            .crl_urls
            .iter()
            .map(|url| {
                Ok(DistributionPoint {
                    distribution_point: Some(DistributionPointName::FullName(vec![uri(url)?])),
                    reasons: None,
                    crl_issuer: None,
                })
            })
            .collect::<Result<Vec<_>, der::Error>>()?;
        add(
            oid::CRL_DISTRIBUTION_POINTS,
            false,
            CrlDistributionPoints(points).to_der()?,
        )?;
    }
    let mut access = Vec::new();
    for (method, urls) in [
        (oid::AD_CA_ISSUERS, &request.ca_issuers_urls),
        (oid::AD_OCSP, &request.ocsp_urls),
    ] {
        for url in urls {
            access.push(AccessDescription {
                access_method: method,
                access_location: uri(url)?,
            });
        }
    }
    if !access.is_empty() {
        add(
            oid::AUTHORITY_INFO_ACCESS,
            false,
            AuthorityInfoAccessSyntax(access).to_der()?,
        )?;
    }
    let mut statements = request.statements.clone();
    if let Some(value) = profile.qc_type() {
        statements.0.extend(QcStatements::of_types(&[value])?.0);
    }
    if !statements.0.is_empty() {
        add(oid::QC_STATEMENTS, false, statements.to_der()?)?;
    }
    Ok(made)
}

fn policies(request: &Request, issuer: Issuer<'_>) -> Vec<Policy> {
    let own = |id| vec![Policy { id, cps: vec![] }];
    match (
        request.policies.as_slice(),
        request.profile,
        &request.subject,
    ) {
        ([], Profile::Access, Subject::Legal { .. }) => own(oid::NCP_L_EUDIWRP),
        ([], Profile::Access, Subject::Natural { .. }) => own(oid::NCP_N_EUDIWRP),
        ([], Profile::Ca, _) => vec![],
        ([], _, _) if matches!(issuer, Issuer::Ca { .. }) => own(oid::NCP),
        (given, _, _) => given.to_vec(),
    }
}

fn policies_der(policies: &[Policy]) -> Result<Vec<u8>, der::Error> {
    let policies = policies
        .iter()
        .map(|policy| {
            let qualifiers = policy
                .cps
                .iter()
                .map(|url| {
                    Ok(PolicyQualifierInfo {
                        policy_qualifier_id: oid::CPS_QUALIFIER,
                        qualifier: Some(Any::new(Tag::Ia5String, url.as_bytes())?),
                    })
                })
                .collect::<Result<Vec<_>, der::Error>>()?;
            Ok(PolicyInformation {
                policy_identifier: policy.id,
                policy_qualifiers: (!qualifiers.is_empty()).then_some(qualifiers),
            })
        })
        .collect::<Result<Vec<_>, der::Error>>()?;
    CertificatePolicies(policies).to_der()
}

fn general_name(name: &AltName) -> Result<GeneralName, der::Error> {
    Ok(match name {
        AltName::Uri(url) => uri(url)?,
        AltName::Email(email) => GeneralName::Rfc822Name(Ia5String::new(email)?),
        AltName::Dns(dns) => GeneralName::DnsName(Ia5String::new(dns)?),
        AltName::Phone(number) => GeneralName::OtherName(OtherName {
            type_id: oid::TELEPHONE_NUMBER,
            value: Any::new(Tag::PrintableString, number.as_bytes())?,
        }),
        AltName::Other => return Err(der::ErrorKind::Failed.into()),
    })
}

fn uri(url: &str) -> Result<GeneralName, der::Error> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?))
}
