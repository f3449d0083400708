-- What issuance keeps beside its entries: keys that were in a WIA, counters, entries
-- that are used again, and what was chosen.

-- Keys that are in a WIA, by a hash of their thumbprint, with nothing that leads to a
-- unit. They are forgotten when the status of their WIA is no longer maintained.
CREATE TABLE instance_key (
    hash      BLOB    PRIMARY KEY CHECK (length(hash) = 32),
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX instance_key_forget_at ON instance_key (forget_at);

-- The counter of the last assertion of a unit's App Attest key.
CREATE TABLE assertion_counter (
    unit    BLOB    PRIMARY KEY REFERENCES unit (id) ON DELETE CASCADE,
    counter INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- It only grows, whoever writes.
CREATE TRIGGER assertion_counter_grows BEFORE UPDATE OF counter ON assertion_counter
WHEN new.counter <= old.counter
BEGIN
    SELECT RAISE(ABORT, 'an assertion counter only grows');
END;

-- Units whose devices turned out worse, until something has come of it.
CREATE TABLE failed_check (
    unit BLOB    PRIMARY KEY REFERENCES unit (id) ON DELETE CASCADE,
    at   INTEGER NOT NULL,
    why  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- The entry of a unit for one issuer. Which issuer that is, nobody here knows: the
-- scope is a MAC under the instance's own secret.
CREATE TABLE issuer_scope (
    unit             BLOB    NOT NULL REFERENCES unit (id) ON DELETE CASCADE,
    scope            BLOB    NOT NULL CHECK (length(scope) = 32),
    -- What its attestations are about: the instance, or keys in a storage.
    about            TEXT    NOT NULL CHECK (about IN ('wia', 'wscd', 'keystore')),
    list             INTEGER NOT NULL REFERENCES status_list (id),
    idx              INTEGER NOT NULL,
    maintained_until INTEGER NOT NULL,
    PRIMARY KEY (unit, scope, about),
    UNIQUE (list, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX issuer_scope_maintained_until ON issuer_scope (maintained_until);

-- Types of WSCDs and keystores, and the entry that all units of a type share, where
-- that was chosen.
CREATE TABLE storage_type (
    storage          TEXT    NOT NULL CHECK (storage IN ('wscd', 'keystore')),
    type             TEXT    NOT NULL,
    list             INTEGER REFERENCES status_list (id),
    idx              INTEGER,
    maintained_until INTEGER,
    revoked_at       INTEGER,
    by               TEXT,
    reason           TEXT,
    PRIMARY KEY (storage, type),
    UNIQUE (list, idx)
) STRICT, WITHOUT ROWID;

-- What is revoked stays so.
CREATE TRIGGER storage_type_revoked_is_final BEFORE UPDATE OF revoked_at ON storage_type
WHEN old.revoked_at IS NOT NULL AND new.revoked_at IS NOT old.revoked_at
BEGIN
    SELECT RAISE(ABORT, 'what is revoked stays revoked');
END;

-- What was chosen where the texts leave a choice, and since when.
CREATE TABLE choice (
    name   TEXT    NOT NULL,
    number INTEGER NOT NULL,
    value  TEXT    NOT NULL,
    since  INTEGER NOT NULL,
    PRIMARY KEY (name, number)
) STRICT, WITHOUT ROWID;

-- Entries of attestations that belong to no unit: those of the reference's interface.
CREATE TABLE loose_entry (
    list             INTEGER NOT NULL REFERENCES status_list (id),
    idx              INTEGER NOT NULL,
    maintained_until INTEGER NOT NULL,
    -- Of the device, as its evidence says; NULL where it says nothing.
    device_model     TEXT,
    patch_level      INTEGER,
    PRIMARY KEY (list, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX loose_entry_maintained_until ON loose_entry (maintained_until);
