use std::sync::Arc;

use clock::Clock;
use finding::{Finding, Rule, Severity, Trusted, Verdict};
use jiff::Timestamp;
use jose::PublicKey;
use status_list::Status;
use wua::{
    KaCheck, KeyProofCheck, StatusPeriod, UnverifiedKa, UnverifiedKeyProof, UnverifiedWia,
    UnverifiedWiaProof, VerifiedKa, VerifiedWia, VerifiedWiaProof, WiaCheck, WiaProofCheck,
};

use crate::judgement::{Case, Stop};
use crate::{
    AttestationKind, ChainTrust, Claim, GuardSettings, IssuanceVerdict, KaVerdict, ListedParty,
    Mark, ReplayStore, StatusAnswer, StatusLists, StatusReference, TrustContext, TrustProfile,
    WiaVerdict, rules,
};

/// Verifies what a wallet unit shows when it asks for a PID or an attestation.
///
/// The order is always: read within limits; the signer's chain against the
/// wallet provider list; the signature and claims; the proof; the status; and
/// last, when nothing else speaks against it, the proof is marked as used. A
/// refused presentation therefore uses nothing up.
#[derive(Debug)]
pub struct IssuerGuard {
    trust: Arc<dyn ChainTrust>,
    status: Arc<StatusLists>,
    replay: Arc<dyn ReplayStore>,
    clock: Arc<dyn Clock>,
    settings: GuardSettings,
}

/// A WIA with its proof, as the two request headers carry them.
#[derive(Debug, Clone, Copy)]
pub struct WiaPresentation<'a> {
    /// `OAuth-Client-Attestation`.
    pub wia: &'a str,
    /// `OAuth-Client-Attestation-PoP`.
    pub proof: &'a str,
    /// The challenge this server gave, where it gave one.
    pub challenge: Option<&'a str>,
    /// The request's `client_id`, where it has one.
    pub client_id: Option<&'a str>,
}

