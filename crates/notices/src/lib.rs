//! What users are told, over a channel independent of their unit: the outbox, e-mail and webhooks
