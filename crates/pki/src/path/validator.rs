//! Path validation by certval.
//!
//! certval is given no trust store of its own (`require_ta_store` off): with one,
//! a certificate bearing an anchor's key under another name is accepted without
//! a look at its signature. Its time is always set (zero would switch the check
//! off), and every signature is verified by this house's own code, with keys that
//! are decoded once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use certval::{
    CertificationPath, CertificationPathResults, CertificationPathSettings, Error, PDVCertificate,
    PDVTrustAnchorChoice, PathValidationStatus, PkiEnvironment, TimeOfInterest,
    enforce_trust_anchor_constraints, validate_path_rfc5280,
};
use der::asn1::BitString;
use finding::Rule;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::{PathFault, PathSettings, PathValidator};
use crate::certificate::Certificate;
use crate::profile::validity;
use crate::rules;

/// certval, with the signatures verified by aws-lc-rs.
///
/// What certval makes of an anchor or an intermediate is kept, so that it is
/// decoded once however many leaves hang from it; and which paths it accepted,
/// so that a provider's leaf, which comes with everything that provider signs, is
/// walked once. The times and the signatures of a path are looked at each time.
pub struct Certval {
    environment: PkiEnvironment,
    anchors: Kept<PDVTrustAnchorChoice>,
    intermediates: Kept<PDVCertificate>,
    accepted: RwLock<HashSet<[u8; 32]>>,
}

impl Certval {
    /// A validator that keeps at most [`MAX_KEPT`] anchors and as many
    /// intermediates.
    pub fn new() -> Self {
        let mut environment = PkiEnvironment::new();
        environment.add_validate_path_callback(validate_path_rfc5280);
        environment.add_verify_signature_message_callback(verified_afterwards);
        Self {
            environment,
            anchors: Kept::default(),
            intermediates: Kept::default(),
            accepted: RwLock::default(),
        }
    }
}

/// How many anchors, and how many intermediates, a validator keeps decoded: some
/// 10 kB each.
pub const MAX_KEPT: usize = 512;
/// How many accepted paths a validator remembers, by 32 octets each.
const MAX_ACCEPTED: usize = 8192;

/// What was decoded, by the SHA-256 of the bytes it was decoded from.
#[derive(Debug)]
struct Kept<T>(RwLock<HashMap<[u8; 32], Arc<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: for<'a> TryFrom<&'a [u8], Error = der::Error> + Clone> Kept<T> {
    fn get(&self, certificate: &Certificate) -> Result<T, der::Error> {
        let id = certificate.sha256();
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(decoded) = kept.get(&id).cloned() {
            drop(kept);
            return Ok(T::clone(&decoded));
        }
        drop(kept);
        let decoded = T::try_from(certificate.der())?;
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever sends ever other intermediates makes it slow, not large.
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(id, Arc::new(decoded.clone()));
        Ok(decoded)
    }
}

impl Default for Certval {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Certval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certval")
    }
}

/// certval asks for each signature of a path in turn. It is told to go on: the
/// path is accepted only after [`verify`] has looked at every one of them.
fn verified_afterwards(
    _: &PkiEnvironment,
    _: &[u8],
    _: &BitString,
    _: &AlgorithmIdentifierOwned,
    _: &SubjectPublicKeyInfoOwned,
) -> certval::Result<()> {
    Ok(())
}

/// Each certificate's signature, under the key of the one above it; the anchor
/// stands above the first.
fn verify(anchor: &Certificate, path: &[&Certificate]) -> Result<(), PathFault> {
    let issuers = [anchor].into_iter().chain(path.iter().copied());
    for (certificate, issuer) in path.iter().zip(issuers) {
        if !certificate.signature_algorithms_agree() {
            return Err(PathFault {
                rule: &rules::SIGNATURE_FIELDS,
                subject: certificate.subject(),
                evidence: "the signed and the unsigned signature algorithm differ".into(),
            });
        }
        certificate
            .verify_issued_by(issuer)
            .map_err(|error| PathFault {
                rule: &rules::PATH_SIGNATURE,
                subject: certificate.subject(),
                evidence: error.to_string(),
            })?;
    }
    Ok(())
}

impl PathValidator for Certval {
    fn validate(
        &self,
        anchor: &Certificate,
        path: &[&Certificate],
        settings: &PathSettings,
    ) -> Result<(), PathFault> {
        let Some((leaf, above)) = path.split_last() else {
            return Err(PathFault {
                rule: &rules::PATH_EMPTY,
                subject: String::new(),
                evidence: "an empty path".into(),
            });
        };
        let id = id_of(anchor, path, settings);
        let accepted = self.accepted.read().unwrap_or_else(PoisonError::into_inner);
        let known = accepted.contains(&id);
        drop(accepted);
        if known {
            in_time(anchor, path, settings)?;
        } else {
            self.walk(anchor, above, leaf, settings)?;
        }
        verify(anchor, path)?;
        if !known {
            let mut accepted = self
                .accepted
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if accepted.len() >= MAX_ACCEPTED {
                accepted.clear();
            }
            accepted.insert(id);
        }
        Ok(())
    }
}

