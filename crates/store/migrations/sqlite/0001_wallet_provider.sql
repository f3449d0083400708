-- The wallet provider's memory. Times are whole seconds since 1970, except
-- where a column says milliseconds; keys are SubjectPublicKeyInfo in DER.

-- Who can revoke without a phone. The alias is personal: the user chose it.
CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    alias      TEXT    NOT NULL UNIQUE,
    code_hash  BLOB    NOT NULL CHECK (length(code_hash) = 32),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE unit (
    id                   BLOB    PRIMARY KEY CHECK (length(id) = 16),
    account              INTEGER NOT NULL REFERENCES account (id),
    state                TEXT    NOT NULL CHECK (state IN ('installed', 'operational', 'revoked')),
    signing_key          BLOB    NOT NULL,
    signing_thumbprint   BLOB    NOT NULL UNIQUE,
    agreement_key        BLOB    NOT NULL,
    agreement_thumbprint BLOB    NOT NULL UNIQUE,
    evidence             TEXT    NOT NULL,
    wallet_version       TEXT    NOT NULL,
    created_at           INTEGER NOT NULL,
    -- 1 from the revocation until the WSCA has been told of it.
    freeze_due           INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX unit_account ON unit (account);
CREATE INDEX unit_freeze_due ON unit (freeze_due) WHERE freeze_due = 1;

-- What is final stays final, whoever writes.
CREATE TRIGGER unit_revoked_is_final BEFORE UPDATE OF state ON unit
WHEN old.state = 'revoked' AND new.state <> 'revoked'
BEGIN
    SELECT RAISE(ABORT, 'a revoked unit stays revoked');
END;

CREATE TABLE unit_event (
    id     INTEGER PRIMARY KEY,
    unit   BLOB    NOT NULL REFERENCES unit (id),
    at_ms  INTEGER NOT NULL,
    state  TEXT    NOT NULL,
    by     TEXT,
    reason TEXT
) STRICT;

CREATE INDEX unit_event_unit ON unit_event (unit, id);

-- Challenges that wait for their answer, by their hash.
CREATE TABLE challenge (
    hash       BLOB    PRIMARY KEY CHECK (length(hash) = 32),
    -- NULL: for an activation. Otherwise for a statement over this unit's keys.
    unit       BLOB,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX challenge_expires_at ON challenge (expires_at);

-- Signed requests that were taken, until no copy would be taken any more.
CREATE TABLE spent_request (
    unit      BLOB    NOT NULL,
    jti       TEXT    NOT NULL,
    forget_at INTEGER NOT NULL,
    PRIMARY KEY (unit, jti)
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_request_forget_at ON spent_request (forget_at);

-- Keys that are in a KA, by a hash of their thumbprint, with nothing that leads
-- to a unit. They stay: a key enters one KA only, ever.
CREATE TABLE attested_key (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;

CREATE TABLE status_list (
    id              INTEGER PRIMARY KEY,
    kind            TEXT    NOT NULL CHECK (kind IN ('wia', 'ka')),
    name            TEXT    NOT NULL UNIQUE,
    uri             TEXT    NOT NULL UNIQUE,
    size            INTEGER NOT NULL CHECK (size > 0),
    key_check       BLOB    NOT NULL CHECK (length(key_check) = 8),
    -- Counters below it were handed out to nodes.
    next_counter    INTEGER NOT NULL DEFAULT 0 CHECK (next_counter BETWEEN 0 AND size),
    -- NULL: open.
    closed_at       INTEGER,
    -- Goes up with each change; what was published is `published`.
    revision        INTEGER NOT NULL DEFAULT 1,
    published       INTEGER NOT NULL DEFAULT 0,
    published_until INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One open list of a kind.
CREATE UNIQUE INDEX status_list_open ON status_list (kind) WHERE closed_at IS NULL;

-- The reference, not the token: which entries a unit has, until the end of
-- their maintenance.
CREATE TABLE status_entry (
    list             INTEGER NOT NULL REFERENCES status_list (id),
    idx              INTEGER NOT NULL,
    unit             BLOB    NOT NULL REFERENCES unit (id),
    maintained_until INTEGER NOT NULL,
    PRIMARY KEY (list, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX status_entry_unit ON status_entry (unit);
CREATE INDEX status_entry_maintained_until ON status_entry (maintained_until);

-- Entries that are set, with nothing that leads to a unit. They stay as long as
-- the list: an entry that was revoked never reads as valid again.
CREATE TABLE status_set (
    list INTEGER NOT NULL REFERENCES status_list (id),
    idx  INTEGER NOT NULL,
    PRIMARY KEY (list, idx)
) STRICT, WITHOUT ROWID;
