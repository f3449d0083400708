use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialResponse, RegistrationResponse,
};
use rand_opaque::rngs::OsRng;
use sci::UnitId;

use super::{OpaqueError, SessionKey, Stretching, Suite, Transcript, identities, session_key};
use crate::hardening::HardenedPin;

/// The phone's side.
#[derive(Debug, Clone, Default)]
pub struct Client {
    stretching: Stretching,
}

/// A registration under way.
pub struct RegistrationStarted {
    state: ClientRegistration<Suite>,
    /// The message to send.
    pub message: Vec<u8>,
}

/// A login under way.
pub struct LoginStarted {
    state: ClientLogin<Suite>,
    /// The message to send.
    pub message: Vec<u8>,
}

impl Client {
    /// A client that stretches in another way than production does.
    pub fn with_stretching(stretching: Stretching) -> Self {
        Self { stretching }
    }

    /// Blinds the PIN to register it.
    pub fn start_registration(
        &self,
        pin: &HardenedPin,
    ) -> Result<RegistrationStarted, OpaqueError> {
        let started = ClientRegistration::<Suite>::start(&mut OsRng, pin.expose())?;
        Ok(RegistrationStarted {
            message: started.message.serialize().to_vec(),
            state: started.state,
        })
    }

    /// Makes the record of a registration. It stretches, which takes its time.
    pub fn finish_registration(
        &self,
        started: RegistrationStarted,
        pin: &HardenedPin,
        answer: &[u8],
        unit: UnitId,
        context: &str,
    ) -> Result<Vec<u8>, OpaqueError> {
        let answer = RegistrationResponse::deserialize(answer)?;
        let parameters = ClientRegistrationFinishParameters::new(
            identities(&unit, context),
            Some(&self.stretching),
        );
        let finished = started
            .state
            .finish(&mut OsRng, pin.expose(), answer, parameters)?;
        Ok(finished.message.serialize().to_vec())
    }

    /// Blinds the PIN to prove it.
    pub fn start_login(&self, pin: &HardenedPin) -> Result<LoginStarted, OpaqueError> {
        let started = ClientLogin::<Suite>::start(&mut OsRng, pin.expose())?;
        Ok(LoginStarted {
            message: started.message.serialize().to_vec(),
            state: started.state,
        })
    }

    /// Makes the proof and the session's key. It stretches, which takes its time.
    ///
    /// Errors: `WrongPin` where the answer does not open with this PIN.
    pub fn finish_login(
        &self,
        started: LoginStarted,
        pin: &HardenedPin,
        answer: &[u8],
        transcript: Transcript<'_>,
    ) -> Result<(Vec<u8>, SessionKey), OpaqueError> {
        let answer = CredentialResponse::deserialize(answer)?;
        let context = transcript.context_bytes();
        let parameters = ClientLoginFinishParameters::new(
            Some(&context),
            identities(&transcript.unit, transcript.context),
            Some(&self.stretching),
        );
        let finished = started
            .state
            .finish(&mut OsRng, pin.expose(), answer, parameters)
            .map_err(|error| match error.into() {
                OpaqueError::Proof => OpaqueError::WrongPin,
                other => other,
            })?;
        let key = session_key(&finished.session_key)?;
        Ok((finished.message.serialize().to_vec(), key))
    }
}

impl std::fmt::Debug for RegistrationStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RegistrationStarted(..)")
    }
}

impl std::fmt::Debug for LoginStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginStarted(..)")
    }
}
