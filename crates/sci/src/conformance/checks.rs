use super::kit::{Kit, Running};
use super::{erasure, isolation, keys, pin, session, statements, wire};

/// A check: what it comes from, who has to pass it, and how it runs.
pub(super) struct Declared {
    pub(super) id: &'static str,
    pub(super) requirement: &'static str,
    pub(super) says: &'static str,
    pub(super) mandatory: Mandatory,
    pub(super) run: for<'a> fn(&'a Kit<'a>) -> Running<'a>,
}

/// Which WSCAs have to offer something.
#[derive(Clone, Copy)]
pub(super) enum Mandatory {
    /// Every one.
    Always,
    /// A remote one: beside the user, the platform or the card does it, or nobody
    /// needs it.
    Remote,
    /// None.
    Never,
}

impl Mandatory {
    pub(super) fn on(self, remote: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Remote => remote,
            Self::Never => false,
        }
    }
}

macro_rules! declare {
    ($($id:literal, $mandatory:ident, $requirement:literal, $says:literal, $run:path;)*) => {
        pub(super) const ALL: &[Declared] = &[$(Declared {
            id: $id,
            requirement: $requirement,
            says: $says,
            mandatory: Mandatory::$mandatory,
            run: |kit| Box::pin($run(kit)),
        }),*];
    };
}

declare! {
    "SCI-INFORMATION", Always,
    "ARF WIAM_05",
    "it tells what an activation needs to know, and the limits it tells are usable",
    session::information;

    "SCI-DESCRIPTOR", Always,
    "ARF WUA_05; CIR (EU) 2024/2981 Annex IV 3(3)",
    "it claims a level only with a certificate or a stated assumption, and says that no key can leave it",
    session::descriptor;

    "SCI-NO-SESSION", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(a); ARF WIAM_14",
    "without a session nothing is done: no key made, used, stated, listed or destroyed, no item read",
    session::without;

    "SCI-SESSION-INFO", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(a)",
    "it says whether the user is authenticated, for what, and until when",
    session::inspect;

    "SCI-SESSION-TASK", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(a)",
    "a session does what its task allows and nothing else",
    session::tasks;

    "SCI-SESSION-END", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(a)",
    "an ended session does nothing more",
    session::end;

    "SCI-SESSION-IDLE", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(a), (b)",
    "a session ends by itself, without a request and whatever happens",
    session::idle;

    "SCI-SESSION-REVOKED", Always,
    "ARF WURevocation_09c, WURevocation_10",
    "revoking a unit ends its session at once, and no other opens",
    session::revoked;

    "SCI-PIN-FIRST", Remote,
    "CIR (EU) 2015/1502 Annex 2.2.1; ARF WIAM_14",
    "without a registered PIN no session opens",
    pin::first;

    "SCI-PIN-ONCE", Remote,
    "CIR (EU) 2015/1502 Annex 2.2.1",
    "a PIN is registered once, and a trivial one not at all",
    pin::once;

    "SCI-PIN-WRONG", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(b); CIR (EU) 2015/1502 Annex 2.2.1",
    "a wrong PIN opens nothing and costs a try; the right one gives the tries back",
    pin::wrong;

    "SCI-PIN-PAUSE", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(b); CIR (EU) 2015/1502 Annex 2.2.1",
    "after a round of wrong PINs the right one is refused too, for a while or for good",
    pin::pause;

    "SCI-PIN-PARALLEL", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(b); CIR (EU) 2015/1502 Annex 2.2.1",
    "many wrong PINs at once get no more tries than one after the other",
    pin::parallel;

    "SCI-PIN-BLOCK", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(b); CIR (EU) 2015/1502 Annex 2.2.1",
    "after the last round the PIN is blocked for good",
    pin::block;

    "SCI-PIN-CHANGE", Remote,
    "CIR (EU) 2015/1502 Annex 2.2.1",
    "a PIN is changed with the old one, which then opens nothing; sessions of the old one end",
    pin::change;

    "SCI-GENERATE", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(c)",
    "it makes batches of different keys on every curve it names, P-256 among them",
    keys::generate;

    "SCI-KEY-PROPERTIES", Always,
    "ARF WUA_05, WUA_16a",
    "it tells of each key its level, its certification, and that it cannot leave",
    keys::properties;

    "SCI-LIMITS", Always,
    "house rule: a request is bounded",
    "nothing, and more than it says, are refused",
    keys::limits;

    "SCI-SIGN", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(e), (f)",
    "signatures verify, in the order asked; a batch is signed whole or not at all",
    keys::sign;

    "SCI-SIGN-DIGEST", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(f)",
    "a digest of another length than the curve's is refused",
    keys::digest_length;

    "SCI-SIGN-NONCE", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(f); ARF WUA_16a",
    "no two signatures share a nonce, which would give the key out",
    keys::nonces;

    "SCI-AGREE", Never,
    "ISO/IEC 18013-5, 9.1.3.5",
    "it agrees on what the other side has, with a point on the key's curve alone",
    keys::agree;

    "SCI-POSSESSION", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(e)",
    "it proves possession of a key for a challenge and for no other",
    keys::possession;

    "SCI-NO-EXPORT", Always,
    "ARF WUA_16a",
    "no answer holds a private key, and no other door leads to one",
    keys::no_export;

    "SCI-STATEMENT", Remote,
    "ARF WIAM_10, WUA_09",
    "it states the keys it holds, for one audience and nonce, and a key once",
    statements::state;

    "SCI-ASSOCIATION", Never,
    "ARF ACP_01, ACP_05",
    "it states keys for an association, and that is no statement for an attestation",
    statements::associate;

    "SCI-ITEMS", Remote,
    "ARF PA_14",
    "it stores, reads and replaces small protected items, within its limit",
    statements::items;

    "SCI-FOREIGN-KEYS", Always,
    "ARF WIAM_09",
    "another unit's keys are neither used, stated nor destroyed, and not told apart from none",
    isolation::keys;

    "SCI-FOREIGN-ITEMS", Remote,
    "ARF WIAM_09",
    "another unit's items are not read",
    isolation::items;

    "SCI-IMPOSTOR", Remote,
    "CIR (EU) 2024/2979 Art. 5(1)(a), (b); ARF WIAM_09",
    "whoever has not the unit's phone gets nothing, and costs its user no try",
    isolation::impostor;

    "SCI-DESTROY-KEYS", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(d); ARF WIAM_21, PAD_04",
    "a destroyed key does nothing more, and says that it is destroyed; the others live",
    erasure::keys;

    "SCI-DESTROY-UNIT", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(d); ARF WIAM_13",
    "a destroyed unit does nothing more, and no other unit notices",
    erasure::unit;

    "SCI-REPLAY", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(b)",
    "a repeated request does nothing, in its session and after it",
    wire::replay;

    "SCI-ALTERED", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(b)",
    "a request that was changed on the way does nothing",
    wire::altered;

    "SCI-CONCURRENT", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(f)",
    "many requests at once lose no key, double none, and mix none up",
    wire::concurrent;

    "SCI-RESTART", Always,
    "CIR (EU) 2024/2979 Art. 5(1)(d), (f)",
    "after a restart keys, items, PIN and tries are what they were, and what was destroyed stays so",
    wire::restart;
}
