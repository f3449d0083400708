//! What a session may have done with its unit's keys and items. Every look-up is
//! within the unit that the session is of; a wrapped key that belongs to another is
//! refused by the device besides.

use jose::{Curve, Map, PublicKey};
use r2ps::envelope::{Request, read_data, write_data};
use r2ps::service::{
    AgreeAnswer, AgreeRequest, DestroyRequest, Done, GenerateRequest, KeysAnswer, ListRequest,
    MAX_LABEL, Nothing, ReadAnswer, ReadRequest, SignAnswer, SignRequest, StateAnswer,
    StateRequest, StoreRequest,
};
use sci::{
    Code, KeyId, KeyInfo, KeyState, MAX_BATCH, MAX_ITEM_BYTES, STATEMENT_LIFETIME, StatedKey,
    StatementClaims,
};
use wscd::{Erasure, Generation, RootState, SignItem, UserKey, WrappedKey};

use crate::outcome::{Outcome, Then};
use crate::record::{Unit, public_key};
use crate::service::destroyed;
use crate::session::Session;
use crate::{ItemRow, KeyRow, Write, Wsca, WscaError};

/// How many keys `key_list` tells of at once: an answer has a size.
const PAGE: usize = 128;

/// What keys are stated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stated {
    /// An attestation of the keys.
    Keys,
    /// A statement that they belong together (ACP_01, ACP_05).
    Association,
}

impl Wsca {
    pub(crate) async fn generate(
        &self,
        unit: &Unit,
        request: &Request,
    ) -> Result<Outcome, WscaError> {
        unit.must_be_active()?;
        let asked: GenerateRequest = read_data(request.data.clone())?;
        must_be_a_batch(asked.count)?;
        let curve = Curve::from_name(&asked.crv).ok_or(Code::NotOffered)?;
        if unit.active_keys().saturating_add(asked.count) > self.config.max_keys {
            return Err(Code::TooMany.into());
        }
        let binding = unit.binding();
        let wrapping = unit.wrapping_key();
        let mut made = Vec::with_capacity(asked.count);
        while made.len() < asked.count {
            let count = (asked.count - made.len()).min(self.most_at_once());
            let keys = self
                .device
                .generate(&binding, &wrapping, curve, count)
                .await?;
            if keys.len() != count {
                return Err(WscaError::Internal("the device made another number".into()));
            }
            made.extend(keys);
        }
        let created = self.now();
        let new: Vec<KeyRow> = made
            .iter()
            .map(|key| KeyRow {
                unit: unit.id(),
                id: KeyId::random(),
                public_key: key.public.to_spki_der(),
                wrapped: Some(key.wrapped.0.clone()),
                created,
                erased_with: None,
            })
            .collect();
        let root = self.device.root().await?;
        let answer = KeysAnswer {
            success: true,
            keys: self.infos(&new, root)?,
        };
        let mut keys = unit.keys.clone();
        keys.extend(new.iter().cloned());
        keys.sort_by_key(|key| key.id);
        Ok(Outcome {
            data: write_data(&answer)?,
            keys: made.iter().map(|key| key.public.thumbprint_b64()).collect(),
            holdings: Some((keys, unit.items.clone())),
            writes: new.into_iter().map(Write::Key).collect(),
            then: Then::GoOn,
        })
    }

    pub(crate) async fn list(&self, unit: &Unit, request: &Request) -> Result<Outcome, WscaError> {
        let asked: ListRequest = read_data(request.data.clone())?;
        let root = self.device.root().await?;
        let page = unit.keys.get(asked.offset..).unwrap_or_default();
        let page = page.get(..PAGE).unwrap_or(page);
        done(&KeysAnswer {
            success: true,
            keys: self.infos(page, root)?,
        })
    }

    pub(crate) async fn sign(&self, unit: &Unit, request: &Request) -> Result<Outcome, WscaError> {
        let asked: SignRequest = read_data(request.data.clone())?;
        must_be_a_batch(asked.items.len())?;
        let keys = asked
            .items
            .iter()
            .map(|item| unit.usable(item.key))
            .collect::<Result<Vec<_>, _>>()?;
        let items: Vec<SignItem<'_>> = keys
            .iter()
            .zip(&asked.items)
            .map(|(key, item)| SignItem {
                key,
                digest: item.digest.as_bytes(),
            })
            .collect();
        for item in &items {
            if item.digest.len() != wscd::digest_len(item.key.public.curve()) {
                return Err(Code::IllegalRequestData.into());
            }
        }
        let binding = unit.binding();
        let wrapping = unit.wrapping_key();
        let mut signatures = Vec::with_capacity(items.len());
        for batch in items.chunks(self.most_at_once()) {
            let signed = self.device.sign_digests(&binding, &wrapping, batch).await?;
            signatures.extend(signed.into_iter().map(r2ps::Binary::from));
        }
        if signatures.len() != items.len() {
            return Err(WscaError::Internal(
                "the device signed another number".into(),
            ));
        }
        let answer = SignAnswer {
            success: true,
            signatures,
        };
        Ok(Outcome {
            data: write_data(&answer)?,
            keys: keys.iter().map(|key| key.public.thumbprint_b64()).collect(),
            ..Outcome::default()
        })
    }

