-- The WSCA's tables. Times are milliseconds since 1970, in UTC.

-- A wallet unit's record. `mac` is the device's, over all other columns: whoever
-- changes one of them, or moves it to another unit, is found out.
CREATE TABLE wsca_unit (
    unit                BYTEA   NOT NULL PRIMARY KEY CHECK (length(unit) = 16),
    shard               BIGINT  NOT NULL,
    version             BIGINT  NOT NULL,
    state               TEXT    NOT NULL,
    signing_key         BYTEA   NOT NULL,
    agreement_key       BYTEA   NOT NULL,
    pin_record          BYTEA,
    pin_credential      BYTEA,
    tries               BIGINT  NOT NULL,
    last_try            BIGINT,
    session_epoch       BIGINT  NOT NULL,
    wrapping_generation BIGINT  NOT NULL,
    wrapping_key        BYTEA   NOT NULL,
    policy              BYTEA   NOT NULL,
    holdings            BYTEA   NOT NULL,
    mac                 BYTEA   NOT NULL
);

CREATE INDEX wsca_unit_shard ON wsca_unit (shard, unit);

-- A shard's epoch and set hash; the device keeps its anchor.
CREATE TABLE wsca_shard (
    shard BIGINT  NOT NULL PRIMARY KEY,
    epoch BIGINT  NOT NULL,
    state BYTEA   NOT NULL,
    mac   BYTEA   NOT NULL
);

-- A unit's keys. A destroyed key keeps its row, so that its user is told, and
-- loses its wrapped form.
CREATE TABLE wsca_key (
    unit        BYTEA   NOT NULL REFERENCES wsca_unit (unit),
    id          BYTEA   NOT NULL CHECK (length(id) = 16),
    public_key  BYTEA   NOT NULL,
    wrapped     BYTEA,
    created     BIGINT  NOT NULL,
    erased_with BIGINT,
    PRIMARY KEY (unit, id)
);

-- A unit's small items, sealed by the device.
CREATE TABLE wsca_item (
    unit   BYTEA NOT NULL REFERENCES wsca_unit (unit),
    name   TEXT  NOT NULL COLLATE "C",
    sealed BYTEA NOT NULL,
    PRIMARY KEY (unit, name)
);

-- Exchanges whose first half was counted.
CREATE TABLE wsca_exchange (
    id       TEXT    NOT NULL PRIMARY KEY,
    unit     BYTEA   NOT NULL REFERENCES wsca_unit (unit),
    kind     TEXT    NOT NULL,
    message  BYTEA   NOT NULL,
    session  TEXT,
    task     TEXT,
    duration BIGINT,
    expires  BIGINT  NOT NULL,
    answer   BYTEA,
    sealed   BYTEA
);

CREATE INDEX wsca_exchange_message ON wsca_exchange (unit, message);

-- Sessions; the key is sealed inside.
CREATE TABLE wsca_session (
    id         TEXT    NOT NULL PRIMARY KEY,
    unit       BYTEA   NOT NULL REFERENCES wsca_unit (unit),
    task       TEXT    NOT NULL,
    opened     BIGINT  NOT NULL,
    idle_until BIGINT  NOT NULL,
    expires    BIGINT  NOT NULL,
    sealed     BYTEA   NOT NULL
);

CREATE INDEX wsca_session_unit ON wsca_session (unit, expires);

-- Nonces that were used, for as long as their requests could come again.
CREATE TABLE wsca_nonce (
    unit  BYTEA   NOT NULL,
    nonce BYTEA   NOT NULL,
    until BIGINT  NOT NULL,
    PRIMARY KEY (unit, nonce)
);

-- Secrets of the service, sealed by the device.
CREATE TABLE wsca_secret (
    name   TEXT NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL
);

-- What happened: each hash is over the entry and the hash before it.
CREATE TABLE wsca_audit (
    sequence  BIGINT  NOT NULL PRIMARY KEY,
    at        BIGINT  NOT NULL,
    unit      BYTEA   NOT NULL,
    operation TEXT    NOT NULL,
    key       TEXT,
    outcome   TEXT    NOT NULL,
    hash      BYTEA   NOT NULL
);
