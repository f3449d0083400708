//! What the provider does about its units by itself: it revokes those whose evidence
//! no longer holds (ARF `WURevocation_09`), and forgets those that were never
//! completed.

use device_evidence::android::RevocationList;
use jiff::Timestamp;
use jose::b64;
use pki::Certificate;
use provider_api::{Evidence, RevocationReason, Revoker};

use crate::{Error, RequestedRevocation, WalletProvider};

/// How many certificates are looked up at a time.
const CERTIFICATES: usize = 256;

/// How many units are changed in one transaction.
const UNITS: u32 = 64;

impl WalletProvider {
    /// Takes a fresh copy of Google's list of revoked attestation keys: activations
    /// are judged by it from now on, and units whose evidence rests on a certificate
    /// that it names are revoked, for security; how many. It can be repeated: what a
    /// crash left is taken up by the next copy or the next start.
    pub async fn take_revocation_list(&self, list: RevocationList) -> Result<u64, Error> {
        self.set_revocation_list(list);
        self.revoke_listed().await
    }

    /// Revokes the units whose evidence rests on a certificate that the list names
    /// which is held; how many. From time to time it is asked without a new list: an
    /// activation that was judged by the old one may have been recorded after the look.
    pub async fn revoke_listed(&self) -> Result<u64, Error> {
        let Some(list) = self.held_revocation_list() else {
            return Ok(0);
        };
        let serials: Vec<[u8; 32]> = list.revoked().map(certificate_hash).collect();
        let mut revoked = 0;
        for serials in serials.chunks(CERTIFICATES) {
            revoked += self.revoke_resting_on(serials).await?;
        }
        if revoked > 0 {
            tracing::warn!(event = "units.revoked-by-list", revoked);
            let _ = self.publish_changed().await;
        }
        Ok(revoked)
    }

    async fn revoke_resting_on(&self, serials: &[[u8; 32]]) -> Result<u64, Error> {
        let resting = self.revocations.resting_on(serials).await?;
        let mut revoked = 0;
        while !resting.is_empty() {
            let revocation = RequestedRevocation {
                by: Revoker::Provider,
                name: None,
                reason: RevocationReason::Security,
                at: self.clock.now(),
            };
            let page = self
                .revocations
                .revoke_resting_on(resting.clone(), revocation, UNITS)
                .await?;
            if page == 0 {
                break;
            }
            revoked += page;
            if let Err(error) = self.tell_wsca().await {
                tracing::error!(event = "unit.wsca-not-told", %error);
            }
        }
        Ok(revoked)
    }

    /// Forgets the units that were installed longer ago than the configuration lets
    /// them wait and never became operational, their accounts with them, here and at
    /// the WSCA; how many.
    pub async fn forget_installed(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        let before = now
            .checked_sub(self.config.installed_lifetime)
            .unwrap_or(Timestamp::MIN);
        let mut forgotten = 0;
        loop {
            let page = self.revocations.forget_installed(before, UNITS).await?;
            if page == 0 {
                break;
            }
            forgotten += page;
        }
        self.destroy_forgotten().await?;
        if forgotten > 0 {
            tracing::info!(event = "units.forgotten", forgotten);
        }
        Ok(forgotten)
    }

    async fn destroy_forgotten(&self) -> Result<(), Error> {
        use wsca::AdminError::{Destroyed, UnknownUnit};
        loop {
            let page = self.revocations.forgotten(UNITS).await?;
            if page.is_empty() {
                return Ok(());
            }
            for unit in page {
                match self.wsca.destroy_unit(unit).await {
                    Ok(()) | Err(UnknownUnit | Destroyed) => {}
                    Err(error) => return Err(error.into()),
                }
                self.revocations.destroyed(unit).await?;
            }
        }
    }
}

/// What is kept of the certificates that a device's evidence rests on. The first of a
/// chain is the attested key's own, whose serial number says nothing: the others are
/// the device's, its maker's and Google's.
pub(crate) fn certificates_of(evidence: &Evidence) -> Vec<[u8; 32]> {
    match evidence {
        Evidence::Android {
            signing, agreement, ..
        } => certificates_above([signing, agreement]),
        _ => Vec::new(),
    }
}

/// The same of chains that the device shows later.
pub(crate) fn certificates_above<'a>(
    chains: impl IntoIterator<Item = &'a Vec<String>>,
) -> Vec<[u8; 32]> {
    let above = chains.into_iter().flat_map(|chain| chain.iter().skip(1));
    let mut hashes: Vec<[u8; 32]> = above
        .filter_map(|text| Certificate::from_der(&b64::decode(text).ok()?).ok())
        .map(|certificate| certificate_hash(&RevocationList::serial_of(&certificate)))
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// What is kept of a certificate of a unit's evidence: a hash of its serial number in
/// hex, lower case, without leading zeros, as the list has it.
fn certificate_hash(serial: &str) -> [u8; 32] {
    jose::sha256(format!("claviger evidence certificate 1\0{serial}").as_bytes())
}
