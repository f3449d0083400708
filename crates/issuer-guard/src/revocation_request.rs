use clock::Clock;
use jose::{SignError, Signer, b64};
use provider_api::{PidRevocationClaims, PidRevocationRequest, RevocationReason};

/// What a PID provider asks of a wallet provider when the user of a unit has died (ARF
/// `WURevocation_11`): to revoke the unit that showed this WIA when it got its PID.
///
/// Before it asks, the PID provider makes sure that it harms nobody's interests
/// (`WURevocation_13`), and keeps the WIA for that purpose as long as the PID is valid.
/// The signed request goes as JSON to `POST {wallet_provider}/revocation-requests`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationRequest {
    /// The wallet provider's identifier: the audience, and the address of its
    /// interface.
    pub wallet_provider: String,
    /// The WIA, as it came. It may have expired.
    pub wia: String,
}

impl RevocationRequest {
    /// Signs it, for now and once. `x5c` holds the certificates in DER, the key's own
    /// first: one that the list of PID providers knows the PID provider by.
    pub async fn sign(
        &self,
        x5c: &[Vec<u8>],
        signer: &dyn Signer,
        clock: &dyn Clock,
    ) -> Result<PidRevocationRequest, SignError> {
        let mut jti = [0; 16];
        aws_lc_rs::rand::fill(&mut jti)
            .map_err(|_| SignError::Unavailable("no random bytes could be had".into()))?;
        let claims = PidRevocationClaims {
            aud: self.wallet_provider.clone(),
            iat: clock.now_seconds(),
            jti: b64::encode(jti),
            reason: RevocationReason::Death,
            wia: self.wia.clone(),
        };
        Ok(PidRevocationRequest {
            request: claims.sign(x5c, signer).await?,
        })
    }
}
