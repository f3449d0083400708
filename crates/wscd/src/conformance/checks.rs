use super::kit::{Kit, Running};
use super::{isolation, rotation, service, user_keys};
use crate::Role;

/// A check: what it comes from, who has to pass it, and how it runs.
pub(super) struct Declared {
    pub(super) id: &'static str,
    pub(super) requirement: &'static str,
    pub(super) says: &'static str,
    pub(super) role: Role,
    /// Whether a device with that role has to offer it.
    pub(super) mandatory: bool,
    /// Whether it changes what a device in use relies on.
    pub(super) touches: bool,
    /// Whether it concerns keys that are stored wrapped alone.
    pub(super) of_wrapped: bool,
    pub(super) run: for<'a> fn(Kit<'a>) -> Running<'a>,
}

macro_rules! declare {
    ($($id:literal, $role:ident, $kind:ident, $requirement:literal, $says:literal, $run:path;)*) => {
        pub(super) const ALL: &[Declared] = &[$(Declared {
            id: $id,
            requirement: $requirement,
            says: $says,
            role: Role::$role,
            mandatory: declare!(@mandatory $kind),
            touches: declare!(@touches $kind),
            of_wrapped: declare!(@of_wrapped $kind),
            run: |kit| Box::pin($run(kit)),
        }),*];
    };
    (@mandatory optional) => { false };
    (@mandatory $_:ident) => { true };
    (@touches touching) => { true };
    (@touches rotating) => { true };
    (@touches $_:ident) => { false };
    (@of_wrapped rotating) => { true };
    (@of_wrapped $_:ident) => { false };
}

declare! {
    "WSCD-DESCRIPTOR", UserKeys, mandatory,
    "ARF WUA_05; CIR (EU) 2024/2981 Annex IV 3(3)",
    "it claims a level only with a certificate or a stated assumption",
    user_keys::descriptor;

    "WSCD-HEALTH", UserKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(g)",
    "it says that it can work, and which root it has",
    user_keys::health;

    "WSCD-GENERATE", UserKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(c); ARF ISSU_12b",
    "it makes as many keys as asked, each of its own, on each curve that it offers, P-256 among them",
    user_keys::generate;

    "WSCD-SIGN", UserKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(e); ARF WIAM_19",
    "each signature of a batch verifies under its own key",
    user_keys::sign;

    "WSCD-DIGEST-LENGTH", UserKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(e); RFC 7518, 3.4",
    "a digest that does not fit the key's curve is refused",
    user_keys::digest_length;

    "WSCD-BATCH", UserKeys, mandatory,
    "ARF WUA_05 (stated limits)",
    "a full batch is taken, a larger one refused, and one bad item refuses the whole batch",
    user_keys::batch;

    "WSCD-AGREE", UserKeys, optional,
    "ARF OIA_02; ISO/IEC 18013-5, 9.1.3.5",
    "ECDH gives the x-coordinate that the other side gets; a peer on another curve is refused",
    user_keys::agree;

    "WSCD-CONCURRENT", UserKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(f); ARF WIAM_09",
    "units that work at the same time get their own keys and signatures",
    user_keys::concurrent;

    "WSCD-NOT-EXPORTABLE", UserKeys, mandatory,
    "ARF WUA_16a; CIR (EU) 2024/2979 Art. 5(1)(f)",
    "it says that no key can be exported, and every means its interface has is refused",
    isolation::not_exportable;

    "WSCD-NOT-IN-CLEAR", UserKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(f)",
    "a wrapped form does not hold the private key in the clear",
    isolation::not_in_clear;

    "WSCD-FOREIGN-UNIT-KEY", UserKeys, mandatory,
    "ARF WIAM_09",
    "another unit's wrapping key is refused, whatever it is used for",
    isolation::foreign_unit_key;

    "WSCD-FOREIGN-USER-KEY", UserKeys, mandatory,
    "ARF WIAM_09",
    "another unit's key is refused: for signing, agreeing and moving",
    isolation::foreign_user_key;

    "WSCD-SWAPPED-KEY", UserKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(f)",
    "a wrapped key beside another public key of the same unit is refused",
    isolation::swapped;

    "WSCD-TAMPERED-KEY", UserKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(f)",
    "a wrapped form with any byte changed, cut or added is refused",
    isolation::tampered;

    "WSCD-ITEM", UserKeys, mandatory,
    "ARF PA_14, WIAM_09",
    "a unit's small secrets open for that unit, unchanged, with the same associated data, and for nobody else",
    isolation::items;

    "WSCD-MAC", UserKeys, mandatory,
    "ARF WIAM_14, WIAM_09; RFC 9807 (oprf_seed)",
    "a MAC is the same for the same data, and no two purposes share a key",
    service::mac;

    "WSCD-SEAL", UserKeys, mandatory,
    "ARF WIAM_14; RFC 9807 (server_private_key)",
    "what is sealed for a purpose opens for that purpose with the same associated data alone",
    service::seal;

    "WSCD-ANCHOR", UserKeys, touching,
    "ARF WIAM_14; CIR (EU) 2015/1502 Annex 2.3.1 (high)",
    "a shard's anchor moves forward alone",
    service::anchor;

    "WSCD-DESTROY", UserKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(d); ARF WIAM_13, WIAM_21, PAD_04",
    "it says how far a destruction has come, and what it says holds",
    rotation::destroy;

    "WSCD-ROTATION-MOVES", UserKeys, rotating,
    "CIR (EU) 2024/2979 Art. 5(1)(d)",
    "during a rotation old keys work, move to a new wrapping key, and work there",
    rotation::moves;

    "WSCD-ROTATION-ERASES", UserKeys, rotating,
    "CIR (EU) 2024/2979 Art. 5(1)(d); ARF WIAM_13, WIAM_21, PAD_04",
    "after a rotation every wrapped form that was not moved is refused, by every path",
    rotation::erases;

    "WSCD-ROTATION-KEEPS", UserKeys, rotating,
    "CIR (EU) 2024/2979 Art. 5(1)(f)",
    "a rotation leaves MACs and sealed secrets as they were",
    rotation::keeps;

    "WSCD-NAMED-SIGN", ServiceKeys, mandatory,
    "ARF WUA_01",
    "a named key is the same each time, signs, and is for signing alone",
    service::named_sign;

    "WSCD-NAMED-AGREE", ServiceKeys, optional,
    "ARF WIAM_14; R2PS (draft-santesson-r2ps-00)",
    "a named key made for agreement agrees, and does not sign",
    service::named_agree;

    "WSCD-NAMED-DESTROY", ServiceKeys, mandatory,
    "CIR (EU) 2024/2979 Art. 5(1)(d)",
    "a destroyed named key is gone, and its name then names a new key",
    service::named_destroy;
}
