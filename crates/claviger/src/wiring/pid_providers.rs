//! Who is a PID provider, by the lists (ARF `WURevocation_12`).

use std::sync::Arc;

use async_trait::async_trait;
use finding::{Trusted, Verdict};
use jiff::Timestamp;
use pki::Certificate;
use provider_api::Problem;
use trust::{CheckRequest, Context, Policy, Revocation, TrustService};
use wallet_provider::{ListedPidProvider, PidProviderCheck};

/// Asks the lists of PID providers, under the configured policy and revocation.
#[derive(Debug)]
pub(super) struct PidProviders {
    pub(super) lists: Arc<TrustService>,
    pub(super) policy: Policy,
    pub(super) revocation: Revocation,
}

#[async_trait]
impl PidProviderCheck for PidProviders {
    async fn check(&self, chain: &[Vec<u8>], at: Timestamp) -> ListedPidProvider {
        let read: Result<Vec<_>, _> = chain.iter().map(|der| Certificate::from_der(der)).collect();
        let verdict = match read {
            Ok(chain) => {
                let question = CheckRequest {
                    chain,
                    context: Context::Pid,
                    policy: self.policy,
                    revocation: self.revocation,
                    at,
                };
                self.lists.check(&question).await
            }
            Err(error) => Verdict {
                trusted: Trusted::No,
                context: Context::Pid.name().to_owned(),
                method: None,
                at,
                path: Vec::new(),
                anchor: None,
                lists: Vec::new(),
                findings: Problem::Malformed
                    .refusal("x5c", error.to_string())
                    .into_findings(),
            },
        };
        let listed = verdict
            .anchor
            .as_ref()
            .map(|anchor| self.lists.listed(Context::Pid, &anchor.sha256));
        ListedPidProvider {
            name: listed
                .and_then(|parties| parties.into_iter().next())
                .map(|party| party.entity),
            verdict,
        }
    }
}

#[cfg(test)]
#[path = "pid_provider_tests.rs"]
mod tests;
