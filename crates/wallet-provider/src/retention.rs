//! What is held, what for, and until when: every table and column of the database.
//!
//! The page at `/account/data` is made of this table, so what users are told is what
//! is held: a test compares it with a database's own schema, and another lets time
//! pass and looks at what is gone (crates/store/tests/retention.rs). It is how `WUA_37`
//! (the provider keeps which entries a unit has) and `ISSU_35b` (what is unique is
//! discarded once it is not needed) go together.

use serde::Serialize;

/// A table of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Its name in the database.
    pub table: &'static str,
    /// What one of its rows is, for a reader who knows no database.
    pub what: &'static str,
    /// What it is held for.
    pub purpose: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
    /// Until when a row is held.
    pub until: Until,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name in the database.
    pub name: &'static str,
    /// What it holds.
    pub holds: &'static str,
    /// Whether it leads to a person.
    pub personal: Personal,
}

/// Whether a column leads to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Personal {
    /// It says something of a person in clear.
    Personal,
    /// It is of one wallet unit, and leads to a person only with what is personal.
    Pseudonymous,
    /// It is of no person.
    No,
}

/// Until when a row is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "rule")]
pub enum Until {
    /// Until a day after the time in this column: what is forgotten too early by a
    /// clock that runs ahead could be replayed. It is looked for once an hour.
    Past {
        /// The column.
        column: &'static str,
    },
    /// Until some minutes after the time in this column.
    Soon {
        /// The column.
        column: &'static str,
    },
    /// Until the unit comes again after the time in this column.
    NextVisit {
        /// The column.
        column: &'static str,
    },
    /// As long as the account.
    Account,
    /// As long as the unit's record at the provider.
    Unit,
    /// Until the unit passes a check, or is revoked.
    Check,
    /// Until the key storage has destroyed what it had.
    Destroyed,
    /// As long as the unit's record at the key storage, which outlives its keys: that
    /// they are destroyed can be shown.
    WscaUnit,
    /// Until 40 days after the list was closed, and no entry of it is maintained.
    List,
    /// Until so many days after the last way of telling it was over, as the operator of
    /// the service says: 30, unless it is configured otherwise.
    Notices,
    /// As long as the operator of the service says: 1096 days, unless it is configured
    /// otherwise.
    Trail,
    /// For good.
    Always,
}

impl Until {
    /// In words.
    pub fn says(&self) -> String {
        match self {
            Self::Past { column } => format!("a day after {column}, within the hour"),
            Self::Soon { column } => format!("{column}, and some minutes"),
            Self::NextVisit { column } => format!("the wallet comes again after {column}"),
            Self::Account => "the account is deleted".into(),
            Self::Destroyed => "the key storage has destroyed what it had".into(),
            Self::Unit => {
                "the account is deleted and nothing says any more how its wallets stand".into()
            }
            Self::Check => "the wallet's device passes a check, or the wallet is revoked".into(),
            Self::WscaUnit => "the key storage is taken out of service".into(),
            Self::List => "40 days after the list is closed and nothing in it is maintained".into(),
            Self::Notices => "30 days after it was told, unless configured otherwise".into(),
            Self::Trail => {
                "the time that the provider's policy says, three years by default".into()
            }
            Self::Always => "for good".into(),
        }
    }
}

impl Personal {
    /// In a word.
    pub fn says(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Pseudonymous => "pseudonymous",
            Self::No => "not personal",
        }
    }
}

impl Held {
    /// The most that a column of it says of a person.
    pub fn personal(&self) -> Personal {
        let has = |kind| self.columns.iter().any(|column| column.personal == kind);
        if has(Personal::Personal) {
            Personal::Personal
        } else if has(Personal::Pseudonymous) {
            Personal::Pseudonymous
        } else {
            Personal::No
        }
    }
}

const fn personal(name: &'static str, holds: &'static str) -> Column {
    of(name, holds, Personal::Personal)
}

const fn unit(name: &'static str, holds: &'static str) -> Column {
    of(name, holds, Personal::Pseudonymous)
}

const fn no(name: &'static str, holds: &'static str) -> Column {
    of(name, holds, Personal::No)
}

const fn of(name: &'static str, holds: &'static str, personal: Personal) -> Column {
    Column {
        name,
        holds,
        personal,
    }
}

