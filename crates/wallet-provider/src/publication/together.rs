use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Waits for all of these side by side, in one task; their results in their order.
pub(super) async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> = futures
        .into_iter()
        .map(|future| Running::Waiting(Box::pin(future)))
        .collect();
    poll_fn(|context| {
        let mut over = true;
        for one in &mut running {
            if let Running::Waiting(future) = one {
                match future.as_mut().poll(context) {
                    Poll::Ready(result) => *one = Running::Done(result),
                    Poll::Pending => over = false,
                }
            }
        }
        if over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running
        .into_iter()
        .filter_map(|one| match one {
            Running::Done(result) => Some(result),
            Running::Waiting(_) => None,
        })
        .collect()
}

enum Running<F: Future> {
    Waiting(Pin<Box<F>>),
    Done(F::Output),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_run_at_once_and_answer_in_their_order() {
        let gate = tokio::sync::Barrier::new(3);
        let results = together((0..3).map(|n| {
            let gate = &gate;
            async move {
                // None gets past it alone.
                gate.wait().await;
                n
            }
        }))
        .await;
        assert_eq!(results, [0, 1, 2]);
        assert_eq!(together(Vec::<std::future::Ready<()>>::new()).await, []);
    }
}
