-- How far the rotation of the device's root is. One row.
CREATE TABLE wsca_rotation (
    one      BIGINT  NOT NULL PRIMARY KEY CHECK (one = 1),
    version  BIGINT  NOT NULL,
    minimum  BIGINT  NOT NULL,
    target   BIGINT,
    holder   TEXT    NOT NULL,
    until    BIGINT  NOT NULL,
    finished BIGINT  NOT NULL
);

-- Signed checkpoints of the audit log, each by the last entry that it covers.
CREATE TABLE wsca_checkpoint (
    sequence BIGINT  NOT NULL PRIMARY KEY,
    token    TEXT    NOT NULL
);
