//! The threads that call into the module: its calls block, and a PKCS#11 session
//! has one user at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use cryptoki::session::Session;
use tokio::sync::oneshot;
use wscd::DeviceError;

use crate::error::{Broken, Fault};
use crate::link::Link;
use crate::login::{Line, Login};

/// Calls that wait for a thread. More are answered as busy: a caller that waits
/// longer than this queue is long would have given up.
const WAITING: usize = 1024;
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a device that is dropped waits for the calls under way.
const ENDING: Duration = Duration::from_secs(5);

/// What a call into the module works with.
#[derive(Clone, Copy)]
pub(crate) struct Live<'a> {
    pub(crate) session: &'a Session,
    pub(crate) login: &'a Login,
    pub(crate) link: &'a Link,
}

impl Live<'_> {
    /// That what a search did not find is not there: a token that is being taken
    /// away answers searches with nothing, and a held handle with an error.
    pub(crate) fn is_absent<T>(&self) -> Result<Option<T>, Fault> {
        self.login.fresh_roots(self.session)?;
        Ok(None)
    }
}

/// Threads with a connection each.
pub(crate) struct Pool {
    queue: Arc<Queue>,
}

impl Pool {
    pub(crate) fn start(link: &Arc<Link>, threads: usize) -> std::io::Result<Self> {
        let pool = Self {
            queue: Arc::default(),
        };
        for number in 0..threads {
            pool.queue.begin();
            let queue = Arc::clone(&pool.queue);
            let link = Arc::clone(link);
            let started = std::thread::Builder::new()
                .name(format!("pkcs11-{number}"))
                .spawn(move || work(&queue, link));
            if let Err(error) = started {
                pool.queue.end();
                return Err(error);
            }
        }
        Ok(pool)
    }

    /// Runs a call on one of the threads. Where the connection broke, it is made
    /// anew and the call runs once more, from its beginning.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        call: impl FnMut(&Live<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let (reply, answer) = oneshot::channel();
        self.queue.put(Box::new(Call {
            call,
            reply: Some(reply),
        }))?;
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(DeviceError::Failed {
                what: "work",
                cause: "the call ended without an answer".to_owned(),
            }),
        }
    }

    /// How many calls wait: what a caller with a choice of pools looks at.
    pub(crate) fn waiting(&self) -> usize {
        self.queue
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tasks
            .len()
    }
}

impl Drop for Pool {
    /// Waits for the threads, though not for ever: a process that ends while one
    /// of them is in the module may crash in the module's own end.
    fn drop(&mut self) {
        self.queue.close();
        self.queue.wait_for_end(ENDING);
    }
}

fn work(queue: &Queue, link: Arc<Link>) {
    let mut worker = Worker { link, line: None };
    work_off(queue, &mut worker);
    drop(worker);
    queue.end();
}

fn work_off(queue: &Queue, worker: &mut Worker) {
    while let Some(mut task) = queue.take() {
        if task.is_abandoned() {
            continue;
        }
        let served = catch_unwind(AssertUnwindSafe(|| worker.serve(task.as_mut())));
        match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => task.fail(error),
            // The task's reply goes with it; nobody can say what the line is in.
            Err(_) => worker.line = None,
        }
    }
}

struct Worker {
    link: Arc<Link>,
    line: Option<Line>,
}

impl Worker {
    fn serve(&mut self, task: &mut dyn Task) -> Result<(), DeviceError> {
        let login = self.link.login()?;
        let Err(_) = self.attempt(task, &login) else {
            return Ok(());
        };
        self.line = None;
        let login = self.link.revive(Some(login.epoch))?;
        self.attempt(task, &login).map_err(|broken| {
            self.line = None;
            broken.give_up()
        })
    }

    fn attempt(&mut self, task: &mut dyn Task, login: &Login) -> Result<(), Broken> {
        let module = Arc::clone(&self.link.module);
        let (gate, line) = loop {
            let gate = module.enter();
            if !login.is_of(&gate) {
                return Err(Broken::outdated());
            }
            match self.line.take() {
                Some(line) if line.fits(&gate, login.epoch) => break (gate, line),
                Some(line) => {
                    // A line that closes asks for the gate.
                    drop(gate);
                    drop(line);
                }
                None => match Line::open(&module, &gate, login.slot, login.epoch) {
                    Ok(line) => break (gate, line),
                    Err(Fault::Broken(broken)) => return Err(broken),
                    Err(Fault::Refused(error)) => {
                        task.fail(error);
                        return Ok(());
                    }
                },
            }
        };
        let link = &self.link;
        let done = line.with(|session| {
            task.attempt(&Live {
                session,
                login,
                link,
            })
            .map_err(Fault::Broken)
        });
        drop(gate);
        self.line = Some(line);
        match done {
            Ok(()) => Ok(()),
            Err(Fault::Broken(broken)) => Err(broken),
            Err(Fault::Refused(error)) => {
                task.fail(error);
                Ok(())
            }
        }
    }
}

trait Task: Send {
    fn attempt(&mut self, live: &Live<'_>) -> Result<(), Broken>;
    fn fail(&mut self, error: DeviceError);
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;
}

struct Call<F, T> {
    call: F,
    reply: Option<oneshot::Sender<Result<T, DeviceError>>>,
}

impl<F, T> Call<F, T> {
    fn answer(&mut self, answer: Result<T, DeviceError>) {
        if let Some(reply) = self.reply.take() {
            // Who asked may have left.
            let _ = reply.send(answer);
        }
    }
}

impl<F, T> Task for Call<F, T>
where
    F: FnMut(&Live<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn attempt(&mut self, live: &Live<'_>) -> Result<(), Broken> {
        match (self.call)(live) {
            Ok(value) => self.answer(Ok(value)),
            Err(Fault::Refused(error)) => self.answer(Err(error)),
            Err(Fault::Broken(broken)) => return Err(broken),
        }
        Ok(())
    }

    fn fail(&mut self, error: DeviceError) {
        self.answer(Err(error));
    }

    fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<Box<dyn Task>>,
    closed: bool,
    workers: usize,
}

impl Queue {
    fn put(&self, task: Box<dyn Task>) -> Result<(), DeviceError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.tasks.len() >= WAITING {
            return Err(DeviceError::Busy {
                retry_after: Some(RETRY_AFTER),
            });
        }
        state.tasks.push_back(task);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a task; `None` when there will be no more.
    fn take(&self) -> Option<Box<dyn Task>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(task) = state.tasks.pop_front() {
                return Some(task);
            }
            if state.closed {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn begin(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .workers += 1;
    }

    fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.workers = state.workers.saturating_sub(1);
        drop(state);
        self.changed.notify_all();
    }

    fn wait_for_end(&self, at_most: Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(
            self.changed
                .wait_timeout_while(state, at_most, |state| state.workers > 0),
        );
    }

    fn close(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.changed.notify_all();
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    struct Nothing;

    impl Task for Nothing {
        fn attempt(&mut self, _live: &Live<'_>) -> Result<(), Broken> {
            Ok(())
        }
        fn fail(&mut self, _error: DeviceError) {}
        fn is_abandoned(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_full_queue_is_busy_and_a_closed_one_empties() {
        let queue = Queue::default();
        for _ in 0..WAITING {
            queue.put(Box::new(Nothing)).unwrap();
        }
        assert!(matches!(
            queue.put(Box::new(Nothing)),
            Err(DeviceError::Busy {
                retry_after: Some(_)
            })
        ));
        queue.close();
        for _ in 0..WAITING {
            assert!(queue.take().is_some());
        }
        assert!(queue.take().is_none());
    }
}