/// What is never held, whatever a table could hold.
pub const NEVER: &[&str] = &[
    "which identity data or attestations a wallet holds, or from whom (WIAM_12a)",
    "where, when and to whom a wallet shows anything",
    "the attestations of a wallet themselves: only where their status stands",
    "a PIN, or anything that a PIN could be tried against without the key device",
    "a user's keys in a form that anything but the key device can use",
];

/// Every table of the database.
pub const HELD: &[Held] = &[
    Held {
        table: "account",
        what: "an account",
        purpose: "its owner can revoke a wallet without the phone (WIAM_06)",
        columns: &[
            unit("id", "a number"),
            personal("alias", "the name that its owner chose"),
            unit("created_at", "when it was made"),
            unit("handle", "what passkeys know it by, a random value"),
            unit("language", "in which language its owner is written to"),
            personal("email", "where its owner is written to, if that was wished"),
            unit("email_confirmed_at", "since when"),
            unit(
                "deleted_at",
                "when it was deleted: nothing personal is left then",
            ),
        ],
        until: Until::Account,
    },
    Held {
        table: "passkey",
        what: "a passkey of an account",
        purpose: "its owner signs in with it",
        columns: &[
            unit("id", "the identifier that the passkey has for this service"),
            unit("account", "whose account it opens"),
            personal("name", "what its owner calls it"),
            unit("data", "its public key, and what is known of it"),
            unit("counter", "how often it signed, where it counts"),
            unit("created_at", "when it was added"),
            unit("used_at", "when it last signed in"),
        ],
        until: Until::Account,
    },
    Held {
        table: "recovery_code",
        what: "a recovery code of an account",
        purpose: "its owner comes in without a passkey, once",
        columns: &[
            unit("account", "whose account it opens"),
            unit("hash", "the hash of the code"),
            unit(
                "first",
                "whether the activation of a wallet gave it and nobody came in by it",
            ),
            unit("created_at", "when it was made"),
            unit("used_at", "when somebody signed in with it"),
        ],
        until: Until::Account,
    },
    Held {
        table: "consent",
        what: "something that an account's owner agreed to",
        purpose: "that it was agreed to, and to which words, can be shown (WIAM_05)",
        columns: &[
            no("id", "a number"),
            unit("account", "whose account it was"),
            unit("kind", "to which purpose"),
            unit("version", "which text it was"),
            unit("sha256", "the hash of its words"),
            unit("given_at", "when"),
        ],
        until: Until::Account,
    },
    Held {
        table: "sign_in",
        what: "a browser that is signed in to an account",
        purpose: "its owner need not sign in at each page",
        columns: &[
            unit("hash", "the hash of what the browser shows"),
            unit("account", "to which account"),
            unit("since", "since when"),
            unit("seen_at", "when it was last here"),
            unit(
                "ends_at",
                "when it ends, unless it is left for a quarter of an hour",
            ),
        ],
        until: Until::Soon { column: "ends_at" },
    },
    Held {
        table: "ceremony",
        what: "a sign-up or sign-in that has begun",
        purpose: "a passkey answers the question that it was asked, once",
        columns: &[
            unit("hash", "the hash of its name"),
            personal(
                "state",
                "the question, and for a sign-up the name that was chosen",
            ),
            unit("expires_at", "when it ends"),
        ],
        until: Until::Soon {
            column: "expires_at",
        },
    },
    Held {
        table: "link_code",
        what: "a code that brings a wallet into an account",
        purpose: "nobody else's wallet comes into it",
        columns: &[
            unit("account", "which account"),
            unit("hash", "the hash of the code"),
            unit("expires_at", "when it ends"),
            unit("used_by", "the wallet that came with it"),
        ],
        until: Until::Soon {
            column: "expires_at",
        },
    },
    Held {
        table: "address_code",
        what: "an e-mail address that waits for its code",
        purpose: "nobody is written to who does not want it",
        columns: &[
            unit("account", "whose account it is to be for"),
            personal("address", "the address"),
            unit("hash", "the hash of the code that was sent there"),
            unit("made_at", "when"),
            unit("expires_at", "when the code ends"),
            unit("wrong", "how often it was typed wrong"),
        ],
        until: Until::Soon {
            column: "expires_at",
        },
    },
    Held {
        table: "unit",
        what: "a wallet unit",
        purpose: "only the wallet's own device is given attestations, and it can be revoked",
        columns: &[
            unit("id", "a random identifier"),
            unit("account", "whose account it belongs to"),
            unit("state", "installed, operational or revoked"),
            unit("signing_key", "the public key that the device signs with"),
            unit("signing_thumbprint", "that key's hash"),
            unit(
                "agreement_key",
                "the public key that the device agrees with",
            ),
            unit("agreement_thumbprint", "that key's hash"),
            unit(
                "evidence",
                "what was found of the device, and what it rests on",
            ),
            unit("wallet_version", "the version of the wallet"),
            unit("created_at", "when its activation began"),
            unit(
                "freeze_due",
                "whether the key storage is still to be told of its end",
            ),
            unit("checked_at", "when the device was last checked"),
            unit("device_model", "the device's model"),
            unit("patch_level", "how new its system is, by month"),
        ],
        until: Until::Unit,
    },
    Held {
        table: "unit_event",
        what: "a change of a wallet unit's state",
        purpose: "its owner sees what became of it, and why",
        columns: &[
            no("id", "a number"),
            unit("unit", "which unit"),
            unit("at_ms", "when"),
            unit("state", "the state it went to"),
            unit("by", "who revoked it: the user, an operator, …"),
            unit("reason", "why"),
            unit(
                "name",
                "which PID provider or operator did it, where that is known",
            ),
            unit("storage", "whether it was of one key storage alone"),
        ],
        until: Until::Unit,
    },
    Held {
        table: "unit_storage",
        what: "a key storage of a wallet unit",
        purpose: "each can be revoked alone (WURevocation_07a)",
        columns: &[
            unit("unit", "which unit"),
            unit("storage", "the remote one, or the device's own"),
            unit("type", "what all of its kind have in common"),
            no("certification", "what its kind is certified for"),
            unit("added_at", "since when"),
            unit("revoked_at", "when it was revoked"),
            unit("by", "who revoked it"),
            unit("reason", "why"),
        ],
        until: Until::Unit,
    },
    Held {
        table: "unit_certificate",
        what: "a certificate that a wallet unit's evidence rests on",
        purpose: "a wallet on a device whose maker's key was revoked is revoked (WURevocation_09)",
        columns: &[
            unit("certificate", "the hash of the certificate's serial number"),
            unit("unit", "the unit, until it is revoked"),
        ],
        until: Until::Unit,
    },
    Held {
        table: "forgotten_unit",
        what: "a wallet unit that was never completed and is forgotten",
        purpose: "what the key storage has of it is destroyed too",
        columns: &[unit("unit", "the unit that it was")],
        until: Until::Destroyed,
    },
    Held {
        table: "spent_pid_request",
        what: "a request of a PID provider whose user died",
        purpose: "nobody can make it again (WURevocation_11)",
        columns: &[
            no("provider", "the hash of the PID provider's name"),
            no("jti", "the request's identifier"),
            no("forget_at", "when no copy would be taken any more"),
        ],
        until: Until::Past {
            column: "forget_at",
        },
    },
    Held {
        table: "revocation_job",
        what: "a revocation of many wallet units",
        purpose: "it is done to its end, and can be shown (WPNot_06)",
        columns: &[
            no("id", "a random identifier"),
            no("selector", "which units were meant"),
            no("extent", "what of them"),
            no("reason", "why"),
            no("advisory", "where the technical details stand"),
            personal(
                "name",
                "which operator asked for it, for as long as the operators' trail tells it",
            ),
            no("selected", "how many were meant"),
            no("began", "when it began"),
            no("state", "whether it is done"),
            no("revoked", "how many were revoked"),
            no("finished", "when it was done"),
            unit("after", "the unit that it looked at last, until it is done"),
            no("found", "how many it found in this pass"),
        ],
        until: Until::Always,
    },
    Held {
        table: "challenge",
        what: "a question that a device has not answered yet",
        purpose: "an answer cannot be made ahead or used twice",
        columns: &[
            no("hash", "its hash"),
            unit("unit", "whom it was put to, where that is known"),
            no("expires_at", "until when it can be answered"),
        ],
        until: Until::Past {
            column: "expires_at",
        },
    },
    Held {
        table: "spent_request",
        what: "the number of a request that was taken",
        purpose: "a copy of it is refused",
        columns: &[
            unit("unit", "who made it"),
            no("jti", "its random number"),
            no("forget_at", "until when a copy could be taken"),
        ],
        until: Until::Past {
            column: "forget_at",
        },
    },
    Held {
        table: "attested_key",
        what: "a key that was attested",
        purpose: "no key is attested twice",
        columns: &[no(
            "hash",
            "a hash of its thumbprint; nothing leads from it to a unit",
        )],
        until: Until::Always,
    },
    Held {
        table: "status_list",
        what: "a published status list",
        purpose: "whoever is shown an attestation sees whether it was revoked",
        columns: &[
            no("id", "a number"),
            no("kind", "what its entries are of"),
            no("name", "its name"),
            no("uri", "its address"),
            no("size", "how many entries it has"),
            no("key_check", "a check of the key that orders it"),
            no("next_counter", "how many of its entries were handed out"),
            no("closed_at", "when the last of them was"),
            no("revision", "how often it changed"),
            no("published", "as of which change it is published"),
            no("published_until", "how long what is published lasts"),
            no(
                "restored",
                "whether the database was found to be older than it",
            ),
            no(
                "promised_until",
                "how long anything that was published of it can last",
            ),
        ],
        until: Until::List,
    },
    Held {
        table: "status_entry",
        what: "where the status of one attestation of a unit stands",
        purpose: "revoking the unit revokes what it was given (WUA_37)",
        columns: &[
            unit("list", "which list"),
            unit("idx", "which entry"),
            unit("unit", "whose"),
            unit("maintained_until", "until when its status is maintained"),
            unit("storage", "which key storage it is of"),
        ],
        until: Until::Past {
            column: "maintained_until",
        },
    },
    Held {
        table: "status_set",
        what: "an entry of a status list that is revoked",
        purpose: "it never reads as valid again",
        columns: &[
            no("list", "which list"),
            no("idx", "which entry; nothing leads from it to a unit"),
            no("revision", "with which change of the list it was set"),
        ],
        until: Until::List,
    },
    Held {
        table: "instance_key",
        what: "a key of a wallet's attestation of itself",
        purpose: "no two issuers are shown the same key (ISSU_35a)",
        columns: &[
            no(
                "hash",
                "a hash of its thumbprint; nothing leads from it to a unit",
            ),
            no(
                "forget_at",
                "the end of the day on which its attestation's status ends",
            ),
        ],
        until: Until::Past {
            column: "forget_at",
        },
    },
    Held {
        table: "assertion_counter",
        what: "how often an Apple device has vouched for a wallet",
        purpose: "a copy of an earlier message is refused",
        columns: &[
            unit("unit", "which unit"),
            unit("counter", "the number of the last message"),
        ],
        until: Until::Unit,
    },
    Held {
        table: "failed_check",
        what: "a device that turned out less sound than it was",
        purpose: "its wallet unit can be revoked (WURevocation_09)",
        columns: &[
            unit("unit", "which unit"),
            unit("at", "when"),
            unit("why", "what was found"),
        ],
        until: Until::Check,
    },
    Held {
        table: "issuer_scope",
        what: "where a wallet's status for one issuer stands; which issuer, nobody here knows",
        purpose: "the wallet shows the same issuer the same entry, and no other issuer that one",
        columns: &[
            unit("unit", "whose"),
            unit(
                "scope",
                "a pseudonym of the issuer that only this wallet can make",
            ),
            unit("about", "whether it is of the wallet or of a key storage"),
            unit("list", "which list"),
            unit("idx", "which entry"),
            unit("maintained_until", "until when its status is maintained"),
        ],
        until: Until::Past {
            column: "maintained_until",
        },
    },
    Held {
        table: "storage_type",
        what: "a type of key storage, and the status entry that all of it share, if they do",
        purpose: "a type that turns out weak is revoked at once (WURevocation_09a)",
        columns: &[
            no("storage", "the remote one, or devices' own"),
            no("type", "its name"),
            no("list", "which list"),
            no("idx", "which entry"),
            no("maintained_until", "until when its status is maintained"),
            no("revoked_at", "when it was revoked"),
            no("by", "who revoked it"),
            no("reason", "why"),
        ],
        until: Until::Always,
    },
    Held {
        table: "choice",
        what: "what the provider chose where the specifications leave a choice",
        purpose: "what an earlier attestation meant can be told",
        columns: &[
            no("name", "what was chosen"),
            no("number", "the how manieth choice it is"),
            no("value", "how it was chosen"),
            no("since", "since when"),
        ],
        until: Until::Always,
    },
    Held {
        table: "loose_entry",
        what: "where the status of an attestation stands that was given to no known wallet",
        purpose: "it can be revoked",
        columns: &[
            no("list", "which list"),
            no("idx", "which entry"),
            no("maintained_until", "until when its status is maintained"),
            no("device_model", "the device's model"),
            no("patch_level", "how new its system is, by month"),
        ],
        until: Until::Past {
            column: "maintained_until",
        },
    },
    Held {
        table: "notice",
        what: "something that a user is told: that a wallet was revoked, and why",
        purpose: "users learn of it within 24 hours (WURevocation_14)",
        columns: &[
            no("id", "a random identifier"),
            unit("kind", "what kind of thing it is"),
            unit("fact", "what happened"),
            unit("account", "whose account it concerns"),
            unit("unit", "which unit"),
            unit("at_ms", "when"),
            no("named", "whether it goes to one address alone"),
            personal("recipient", "that address; gone once the mail is over"),
            personal(
                "secret",
                "a code that is sent there; gone once the mail is over",
            ),
            personal("language", "in which language it is written"),
            no("spread", "whether it is on its way"),
        ],
        until: Until::Notices,
    },
    Held {
        table: "notice_delivery",
        what: "one way by which a user is told",
        purpose: "each is tried until it succeeds or its time has passed (WURevocation_16)",
        columns: &[
            no("notice", "what is told"),
            no("channel", "mail, or another way of the service"),
            no("state", "whether it waits, was delivered or was not"),
            no("tries", "how often it was tried"),
            no("due_at", "when it is tried next"),
            no("claim", "which node tries it now"),
            no("last_at", "when it was tried last"),
            no("why", "why it did not succeed; never an address"),
        ],
        until: Until::Notices,
    },
    Held {
        table: "operator_trail",
        what: "something that an operator of the service did",
        purpose: "who looked at a unit or revoked it can be told",
        columns: &[
            no("sequence", "a number"),
            personal("at_ms", "when"),
            personal("operator", "which operator"),
            personal("role", "what the operator might do then"),
            personal("credential", "how the operator proved to be one"),
            personal("action", "what was done"),
            unit(
                "object",
                "to what: a unit's identifier, or what was looked for",
            ),
            personal("reason", "why, in the operator's words"),
            personal("outcome", "what came of it"),
            no("hash", "a hash over the row and the one before"),
        ],
        until: Until::Trail,
    },
    Held {
        table: "operator_trail_ends",
        what: "where the operators' trail begins and ends",
        purpose: "a row that was taken away is noticed",
        columns: &[
            no("one", "there is one such row"),
            no(
                "start_sequence",
                "the number of the last row that was forgotten",
            ),
            no("start_hash", "its hash"),
            no("sequence", "the number of the newest row"),
            no("hash", "its hash"),
        ],
        until: Until::Always,
    },
    Held {
        table: "wsca_unit",
        what: "a wallet unit at the key storage",
        purpose: "only its user can use its keys",
        columns: &[
            unit("unit", "the unit's identifier"),
            no("shard", "which part of the storage it is in"),
            no("version", "how often the row changed"),
            unit("state", "whether it can be used, is frozen or destroyed"),
            unit("signing_key", "the public key that the device signs with"),
            unit(
                "agreement_key",
                "the public key that the device agrees with",
            ),
            unit(
                "pin_record",
                "what the PIN is checked with; useless without the key device",
            ),
            unit("pin_credential", "which such record it is"),
            unit("tries", "wrong PINs in a row"),
            unit("last_try", "when the last one was tried"),
            unit("session_epoch", "how often all its sessions were ended"),
            no("wrapping_generation", "which key wraps its keys"),
            unit("wrapping_key", "that key, wrapped by the key device"),
            no("policy", "how many wrong PINs are taken"),
            unit("holdings", "a check of what it holds"),
            no("mac", "a check of the row by the key device"),
        ],
        until: Until::WscaUnit,
    },
    Held {
        table: "wsca_shard",
        what: "a part of the key storage",
        purpose: "an older copy of the database is noticed",
        columns: &[
            no("shard", "its number"),
            no("epoch", "how often it changed"),
            no("state", "a hash over its units"),
            no("mac", "a check of the row by the key device"),
        ],
        until: Until::Always,
    },
    Held {
        table: "wsca_key",
        what: "a key of a wallet unit",
        purpose: "the user signs with it",
        columns: &[
            unit("unit", "whose"),
            unit("id", "a random identifier"),
            unit("public_key", "its public half"),
            unit(
                "wrapped",
                "the key, wrapped by the key device; gone once it is destroyed",
            ),
            unit("created", "when it was made"),
            unit(
                "erased_with",
                "with which change of the root its copies became useless",
            ),
        ],
        until: Until::WscaUnit,
    },
    Held {
        table: "wsca_item",
        what: "a small secret of a wallet unit",
        purpose: "the wallet keeps it with the key storage",
        columns: &[
            unit("unit", "whose"),
            unit("name", "the name that the wallet gave it"),
            unit("sealed", "the secret, sealed by the key device"),
        ],
        until: Until::WscaUnit,
    },
    Held {
        table: "wsca_exchange",
        what: "the first half of a PIN's check",
        purpose: "each try is counted, and none twice",
        columns: &[
            no("id", "a random identifier"),
            unit("unit", "whose"),
            no("kind", "what it is for"),
            no("message", "the hash of the first message"),
            no("session", "the session it is made in"),
            no("task", "what the session is for"),
            no("duration", "how long it is to last"),
            no("expires", "until when it can be finished"),
            no("answer", "the answer to the first message"),
            no("sealed", "its state, sealed by the key device"),
        ],
        until: Until::NextVisit { column: "expires" },
    },
    Held {
        table: "wsca_session",
        what: "a session of a wallet with the key storage",
        purpose: "the PIN is asked for once a task",
        columns: &[
            no("id", "a random identifier"),
            unit("unit", "whose"),
            unit("task", "what it is for: issuance or presentation, no more"),
            unit("opened", "when it began"),
            unit("idle_until", "when it ends without another request"),
            unit("expires", "when it ends whatever happens"),
            no("sealed", "its key, sealed by the key device"),
        ],
        until: Until::NextVisit { column: "expires" },
    },
    Held {
        table: "wsca_nonce",
        what: "the number of a request to the key storage that was taken",
        purpose: "a copy of it is refused",
        columns: &[
            unit("unit", "who made it"),
            no("nonce", "its random number"),
            no("until", "until when a copy could be taken"),
        ],
        until: Until::NextVisit { column: "until" },
    },
    Held {
        table: "wsca_secret",
        what: "a secret of the key storage itself",
        purpose: "it works the same after a restart",
        columns: &[
            no("name", "its name"),
            no("sealed", "the secret, sealed by the key device"),
        ],
        until: Until::Always,
    },
    Held {
        table: "wsca_audit",
        what: "something that was done with a unit's keys",
        purpose: "what was done can be shown, and that nothing was left out",
        columns: &[
            no("sequence", "a number"),
            unit("at", "when"),
            unit("unit", "whose keys"),
            unit(
                "operation",
                "what was done; never what was signed, or for whom",
            ),
            unit("key", "with which key"),
            unit("outcome", "what came of it"),
            no("hash", "a hash over the row and the one before"),
        ],
        until: Until::Always,
    },
    Held {
        table: "wsca_rotation",
        what: "how far the key device's root has been changed",
        purpose: "what was destroyed becomes useless in every copy",
        columns: &[
            no("one", "there is one such row"),
            no("version", "how often the row changed"),
            no("minimum", "the oldest root in use"),
            no("target", "the new one"),
            no("holder", "which node works on it"),
            no("until", "until when it does"),
            no("finished", "when the last change was done"),
        ],
        until: Until::Always,
    },
    Held {
        table: "wsca_checkpoint",
        what: "a signature over what was done so far",
        purpose: "nobody can change what was done and not be noticed",
        columns: &[
            no("sequence", "the last row it covers"),
            no("token", "the signature"),
        ],
        until: Until::Always,
    },
    Held {
        table: "_sqlx_migrations",
        what: "a step by which this database came to its present form",
        purpose: "it is taken once",
        columns: &[
            no("version", "its number"),
            no("description", "its name"),
            no("installed_on", "when"),
            no("success", "whether it succeeded"),
            no("checksum", "a hash of it"),
            no("execution_time", "how long it took"),
        ],
        until: Until::Always,
    },
];
