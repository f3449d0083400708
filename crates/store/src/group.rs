//! Group commit: one queue in front of the one writing connection.
//!
//! A commit that is on disk when it is acknowledged waits for the disk. While it
//! waits, further writes queue up here, and the next transaction takes all of them:
//! each in a savepoint of its own, so that one that fails undoes only itself. Every
//! caller is answered after the commit that holds its write, never before.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinError;

use crate::db::Turns;
use crate::sql::{Connection, query};
use crate::{Error, db};

/// What a write answers: `Err` undoes it, `Ok` is on disk when the caller sees it.
pub type JobFuture<'c, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>;

/// How many writes share one commit at most. It bounds how long the first of
/// them waits for the others.
const GROUP: usize = 128;

/// How many writes may wait. Past it, callers wait before they queue.
const QUEUE: usize = 1024;

/// The queue's near end.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the task that writes in `turns`. It ends when the last `Writer` is
    /// dropped and the queue is empty.
    pub(crate) fn start(turns: Turns) -> Self {
        let jobs = in_groups(GROUP, move |group| {
            apart(commit(turns.clone(), group), turns.blocks())
        });
        Self { jobs }
    }

    /// Runs `job` in the next group. Dropping the returned future does not undo it.
    pub(crate) async fn run<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> JobFuture<'c, T, E> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let queued = Box::new(Queued { job, tell });
        self.jobs.send(queued).await.map_err(|_| Error::Closed)?;
        told.await.map_err(|_| Error::Abandoned)?
    }
}

/// A queue whose far end takes all that wait, so many at most, and runs them before it
/// takes the next. It ends when the last sender is dropped and the queue is empty. `run`
/// does its work in a task of its own: one that panics ends that group, not the queue.
pub(crate) fn in_groups<T, F>(
    most: usize,
    run: impl Fn(Vec<T>) -> F + Send + 'static,
) -> mpsc::Sender<T>
where
    T: Send + 'static,
    F: Future<Output = Result<(), JoinError>> + Send,
{
    let (sender, mut queue) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut waiting = Vec::with_capacity(most);
        while queue.recv_many(&mut waiting, most).await > 0 {
            if let Err(panic) = run(std::mem::take(&mut waiting)).await {
                tracing::error!(%panic, "a group of writes was abandoned");
            }
        }
    });
    sender
}

/// A write that waits for its turn.
trait Job: Send {
    /// Runs inside the group's transaction.
    fn run<'c>(
        self: Box<Self>,
        connection: &'c mut Connection,
    ) -> Pin<Box<dyn Future<Output = Ran> + Send + 'c>>;

    /// Tells the caller that it could not be run.
    fn refuse(self: Box<Self>, error: Error);
}

struct Queued<T, E, F> {
    job: F,
    tell: oneshot::Sender<Result<T, E>>,
}

/// A write that ran and waits for its commit.
struct Ran {
    keep: bool,
    answer: Box<dyn FnOnce(Result<(), Error>) + Send>,
}

impl<T, E, F> Job for Queued<T, E, F>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: for<'c> FnOnce(&'c mut Connection) -> JobFuture<'c, T, E> + Send + 'static,
{
    fn run<'c>(
        self: Box<Self>,
        connection: &'c mut Connection,
    ) -> Pin<Box<dyn Future<Output = Ran> + Send + 'c>> {
        Box::pin(async move {
            let Self { job, tell } = *self;
            let result = job(connection).await;
            Ran {
                keep: result.is_ok(),
                answer: Box::new(move |committed| {
                    // The caller may have gone; the write stands all the same.
                    let _ = tell.send(match (result, committed) {
                        (Ok(_), Err(error)) => Err(E::from(error)),
                        (result, _) => result,
                    });
                }),
            }
        })
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.tell.send(Err(E::from(error)));
    }
}

/// Runs what commits a group in a task of its own: a job that panics takes its group
/// down (the transaction rolls back, the callers are told), not the queue. What blocks
/// its thread gets one for that.
async fn apart(
    work: impl Future<Output = ()> + Send + 'static,
    blocks: bool,
) -> Result<(), JoinError> {
    if !blocks {
        return tokio::spawn(work).await;
    }
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work)).await
}

/// Runs a group, commits it, and then answers everyone in it.
async fn commit(turns: Turns, group: Vec<Box<dyn Job>>) {
    let mut waiting = group.into_iter();
    let mut ran = Vec::new();
    let outcome = run_all(&turns, &mut waiting, &mut ran).await;
    let failed = outcome.err().map(|error| {
        tracing::error!(%error, writes = ran.len() + waiting.len(), "a group of writes failed");
        Arc::new(error)
    });
    for job in ran {
        (job.answer)(match &failed {
            None => Ok(()),
            Some(error) => Err(Error::Commit(error.clone())),
        });
    }
    for job in waiting {
        job.refuse(match &failed {
            None => Error::Abandoned,
            Some(error) => Error::Commit(error.clone()),
        });
    }
}

async fn run_all(
    turns: &Turns,
    waiting: &mut std::vec::IntoIter<Box<dyn Job>>,
    ran: &mut Vec<Ran>,
) -> Result<(), Error> {
    let mut transaction = db::Transaction::begin(turns.connection().await?, turns.begin()).await?;
    if let Some(turn) = turns.lock() {
        turn.execute(transaction.connection()).await?;
    }
    while waiting.len() > 0 {
        let connection = transaction.connection();
        query("SAVEPOINT job").execute(connection).await?;
        let Some(job) = waiting.next() else { break };
        let done = job.run(connection).await;
        let keep = done.keep;
        ran.push(done);
        if !keep {
            query("ROLLBACK TO SAVEPOINT job")
                .execute(connection)
                .await?;
        }
        query("RELEASE SAVEPOINT job").execute(connection).await?;
    }
    transaction.commit().await
}
