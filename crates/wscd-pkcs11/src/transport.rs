//! A key from one token to others, without anyone outside seeing it.
//!
//! The receiver makes a key pair for this one transport, the sender another; both
//! agree (ECDH on P-384) on a wrapping key inside their tokens, and all four are
//! destroyed with the sessions that made them. So what went over the wire opens
//! nowhere any more, and a root that is destroyed stays so, whatever was recorded.
//! It is our own means for tokens whose maker has none (SoftHSM, kryoptic); what a
//! token says of such a key is weaker than of its own
//! (`docs/decisions/0031-several-tokens.md`).

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use jose::{Curve, PublicKey};

use crate::ec;
use crate::error::{Fault, during};
use crate::objects::Temp;
use crate::profile::Wrapping;
use crate::wrapping::{unwrap, wrap};

const CURVE: Curve = Curve::P384;

/// What a receiver waits with: a key pair for one transport.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    private: ObjectHandle,
    pub(crate) public: PublicKey,
}

/// A key on its way to one receiver.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    public: PublicKey,
    wrapped: Vec<u8>,
}

/// The receiver's first step. The offer lives as long as the session does.
pub(crate) fn offer(session: &Session) -> Result<Offer, Fault> {
    let (public, private) = key_pair(session)?;
    Ok(Offer { private, public })
}

/// The sender's step: `key`, which can be wrapped, for the one who made the offer.
pub(crate) fn send(
    session: &Session,
    scheme: Wrapping,
    key: ObjectHandle,
    to: &PublicKey,
) -> Result<Sent, Fault> {
    let (public, private) = key_pair(session)?;
    let private = Temp::new(session, private);
    let by = derive(session, private.handle, to, Attribute::Wrap(true))?;
    Ok(Sent {
        public,
        wrapped: wrap(session, scheme, by.handle, key)?,
    })
}

/// The receiver's second step: the key becomes an object of `template`, and the
/// offer is used up.
pub(crate) fn receive<'s>(
    session: &'s Session,
    scheme: Wrapping,
    offer: &Offer,
    sent: &Sent,
    template: &[Attribute],
) -> Result<Temp<'s>, Fault> {
    let private = Temp::new(session, offer.private);
    let by = derive(
        session,
        private.handle,
        &sent.public,
        Attribute::Unwrap(true),
    )?;
    unwrap(session, scheme, by.handle, &sent.wrapped, template)
}

fn key_pair(session: &Session) -> Result<(PublicKey, ObjectHandle), Fault> {
    let (public, private) = session
        .generate_key_pair(
            &Mechanism::EccKeyPairGen,
            &[
                Attribute::Token(false),
                Attribute::Private(false),
                Attribute::Verify(false),
                Attribute::EcParams(ec::params(CURVE).to_vec()),
            ],
            &[
                Attribute::Token(false),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(false),
                Attribute::Derive(true),
                Attribute::Decrypt(false),
                Attribute::Unwrap(false),
            ],
        )
        .map_err(during("make a transport key"))?;
    let public = Temp::new(session, public);
    Ok((ec::public_key(session, public.handle, CURVE)?, private))
}

fn derive<'s>(
    session: &'s Session,
    private: ObjectHandle,
    peer: &PublicKey,
    may: Attribute,
) -> Result<Temp<'s>, Fault> {
    let wraps = matches!(may, Attribute::Wrap(_));
    let length = Ulong::try_from(32_usize).map_err(during("agree on a transport key"))?;
    let params = Ecdh1DeriveParams::new(EcKdf::null(), peer.point());
    session
        .derive_key(
            &Mechanism::Ecdh1Derive(params),
            private,
            &[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::ValueLen(length),
                Attribute::Token(false),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Encrypt(false),
                Attribute::Decrypt(false),
                Attribute::Wrap(wraps),
                Attribute::Unwrap(!wraps),
            ],
        )
        .map(|handle| Temp::new(session, handle))
        .map_err(during("agree on a transport key"))
}
