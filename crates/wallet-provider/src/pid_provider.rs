//! Revocation at the request of a PID provider whose user died (ARF
//! `WURevocation_11`, `_12`).

use finding::{Refusal, Trusted};
use jiff::{SignedDuration, Timestamp};
use jose::PublicKey;
use pki::Certificate;
use provider_api::{
    PidRevocationAnswer, PidRevocationRequest, Problem, RevocationReason, Revoker,
    UnverifiedPidRevocation,
};
use wua::{ClientAttestationDraft, UnverifiedWia, WiaCheck};

use crate::{
    EntryName, Error, FoundByEntry, RequestedRevocation, Seals, SpentPidRequest, WalletProvider,
};

impl WalletProvider {
    /// Revokes the unit that showed the WIA of the request, if a listed PID provider
    /// asks for it.
    ///
    /// Nothing of a unit is looked at before the asker is known, and what it is told
    /// follows from the request and the lists alone: the answer is the same whether
    /// the unit is operational, revoked, or forgotten.
    pub async fn revoke_by_pid_provider(
        &self,
        request: &PidRevocationRequest,
    ) -> Result<PidRevocationAnswer, Error> {
        let now = self.clock.now();
        let request = UnverifiedPidRevocation::parse(&request.request)?;
        let chain = request.x5c().to_vec();
        let request = request.verify(&leaf_key(&chain)?, &self.config.base_url, now)?;
        let provider = self.ask_lists(&chain, now).await?;
        if request.reason != RevocationReason::Death {
            let what = format!(
                "{} is no reason of a PID provider: death is the one",
                request.reason.name()
            );
            return Err(Error::refused(Problem::NotOffered, "reason", what));
        }
        let entry = self.read_shown_wia(&request.wia, now)?;
        let spent = SpentPidRequest {
            provider: jose::sha256(format!("claviger pid provider 1\0{provider}").as_bytes()),
            jti: request.jti,
            forget_at: request.forget_at,
            at_most: self.config.pid_provider_requests,
        };
        let revocation = RequestedRevocation {
            by: Revoker::PidProvider,
            name: Some(provider),
            reason: request.reason,
            at: now,
        };
        let found = self
            .revocations
            .revoke_on_request(spent, entry, revocation.clone())
            .await?;
        match found {
            FoundByEntry::Unit(unit, revoked) => {
                self.follow(&revocation.of(unit), revoked).await;
            }
            // Of the reference's interface (docs/decisions/0085).
            FoundByEntry::Loose(entries) => self.follow_loose(entries).await,
            // A WIA of ours whose status is maintained, and no unit has it: its account
            // was deleted, or the store is older than the WIA.
            FoundByEntry::Nothing => tracing::error!(
                target: "claviger::alarm",
                event = "pid-revocation.unit-unknown",
                "a PID provider showed a WIA of ours that no unit has"
            ),
        }
        Ok(PidRevocationAnswer { taken_at: now })
    }

    /// The name of the PID provider whose chain this is. What the lists cannot decide
    /// now is no refusal.
    async fn ask_lists(&self, chain: &[Vec<u8>], now: Timestamp) -> Result<String, Error> {
        let Some(lists) = &self.pid_providers else {
            let what = "this provider knows no list of PID providers";
            return Err(Error::refused(Problem::NotOffered, "request", what));
        };
        let listed = lists.check(chain, now).await;
        match listed.verdict.trusted {
            Trusted::Yes => {}
            Trusted::Undecided => return Err(Error::Undecided(Box::new(listed.verdict))),
            Trusted::No => {
                let mut findings = Problem::PidProvider
                    .refusal("request", "its chain is no PID provider's by the lists")
                    .into_findings();
                findings.extend(listed.verdict.findings);
                let refusal = Refusal::unless_clean(findings).err();
                return Err(refusal.map_or_else(
                    || Error::refused(Problem::PidProvider, "request", "not trusted"),
                    |refusal| Error::Refused {
                        problem: Problem::PidProvider,
                        refusal,
                    },
                ));
            }
        }
        // A list that trusts a certificate names its entity; the certificate names
        // itself where it does not.
        Ok(listed
            .name
            .or_else(|| Some(listed.verdict.path.first()?.subject.clone()))
            .unwrap_or_default())
    }

    /// The status entry of a WIA that this provider made, of whatever age, as long as
    /// its status is maintained. That follows from the WIA alone.
    fn read_shown_wia(&self, text: &str, now: Timestamp) -> Result<EntryName, Error> {
        let refuse = |what: String| Error::refused(Problem::ShownWia, "wia", what);
        let expires = jose::jws::parse(text, wua::Limits::default().wia_bytes)
            .and_then(|token| token.claims())
            .map_err(|error| refuse(error.to_string()))?
            .get("exp")
            .and_then(status_list::numeric_date)
            .ok_or_else(|| refuse("exp is absent".into()))?;
        let mut refusal = None;
        for key in self.keys.own_keys(Seals::Wia) {
            let wia = UnverifiedWia::parse(text, &wua::Limits::default())
                .map_err(|refusal| refuse(refusal.to_string()))?;
            // As of its last moment: it may have expired, and who forged it would need
            // the key to say when.
            let last = SignedDuration::from_secs(1);
            let mut check = WiaCheck::new(&key, expires.checked_sub(last).unwrap_or(expires));
            check.draft = ClientAttestationDraft::Draft10;
            check.min_maintenance = SignedDuration::ZERO;
            match wia.verify(&check) {
                Ok(wia) => {
                    let status = &wia.claims().status;
                    if status.maintained_until <= now {
                        let what = format!(
                            "its status was maintained until {}: no PID that it stood for lasts longer",
                            status.maintained_until
                        );
                        return Err(refuse(what));
                    }
                    return Ok(EntryName {
                        uri: status.reference.uri.clone(),
                        index: status.reference.idx,
                    });
                }
                Err(why) => refusal = Some(why),
            }
        }
        let why = refusal.map_or_else(String::new, |refusal| refusal.to_string());
        Err(refuse(format!("it is none that this provider made: {why}")))
    }
}

fn leaf_key(chain: &[Vec<u8>]) -> Result<PublicKey, Error> {
    let refuse = |what: String| Error::refused(Problem::Malformed, "x5c", what);
    let leaf = chain.first().ok_or_else(|| refuse("it is empty".into()))?;
    let leaf = Certificate::from_der(leaf).map_err(|error| refuse(error.to_string()))?;
    leaf.public_key().map_err(|error| refuse(error.to_string()))
}
