//! From nothing to an operational unit with its first attestations (ARF `WIAM_10`), in
//! one call.

use std::sync::Arc;

use jose::Signer;
use provider_api::{ActivationAnswer, UnitState};
use r2ps::ServiceIdentity;
use sci::{Code, KeyInfo, Pin, Sci, Task, UnitId};

use crate::keystore::DeviceKeystore;
use crate::sci_remote::{RemoteSci, Transport};
use crate::{Activation, Platform, ProviderClient, ProviderError};

/// What the wallet solution is certified for, to be shown to the user before a unit is
/// activated (ARF `WIAM_10a`).
#[derive(Debug)]
#[must_use = "it is to be shown to the user"]
pub struct Certification<'a> {
    /// The wallet solution.
    pub solution: &'a str,
    /// What it is certified for. In development it says that there is nothing.
    pub certification: &'a serde_json::Value,
}

/// The user was shown the certification. Nothing else makes one.
#[derive(Debug)]
pub struct CertificationShown(());

impl Certification<'_> {
    /// The app says that it showed all of it.
    pub fn shown(self) -> CertificationShown {
        CertificationShown(())
    }
}

/// What a device brings.
#[derive(Debug)]
pub struct SetUp<'a, T> {
    /// The account's alias.
    pub alias: &'a str,
    /// The account's code, where the account exists already.
    pub account_code: Option<&'a str>,
    /// The text that the user was shown and agreed to, by its hash (ARF `WIAM_05`), where
    /// the provider asks for one.
    pub consent: Option<&'a str>,
    /// The phone's two keys.
    pub device: Arc<dyn DeviceKeystore>,
    /// What vouches for them.
    pub platform: &'a dyn Platform,
    /// The version of the wallet solution.
    pub wallet_version: &'a str,
    /// The PIN that the user chose.
    pub pin: &'a Pin,
    /// The way to the WSCA.
    pub transport: T,
    /// How many keys each first KA has.
    pub keys: usize,
}

/// An operational unit, with what it begins with.
#[derive(Debug)]
pub struct OperationalUnit<T> {
    /// Its identifier.
    pub unit: UnitId,
    /// The account's code, where the account is new: shown to the user, once.
    pub account_code: Option<String>,
    /// The WSCA, its session closed.
    pub sci: Arc<RemoteSci<T>>,
    /// A WIA, and its key.
    pub wia: FirstWia,
    /// A KA over keys in the WSCD.
    pub wscd_ka: FirstKa<KeyInfo>,
    /// A KA over keys in the platform's keystore, where that attests any.
    pub keystore_ka: Option<FirstKa<Arc<dyn Signer>>>,
}

/// The first WIA.
#[derive(Debug)]
pub struct FirstWia {
    /// The attestation.
    pub attestation: String,
    /// Its `cnf` key.
    pub key: Arc<dyn Signer>,
}

/// The first KA of a storage.
#[derive(Debug)]
pub struct FirstKa<K> {
    /// The attestation.
    pub attestation: String,
    /// Its keys.
    pub keys: Vec<K>,
}

/// Why there is no operational unit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetUpError {
    /// The wallet provider, or a device key.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The WSCA.
    #[error("the WSCA")]
    Wsca(#[from] sci::Error),
    /// The activation began, and what follows did not come to its end.
    #[error("the set-up of unit {} did not come to its end", answer.unit)]
    Unfinished {
        /// The provider's answer, for [`ProviderClient::go_on`]. The account's code in it
        /// is shown to the user and told nowhere else.
        answer: Box<ActivationAnswer>,
        /// Why.
        source: Box<SetUpError>,
    },
    /// The provider completed the activation, and the unit is something else.
    #[error("the unit is {0}")]
    State(UnitState),
    /// Not as many attestations came back as were asked for.
    #[error("not one attestation came back")]
    Count,
}