/// The `proofs` of a credential request.
#[derive(Debug, Clone, Copy)]
pub enum KeyProofs<'a> {
    /// `proofs.jwt`.
    Jwt(&'a [String]),
    /// `proofs.attestation`.
    Attestation(&'a [String]),
}

impl IssuerGuard {
    /// A guard that stands on these parts. Guards and watches of one issuer share
    /// them.
    pub fn new(
        trust: Arc<dyn ChainTrust>,
        status: Arc<StatusLists>,
        replay: Arc<dyn ReplayStore>,
        clock: Arc<dyn Clock>,
        settings: GuardSettings,
    ) -> Self {
        Self {
            trust,
            status,
            replay,
            clock,
            settings,
        }
    }

    /// The WIA and the KA of one issuance. `c_nonce` is the one this issuer gave;
    /// that it is still valid is for the caller to say, that it is used once is
    /// seen to here. Without `proofs`, for what is not device-bound, the WIA
    /// stands alone.
    pub async fn verify_issuance(
        &self,
        wia: WiaPresentation<'_>,
        proofs: Option<(KeyProofs<'_>, &str)>,
    ) -> IssuanceVerdict {
        let wia = self.verify_wia(wia).await;
        let ka = match proofs {
            Some((KeyProofs::Jwt(proofs), c_nonce)) => {
                Some(self.verify_ka_jwt_proof(proofs, c_nonce).await)
            }
            Some((KeyProofs::Attestation(proofs), c_nonce)) => {
                Some(self.verify_ka_attestation(proofs, c_nonce).await)
            }
            None => None,
        };
        IssuanceVerdict::of(wia, ka)
    }

    /// A WIA with its proof of possession.
    pub async fn verify_wia(&self, shown: WiaPresentation<'_>) -> WiaVerdict {
        let mut case = Case::default();
        let result = self.examine_wia(shown, &mut case).await;
        case.close(result)
    }

    /// The value of `proofs.jwt`: one proof with the KA in its header.
    pub async fn verify_ka_jwt_proof<T: AsRef<str> + Sync>(
        &self,
        proofs: &[T],
        c_nonce: &str,
    ) -> KaVerdict {
        let mut case = Case::default();
        let result = self.examine_jwt_proof(proofs, c_nonce, &mut case).await;
        case.close(result)
    }

    /// The value of `proofs.attestation`: one KA with the c_nonce in it.
    pub async fn verify_ka_attestation<T: AsRef<str> + Sync>(
        &self,
        proofs: &[T],
        c_nonce: &str,
    ) -> KaVerdict {
        let mut case = Case::default();
        let result = self.examine_attestation(proofs, c_nonce, &mut case).await;
        case.close(result)
    }

    async fn examine_wia(
        &self,
        shown: WiaPresentation<'_>,
        case: &mut Case,
    ) -> Result<VerifiedWia, Stop> {
        let (at, settings) = (self.clock.now(), &self.settings);
        let wia = UnverifiedWia::parse(shown.wia, &settings.limits)?;
        let (key, listed) = self.judge_signer(wia.x5c(), at, case).await?;
        let wia = wia.verify(&WiaCheck {
            draft: settings.draft,
            client_id: shown.client_id,
            wallet_names: listed.as_ref().map(|party| party.services.as_slice()),
            skew: settings.skew,
            min_maintenance: settings.min_maintenance,
            ..WiaCheck::new(&key, at)
        })?;
        case.findings.extend_from_slice(wia.findings());
        let proof = UnverifiedWiaProof::parse(shown.proof, &settings.limits)?;
        let proof = proof.verify(&WiaProofCheck {
            challenge: shown.challenge,
            draft: settings.draft,
            window: settings.proof_window,
            skew: settings.skew,
            ..WiaProofCheck::new(&wia, &settings.authorization_server, at)
        })?;
        let period = &wia.claims().status;
        self.check_status(AttestationKind::Wia, period, listed, at, case)
            .await?;
        self.claim(&[(proof_mark(&wia, &proof), &rules::REPLAY_PROOF)], at)
            .await?;
        Ok(wia)
    }

    async fn examine_jwt_proof<T: AsRef<str> + Sync>(
        &self,
        proofs: &[T],
        c_nonce: &str,
        case: &mut Case,
    ) -> Result<VerifiedKa, Stop> {
        let (at, settings) = (self.clock.now(), &self.settings);
        let proof = UnverifiedKeyProof::parse_jwt_proofs(proofs, &settings.limits)?;
        let (key, listed) = self.judge_signer(proof.ka().x5c(), at, case).await?;
        let proof = proof.verify(&KeyProofCheck {
            profile: settings.key_proof_profile,
            window: settings.proof_window,
            ..KeyProofCheck::new(
                self.ka_check(&key, at, None),
                &settings.credential_issuer,
                Some(c_nonce),
            )
        })?;
        self.admit_ka(proof.into_ka(), c_nonce, listed, at, case)
            .await
    }

    async fn examine_attestation<T: AsRef<str> + Sync>(
        &self,
        proofs: &[T],
        c_nonce: &str,
        case: &mut Case,
    ) -> Result<VerifiedKa, Stop> {
        let at = self.clock.now();
        let ka = UnverifiedKa::parse_attestation_proof(proofs, &self.settings.limits)?;
        let (key, listed) = self.judge_signer(ka.x5c(), at, case).await?;
        let ka = ka.verify(&self.ka_check(&key, at, Some(c_nonce)))?;
        self.admit_ka(ka, c_nonce, listed, at, case).await
    }

    /// What is left to check of a KA once its proof is sound.
    async fn admit_ka(
        &self,
        ka: VerifiedKa,
        c_nonce: &str,
        listed: Option<ListedParty>,
        at: Timestamp,
        case: &mut Case,
    ) -> Result<VerifiedKa, Stop> {
        case.findings.extend_from_slice(ka.findings());
        self.check_level(&ka, case)?;
        let period = &ka.claims().status;
        self.check_status(AttestationKind::Ka, period, listed, at, case)
            .await?;
        self.claim(&self.ka_marks(&ka, c_nonce, at), at).await?;
        Ok(ka)
    }

    fn ka_check<'a>(
        &self,
        key: &'a PublicKey,
        at: Timestamp,
        nonce: Option<&'a str>,
    ) -> KaCheck<'a> {
        KaCheck {
            nonce,
            skew: self.settings.skew,
            min_maintenance: self.settings.min_maintenance,
            ..KaCheck::new(key, at)
        }
    }

    /// The key of a signer that the wallet provider list vouches for.
    async fn judge_signer(
        &self,
        chain: &[Vec<u8>],
        at: Timestamp,
        case: &mut Case,
    ) -> Result<(PublicKey, Option<ListedParty>), Stop> {
        let verdict = self.trust.check(TrustContext::Wallet, chain, at).await;
        let verdict = &*case.signer.insert(verdict);
        match verdict.trusted {
            Trusted::Yes => {}
            Trusted::No => {
                let evidence = "the wallet provider list does not vouch for it";
                return Err(
                    Stop::no(&rules::WALLET_CHAIN, "x5c", evidence).after(&verdict.findings)
                );
            }
            Trusted::Undecided => {
                let evidence = "it cannot be told whether the list vouches for it";
                return Err(Stop::undecided(&rules::WALLET_UNDECIDED, "x5c", evidence)
                    .after(&verdict.findings));
            }
        }
        let key = leaf_key(chain, verdict, &rules::WALLET_CHAIN)?;
        let listed = self.trust.listed(TrustContext::Wallet, verdict).await;
        Ok((key, listed))
    }

    fn check_level(&self, ka: &VerifiedKa, case: &mut Case) -> Result<(), Stop> {
        let required = self.settings.required_level;
        for (claim, level) in [
            ("key_storage", ka.key_storage()),
            ("user_authentication", ka.user_authentication()),
        ] {
            if level.is_some_and(|level| level >= required) {
                continue;
            }
            let found = level.map_or("no level", |level| level.name());
            let evidence = format!("{found}, {required} is required");
            match self.settings.trust_profile {
                TrustProfile::Production => return Err(Stop::no(&rules::LEVEL, claim, evidence)),
                TrustProfile::Development => {
                    case.findings
                        .push(rules::LEVEL.finding_as(Severity::Warning, claim, evidence))
                }
            }
        }
        Ok(())
    }

    async fn check_status(
        &self,
        kind: AttestationKind,
        period: &StatusPeriod,
        listed: Option<ListedParty>,
        at: Timestamp,
        case: &mut Case,
    ) -> Result<(), Stop> {
        let entry = StatusReference {
            kind,
            reference: period.reference.clone(),
            maintained_until: period.maintained_until,
            provider: listed.map(|party| party.entity),
        };
        let answer = case.status.insert(StatusAnswer {
            entry,
            status: None,
            list_issued: None,
            list_signer: None,
        });
        let provider = answer.entry.provider.as_deref();
        let list = self.status.get(&period.reference.uri, provider, at).await?;
        answer.list_issued = Some(list.list().issued());
        answer.list_signer = Some(list.signer().clone());
        case.findings.extend(list.findings(kind));
        let status = list.status(&answer.entry)?;
        answer.status = Some(status);
        let subject = period.reference.to_string();
        match status {
            Status::VALID => Ok(()),
            Status::INVALID => Err(Stop::no(&rules::REVOKED, subject, "its status is invalid")),
            other => {
                let evidence = format!("its status is {other}");
                Err(Stop::no(&rules::NOT_VALID, subject, evidence))
            }
        }
    }

    fn ka_marks(&self, ka: &VerifiedKa, c_nonce: &str, at: Timestamp) -> Vec<RuledMark> {
        let claims = ka.claims();
        // A nonce's own life is the caller's; that of the KA or of a proof that
        // carries it bounds how long it can be replayed here.
        let window = self
            .settings
            .proof_window
            .saturating_add(self.settings.skew);
        let nonce_until = at.checked_add(window).unwrap_or(Timestamp::MAX);
        let mut marks = vec![(
            Mark::of(
                "c_nonce",
                c_nonce.as_bytes(),
                nonce_until.max(claims.expires),
            ),
            &rules::REPLAY_NONCE,
        )];
        marks.extend(claims.keys.iter().map(|key| {
            let mark = Mark::of("attested key", &key.thumbprint(), claims.expires);
            (mark, &rules::REPLAY_KA)
        }));
        marks
    }

    /// Marks all as used now; refused when any was before.
    async fn claim(&self, ruled: &[RuledMark], at: Timestamp) -> Result<(), Stop> {
        let marks: Vec<Mark> = ruled.iter().map(|(mark, _)| mark.clone()).collect();
        let claim = self.replay.claim(&marks, at).await.map_err(|error| {
            Stop::undecided(&rules::REPLAY_UNDECIDED, "replay store", error.to_string())
        })?;
        let seen = match claim {
            Claim::Fresh => return Ok(()),
            Claim::Seen(seen) => seen,
        };
        let mut findings: Vec<Finding> = Vec::new();
        for (_, rule) in seen.into_iter().filter_map(|place| ruled.get(place)) {
            // A batch of keys breaks the rule once, not once for each key.
            if !findings.iter().any(|f| f.is(rule)) {
                findings.push(rule.finding("proof", "it was used before"));
            }
        }
        Err(Stop {
            decision: Trusted::No,
            findings,
        })
    }
}

