//! Step 6: the issuer verifies what it is shown.

use std::sync::Arc;

use clock::Clock;
use finding::Trusted;
use issuer_guard::{
    GuardSettings, HttpSettings, HttpStatusSource, IssuanceVerdict, IssuerGuard, KeyProofs,
    ListTrust, MemoryReplayStore, StatusLists, StatusSettings, StatusWatch, TrustProfile,
    WiaPresentation,
};

use trust::{Policy, Revocation};

use super::circle::{C_NONCE, CHALLENGE, Circle, ISSUER, StatusForms};
use super::record::Recorder;
use super::units::Shown;
use crate::exit::{Doing, Failure};

/// A PID provider's side.
#[derive(Debug)]
pub(super) struct Issuer {
    /// Refuses a KA without certified levels.
    pub(super) production: IssuerGuard,
    /// Accepts it and says what it lacks.
    pub(super) development: IssuerGuard,
    pub(super) watch: StatusWatch,
    trust: Arc<ListTrust>,
    lists: Arc<StatusLists>,
}

impl Issuer {
    pub(super) async fn open(circle: &Circle) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = circle.clock.clone();
        let trust = Arc::new(ListTrust::new(
            Arc::clone(&circle.trust),
            Policy::DirectOnly,
            Revocation::Hard,
        ));
        let source = HttpStatusSource::new(&HttpSettings {
            private_hosts: true,
            ..HttpSettings::default()
        })
        .doing("the HTTP client")?;
        let lists = Arc::new(StatusLists::new(
            Arc::new(source),
            trust.clone(),
            StatusSettings::default(),
        ));
        Ok(Self {
            production: guard(&trust, &lists, clock.clone(), TrustProfile::Production),
            development: guard(&trust, &lists, clock.clone(), TrustProfile::Development),
            watch: StatusWatch::new(lists.clone(), clock),
            trust,
            lists,
        })
    }

    /// A guard of this issuer, in development, whose clock is another.
    pub(super) fn with_clock(&self, clock: Arc<dyn Clock>) -> IssuerGuard {
        guard(&self.trust, &self.lists, clock, TrustProfile::Development)
    }
}

fn guard(
    trust: &Arc<ListTrust>,
    lists: &Arc<StatusLists>,
    clock: Arc<dyn Clock>,
    trust_profile: TrustProfile,
) -> IssuerGuard {
    IssuerGuard::new(
        trust.clone(),
        lists.clone(),
        Arc::new(MemoryReplayStore::default()),
        clock,
        GuardSettings {
            trust_profile,
            ..GuardSettings::new(ISSUER)
        },
    )
}

/// Step 6.
pub(super) async fn verify(
    recorder: &mut Recorder,
    circle: &Circle,
    issuer: &Issuer,
    shown: &Shown,
) -> Result<Issued, Failure> {
    let mut step = recorder.step(
        "The issuer verifies WIA, KA and their proofs",
        &[
            "TS3-2.2.1.2",
            "TS3-2.2.2.2",
            "TS3-2.4.3",
            "WUA_05",
            "OIA_02",
        ],
    );
    let wia = WiaPresentation {
        wia: &shown.wia,
        proof: &shown.wia_proof,
        challenge: Some(CHALLENGE),
        client_id: None,
    };
    let proofs = [shown.ka_proof.clone()];
    let verdict = issuer
        .production
        .verify_issuance(wia, Some((KeyProofs::Jwt(&proofs), C_NONCE)))
        .await;
    let ka = verdict
        .ka
        .as_ref()
        .ok_or_else(|| step.broken("no verdict on the KA"))?;
    step.demand(
        verdict.wia.decision == Trusted::Yes,
        "production: the WIA and its proof are accepted",
    )
    .map_err(|failure| explain(failure, &verdict))?;
    step.refused_by(
        "production: the KA, because a software device earns no certified level",
        &ka.findings,
        &issuer_guard::rules::LEVEL,
    )?;

    let verdict = issuer
        .development
        .verify_issuance(wia, Some((KeyProofs::Jwt(&proofs), C_NONCE)))
        .await;
    step.demand(
        verdict.is_accepted(),
        "development: the same WIA and KA are accepted, with a warning that says what they lack",
    )
    .map_err(|failure| explain(failure, &verdict))?;
    let direct = verdict.ka.as_ref().and_then(|ka| ka.signer.as_ref());
    step.demand(
        direct.is_some_and(|verdict| verdict.method == Some(finding::Method::Direct)),
        "the signer stands in the wallet list, byte for byte (direct trust)",
    )?;
    issuer.watch.watch("PID 1", &verdict.references);
    let mut before = Vec::new();
    for entry in &verdict.references {
        let uri = &entry.reference.uri;
        if before
            .iter()
            .all(|(known, _): &(String, StatusForms)| known != uri)
        {
            before.push((uri.clone(), circle.fetch_status(uri).await?));
        }
    }
    step.proven(format!(
        "{} status entries are valid, and watched from here on",
        verdict.references.len()
    ));
    recorder.close(step);
    Ok(Issued { verdict, before })
}

/// What the issuer has after it verified.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) verdict: IssuanceVerdict,
    /// The status lists as they were then, by address.
    pub(super) before: Vec<(String, StatusForms)>,
}

fn explain(failure: Failure, verdict: &IssuanceVerdict) -> Failure {
    let found: Vec<String> = verdict.findings().map(ToString::to_string).collect();
    Failure::new(format!("{failure}: {}", found.join("; ")))
}
