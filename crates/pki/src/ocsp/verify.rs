//! What a response is worth: whose it is, what it is about, and for how long.

use jiff::{SignedDuration, Timestamp};

use super::response::{CertStatus, OcspResponse, ResponderId, Single};
use super::{CertIdHash, Nonce, key_bits};
use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::name::Name;
use crate::oid;
use crate::revocation::{RevocationStatus, Unknown, status_by_crl};
use crate::signature::AlgorithmPolicy;

/// A response, with the nonce of the request it came in answer to. One that was
/// stored keeps the nonce it was asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspAnswer {
    /// What came.
    pub response: OcspResponse,
    /// What was sent; `None` where no nonce was.
    pub nonce: Option<Nonce>,
}

/// For how long a response is relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcspPolicy {
    /// How far the responder's clock and ours may differ.
    pub skew: SignedDuration,
    /// How old a thisUpdate may be, however far ahead nextUpdate lies.
    pub max_age: SignedDuration,
    /// How old it may be where the response has no nextUpdate.
    pub max_age_without_next: SignedDuration,
}

impl Default for OcspPolicy {
    /// Five minutes, ten days, and one hour.
    fn default() -> Self {
        Self {
            skew: SignedDuration::from_mins(5),
            max_age: SignedDuration::from_hours(240),
            max_age_without_next: SignedDuration::from_hours(1),
        }
    }
}

/// Why a response is not relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OcspFault {
    /// It is about other certificates (RFC 6960, 3.2, 1).
    #[error("the OCSP response is not about this certificate")]
    OtherCertificate,
    /// Who signed it is neither the issuer nor a responder that the issuer
    /// appointed (RFC 6960, 4.2.2.2).
    #[error("the OCSP response is neither the issuer's nor that of a responder it appointed")]
    OtherResponder,
    /// The appointed responder's certificate is not valid at the time.
    #[error("the OCSP responder's certificate is valid from {0} to {1}")]
    ResponderValidity(Timestamp, Timestamp),
    /// The appointed responder's certificate is revoked, or may be.
    #[error("the OCSP responder's certificate is not known to be good")]
    ResponderRevocation,
    /// The signature is made with an algorithm that is not good enough.
    #[error("the OCSP response's signature algorithm is not good enough")]
    Algorithm,
    /// The signature does not verify.
    #[error("the OCSP response's signature does not verify")]
    BadSignature,
    /// The response echoes another nonce than was sent.
    #[error("the OCSP response echoes another nonce than was sent")]
    OtherNonce,
    /// Its producedAt or its thisUpdate lies ahead.
    #[error("the OCSP response is of {0}, which lies ahead")]
    NotYet(Timestamp),
    /// Its times contradict each other.
    #[error("the OCSP response's times contradict each other")]
    Contradiction,
    /// It may be relied on until then.
    #[error("the OCSP response could be relied on until {0}")]
    Stale(Timestamp),
    /// The responder does not know the certificate.
    #[error("the OCSP responder does not know the certificate")]
    NotKnown,
}

impl OcspPolicy {
    /// Until when a response about a certificate may be relied on, and so be
    /// stored: its nextUpdate, within the limits on age.
    pub fn until(&self, single: &Single) -> Timestamp {
        let oldest = match single.next_update {
            Some(_) => self.max_age,
            None => self.max_age_without_next,
        };
        let limit = single
            .this_update
            .checked_add(oldest)
            .unwrap_or(Timestamp::MAX);
        single.next_update.map_or(limit, |next| next.min(limit))
    }
}

impl OcspAnswer {
    /// Until when it may be stored for a certificate; `None` where it is not
    /// about that certificate.
    pub fn until(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        policy: &OcspPolicy,
    ) -> Option<Timestamp> {
        self.about(certificate, issuer)
            .map(|single| policy.until(single))
    }

    /// Whether a nonce was sent and none came back: the answer may be a stored
    /// one, which is as good until its nextUpdate.
    pub fn lacks_nonce(&self) -> bool {
        self.nonce.is_some() && self.response.nonce.is_none()
    }

    /// What it says of the certificate: where it says several things, the worst.
    pub(crate) fn about(&self, certificate: &Certificate, issuer: &Certificate) -> Option<&Single> {
        let hashes = [CertIdHash::Sha1, CertIdHash::Sha256];
        let ids = hashes.map(|hash| super::CertId::of(certificate, issuer, hash));
        let means = |single: &&Single| single.id.as_ref().is_some_and(|id| ids.contains(id));
        let worst = |single: &&Single| match single.status {
            CertStatus::Revoked { .. } => 2,
            CertStatus::Unknown => 1,
            CertStatus::Good => 0,
        };
        self.response.singles.iter().filter(means).max_by_key(worst)
    }
}

/// The status of a certificate at a time, by one answer. `issuer` must be its
/// issuer on a validated path; `crls` are those at hand, for the certificate of a
/// responder that the issuer appointed.
pub fn status_by_ocsp(
    certificate: &Certificate,
    issuer: &Certificate,
    answer: &OcspAnswer,
    crls: &[Crl],
    at: Timestamp,
    algorithms: AlgorithmPolicy,
    policy: &OcspPolicy,
) -> RevocationStatus {
    let look = Look {
        issuer,
        answer,
        crls,
        at,
        algorithms,
        policy,
    };
    match look.single(certificate) {
        Err(fault) => RevocationStatus::Unknown(Unknown::Ocsp(fault)),
        Ok(single) => match single.status {
            CertStatus::Good => RevocationStatus::Good,
            CertStatus::Revoked { at, reason } => RevocationStatus::Revoked { at, reason },
            CertStatus::Unknown => RevocationStatus::Unknown(Unknown::Ocsp(OcspFault::NotKnown)),
        },
    }
}