impl Certval {
    /// Everything but the signatures.
    fn walk(
        &self,
        anchor: &Certificate,
        above: &[&Certificate],
        leaf: &Certificate,
        settings: &PathSettings,
    ) -> Result<(), PathFault> {
        let fault = |rule: &'static Rule, evidence: String| PathFault {
            rule,
            subject: leaf.subject(),
            evidence,
        };
        let encoding = |error: der::Error| fault(&rules::PATH_ENCODING, error.to_string());
        let seconds = u64::try_from(settings.at.as_second()).unwrap_or_default();
        if seconds == 0 {
            return Err(fault(
                &rules::PATH_VALIDITY,
                format!("no path is validated as of {}", settings.at),
            ));
        }
        let mut own = CertificationPathSettings::new();
        own.set_require_ta_store(false);
        own.set_time_of_interest(TimeOfInterest::from_unix_secs(seconds).map_err(encoding)?);
        own.set_enforce_trust_anchor_constraints(settings.anchor_constraints);
        own.set_enforce_trust_anchor_validity(settings.anchor_constraints);
        own.set_check_revocation_status(false);
        own.set_initial_explicit_policy_indicator(settings.explicit_policy);
        own.set_initial_policy_mapping_inhibit_indicator(settings.inhibit_policy_mapping);
        own.set_initial_inhibit_any_policy_indicator(settings.inhibit_any_policy);
        if !settings.policies.is_empty() {
            own.set_initial_policy_set_from_oid_set(settings.policies.iter().copied().collect());
        }
        let taken = self.anchors.get(anchor).map_err(encoding)?;
        let own = enforce_trust_anchor_constraints(&own, &taken)
            .map_err(|error| fault(rule_of(&error), text_of(&error)))?;
        let decoded = above
            .iter()
            .map(|certificate| self.intermediates.get(certificate))
            .collect::<Result<Vec<_>, _>>()
            .map_err(encoding)?;
        let target = PDVCertificate::try_from(leaf.der()).map_err(encoding)?;
        let candidate = CertificationPath::new(taken, decoded, target);
        let mut results = CertificationPathResults::new();
        match self
            .environment
            .validate_path(&self.environment, &own, &candidate, &mut results)
        {
            // An acceptance is one only where the results say so too.
            Ok(()) if results.get_validation_status() == Some(PathValidationStatus::Valid) => {
                Ok(())
            }
            Ok(()) => Err(fault(&rules::PATH_OTHER, "no result was recorded".into())),
            Err(error) => {
                let mut fault = fault(rule_of(&error), text_of(&error));
                // The anchor counts as 0.
                if let Some(at) = results.get_failure_index()
                    && let Some(certificate) = usize::try_from(at)
                        .ok()
                        .and_then(|at| above.get(at.checked_sub(1)?))
                {
                    fault.subject = certificate.subject();
                }
                Err(fault)
            }
        }
    }
}

/// What certval's answer depends on, the time apart: the path, and what is asked
/// of it.
fn id_of(anchor: &Certificate, path: &[&Certificate], settings: &PathSettings) -> [u8; 32] {
    let mut all = Vec::with_capacity(32 * (path.len() + 2));
    let flags = [
        settings.explicit_policy,
        settings.inhibit_policy_mapping,
        settings.inhibit_any_policy,
        settings.anchor_constraints,
    ];
    all.extend(flags.map(u8::from));
    all.extend((path.len() as u64).to_be_bytes());
    all.extend(anchor.sha256());
    for certificate in path {
        all.extend(certificate.sha256());
    }
    for policy in &settings.policies {
        all.extend(policy.to_string().into_bytes());
        all.push(b' ');
    }
    jose::sha256(&all)
}

/// The one thing about an accepted path that changes.
fn in_time(
    anchor: &Certificate,
    path: &[&Certificate],
    settings: &PathSettings,
) -> Result<(), PathFault> {
    let anchor = settings.anchor_constraints.then_some(anchor);
    for certificate in path.iter().copied().chain(anchor) {
        if let Some(finding) = validity(certificate, "", settings.at) {
            return Err(PathFault {
                rule: &rules::PATH_VALIDITY,
                subject: certificate.subject(),
                evidence: finding.evidence,
            });
        }
    }
    Ok(())
}

