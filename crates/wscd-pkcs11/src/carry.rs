//! A new key into every token of a set: made in the first, carried to each.

use std::sync::Arc;

use cryptoki::object::{Attribute, KeyType, ObjectClass};
use jose::{Curve, PublicKey};
use wscd::{DeviceError, KeyName, KeyUse};

use crate::ec;
use crate::error::{Fault, during};
use crate::named::{private_template, public_template};
use crate::objects::{Kind, Temp};
use crate::pool::Live;
use crate::token::Token;
use crate::transport::{Offer, Sent, offer, receive, send};
use crate::wrapping::random;

/// Makes a secret key that every token then holds as an object of `template`.
pub(crate) async fn secret(
    tokens: &[Arc<Token>],
    kind: Kind,
    template: Vec<Attribute>,
) -> Result<(), DeviceError> {
    let offers = offers(tokens).await?;
    let to = publics(&offers);
    let sent = first(tokens)?
        .run(move |live| {
            let key = kind.to_be_wrapped(live.session)?;
            send_all(live, &key, &to)
        })
        .await?;
    for ((token, offer), sent) in tokens.iter().zip(offers).zip(sent) {
        let template = template.clone();
        token
            .run(move |live| keep(live, &offer, &sent, &template))
            .await?;
    }
    Ok(())
}

/// Makes a key pair that every token then holds under a name.
pub(crate) async fn named(
    tokens: &[Arc<Token>],
    name: &KeyName,
    curve: Curve,
    usage: KeyUse,
) -> Result<PublicKey, DeviceError> {
    let offers = offers(tokens).await?;
    let to = publics(&offers);
    let (public, id, sent) = first(tokens)?
        .run(move |live| {
            let mut id = [0; 16];
            random(live.session, &mut id)?;
            let (public, private) = ec::generate(live.session, curve)?;
            Ok((public, id, send_all(live, &private, &to)?))
        })
        .await?;
    for ((token, offer), sent) in tokens.iter().zip(offers).zip(sent) {
        let mut template = vec![
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::EC),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
        ];
        template.extend(private_template(name, usage, &id));
        let mut beside = vec![
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(KeyType::EC),
            Attribute::Private(false),
            Attribute::EcParams(ec::params(curve).to_vec()),
        ];
        beside.extend(public_template(name, usage, &id));
        let public = public.clone();
        token
            .run(move |live| {
                // The public key first: a private key without one is of no use.
                ec::create_public(live.session, &public, &beside)?;
                keep(live, &offer, &sent, &template)
            })
            .await?;
    }
    Ok(public)
}

async fn offers(tokens: &[Arc<Token>]) -> Result<Vec<Offer>, DeviceError> {
    let mut offers = Vec::with_capacity(tokens.len());
    for token in tokens {
        offers.push(token.run(|live| offer(live.session)).await?);
    }
    Ok(offers)
}

fn publics(offers: &[Offer]) -> Vec<PublicKey> {
    offers.iter().map(|offer| offer.public.clone()).collect()
}

fn send_all(live: &Live<'_>, key: &Temp<'_>, to: &[PublicKey]) -> Result<Vec<Sent>, Fault> {
    let scheme = live.login.profile.wrapping;
    to.iter()
        .map(|to| send(live.session, scheme, key.handle, to))
        .collect()
}

fn keep(live: &Live<'_>, offer: &Offer, sent: &Sent, template: &[Attribute]) -> Result<(), Fault> {
    let scheme = live.login.profile.wrapping;
    let key = receive(live.session, scheme, offer, sent, template)?;
    // It is an object of the token, and outlives this session.
    let is_whole = live
        .session
        .get_attributes(key.handle, &[cryptoki::object::AttributeType::Token])
        .map_err(during("keep a key"))?
        .contains(&Attribute::Token(true));
    if !is_whole {
        return Err(DeviceError::Failed {
            what: "keep a key",
            cause: "the token kept it for the connection alone".to_owned(),
        }
        .into());
    }
    key.keep();
    Ok(())
}

fn first(tokens: &[Arc<Token>]) -> Result<&Arc<Token>, DeviceError> {
    tokens.first().ok_or(DeviceError::NotOffered {
        what: "a set without tokens",
    })
}