    pub(crate) async fn agree(&self, unit: &Unit, request: &Request) -> Result<Outcome, WscaError> {
        let asked: AgreeRequest = read_data(request.data.clone())?;
        let key = unit.usable(asked.key)?;
        if !self.device.descriptor().agreement {
            return Err(Code::NotOffered.into());
        }
        let secret = self
            .device
            .agree(&unit.binding(), &unit.wrapping_key(), &key, &asked.peer)
            .await?;
        Ok(Outcome {
            data: write_data(&AgreeAnswer {
                success: true,
                secret: secret.as_slice().into(),
            })?,
            keys: vec![key.public.thumbprint_b64()],
            ..Outcome::default()
        })
    }

    pub(crate) async fn state(
        &self,
        unit: &Unit,
        session: &Session,
        request: &Request,
        what_for: Stated,
    ) -> Result<Outcome, WscaError> {
        unit.must_be_active()?;
        let asked: StateRequest = read_data(request.data.clone())?;
        must_be_a_batch(asked.keys.len())?;
        let labels = [&asked.nonce, &asked.audience];
        if labels
            .iter()
            .any(|label| label.is_empty() || label.len() > MAX_LABEL)
        {
            return Err(Code::IllegalRequestData.into());
        }
        let mut stated: Vec<StatedKey> = Vec::with_capacity(asked.keys.len());
        for id in &asked.keys {
            if stated.iter().any(|other| other.id == *id) {
                return Err(Code::IllegalRequestData.into());
            }
            let key = unit.usable(*id)?;
            let descriptor = &self.information.descriptor;
            stated.push(StatedKey {
                id: *id,
                jwk: key.public,
                key_storage: descriptor.key_storage,
                user_authentication: descriptor.user_authentication,
                certification: descriptor.assurance.reference(),
                exportable: descriptor.exportable,
            });
        }
        let thumbprints = stated.iter().map(|key| key.jwk.thumbprint_b64()).collect();
        let iat = self.now().as_second();
        let claims = StatementClaims {
            iss: self.identity.context.clone(),
            sub: unit.id(),
            aud: asked.audience,
            nonce: asked.nonce,
            iat,
            exp: iat.saturating_add(STATEMENT_LIFETIME.as_secs()),
            auth_time: session.info.opened.as_second(),
            device: unit.signing.thumbprint_b64(),
            keys: stated,
        };
        let statement = match what_for {
            Stated::Keys => claims.sign(&self.statements).await?,
            Stated::Association => claims.sign_for_association(&self.statements).await?,
        };
        Ok(Outcome {
            data: write_data(&StateAnswer {
                success: true,
                statement,
            })?,
            keys: thumbprints,
            ..Outcome::default()
        })
    }

    pub(crate) async fn destroy(
        &self,
        unit: &Unit,
        request: &Request,
    ) -> Result<Outcome, WscaError> {
        let asked: DestroyRequest = read_data(request.data.clone())?;
        must_be_a_batch(asked.keys.len())?;
        let mut gone: Vec<(KeyId, UserKey)> = vec![];
        for id in &asked.keys {
            let row = unit.key(*id)?;
            // Destroyed before, or named twice: no error, and nothing to do.
            if let Some(wrapped) = &row.wrapped
                && gone.iter().all(|(other, _)| other != id)
            {
                let public = public_key(row)?;
                let wrapped = WrappedKey(wrapped.clone());
                gone.push((*id, UserKey { public, wrapped }));
            }
        }
        let user_keys: Vec<UserKey> = gone.iter().map(|(_, key)| key.clone()).collect();
        let mut erased_with = 0;
        for batch in user_keys.chunks(self.most_at_once()) {
            let erasure = self
                .device
                .destroy_keys(&unit.binding(), &unit.wrapping_key(), batch)
                .await?;
            erased_with = match erasure {
                Erasure::Complete => 0,
                Erasure::AtRotation(generation) => generation.0,
            };
        }
        let mut keys = unit.keys.clone();
        let mut writes = Vec::with_capacity(gone.len());
        for row in &mut keys {
            if gone.iter().any(|(id, _)| *id == row.id) {
                row.wrapped = None;
                row.erased_with = Some(erased_with);
                writes.push(Write::Key(row.clone()));
            }
        }
        Ok(Outcome {
            data: write_data(&Done::OK)?,
            keys: thumbprints(&user_keys),
            holdings: Some((keys, unit.items.clone())),
            writes,
            then: Then::GoOn,
        })
    }

