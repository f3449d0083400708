use std::sync::Arc;
use std::time::Duration;

use crate::{Alarm, RotationError, Wsca, WscaError};

/// How often the shards' rows are compared with the device's memory.
const LOOK: Duration = Duration::from_secs(5);
/// How many turns a rotation that failed is let rest.
const TURNS_OF_REST: u32 = 30;
/// After how many turns every shard is checked whole: it finds what no request has
/// touched, and it reads a line of every unit.
const TURNS_BETWEEN_CHECKS: u32 = 60;

impl Wsca {
    /// Does, for as long as it is let, what has to be done now and then: checkpoints
    /// of the audit log, rotations that are due or were interrupted, a look at the
    /// device's memory every few seconds, and a check of all shards about once an hour.
    /// What fails is tried again at a later turn. None waits for another: a rotation
    /// may take hours.
    pub async fn keep_up(self: Arc<Self>) {
        let every = self.config.checkpoint_every.unsigned_abs();
        let every = every.max(Duration::from_secs(1));
        tokio::join!(
            self.keep_looking(),
            self.keep_checking(every),
            self.keep_rotating(every),
            self.keep_checkpointing(every),
        );
    }

    async fn keep_looking(&self) {
        let mut turn = interval(LOOK);
        loop {
            turn.tick().await;
            match self.shards.look().await {
                // What it found is an alarm by now; a device that is away is looked for
                // by whoever needs it.
                Ok(()) | Err(WscaError::Refused(_) | WscaError::Device(_)) => {}
                Err(error) => tracing::warn!(%error, "the shards were not looked at"),
            }
        }
    }

    async fn keep_checking(&self, every: Duration) {
        let mut turn = interval(every.saturating_mul(TURNS_BETWEEN_CHECKS));
        // The first tick comes at once, and the start has checked.
        turn.tick().await;
        loop {
            turn.tick().await;
            if let Err(error) = self.check_state().await {
                tracing::error!(%error, "the shards were not checked; trying again");
            }
        }
    }

    async fn keep_rotating(self: &Arc<Self>, every: Duration) {
        let mut turn = interval(every);
        let mut rest = 0u32;
        loop {
            turn.tick().await;
            rest = rest.saturating_sub(1);
            if rest == 0 && self.keep_rotated().await.is_err() {
                // A rotation that fails has read every unit: not at each turn.
                rest = TURNS_OF_REST;
            }
        }
    }

    async fn keep_checkpointing(&self, every: Duration) {
        let mut turn = interval(every);
        loop {
            turn.tick().await;
            self.keep_checkpointed().await;
        }
    }

    async fn keep_rotated(self: &Arc<Self>) -> Result<(), RotationError> {
        match self.rotate_if_due().await {
            Ok(None) => {}
            Ok(Some(rotated)) => tracing::info!(
                root = %rotated.root,
                units = rotated.units,
                keys = rotated.keys,
                "the root was rotated: what was destroyed before is erased"
            ),
            // Another process is at it.
            Err(RotationError::Held(_)) => {}
            Err(RotationError::Wsca(error)) if error.is_not_offered() => {}
            Err(error) => {
                tracing::error!(%error, "the root was not rotated; trying again");
                return Err(error);
            }
        }
        Ok(())
    }

    async fn keep_checkpointed(&self) {
        let altered = |alarm: &Alarm| matches!(alarm, Alarm::AuditAltered(_));
        if self.alarms().iter().any(altered) {
            // It was told when it was found; nothing is signed over such a log.
            return;
        }
        if let Err(error) = self.checkpoint().await {
            tracing::error!(%error, "the audit log has no new checkpoint; trying again");
        }
    }
}

fn interval(every: Duration) -> tokio::time::Interval {
    let mut turn = tokio::time::interval(every);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    turn
}