impl ProviderClient {
    /// What the user is to be shown before [`ProviderClient::set_up`].
    pub fn certification(&self) -> Certification<'_> {
        Certification {
            solution: &self.view().wallet_name,
            certification: &self.view().certification,
        }
    }

    /// Activates a unit wholly: both device keys and their evidence, the account, the
    /// PIN; and fetches what the unit begins with: a WIA, and one KA for its WSCD and for
    /// its platform's keystore.
    ///
    /// What fails after the activation began is taken up by [`ProviderClient::go_on`], with
    /// what [`SetUpError::Unfinished`] carries. It can also be begun again with the same
    /// device keys, as long as the unit is not operational: the provider finds the same
    /// unit, and the PIN that it has stays.
    pub async fn set_up<T: Transport + 'static>(
        &self,
        _: CertificationShown,
        with: SetUp<'_, T>,
    ) -> Result<OperationalUnit<T>, SetUpError> {
        let answer = self
            .activate(&Activation {
                alias: with.alias,
                account_code: with.account_code,
                consent: with.consent,
                signing: with.device.signing(),
                agreement: with.device.agreement(),
                platform: with.platform,
                wallet_version: with.wallet_version,
            })
            .await?;
        let done = self.go_on(with, &answer).await;
        done.map_err(|source| SetUpError::Unfinished {
            answer: Box::new(answer),
            source: Box::new(source),
        })
    }

    /// Takes up a set-up after its activation began: the PIN, the activation's end, and
    /// what the unit begins with. Whatever was done before and whose answer was lost is
    /// found done, so that it can be called again until it comes to its end. A PIN that
    /// the unit has is not replaced: `with` must bring the same one.
    pub async fn go_on<T: Transport + 'static>(
        &self,
        with: SetUp<'_, T>,
        answer: &ActivationAnswer,
    ) -> Result<OperationalUnit<T>, SetUpError> {
        // The provider signed the answer, so this is whom to believe.
        let service = ServiceIdentity {
            context: answer.wsca.context.clone(),
            agreement: answer.wsca.agreement.clone(),
            signing: answer.wsca.signing.clone(),
        };
        let sci = Arc::new(RemoteSci::new(
            with.transport,
            service,
            answer.unit,
            Arc::clone(&with.device),
            self.clock(),
        ));
        match sci.register_pin(with.pin).await {
            Err(error) if error.code() == Some(Code::PinExists) => {}
            registered => registered?,
        }
        let view = self
            .complete_activation(answer.unit, with.device.signing())
            .await?;
        if view.state != UnitState::Operational {
            return Err(SetUpError::State(view.state));
        }
        let (wia, wscd_ka, keystore_ka) = self
            .first_attestations(
                answer.unit,
                with.device.as_ref(),
                with.platform,
                sci.as_ref(),
                with.pin,
                with.keys,
            )
            .await?;
        Ok(OperationalUnit {
            unit: answer.unit,
            account_code: answer.account_code.clone(),
            sci,
            wia,
            wscd_ka,
            keystore_ka,
        })
    }

    /// A WIA over a fresh key, a KA over `count` fresh keys of the WSCD, and one over as
    /// many of the platform's keystore, where that attests any. A session is opened for
    /// it and ended.
    pub async fn first_attestations(
        &self,
        unit: UnitId,
        device: &dyn DeviceKeystore,
        platform: &dyn Platform,
        sci: &dyn Sci,
        pin: &Pin,
        count: usize,
    ) -> Result<FirstAttestations, SetUpError> {
        let key = device.fresh_signing_key().map_err(ProviderError::from)?;
        let signing = device.signing();
        let wias = self
            .checked_wias(unit, signing, platform, &[key.as_ref()], &<_>::default())
            .await?;
        let wia = FirstWia {
            attestation: one(wias.attestations)?,
            key,
        };
        sci.open_session(pin, Task::Issuance).await?;
        let attested = self.wscd_ka(unit, signing, sci, count).await;
        // Whatever came of it, the session has done its work.
        let ended = sci.end_session().await;
        let wscd_ka = attested?;
        ended?;
        let keystore_ka = self
            .keystore_kas(unit, signing, platform, count, &<_>::default())
            .await?;
        let keystore_ka = match keystore_ka {
            Some(made) => Some(FirstKa {
                attestation: one(made.attestations.attestations)?,
                keys: made.keys,
            }),
            None => None,
        };
        Ok((wia, wscd_ka, keystore_ka))
    }

    async fn wscd_ka(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        sci: &dyn Sci,
        count: usize,
    ) -> Result<FirstKa<KeyInfo>, SetUpError> {
        let (made, keys) = self
            .wscd_kas::<SetUpError>(unit, device, sci, count, None)
            .await?;
        Ok(FirstKa {
            attestation: one(made.attestations)?,
            keys,
        })
    }
}

/// What a unit begins with: a WIA, a KA over keys in the WSCD, and one over keys in the
/// platform's keystore.
pub type FirstAttestations = (FirstWia, FirstKa<KeyInfo>, Option<FirstKa<Arc<dyn Signer>>>);

fn one(attestations: Vec<String>) -> Result<String, SetUpError> {
    let mut attestations = attestations.into_iter();
    match (attestations.next(), attestations.next()) {
        (Some(attestation), None) => Ok(attestation),
        _ => Err(SetUpError::Count),
    }
}
