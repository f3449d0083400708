//! The status of a registration certificate: its list, signed by the listed
//! revocation service of the provider that signed the certificate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use finding::{Finding, Trusted};
use jiff::{SignedDuration, Timestamp};
use outbound::{Client, Fetched, Request, Schemes};
use status_list::{
    Caching, Limits, Status, StatusListCheck, UnverifiedStatusList, VerifiedStatusList,
};
use url::Url;
use wrp::RegistrationCertificate;

use super::lists::Provider;
use super::verdict::{Half, RegistrationStatus};
use super::{Counterpart, rules};
use crate::context::Context;
use crate::offline::OfflineError;

/// Where status lists come from: from files, and from the network, within the
/// limits of its client. What was fetched is used for as long as it says.
#[derive(Debug, Default)]
pub struct Statuses {
    files: Vec<Vec<u8>>,
    client: Option<Client>,
    kept: Mutex<HashMap<String, Kept>>,
}

/// A token that was fetched, and checked when it was.
#[derive(Debug, Clone)]
struct Kept {
    bytes: Arc<[u8]>,
    from: Timestamp,
    until: Timestamp,
}

impl Statuses {
    /// Status lists fetched by `client`.
    pub fn online(client: Client) -> Self {
        Self {
            client: Some(client),
            ..Self::default()
        }
    }

    /// Status list tokens at hand, in either form; with a client, lists that are
    /// not among them are fetched.
    pub fn of_files(files: Vec<Vec<u8>>, client: Option<Client>) -> Self {
        Self {
            files,
            client,
            ..Self::default()
        }
    }

    /// The token of a list, or why there is none. The network is asked only where
    /// `ask` says so.
    async fn token(&self, uri: &str, at: Timestamp, ask: bool) -> Result<Arc<[u8]>, Finding> {
        let limits = Limits::default();
        let at_hand = self.files.iter().find(|bytes| {
            UnverifiedStatusList::parse(bytes, &limits)
                .is_ok_and(|token| token.claimed_uri().as_deref() == Some(uri))
        });
        if let Some(bytes) = at_hand {
            return Ok(bytes.as_slice().into());
        }
        if let Some(kept) = self.lock().get(uri)
            && (kept.from..kept.until).contains(&at)
        {
            return Ok(Arc::clone(&kept.bytes));
        }
        let Some(client) = self.client.as_ref().filter(|_| ask) else {
            return Err(rules::STATUS_UNKNOWN.finding(uri, "the status list is not at hand"));
        };
        let url = Url::parse(uri)
            .map_err(|e| rules::STATUS_LIST.finding(uri, format!("not a URL: {e}")))?;
        let request = Request::get(&url, limits.token_bytes)
            .schemes(Schemes::Https)
            .accept(ACCEPTED);
        match client.fetch(&request).await {
            Ok(Fetched::Body(response)) => Ok(response.bytes.into()),
            Ok(Fetched::NotModified(_)) => {
                Err(rules::STATUS_UNKNOWN.finding(uri, "the answer is 304"))
            }
            Err(error) if error.is_refusal() => {
                Err(rules::STATUS_LIST.finding(uri, error.to_string()))
            }
            Err(error) => Err(rules::STATUS_UNKNOWN.finding(uri, error.to_string())),
        }
    }