fn rule_of(error: &Error) -> &'static Rule {
    use PathValidationStatus as Status;
    let Error::PathValidation(status) = error else {
        return match error {
            Error::Asn1Error(_) | Error::ParseError | Error::LengthError => &rules::PATH_ENCODING,
            _ => &rules::PATH_OTHER,
        };
    };
    match status {
        Status::NameChainingFailure => &rules::PATH_NAME_CHAINING,
        Status::SignatureVerificationFailure => &rules::PATH_SIGNATURE,
        Status::InvalidNotBeforeDate | Status::InvalidNotAfterDate => &rules::PATH_VALIDITY,
        Status::MissingBasicConstraints | Status::InvalidBasicConstraints => {
            &rules::PATH_BASIC_CONSTRAINTS
        }
        Status::InvalidPathLength => &rules::PATH_LENGTH,
        Status::InvalidKeyUsage => &rules::PATH_KEY_USAGE,
        Status::NullPolicySet | Status::InvalidPolicyMapping => &rules::PATH_POLICY,
        Status::NameConstraintsViolation => &rules::PATH_NAME_CONSTRAINTS,
        Status::UnprocessedCriticalExtension => &rules::PATH_CRITICAL_EXTENSION,
        Status::EncodingError => &rules::PATH_ENCODING,
        Status::ProcessingLimitExceeded => &rules::PATH_LIMIT,
        Status::InsufficientKeySize => &rules::ALGORITHM,
        _ => &rules::PATH_OTHER,
    }
}

fn text_of(error: &Error) -> String {
    match error {
        Error::PathValidation(status) => format!("{status:?}"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use claviger_fixtures::TestKey;
    use jose::{Curve, Signer};

    use super::*;
    use crate::{Issuer, Profile, Request, Subject, issue};

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_told_apart_by_its_bytes() {
        let kept = Kept::<PDVCertificate>::default();
        let key = TestKey::generate(Curve::P256);
        for serial in 0..=MAX_KEPT {
            let mut request = Request::new(
                Profile::Ca,
                Subject::legal("BE", "Claviger Test", "VATBE-0876866142", "Root"),
                Signer::public_key(&key).clone(),
                "2026-01-01T00:00:00Z".parse().unwrap(),
                "2028-01-01T00:00:00Z".parse().unwrap(),
            );
            request.serial = Some((serial + 1).to_be_bytes().to_vec());
            let ca = issue(&request, Issuer::Itself(&key)).await.unwrap();
            // The first time it is decoded, the second time kept.
            for _ in 0..2 {
                assert_eq!(kept.get(&ca).unwrap().as_bytes(), ca.der());
            }
            assert!(kept.0.read().unwrap().len() <= MAX_KEPT);
        }
    }

    #[tokio::test]
    async fn an_accepted_path_is_asked_for_its_time_signatures_and_settings_again() {
        let (root_key, key) = (
            TestKey::generate(Curve::P256),
            TestKey::generate(Curve::P256),
        );
        let request = |profile, name: &str, key: &TestKey| {
            Request::new(
                profile,
                Subject::legal("BE", "Claviger Test", "VATBE-0876866142", name),
                Signer::public_key(key).clone(),
                "2026-01-01T00:00:00Z".parse().unwrap(),
                "2028-01-01T00:00:00Z".parse().unwrap(),
            )
        };
        let root = request(Profile::Ca, "Root", &root_key);
        let root = issue(&root, Issuer::Itself(&root_key)).await.unwrap();
        let ca = Issuer::Ca {
            certificate: &root,
            signer: &root_key,
        };
        let leaf = request(Profile::StatusList, "Leaf", &key);
        let leaf = issue(&leaf, ca).await.unwrap();
        let validator = Certval::new();
        let mut settings = PathSettings::at("2026-11-22T12:00:00Z".parse().unwrap());
        for _ in 0..2 {
            validator.validate(&root, &[&leaf], &settings).unwrap();
            assert_eq!(validator.accepted.read().unwrap().len(), 1);
        }
        let rule = |settings: &PathSettings| {
            let fault = validator.validate(&root, &[&leaf], settings).unwrap_err();
            fault.rule.id
        };
        settings.at = "2028-01-01T00:00:01Z".parse().unwrap();
        assert_eq!(rule(&settings), rules::PATH_VALIDITY.id);
        settings.at = "2026-11-22T12:00:00Z".parse().unwrap();
        settings.explicit_policy = true;
        settings.policies = vec![crate::Oid::new_unwrap("1.2.3.4")];
        assert_eq!(rule(&settings), rules::PATH_POLICY.id);
        // The same names and dates with other bytes are another path.
        let mut forged = leaf.der().to_vec();
        *forged.last_mut().unwrap() ^= 1;
        let forged = Certificate::from_der(&forged).unwrap();
        settings = PathSettings::at(settings.at);
        let fault = validator.validate(&root, &[&forged], &settings);
        assert_eq!(fault.unwrap_err().rule.id, rules::PATH_SIGNATURE.id);
        assert_eq!(validator.accepted.read().unwrap().len(), 1);
    }
}
