//! Direct trust: the certificate itself stands in the list, byte for byte.
//!
//! Matching by subject and serial number would be forgeable: anyone can make a
//! certificate with both. So a match is the whole certificate, or it is none; what
//! merely looks like a listed certificate is named as such in the refusal.

use finding::{Finding, Refusal};
use jose::sha256;

use crate::certificate::Certificate;
use crate::name::Name;
use crate::rules;

/// Trust anchors, indexed: a look-up among ten thousand costs what one among ten
/// does. The position of an anchor is its place in what [`AnchorIndex::new`] was
/// given.
#[derive(Debug, Clone, Default)]
pub struct AnchorIndex {
    anchors: Vec<Certificate>,
    by_bytes: Digests,
    by_subject: Digests,
    by_key: Digests,
}

impl AnchorIndex {
    /// Indexes these anchors. One certificate may stand several times.
    pub fn new(anchors: impl IntoIterator<Item = Certificate>) -> Self {
        let anchors: Vec<Certificate> = anchors.into_iter().collect();
        Self {
            by_bytes: Digests::of(anchors.iter().map(Certificate::sha256)),
            by_subject: Digests::of(anchors.iter().map(Certificate::subject_key)),
            by_key: Digests::of(anchors.iter().map(|a| sha256(a.spki_der()))),
            anchors,
        }
    }

    /// How many anchors there are.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// The anchor at a position.
    pub fn get(&self, position: usize) -> Option<&Certificate> {
        self.anchors.get(position)
    }

    /// Every anchor, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        self.anchors.iter()
    }

    /// The positions at which this very certificate stands.
    pub fn positions(&self, certificate: &Certificate) -> Vec<usize> {
        self.look_up(&self.by_bytes, certificate.sha256())
            .filter(|(_, anchor)| *anchor == certificate)
            .map(|(position, _)| position)
            .collect()
    }

    /// The positions of the certificate with this SHA-256.
    pub fn with_digest(&self, sha256: [u8; 32]) -> Vec<usize> {
        self.look_up(&self.by_bytes, sha256)
            .filter(|(_, anchor)| anchor.sha256() == sha256)
            .map(|(position, _)| position)
            .collect()
    }

    /// Matches a certificate by direct trust: the positions at which it stands,
    /// or a refusal that says what comes close and why that is not enough.
    pub fn match_direct(&self, certificate: &Certificate) -> Result<Vec<usize>, Refusal> {
        let positions = self.positions(certificate);
        if !positions.is_empty() {
            return Ok(positions);
        }
        let mut findings = vec![rules::DIRECT_NOT_LISTED.finding(
            certificate.subject(),
            format!(
                "its SHA-256 {} is not among the {} listed",
                certificate.sha256_hex(),
                self.len()
            ),
        )];
        findings.extend(self.lookalikes(certificate));
        Err(Refusal::unless_clean(findings)
            .err()
            .unwrap_or_else(|| rules::DIRECT_NOT_LISTED.finding("", "").into()))
    }

    /// What comes close to a certificate that is not listed: at most one finding
    /// under each rule.
    pub fn lookalikes(&self, certificate: &Certificate) -> Vec<Finding> {
        let about = certificate.subject();
        let mut findings = Vec::new();
        let same_subject: Vec<_> = self.with_subject(&certificate.subject_name()).collect();
        if let Some((_, other)) = same_subject
            .iter()
            .find(|(_, a)| a.serial_der() == certificate.serial_der() && *a != certificate)
        {
            findings.push(rules::DIRECT_LOOKALIKE.finding(
                about.as_str(),
                format!(
                    "the listed {} has the same subject and serial number {}",
                    other.sha256_hex(),
                    other.serial()
                ),
            ));
        }
        if let Some(other) = self.with_key_but_other_bytes(certificate) {
            findings.push(rules::DIRECT_SAME_KEY.finding(
                about.as_str(),
                format!("the listed {} has the same key", other.sha256_hex()),
            ));
        } else if findings.is_empty()
            && let Some((_, other)) = same_subject.iter().find(|(_, a)| *a != certificate)
        {
            findings.push(rules::DIRECT_SAME_SUBJECT.finding(
                about.as_str(),
                format!(
                    "the listed {} has the same subject, another serial number and another key",
                    other.sha256_hex()
                ),
            ));
        }
        if !certificate.is_self_issued()
            && let Some((_, issuer)) = self.with_subject(&certificate.issuer_name()).next()
        {
            findings.push(rules::DIRECT_ISSUER_LISTED.finding(
                about.as_str(),
                format!("the listed {} is named as its issuer", issuer.sha256_hex()),
            ));
        }
        findings
    }

    /// The anchors whose subject matches a name (RFC 5280, 7.1).
    pub fn with_subject(&self, name: &Name) -> impl Iterator<Item = (usize, &Certificate)> {
        self.look_up(&self.by_subject, name.key())
            .filter(move |(_, anchor)| anchor.subject_name().matches(name))
    }

    /// An anchor with this certificate's key that is another certificate.
    pub fn with_key_but_other_bytes(&self, certificate: &Certificate) -> Option<&Certificate> {
        if !self.positions(certificate).is_empty() {
            return None;
        }
        self.look_up(&self.by_key, sha256(certificate.spki_der()))
            .map(|(_, anchor)| anchor)
            .find(|anchor| anchor.spki_der() == certificate.spki_der())
    }

    fn look_up(
        &self,
        index: &Digests,
        digest: [u8; 32],
    ) -> impl Iterator<Item = (usize, &Certificate)> {
        index
            .find(digest)
            .iter()
            .filter_map(|(_, position)| usize::try_from(*position).ok())
            .filter_map(|position| Some((position, self.anchors.get(position)?)))
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// Positions by the head of a digest, sorted: sixteen bytes an anchor. What is
/// found is compared in full.
#[derive(Debug, Clone, Default)]
struct Digests(Vec<(u64, u64)>);

impl Digests {
    fn of(digests: impl Iterator<Item = [u8; 32]>) -> Self {
        let mut sorted: Vec<(u64, u64)> = (0u64..)
            .zip(digests)
            .map(|(position, digest)| (head(digest), position))
            .collect();
        sorted.sort_unstable();
        Self(sorted)
    }

    fn find(&self, digest: [u8; 32]) -> &[(u64, u64)] {
        let head = head(digest);
        let start = self.0.partition_point(|(h, _)| *h < head);
        let tail = self.0.get(start..).unwrap_or_default();
        let len = tail.iter().take_while(|(h, _)| *h == head).count();
        tail.get(..len).unwrap_or_default()
    }
}

fn head(digest: [u8; 32]) -> u64 {
    digest
        .iter()
        .take(8)
        .fold(0, |head, &byte| head << 8 | u64::from(byte))
}
