use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jose::PublicKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ec::EcKey;
use super::secret::{Secret, fill};
use crate::{Anchor, DeviceError, Generation, KeyName, KeyUse, MacPurpose, RootState, SealPurpose};

/// What a hardware device would keep inside.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Tells this device's wrapped forms from another's.
    #[serde(with = "hex_array")]
    pub(super) device: [u8; 8],
    current: Generation,
    retiring: Option<Generation>,
    roots: BTreeMap<Generation, Secret>,
    macs: BTreeMap<MacPurpose, Secret>,
    seals: BTreeMap<SealPurpose, Secret>,
    pub(super) named: BTreeMap<KeyName, NamedKey>,
    pub(super) anchors: BTreeMap<u16, Anchor>,
}

impl State {
    /// A new device.
    pub(super) fn create() -> Result<Self, DeviceError> {
        let mut device = [0; 8];
        fill(&mut device)?;
        let first = Generation(1);
        let mut state = Self {
            device,
            current: first,
            retiring: None,
            roots: BTreeMap::from([(first, Secret::random()?)]),
            macs: BTreeMap::new(),
            seals: BTreeMap::new(),
            named: BTreeMap::new(),
            anchors: BTreeMap::new(),
        };
        state.add_missing_purposes()?;
        Ok(state)
    }

    /// Makes the keys of purposes that an older version did not know. Says
    /// whether there were any.
    pub(super) fn add_missing_purposes(&mut self) -> Result<bool, DeviceError> {
        let mut added = false;
        for purpose in MacPurpose::ALL {
            if let Entry::Vacant(place) = self.macs.entry(purpose) {
                place.insert(Secret::random()?);
                added = true;
            }
        }
        for purpose in SealPurpose::ALL {
            if let Entry::Vacant(place) = self.seals.entry(purpose) {
                place.insert(Secret::random()?);
                added = true;
            }
        }
        Ok(added)
    }

    pub(super) fn root_state(&self) -> RootState {
        RootState {
            current: self.current,
            retiring: self.retiring,
        }
    }

    /// The root of a generation, unless it is gone.
    pub(super) fn root(&self, generation: Generation) -> Result<&Secret, DeviceError> {
        self.roots
            .get(&generation)
            .ok_or_else(|| DeviceError::WrongGeneration {
                generation,
                root: self.root_state(),
            })
    }

    pub(super) fn mac_key(&self, purpose: MacPurpose) -> Result<&Secret, DeviceError> {
        self.macs
            .get(&purpose)
            .ok_or_else(|| not_found("MAC key", purpose.label()))
    }

    pub(super) fn seal_key(&self, purpose: SealPurpose) -> Result<&Secret, DeviceError> {
        self.seals
            .get(&purpose)
            .ok_or_else(|| not_found("sealing key", purpose.label()))
    }

    /// Makes the next root, unless a rotation is under way.
    pub(super) fn begin_rotation(&mut self) -> Result<bool, DeviceError> {
        if self.retiring.is_some() {
            return Ok(false);
        }
        let next = self
            .current
            .0
            .checked_add(1)
            .map(Generation)
            .ok_or(DeviceError::Exhausted { what: "root" })?;
        self.roots.insert(next, Secret::random()?);
        self.retiring = Some(self.current);
        self.current = next;
        Ok(true)
    }

    /// Drops the root being retired, if there is one.
    pub(super) fn finish_rotation(&mut self) -> bool {
        match self.retiring.take() {
            Some(retired) => {
                self.roots.remove(&retired);
                true
            }
            None => false,
        }
    }

