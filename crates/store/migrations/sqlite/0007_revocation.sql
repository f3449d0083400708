-- What a revocation leaves behind: who, why, for whom it is still to be done.

-- Beside `by`: the name of a PID provider or operator, where it is known; and which
-- storage was revoked, where it was one alone.
ALTER TABLE unit_event ADD COLUMN name TEXT;
ALTER TABLE unit_event ADD COLUMN storage TEXT;

-- `freeze_due` is what the WSCA is still to be told: 1 to freeze the unit's keys, 2 to
-- retire the unit.
DROP INDEX unit_freeze_due;
CREATE INDEX unit_untold ON unit (id) WHERE freeze_due <> 0;

CREATE INDEX unit_installed ON unit (created_at) WHERE state = 'installed';

-- What a unit's evidence rests on, by a hash of the certificate's serial number, until
-- the unit is revoked: so that a list of revoked ones finds it.
CREATE TABLE unit_certificate (
    certificate BLOB NOT NULL CHECK (length(certificate) = 32),
    unit        BLOB NOT NULL REFERENCES unit (id),
    PRIMARY KEY (certificate, unit)
) STRICT, WITHOUT ROWID;

CREATE INDEX unit_certificate_unit ON unit_certificate (unit);

-- Requests of PID providers that were taken, until no copy would be taken any more.
-- The provider is a hash of its name.
CREATE TABLE spent_pid_request (
    provider  BLOB    NOT NULL CHECK (length(provider) = 32),
    jti       TEXT    NOT NULL,
    forget_at INTEGER NOT NULL,
    PRIMARY KEY (provider, jti)
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_pid_request_forget_at ON spent_pid_request (forget_at);

-- Revocations of many units, and how far each is.
CREATE TABLE revocation_job (
    id       TEXT    PRIMARY KEY,
    selector TEXT    NOT NULL,
    extent   TEXT    NOT NULL CHECK (extent IN ('unit', 'keystore')),
    reason   TEXT    NOT NULL,
    advisory TEXT,
    name     TEXT,
    selected INTEGER NOT NULL,
    began    INTEGER NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('running', 'done')),
    revoked  INTEGER NOT NULL DEFAULT 0,
    finished INTEGER,
    -- The unit it looked at last in this pass; empty at the start of one.
    after    BLOB    NOT NULL DEFAULT X'',
    -- How many it found in this pass: it ends with one that finds none.
    found    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX revocation_job_running ON revocation_job (began) WHERE state = 'running';

-- Units that are forgotten here and not yet at the WSCA.
CREATE TABLE forgotten_unit (
    unit BLOB PRIMARY KEY CHECK (length(unit) = 16)
) STRICT, WITHOUT ROWID;
