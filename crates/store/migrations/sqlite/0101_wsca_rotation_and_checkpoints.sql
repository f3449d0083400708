-- How far the rotation of the device's root is. One row.
CREATE TABLE wsca_rotation (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    version  INTEGER NOT NULL,
    minimum  INTEGER NOT NULL,
    target   INTEGER,
    holder   TEXT    NOT NULL,
    until    INTEGER NOT NULL,
    finished INTEGER NOT NULL
) STRICT;

-- Signed checkpoints of the audit log, each by the last entry that it covers.
CREATE TABLE wsca_checkpoint (
    sequence INTEGER NOT NULL PRIMARY KEY,
    token    TEXT    NOT NULL
) STRICT;
