use std::future::Future;

use crate::exit::{Doing, Failure};

/// Runs one command's asynchronous part to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .doing("the runtime")?
        .block_on(work)
}
