/// Resolves when the process is asked to stop: Ctrl-C, or a termination signal.
pub(crate) async fn requested() {
    signalled().await;
    tracing::info!("stopping: no new requests, the open ones end; ask again to stop at once");
}

/// Resolves when the process, which is stopping, is asked to once more: it listens
/// from the moment it is first polled, which is after the first signal.
pub(crate) async fn requested_again() {
    signalled().await;
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
