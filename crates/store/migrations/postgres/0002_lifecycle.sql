-- What is known of a unit's device, and where its keys are.

-- When the instance was last found to be what it says: the time its WIAs live from.
ALTER TABLE unit ADD COLUMN checked_at BIGINT;
-- Of the device, as its evidence says; NULL where it says nothing.
ALTER TABLE unit ADD COLUMN device_model TEXT;
-- Its system's security patch level: year and month, 202611.
ALTER TABLE unit ADD COLUMN patch_level BIGINT;

CREATE INDEX unit_device_model ON unit (device_model);

-- The WSCDs and keystores of a unit: each can be revoked alone.
CREATE TABLE unit_storage (
    unit          BYTEA   NOT NULL REFERENCES unit (id),
    storage       TEXT    NOT NULL CHECK (storage IN ('wscd', 'keystore')),
    -- What all of its kind have in common: a device's model, a kind of keystore.
    type          TEXT    NOT NULL,
    certification TEXT,
    added_at      BIGINT  NOT NULL,
    revoked_at    BIGINT,
    by            TEXT,
    reason        TEXT,
    PRIMARY KEY (unit, storage)
);

CREATE INDEX unit_storage_type ON unit_storage (type);

-- What is revoked stays so.
CREATE FUNCTION unit_storage_revoked_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what is revoked stays revoked';
END $$;

CREATE TRIGGER unit_storage_revoked_is_final BEFORE UPDATE OF revoked_at ON unit_storage
FOR EACH ROW
WHEN (old.revoked_at IS NOT NULL AND new.revoked_at IS DISTINCT FROM old.revoked_at)
EXECUTE FUNCTION unit_storage_revoked_is_final();

-- Which of them a KA's entry is of; NULL for a WIA's.
ALTER TABLE status_entry ADD COLUMN storage TEXT;
