//! What a wallet checks about its counterpart, in one call.
//!
//! A token that the counterpart signed (credential-issuer metadata, or an
//! authorization request), or a registration certificate by itself, is answered
//! with a [`CounterpartVerdict`], which keeps two questions apart: *who are you*,
//! which the access certificate answers, and *what may you do*, which the
//! registration certificate answers. See `docs/protocols/counterpart.md`.

mod lists;
mod registration;
pub mod rules;
mod status;
mod verdict;

use finding::{Finding, Refusal, Trusted};
use jiff::{SignedDuration, Timestamp};
use pki::Certificate;
use wrp::{
    AuthorizationRequest, IssuerMetadata, MetadataCheck, Mode, Query, RequestCheck, Statement,
    StatementKind, UncheckedStatement,
};

use crate::context::Context;
use crate::request::Revocation;

pub use lists::Lists;
pub use rules::RULES;
pub use status::Statuses;
pub use verdict::{CounterpartVerdict, Half, Kind, Registration, RegistrationStatus, Said};

/// A token, and what the wallet knows beside it.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The token: a compact JWS, or the bytes of a CWT.
    pub token: &'a [u8],
    /// The `client_id` that came beside a request object.
    pub client_id: Option<&'a str>,
    /// The wallet's identifier, which a request may name as its audience.
    pub wallet: Option<&'a str>,
    /// The credential issuer identifier that metadata was fetched for.
    pub issuer: Option<&'a str>,
    /// The credential configuration that is wanted; absent, and all that is offered
    /// has to be registered.
    pub configuration: Option<&'a str>,
    /// The access certificate of the party, leaf first, where a registration
    /// certificate comes by itself.
    pub access: &'a [Certificate],
}

/// How a counterpart is judged.
#[derive(Debug, Clone, Copy)]
pub struct Counterpart<'a> {
    /// The lists that say who is trusted.
    pub lists: Lists<'a>,
    /// Where the status lists of registration certificates come from.
    pub statuses: &'a Statuses,
    /// How the revocation of certificates is taken.
    pub revocation: Revocation,
    /// How exactly tokens are read.
    pub mode: Mode,
    /// How far the clocks of others may be off.
    pub skew: SignedDuration,
    /// The time the answer is to hold for.
    pub at: Timestamp,
}

/// How many registration certificates of one token are looked into.
const MOST_JUDGED: usize = 4;

