//! The service's side.
//!
//! The OPRF seed is in the service's device and only a MAC of it comes here, one
//! per evaluation ([`oprf_info`]). The static key of the key exchange is sealed
//! under the device and opened into memory, because 3DH needs the whole shared
//! point where devices give the x-coordinate alone; it is wiped when dropped.

use opaque_ke::generic_array::GenericArray;
use opaque_ke::keypair::{KeyPair, PublicKey};
use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload,
    ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup,
};
use p256_opaque::elliptic_curve::sec1::ToEncodedPoint;
use p256_opaque::{NistP256, SecretKey};
use rand_opaque::rngs::OsRng;
use zeroize::Zeroizing;

use super::{OpaqueError, SessionKey, Suite, Transcript, identities, session_key};

/// What the device must MAC under its seed for one evaluation: the input of
/// HKDF-Expand-SHA-256 to 32 bytes, whose only block it is (RFC 9807, 6.3.1.2;
/// RFC 5869, 2.3).
pub fn oprf_info(credential_identifier: &[u8]) -> Vec<u8> {
    [credential_identifier, b"OprfKey", &[1]].concat()
}

/// What the device's MAC over [`oprf_info`] gave.
pub type OprfMaterial = Zeroizing<[u8; 32]>;

/// The static key of the key exchange.
pub struct StaticKey {
    secret: SecretKey,
    public: PublicKey<NistP256>,
}

impl StaticKey {
    /// A fresh key.
    pub fn generate() -> Result<Self, OpaqueError> {
        Self::new(SecretKey::random(&mut OsRng))
    }

    /// The key that [`StaticKey::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpaqueError> {
        // The library would also take a shorter one.
        let bytes = <[u8; 32]>::try_from(bytes).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| OpaqueError::Library)?;
        Self::new(SecretKey::from_slice(bytes.as_slice()).map_err(|_| OpaqueError::Library)?)
    }

    fn new(secret: SecretKey) -> Result<Self, OpaqueError> {
        let point = secret.public_key().to_encoded_point(true);
        let public = PublicKey::deserialize(point.as_bytes())?;
        Ok(Self { secret, public })
    }

    /// The key in bytes, to be sealed.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = self.secret.to_bytes();
        let out = Zeroizing::new(bytes.to_vec());
        zeroize::Zeroize::zeroize(bytes.as_mut_slice());
        out
    }

    /// The library's setup, without any secret in it.
    fn setup(&self) -> ServerSetup<Suite, (), ()> {
        let pair = KeyPair::new((), self.public.clone());
        ServerSetup::new_with_key_pair_and_seed(&mut OsRng, pair, ())
    }
}

impl std::fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StaticKey(..)")
    }
}

/// Checks that `message` begins a registration, with nothing behind it, before
/// anything is counted.
pub fn check_registration(message: &[u8]) -> Result<(), OpaqueError> {
    let read = RegistrationRequest::<Suite>::deserialize(message)?;
    whole(&read.serialize(), message)
}

/// Checks that `message` begins a login, with nothing behind it, before anything is
/// counted.
pub fn check_login(message: &[u8]) -> Result<(), OpaqueError> {
    let read = CredentialRequest::<Suite>::deserialize(message)?;
    whole(&read.serialize(), message)
}

fn whole(read: &[u8], message: &[u8]) -> Result<(), OpaqueError> {
    if read == message {
        Ok(())
    } else {
        Err(OpaqueError::Message)
    }
}

/// Evaluates the blinded PIN of a registration. Nothing is kept.
pub fn evaluate_registration(
    key: &StaticKey,
    material: &OprfMaterial,
    message: &[u8],
) -> Result<Vec<u8>, OpaqueError> {
    let message = RegistrationRequest::<Suite>::deserialize(message)?;
    let answer = ServerRegistration::start_with_key_material(
        &key.setup(),
        GenericArray::clone_from_slice(material.as_slice()),
        message,
    )?;
    Ok(answer.message.serialize().to_vec())
}

/// Reads the record that a client has made, so that what is kept can be used.
pub fn finish_registration(message: &[u8]) -> Result<Vec<u8>, OpaqueError> {
    let upload = RegistrationUpload::<Suite>::deserialize(message)?;
    whole(&upload.serialize(), message)?;
    Ok(ServerRegistration::finish(upload).serialize().to_vec())
}

/// A login that waits for its proof: the session's key and the proof that is
/// expected. As secret as the session.
pub type LoginState = Zeroizing<Vec<u8>>;

/// Evaluates the blinded PIN of a login: the answer, and what to keep.
pub fn evaluate_login(
    key: &StaticKey,
    material: &OprfMaterial,
    record: &[u8],
    message: &[u8],
    transcript: Transcript<'_>,
) -> Result<(Vec<u8>, LoginState), OpaqueError> {
    let record = ServerRegistration::<Suite>::deserialize(record)?;
    let message = CredentialRequest::<Suite>::deserialize(message)?;
    let context = transcript.context_bytes();
    let setup = key.setup();
    let builder = ServerLogin::<Suite>::builder_with_key_material(
        &mut OsRng,
        &setup,
        GenericArray::clone_from_slice(material.as_slice()),
        Some(record),
        message,
        ServerLoginParameters {
            context: Some(&context),
            identifiers: identities(&transcript.unit, transcript.context),
        },
    )?;
    // The one Diffie-Hellman of the static key: the whole point, compressed.
    let peer = builder.data().to_group_type().0.to_point();
    let shared = (peer * *key.secret.to_nonzero_scalar()).to_encoded_point(true);
    let started = builder.build(GenericArray::clone_from_slice(shared.as_bytes()))?;
    let state = Zeroizing::new(started.state.serialize().to_vec());
    Ok((started.message.serialize().to_vec(), state))
}

/// Checks the proof, and gives the session's key.
pub fn finish_login(
    state: &LoginState,
    message: &[u8],
    transcript: Transcript<'_>,
) -> Result<SessionKey, OpaqueError> {
    let message = CredentialFinalization::<Suite>::deserialize(message)?;
    let context = transcript.context_bytes();
    let finished = ServerLogin::<Suite>::deserialize(state)?.finish(
        message,
        ServerLoginParameters {
            context: Some(&context),
            identifiers: identities(&transcript.unit, transcript.context),
        },
    )?;
    session_key(&finished.session_key)
}