    pub(crate) async fn destroy_self(
        &self,
        unit: &Unit,
        request: &Request,
    ) -> Result<Outcome, WscaError> {
        let _: Nothing = read_data(request.data.clone())?;
        self.device
            .destroy_unit(&unit.binding(), &unit.wrapping_key())
            .await?;
        let (keys, writes) = destroyed(unit);
        Ok(Outcome {
            data: write_data(&Done::OK)?,
            keys: vec![],
            holdings: Some((keys, vec![])),
            writes,
            then: Then::DestroyUnit,
        })
    }

    pub(crate) async fn store_item(
        &self,
        unit: &Unit,
        request: &Request,
    ) -> Result<Outcome, WscaError> {
        let asked: StoreRequest = read_data(request.data.clone())?;
        let content = asked.content.as_bytes();
        if content.len() > MAX_ITEM_BYTES {
            return Err(Code::TooMany.into());
        }
        let name = asked.name.as_str();
        let mut items: Vec<ItemRow> = unit
            .items
            .iter()
            .filter(|item| item.name != name)
            .cloned()
            .collect();
        if items.len() >= self.config.max_items {
            return Err(Code::TooMany.into());
        }
        let sealed = self
            .device
            .seal_item(
                &unit.binding(),
                &unit.wrapping_key(),
                name.as_bytes(),
                content,
            )
            .await?;
        let item = ItemRow {
            unit: unit.id(),
            name: name.to_owned(),
            sealed,
        };
        items.push(item.clone());
        items.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        Ok(Outcome {
            data: write_data(&Done::OK)?,
            keys: vec![],
            holdings: Some((unit.keys.clone(), items)),
            writes: vec![Write::Item(item)],
            then: Then::GoOn,
        })
    }

    pub(crate) async fn read_item(
        &self,
        unit: &Unit,
        request: &Request,
    ) -> Result<Outcome, WscaError> {
        let asked: ReadRequest = read_data(request.data.clone())?;
        let name = asked.name.as_str();
        let item = unit.items.iter().find(|item| item.name == name);
        let item = item.ok_or(Code::NoSuchItem)?;
        let content = self
            .device
            .open_item(
                &unit.binding(),
                &unit.wrapping_key(),
                name.as_bytes(),
                &item.sealed,
            )
            .await?;
        done(&ReadAnswer {
            success: true,
            content: content.as_slice().into(),
        })
    }

    pub(crate) fn remove_item(&self, unit: &Unit, request: &Request) -> Result<Outcome, WscaError> {
        let asked: ReadRequest = read_data(request.data.clone())?;
        let name = asked.name.as_str();
        let items = unit.items.iter().filter(|item| item.name != name);
        Ok(Outcome {
            data: write_data(&Done::OK)?,
            keys: vec![],
            holdings: Some((unit.keys.clone(), items.cloned().collect())),
            writes: vec![Write::RemoveItem(unit.id(), name.to_owned())],
            then: Then::GoOn,
        })
    }

    /// How many keys the device takes in one call.
    pub(crate) fn most_at_once(&self) -> usize {
        self.device
            .descriptor()
            .limits
            .max_batch
            .clamp(1, MAX_BATCH)
    }

    fn infos(&self, rows: &[KeyRow], root: RootState) -> Result<Vec<KeyInfo>, WscaError> {
        rows.iter().map(|row| self.info(row, root)).collect()
    }

    fn info(&self, row: &KeyRow, root: RootState) -> Result<KeyInfo, WscaError> {
        let descriptor = &self.information.descriptor;
        Ok(KeyInfo {
            id: row.id,
            public_key: public_key(row)?,
            key_storage: descriptor.key_storage,
            user_authentication: descriptor.user_authentication,
            certification: descriptor.assurance.reference(),
            exportable: descriptor.exportable,
            state: match (&row.wrapped, row.erased_with) {
                (Some(_), _) => KeyState::Active,
                (None, Some(generation)) if root.opens(Generation(generation)) => {
                    KeyState::Destroyed
                }
                (None, _) => KeyState::Erased,
            },
            created: row.created,
        })
    }
}

fn must_be_a_batch(count: usize) -> Result<(), WscaError> {
    match count {
        0 => Err(Code::IllegalRequestData.into()),
        1..=MAX_BATCH => Ok(()),
        _ => Err(Code::TooMany.into()),
    }
}

fn thumbprints(keys: &[UserKey]) -> Vec<String> {
    keys.iter()
        .map(|key| PublicKey::thumbprint_b64(&key.public))
        .collect()
}

fn done(data: &impl serde::Serialize) -> Result<Outcome, WscaError> {
    let data: Map = write_data(data)?;
    Ok(Outcome {
        data,
        ..Outcome::default()
    })
}