    /// Keeps a list that was found good, for as long as it says.
    fn keep(&self, bytes: Arc<[u8]>, list: &VerifiedStatusList, at: Timestamp) {
        let until = Caching::default().fresh_until(list, at);
        let mut kept = self.lock();
        kept.retain(|_, kept| kept.until > at);
        if kept.len() < MOST_KEPT && !kept.contains_key(list.uri()) {
            let from = at;
            kept.insert(list.uri().to_owned(), Kept { bytes, from, until });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counterpart<'_> {
    /// What the status list says of a certificate, into the entitlement half.
    pub(super) async fn status(
        &self,
        certificate: &RegistrationCertificate,
        providers: &[Provider],
        half: &mut Half,
    ) -> Result<RegistrationStatus, OfflineError> {
        let reference = &certificate.status;
        let mut answer = RegistrationStatus {
            reference: reference.clone(),
            status: None,
            issued: None,
            signer: None,
        };
        let Some(list) = self.list(&mut answer, providers, half).await? else {
            return Ok(answer);
        };
        answer.issued = Some(list.issued());
        half.extend(list.findings().iter().cloned());
        let subject = reference.to_string();
        match list.status(reference) {
            Ok(status) => {
                answer.status = Some(status);
                match status {
                    Status::VALID => {}
                    Status::INVALID => {
                        half.add(rules::REVOKED.finding(subject, "its status is invalid"));
                    }
                    other => {
                        let evidence = format!("its status is {other}");
                        half.add(rules::NOT_VALID.finding(subject, evidence));
                    }
                }
            }
            Err(refusal) => half.extend(refusal.into_findings()),
        }
        Ok(answer)
    }

    /// The list, its signer and signature checked.
    async fn list(
        &self,
        answer: &mut RegistrationStatus,
        providers: &[Provider],
        half: &mut Half,
    ) -> Result<Option<VerifiedStatusList>, OfflineError> {
        let uri = answer.reference.uri.clone();
        // Where a status list lies is believed of a trusted signer alone: nobody else
        // makes us ask an address of theirs.
        let ask = !providers.is_empty();
        let bytes = match self.statuses.token(&uri, self.at, ask).await {
            Ok(bytes) => bytes,
            Err(finding) => {
                half.open(finding);
                return Ok(None);
            }
        };
        let limits = Limits::default();
        let token = match UnverifiedStatusList::parse(&bytes, &limits) {
            Ok(token) => token,
            Err(refusal) => {
                half.extend(refusal.into_findings());
                return Ok(None);
            }
        };
        let chain = match pki::chain::from_ders(token.x5c()) {
            Ok(chain) => chain,
            Err(error) => {
                half.add(rules::STATUS_LIST.finding(uri, error.to_string()));
                return Ok(None);
            }
        };
        let Some(Ok(key)) = chain.first().map(|signer| signer.public_key()) else {
            let evidence = "its signer's certificate is absent, or of another kind of key";
            half.add(rules::STATUS_LIST.finding(uri, evidence));
            return Ok(None);
        };
        let context = Context::RegistrationCertificateStatus;
        let asked = self.lists.ask(self, context, chain).await?;
        let trusted = asked.verdict.trusted;
        let evidence = format!("its signer is trusted: {trusted}");
        match trusted {
            Trusted::Yes => {
                let own = Provider::behind(&asked, context);
                if let Some(finding) = of_another(&uri, &own, providers) {
                    half.add(finding);
                }
            }
            Trusted::No => half.add(rules::STATUS_SIGNER.finding(uri.as_str(), evidence)),
            Trusted::Undecided => {
                half.open(rules::STATUS_SIGNER_UNDECIDED.finding(uri.as_str(), evidence));
            }
        }
        answer.signer = Some(asked.verdict);
        let check = StatusListCheck {
            skew: self.skew,
            ..StatusListCheck::new(&uri, &key, self.at)
        };
        match token.verify(&check) {
            // Without an end of its own, an old list would stay good for ever.
            Ok(list)
                if list.expires().is_none() && self.at.duration_since(list.issued()) > MAX_AGE =>
            {
                let evidence = format!("it is of {}, and says no end", list.issued());
                half.open(rules::STATUS_UNKNOWN.finding(uri, evidence));
                Ok(None)
            }
            Ok(list) => {
                if trusted == Trusted::Yes {
                    self.statuses.keep(bytes, &list, self.at);
                }
                Ok(Some(list))
            }
            // Past its time it is sound, and says nothing of now.
            Err(refusal) if refusal.names(&status_list::rules::EXPIRED) => {
                half.open(rules::STATUS_UNKNOWN.finding(uri, "the status list has expired"));
                Ok(None)
            }
            Err(refusal) => {
                half.extend(refusal.into_findings());
                Ok(None)
            }
        }
    }
}

/// That no entity stands behind both the list and the certificate. Where the
/// certificate's is not known, its signer is not trusted, which is said elsewhere.
fn of_another(uri: &str, own: &[Provider], providers: &[Provider]) -> Option<Finding> {
    let first = providers.first()?;
    let same = own.iter().any(|provider| providers.contains(provider));
    (!same).then(|| {
        let by = own
            .first()
            .map_or_else(|| "nobody".to_owned(), Provider::to_string);
        let evidence = format!("the list is of {by}, the certificate of {first}");
        rules::STATUS_PROVIDER.finding(uri, evidence)
    })
}

/// Both forms; the one that every server has comes first.
const ACCEPTED: &str = "application/statuslist+jwt, application/statuslist+cwt;q=0.9";

const MOST_KEPT: usize = 256;

/// How old a status list may be that does not say when it ends.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);
