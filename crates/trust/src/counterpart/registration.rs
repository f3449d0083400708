//! One registration certificate: its signer, itself, its status, and whether it
//! covers what is done.

use finding::Trusted;
use wrp::{RegistrationCertificate, RegistrationCheck, UncheckedRegistration};

use super::lists::Provider;
use super::verdict::Half;
use super::{Counterpart, CounterpartVerdict, Known, Presented, Registration, rules};
use crate::context::Context;
use crate::offline::OfflineError;

impl Counterpart<'_> {
    /// Judges a registration certificate, into the entitlement half.
    pub(super) async fn registration(
        &self,
        bytes: &[u8],
        known: Option<&Known>,
        presented: &Presented<'_>,
        verdict: &mut CounterpartVerdict,
    ) -> Result<(), OfflineError> {
        let mut judged = Registration::default();
        let half = &mut verdict.entitlement;
        let token = match UncheckedRegistration::parse(bytes) {
            Ok(token) => token,
            Err(refusal) => {
                half.extend(refusal.into_findings());
                verdict.registrations.push(judged);
                return Ok(());
            }
        };
        if let Some((certificate, providers)) = self.signed(token, &mut judged, half).await? {
            let status = self.status(&certificate, &providers, half).await?;
            judged.status = Some(status);
            if let Some(known) = known {
                covers(&certificate, known, presented, half);
            }
            judged.certificate = Some(certificate);
        }
        verdict.registrations.push(judged);
        Ok(())
    }

    /// Its signer, its signature, and what it says. The providers are those behind a
    /// signer that is trusted; none, otherwise.
    async fn signed(
        &self,
        token: UncheckedRegistration,
        judged: &mut Registration,
        half: &mut Half,
    ) -> Result<Option<(RegistrationCertificate, Vec<Provider>)>, OfflineError> {
        const SUBJECT: &str = "registration certificate";
        let chain = match pki::chain::from_ders(token.x5c()) {
            Ok(chain) => chain,
            Err(error) => {
                half.add(wrp::rules::X5C.finding(SUBJECT, error.to_string()));
                return Ok(None);
            }
        };
        let Some(signer) = chain.first().cloned() else {
            half.add(wrp::rules::X5C.finding(SUBJECT, "empty"));
            return Ok(None);
        };
        let context = Context::RegistrationCertificate;
        let answer = self.lists.ask(self, context, chain).await?;
        let evidence = format!("its signer is trusted: {}", answer.verdict.trusted);
        match answer.verdict.trusted {
            Trusted::Yes => {}
            Trusted::No => half.add(rules::REGISTRAR.finding(SUBJECT, evidence)),
            Trusted::Undecided => {
                half.open(rules::REGISTRAR_UNDECIDED.finding(SUBJECT, evidence));
            }
        }
        let providers = match answer.verdict.trusted {
            Trusted::Yes => Provider::behind(&answer, context),
            Trusted::No | Trusted::Undecided => Vec::new(),
        };
        judged.signer = Some(answer.verdict);
        let check = RegistrationCheck {
            skew: self.skew,
            mode: self.mode,
            ..RegistrationCheck::new(&signer, self.at)
        };
        match token.verify(&check) {
            Ok(certificate) => {
                half.extend(certificate.findings.iter().cloned());
                Ok(Some((certificate, providers)))
            }
            Err(refusal) => {
                half.extend(refusal.into_findings());
                Ok(None)
            }
        }
    }
}

/// Whether it is of who speaks, and covers what they ask or offer.
fn covers(
    certificate: &RegistrationCertificate,
    known: &Known,
    presented: &Presented<'_>,
    half: &mut Half,
) {
    half.extend(wrp::belongs(certificate, &known.access));
    if let Some(query) = &known.asks {
        half.extend(wrp::within_registration(query, certificate));
    }
    if let Some(metadata) = &known.offers {
        let wanted = presented.configuration;
        half.extend(wrp::within_entitlements(metadata, certificate, wanted));
    }
}
