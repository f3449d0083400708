-- What issuance keeps beside its entries: keys that were in a WIA, counters, entries
-- that are used again, and what was chosen.

-- Keys that are in a WIA, by a hash of their thumbprint, with nothing that leads to a
-- unit. They are forgotten when the status of their WIA is no longer maintained.
CREATE TABLE instance_key (
    hash      BYTEA    PRIMARY KEY CHECK (length(hash) = 32),
    forget_at BIGINT NOT NULL
);

CREATE INDEX instance_key_forget_at ON instance_key (forget_at);

-- The counter of the last assertion of a unit's App Attest key.
CREATE TABLE assertion_counter (
    unit    BYTEA    PRIMARY KEY REFERENCES unit (id) ON DELETE CASCADE,
    counter BIGINT NOT NULL
);

-- It only grows, whoever writes.
CREATE FUNCTION assertion_counter_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an assertion counter only grows';
END $$;

CREATE TRIGGER assertion_counter_grows BEFORE UPDATE OF counter ON assertion_counter
FOR EACH ROW
WHEN (new.counter <= old.counter)
EXECUTE FUNCTION assertion_counter_grows();

-- Units whose devices turned out worse, until something has come of it.
CREATE TABLE failed_check (
    unit BYTEA    PRIMARY KEY REFERENCES unit (id) ON DELETE CASCADE,
    at   BIGINT NOT NULL,
    why  TEXT    NOT NULL
);

-- The entry of a unit for one issuer. Which issuer that is, nobody here knows: the
-- scope is a MAC under the instance's own secret.
CREATE TABLE issuer_scope (
    unit             BYTEA    NOT NULL REFERENCES unit (id) ON DELETE CASCADE,
    scope            BYTEA    NOT NULL CHECK (length(scope) = 32),
    -- What its attestations are about: the instance, or keys in a storage.
    about            TEXT    NOT NULL CHECK (about IN ('wia', 'wscd', 'keystore')),
    list             BIGINT NOT NULL REFERENCES status_list (id),
    idx              BIGINT NOT NULL,
    maintained_until BIGINT NOT NULL,
    PRIMARY KEY (unit, scope, about),
    UNIQUE (list, idx)
);

CREATE INDEX issuer_scope_maintained_until ON issuer_scope (maintained_until);

-- Types of WSCDs and keystores, and the entry that all units of a type share, where
-- that was chosen.
CREATE TABLE storage_type (
    storage          TEXT    NOT NULL CHECK (storage IN ('wscd', 'keystore')),
    type             TEXT    NOT NULL,
    list             BIGINT REFERENCES status_list (id),
    idx              BIGINT,
    maintained_until BIGINT,
    revoked_at       BIGINT,
    by               TEXT,
    reason           TEXT,
    PRIMARY KEY (storage, type),
    UNIQUE (list, idx)
);

-- What is revoked stays so.
CREATE FUNCTION storage_type_revoked_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what is revoked stays revoked';
END $$;

CREATE TRIGGER storage_type_revoked_is_final BEFORE UPDATE OF revoked_at ON storage_type
FOR EACH ROW
WHEN (old.revoked_at IS NOT NULL AND new.revoked_at IS DISTINCT FROM old.revoked_at)
EXECUTE FUNCTION storage_type_revoked_is_final();

-- What was chosen where the texts leave a choice, and since when.
CREATE TABLE choice (
    name   TEXT    NOT NULL,
    number BIGINT NOT NULL,
    value  TEXT    NOT NULL,
    since  BIGINT NOT NULL,
    PRIMARY KEY (name, number)
);

-- Entries of attestations that belong to no unit: those of the reference's interface.
CREATE TABLE loose_entry (
    list             BIGINT NOT NULL REFERENCES status_list (id),
    idx              BIGINT NOT NULL,
    maintained_until BIGINT NOT NULL,
    -- Of the device, as its evidence says; NULL where it says nothing.
    device_model     TEXT,
    patch_level      BIGINT,
    PRIMARY KEY (list, idx)
);

CREATE INDEX loose_entry_maintained_until ON loose_entry (maintained_until);