type RuledMark = (Mark, &'static Rule);

/// A `jti` is told apart from those of every other key.
fn proof_mark(wia: &VerifiedWia, proof: &VerifiedWiaProof) -> Mark {
    let thumbprint = wia.claims().key.thumbprint();
    let value = [thumbprint.as_slice(), proof.jti().as_bytes()].concat();
    Mark::of("wia proof", &value, proof.usable_until())
}

/// The key of the leaf that `verdict` trusts, which has to be the first
/// certificate of `chain`: that is the one a token is signed under (RFC 7515,
/// 4.1.6), however a trust check orders what it is given.
pub(crate) fn leaf_key(
    chain: &[Vec<u8>],
    verdict: &Verdict,
    untrusted: &'static Rule,
) -> Result<PublicKey, Stop> {
    let refuse = |evidence: String| Stop::no(&rules::SIGNER_KEY, "x5c/0", evidence);
    let leaf = chain.first().ok_or_else(|| refuse("absent".into()))?;
    let leaf = pki::Certificate::from_der(leaf).map_err(|e| refuse(e.to_string()))?;
    if verdict.path.first().map(|judged| &judged.sha256) != Some(&leaf.sha256_hex()) {
        let evidence = "the verdict is about another certificate than the first of x5c";
        return Err(Stop::no(untrusted, "x5c/0", evidence));
    }
    leaf.public_key().map_err(|e| refuse(e.to_string()))
}