struct Look<'a> {
    issuer: &'a Certificate,
    answer: &'a OcspAnswer,
    crls: &'a [Crl],
    at: Timestamp,
    algorithms: AlgorithmPolicy,
    policy: &'a OcspPolicy,
}

impl<'a> Look<'a> {
    /// What the response says of the certificate, once it may be relied on.
    fn single(&self, certificate: &Certificate) -> Result<&'a Single, OcspFault> {
        let single = self
            .answer
            .about(certificate, self.issuer)
            .ok_or(OcspFault::OtherCertificate)?;
        self.nonce()?;
        self.times(single)?;
        self.signature()?;
        Ok(single)
    }

    fn nonce(&self) -> Result<(), OcspFault> {
        match (&self.answer.nonce, &self.answer.response.nonce) {
            (Some(sent), Some(echoed)) if sent.as_bytes() != echoed => Err(OcspFault::OtherNonce),
            _ => Ok(()),
        }
    }

    fn times(&self, single: &Single) -> Result<(), OcspFault> {
        let produced = self.answer.response.produced_at;
        let latest = self
            .at
            .checked_add(self.policy.skew)
            .unwrap_or(Timestamp::MAX);
        if let Some(ahead) = [single.this_update, produced]
            .into_iter()
            .find(|time| *time > latest)
        {
            return Err(OcspFault::NotYet(ahead));
        }
        // Nobody knows a status of a time after he says it.
        let said = produced
            .checked_add(self.policy.skew)
            .unwrap_or(Timestamp::MAX);
        if single.this_update > said
            || single
                .next_update
                .is_some_and(|next| next < single.this_update)
        {
            return Err(OcspFault::Contradiction);
        }
        let until = self.policy.until(single);
        let end = until
            .checked_add(self.policy.skew)
            .unwrap_or(Timestamp::MAX);
        if end < self.at {
            return Err(OcspFault::Stale(until));
        }
        Ok(())
    }

    /// The signature is the issuer's, or that of a responder whose certificate
    /// the issuer's very key signed for this purpose.
    fn signature(&self) -> Result<(), OcspFault> {
        let response = &self.answer.response;
        self.algorithms
            .accepts_algorithm(response.algorithm)
            .map_err(|_| OcspFault::Algorithm)?;
        let mut fault = OcspFault::OtherResponder;
        if is_named(&response.responder, self.issuer) {
            match self.signed_by(self.issuer) {
                Ok(()) => return Ok(()),
                Err(why) => fault = why,
            }
        }
        let appointed = response
            .certificates
            .iter()
            .filter(|c| is_named(&response.responder, c) && self.is_appointed(c));
        for responder in appointed {
            match self
                .may_answer(responder)
                .and_then(|()| self.signed_by(responder))
            {
                Ok(()) => return Ok(()),
                Err(why) => fault = why,
            }
        }
        Err(fault)
    }

    fn signed_by(&self, signer: &Certificate) -> Result<(), OcspFault> {
        let response = &self.answer.response;
        self.algorithms
            .accepts_key(signer.spki_der())
            .map_err(|_| OcspFault::Algorithm)?;
        response
            .algorithm
            .verify(signer.spki_der(), &response.tbs, &response.signature)
            .map_err(|_| OcspFault::BadSignature)
    }

    /// RFC 6960, 4.2.2.2: issued by the CA itself, for OCSP signing by name.
    fn is_appointed(&self, responder: &Certificate) -> bool {
        responder.issuer_name().matches(&self.issuer.subject_name())
            && responder
                .extended_key_usage()
                .is_some_and(|purposes| purposes.contains(&oid::OCSP_SIGNING))
            && responder
                .key_usage()
                .is_none_or(|usage| usage.digital_signature())
            && self
                .algorithms
                .accepts_algorithm(responder.signature_algorithm())
                .is_ok()
            && responder.signature_algorithms_agree()
            && responder.verify_signature(self.issuer.spki_der()).is_ok()
    }

    fn may_answer(&self, responder: &Certificate) -> Result<(), OcspFault> {
        let (from, to) = (responder.not_before(), responder.not_after());
        if self.at < from || to < self.at {
            return Err(OcspFault::ResponderValidity(from, to));
        }
        // RFC 6960, 4.2.2.2.1: the CA says that nobody need look, or names no
        // place to look at; otherwise its CRL must tell.
        if responder.extension(oid::OCSP_NO_CHECK).is_some()
            || (responder.crl_urls().is_empty() && responder.ocsp_urls().is_empty())
        {
            return Ok(());
        }
        match status_by_crl(responder, self.issuer, self.crls, self.at, self.algorithms) {
            RevocationStatus::Good | RevocationStatus::None => Ok(()),
            _ => Err(OcspFault::ResponderRevocation),
        }
    }
}

fn is_named(responder: &ResponderId, certificate: &Certificate) -> bool {
    match responder {
        ResponderId::Name(der) => {
            der == certificate.subject_der()
                || Name::from_der(der).is_ok_and(|name| name.matches(&certificate.subject_name()))
        }
        ResponderId::Key(hash) => *hash == CertIdHash::Sha1.of(key_bits(certificate)),
    }
}
