use std::sync::Arc;

use async_trait::async_trait;
use finding::{Trusted, Verdict};
use jiff::Timestamp;
use pki::Certificate;
use trust::{CheckRequest, Context, Policy, Revocation, TrustService};

use crate::{ChainTrust, ListedParty, TrustContext, rules};

/// A [`ChainTrust`] that asks the lists of trusted entities.
///
/// It knows the listed party behind a verdict, so that `wallet_name` and the
/// common provider of an attestation and its status list are compared with it.
#[derive(Debug, Clone)]
pub struct ListTrust {
    service: Arc<TrustService>,
    policy: Policy,
    revocation: Revocation,
}

impl ListTrust {
    /// Asks `service`, by this policy and revocation mode.
    pub fn new(service: Arc<TrustService>, policy: Policy, revocation: Revocation) -> Self {
        Self {
            service,
            policy,
            revocation,
        }
    }
}

#[async_trait]
impl ChainTrust for ListTrust {
    async fn check(&self, context: TrustContext, chain: &[Vec<u8>], at: Timestamp) -> Verdict {
        let context = of_lists(context);
        let read: Result<Vec<_>, _> = chain.iter().map(|der| Certificate::from_der(der)).collect();
        match read {
            Ok(chain) => {
                let request = CheckRequest {
                    chain,
                    context,
                    policy: self.policy,
                    revocation: self.revocation,
                    at,
                };
                self.service.check(&request).await
            }
            Err(error) => Verdict {
                trusted: Trusted::No,
                context: context.name().to_owned(),
                method: None,
                at,
                path: Vec::new(),
                anchor: None,
                lists: Vec::new(),
                findings: vec![rules::SIGNER_KEY.finding("x5c", error.to_string())],
            },
        }
    }

    async fn listed(&self, context: TrustContext, verdict: &Verdict) -> Option<ListedParty> {
        let anchor = verdict.anchor.as_ref()?;
        let listed = self.service.listed(of_lists(context), &anchor.sha256);
        let entity = listed.first()?.entity.clone();
        Some(ListedParty {
            services: listed
                .into_iter()
                .filter(|party| party.entity == entity)
                .map(|party| party.service)
                .collect(),
            entity,
        })
    }
}

/// The context as `trust` knows it.
fn of_lists(context: TrustContext) -> Context {
    match context {
        TrustContext::Wallet => Context::Wallet,
        TrustContext::WalletStatus => Context::WalletStatus,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use clock::SystemClock;
    use trust::Config;

    fn without_lists() -> ListTrust {
        let service = TrustService::new(Config::default(), Arc::new(SystemClock)).unwrap();
        ListTrust::new(Arc::new(service), Policy::DirectOnly, Revocation::Skip)
    }

    #[tokio::test]
    async fn what_is_not_a_certificate_is_refused() {
        let chain = [b"not a certificate".to_vec()];
        let trust = without_lists();
        let at = Timestamp::UNIX_EPOCH;
        let verdict = trust.check(TrustContext::Wallet, &chain, at).await;
        assert_eq!(verdict.trusted, Trusted::No);
        assert!(verdict.findings.iter().any(|f| f.is(&rules::SIGNER_KEY)));
    }

    #[tokio::test]
    async fn without_a_list_nothing_is_trusted() {
        let at = Timestamp::UNIX_EPOCH;
        for context in [TrustContext::Wallet, TrustContext::WalletStatus] {
            let verdict = without_lists().check(context, &[], at).await;
            assert_ne!(verdict.trusted, Trusted::Yes);
            assert_eq!(verdict.context, context.name());
        }
    }
}
