-- The WSCA's tables. Times are milliseconds since 1970, in UTC.

-- A wallet unit's record. `mac` is the device's, over all other columns: whoever
-- changes one of them, or moves it to another unit, is found out.
CREATE TABLE wsca_unit (
    unit                BLOB    NOT NULL PRIMARY KEY CHECK (length(unit) = 16),
    shard               INTEGER NOT NULL,
    version             INTEGER NOT NULL,
    state               TEXT    NOT NULL,
    signing_key         BLOB    NOT NULL,
    agreement_key       BLOB    NOT NULL,
    pin_record          BLOB,
    pin_credential      BLOB,
    tries               INTEGER NOT NULL,
    last_try            INTEGER,
    session_epoch       INTEGER NOT NULL,
    wrapping_generation INTEGER NOT NULL,
    wrapping_key        BLOB    NOT NULL,
    policy              BLOB    NOT NULL,
    holdings            BLOB    NOT NULL,
    mac                 BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX wsca_unit_shard ON wsca_unit (shard, unit);

-- A shard's epoch and set hash; the device keeps its anchor.
CREATE TABLE wsca_shard (
    shard INTEGER NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    state BLOB    NOT NULL,
    mac   BLOB    NOT NULL
) STRICT;

-- A unit's keys. A destroyed key keeps its row, so that its user is told, and
-- loses its wrapped form.
CREATE TABLE wsca_key (
    unit        BLOB    NOT NULL REFERENCES wsca_unit (unit),
    id          BLOB    NOT NULL CHECK (length(id) = 16),
    public_key  BLOB    NOT NULL,
    wrapped     BLOB,
    created     INTEGER NOT NULL,
    erased_with INTEGER,
    PRIMARY KEY (unit, id)
) STRICT, WITHOUT ROWID;

-- A unit's small items, sealed by the device.
CREATE TABLE wsca_item (
    unit   BLOB NOT NULL REFERENCES wsca_unit (unit),
    name   TEXT NOT NULL COLLATE BINARY,
    sealed BLOB NOT NULL,
    PRIMARY KEY (unit, name)
) STRICT, WITHOUT ROWID;

-- Exchanges whose first half was counted.
CREATE TABLE wsca_exchange (
    id       TEXT    NOT NULL PRIMARY KEY,
    unit     BLOB    NOT NULL REFERENCES wsca_unit (unit),
    kind     TEXT    NOT NULL,
    message  BLOB    NOT NULL,
    session  TEXT,
    task     TEXT,
    duration INTEGER,
    expires  INTEGER NOT NULL,
    answer   BLOB,
    sealed   BLOB
) STRICT, WITHOUT ROWID;

CREATE INDEX wsca_exchange_message ON wsca_exchange (unit, message);

-- Sessions; the key is sealed inside.
CREATE TABLE wsca_session (
    id         TEXT    NOT NULL PRIMARY KEY,
    unit       BLOB    NOT NULL REFERENCES wsca_unit (unit),
    task       TEXT    NOT NULL,
    opened     INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX wsca_session_unit ON wsca_session (unit, expires);

-- Nonces that were used, for as long as their requests could come again.
CREATE TABLE wsca_nonce (
    unit  BLOB    NOT NULL,
    nonce BLOB    NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (unit, nonce)
) STRICT, WITHOUT ROWID;

-- Secrets of the service, sealed by the device.
CREATE TABLE wsca_secret (
    name   TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened: each hash is over the entry and the hash before it.
CREATE TABLE wsca_audit (
    sequence  INTEGER NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL,
    unit      BLOB    NOT NULL,
    operation TEXT    NOT NULL,
    key       TEXT,
    outcome   TEXT    NOT NULL,
    hash      BLOB    NOT NULL
) STRICT;