impl Counterpart<'_> {
    /// Judges a token.
    ///
    /// # Errors
    /// [`crate::OfflineError`] when a place of lists cannot be read at all.
    pub async fn judge(
        &self,
        presented: &Presented<'_>,
    ) -> Result<CounterpartVerdict, crate::OfflineError> {
        if Kind::of(presented.token) == Kind::Registration {
            return self.bare_registration(presented).await;
        }
        let mut verdict = CounterpartVerdict::new(Kind::of(presented.token), self.at);
        let statement = match UncheckedStatement::parse(presented.token) {
            Ok(statement) => statement,
            Err(refusal) => return Ok(verdict.nobody(refusal)),
        };
        let Some(said) = self.identify(statement, presented, &mut verdict).await? else {
            return Ok(verdict.closed());
        };
        let attached = wrp::attached(said.kind, &said.claims);
        for finding in attached.findings {
            let absent = finding.is(&wrp::rules::INFO_ABSENT);
            match absent {
                true => verdict.entitlement.open(finding),
                false => verdict.entitlement.add(finding),
            }
        }
        // More than one is refused anyway; a hostile token could carry hundreds.
        for bytes in attached.registrations.iter().take(MOST_JUDGED) {
            self.registration(bytes, Some(&said), presented, &mut verdict)
                .await?;
        }
        Ok(verdict.closed())
    }

    /// Who signed a statement: the access certificate, the signature under it, and
    /// what the statement says of who it is. `None` when nothing can be read of it.
    async fn identify(
        &self,
        statement: UncheckedStatement,
        presented: &Presented<'_>,
        verdict: &mut CounterpartVerdict,
    ) -> Result<Option<Known>, crate::OfflineError> {
        let chain = match pki::chain::from_ders(statement.x5c()) {
            Ok(chain) => chain,
            Err(error) => {
                let rule = &wrp::rules::STATEMENT_X5C;
                verdict.identity.add(rule.finding("x5c", error.to_string()));
                return Ok(None);
            }
        };
        let Some(access) = chain.first().cloned() else {
            let rule = &wrp::rules::STATEMENT_X5C;
            verdict.identity.add(rule.finding("x5c", "empty"));
            return Ok(None);
        };
        self.access(chain, verdict).await?;
        let kind = statement.kind();
        let statement = match statement.verify(&access) {
            Ok(statement) => statement,
            Err(refusal) => {
                verdict.identity.extend(refusal.into_findings());
                return Ok(None);
            }
        };
        let (asks, offers) = self.read(&statement, &access, presented, verdict);
        Ok(Some(Known {
            kind,
            access,
            claims: statement.claims,
            asks,
            offers,
        }))
    }

    async fn access(
        &self,
        chain: Vec<Certificate>,
        verdict: &mut CounterpartVerdict,
    ) -> Result<(), crate::OfflineError> {
        let asked = self.lists.ask(self, Context::AccessCertificate, chain);
        let answer = asked.await?;
        let subject = "access certificate";
        let evidence = format!("trusted: {}", answer.verdict.trusted);
        match answer.verdict.trusted {
            Trusted::Yes => {}
            Trusted::No => verdict
                .identity
                .add(rules::ACCESS.finding(subject, evidence)),
            Trusted::Undecided => {
                let finding = rules::ACCESS_UNDECIDED.finding(subject, evidence);
                verdict.identity.open(finding);
            }
        }
        verdict.access = Some(answer.verdict);
        Ok(())
    }

    /// What a statement says, by its kind.
    fn read(
        &self,
        statement: &Statement,
        access: &Certificate,
        presented: &Presented<'_>,
        verdict: &mut CounterpartVerdict,
    ) -> (Option<Query>, Option<IssuerMetadata>) {
        match statement.kind {
            StatementKind::AuthorizationRequest => {
                let of = RequestCheck {
                    access,
                    client_id: presented.client_id,
                    wallet: presented.wallet,
                    at: self.at,
                    skew: self.skew,
                    mode: self.mode,
                };
                let judged = AuthorizationRequest::read(statement, &of);
                verdict.identity.extend(judged.identity);
                verdict.entitlement.extend(judged.entitlement);
                let query = judged.value.query.clone();
                verdict.said = Some(Said::Request(judged.value));
                (query, None)
            }
            StatementKind::IssuerMetadata => {
                let of = MetadataCheck {
                    issuer: presented.issuer,
                    at: self.at,
                    skew: self.skew,
                };
                let judged = IssuerMetadata::read(statement, &of);
                verdict.identity.extend(judged.identity);
                verdict.entitlement.extend(judged.entitlement);
                verdict.said = Some(Said::Metadata(judged.value.clone()));
                (None, Some(judged.value))
            }
        }
    }

    /// A registration certificate by itself authenticates nobody. With an access
    /// certificate beside it, it is said whether they belong together.
    async fn bare_registration(
        &self,
        presented: &Presented<'_>,
    ) -> Result<CounterpartVerdict, crate::OfflineError> {
        let mut verdict = CounterpartVerdict::new(Kind::Registration, self.at);
        let evidence = "nothing was signed with the key of an access certificate";
        let finding = rules::NO_PROOF.finding("token", evidence);
        verdict.identity.open(finding);
        let known = presented.access.first().map(|access| Known {
            kind: StatementKind::IssuerMetadata,
            access: access.clone(),
            claims: jose::Map::new(),
            asks: None,
            offers: None,
        });
        if known.is_some() {
            self.access(presented.access.to_vec(), &mut verdict).await?;
        }
        self.registration(presented.token, known.as_ref(), presented, &mut verdict)
            .await?;
        Ok(verdict)
    }
}

/// Who speaks, and what was said.
#[derive(Debug)]
struct Known {
    kind: StatementKind,
    access: Certificate,
    claims: jose::Map,
    asks: Option<Query>,
    offers: Option<IssuerMetadata>,
}

impl CounterpartVerdict {
    /// What cannot be read says neither who nor what.
    fn nobody(mut self, refusal: Refusal) -> Self {
        self.identity.extend(refusal.into_findings());
        self.closed()
    }

    /// What may be done is asked of who is known: it is never more certain than
    /// who speaks.
    fn closed(mut self) -> Self {
        let subject = "access certificate";
        let finding = |rule: &finding::Rule, why: &str| -> Finding { rule.finding(subject, why) };
        match self.identity.answer() {
            Trusted::Yes => {}
            Trusted::No => {
                let why = "who speaks is not who they say";
                self.entitlement.add(finding(&rules::IDENTITY, why));
            }
            Trusted::Undecided => {
                let why = "who speaks is not known";
                self.entitlement
                    .open(finding(&rules::IDENTITY_UNDECIDED, why));
            }
        }
        self
    }
}