    pub(super) fn objects(&self) -> u64 {
        let count = self.roots.len()
            + self.macs.len()
            + self.seals.len()
            + self.named.len()
            + self.anchors.len();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// The state as JSON, in one buffer that never grows: growing would leave
    /// copies of the keys behind.
    pub(super) fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        let room = 4096 + 1024 * self.named.len() + 512 * self.anchors.len();
        let mut json = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *json, self)?;
        debug_assert!(json.capacity() == room, "the estimate is too low");
        Ok(json)
    }

    /// The state from JSON, checked to be one that [`Self::to_json`] wrote.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, String> {
        let state: Self = serde_json::from_slice(json).map_err(|error| {
            // The message of serde_json may quote a value.
            format!(
                "not a device's state (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        let roots: Vec<Generation> = state.roots.keys().copied().collect();
        let expected: Vec<Generation> = state.retiring.into_iter().chain([state.current]).collect();
        if roots != expected {
            return Err(format!("roots {roots:?} where {expected:?} should be"));
        }
        let keys = state
            .roots
            .values()
            .chain(state.macs.values())
            .chain(state.seals.values());
        for key in keys {
            if key.expose().len() != Secret::LEN {
                return Err(format!("a symmetric key of {} bytes", key.expose().len()));
            }
        }
        Ok(state)
    }
}

/// One of the service's own keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "StoredNamedKey", into = "StoredNamedKey")]
pub(super) struct NamedKey {
    pub(super) usage: KeyUse,
    pub(super) key: EcKey,
}

impl NamedKey {
    pub(super) fn check_use(&self, name: &KeyName, asked: KeyUse) -> Result<(), DeviceError> {
        if self.usage == asked {
            return Ok(());
        }
        Err(DeviceError::WrongUse {
            name: name.to_string(),
            is: self.usage,
            asked,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredNamedKey {
    usage: KeyUse,
    public: PublicKey,
    scalar: Secret,
}

impl From<StoredNamedKey> for NamedKey {
    fn from(stored: StoredNamedKey) -> Self {
        Self {
            usage: stored.usage,
            key: EcKey::from_parts(stored.scalar, stored.public),
        }
    }
}

impl From<NamedKey> for StoredNamedKey {
    fn from(named: NamedKey) -> Self {
        Self {
            usage: named.usage,
            public: named.key.public().clone(),
            scalar: named.key.scalar().clone(),
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("device", &hex::encode(self.device))
            .field("root", &self.root_state())
            .field("named", &self.named.keys().collect::<Vec<_>>())
            .field("anchors", &self.anchors.len())
            .finish_non_exhaustive()
    }
}

fn not_found(what: &'static str, name: &str) -> DeviceError {
    DeviceError::NotFound {
        what,
        name: name.to_owned(),
    }
}

mod hex_array {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 8], D::Error> {
        let text = <&'de str>::deserialize(d)?;
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use aws_lc_rs::hkdf;
    use jose::Curve;

    use super::*;

    /// RFC 9807 derives HKDF-Expand(oprf_seed, id || "OprfKey", 32), whose one
    /// block (RFC 5869, 2.3) is HMAC(oprf_seed, info || 0x01).
    #[test]
    fn a_mac_is_the_first_block_of_hkdf_expand() {
        let seed = Secret::random().unwrap();
        let mut expanded = [0; 32];
        hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, seed.expose())
            .expand(&[b"an identifier", b"OprfKey"], hkdf::HKDF_SHA256)
            .unwrap()
            .fill(&mut expanded)
            .unwrap();
        assert_eq!(seed.hmac(b"an identifierOprfKey\x01"), expanded);
    }

    #[test]
    fn debug_prints_no_secret() {
        let state = full();
        let device = super::super::SoftwareDevice::from_parts(state.clone(), None);
        let named = state.named.values().next().unwrap();
        let printed = format!(
            "{device:?} {device:#?} {state:?} {named:?} {:?}",
            state.roots
        );
        assert!(printed.contains("shown"), "{printed}");
        let secrets = state
            .roots
            .values()
            .chain(state.macs.values())
            .chain(state.seals.values())
            .chain([named.key.scalar()]);
        for secret in secrets {
            let start = secret.expose().first_chunk::<6>().unwrap();
            for form in [hex::encode(start), format!("{start:?}")] {
                let form = form.trim_matches(['[', ']']);
                assert!(!printed.to_lowercase().contains(form), "{printed}");
            }
        }
    }

    #[test]
    fn a_state_comes_back_as_it_was_written() {
        let state = full();
        let json = state.to_json().unwrap();
        let back = State::from_json(&json).unwrap();
        assert_eq!(*back.to_json().unwrap(), *json);
    }

    #[test]
    fn a_state_that_was_not_written_here_is_refused_without_quoting_it() {
        let mut value: serde_json::Value =
            serde_json::from_slice(&full().to_json().unwrap()).unwrap();
        let refused =
            |value: &serde_json::Value| State::from_json(value.to_string().as_bytes()).unwrap_err();
        value["current"] = 7.into();
        assert!(refused(&value).starts_with("roots "), "{}", refused(&value));
        value["current"] = 2.into();
        value["macs"]["oprf-seed"] = "abcd".into();
        assert_eq!(refused(&value), "a symmetric key of 2 bytes");
        value["macs"]["oprf-seed"] = "secret?".into();
        let cause = refused(&value);
        assert!(cause.starts_with("not a device's state (line 1"), "{cause}");
        assert!(!cause.contains("secret?"), "{cause}");
    }

    fn full() -> State {
        let mut state = State::create().unwrap();
        state.begin_rotation().unwrap();
        state.named.insert(
            KeyName::new("shown").unwrap(),
            NamedKey {
                usage: KeyUse::Sign,
                key: EcKey::generate(Curve::P521).unwrap(),
            },
        );
        let anchor = Anchor {
            epoch: u64::MAX,
            hash: [0xff; 32],
        };
        state.anchors.insert(1023, anchor);
        state
    }
}
