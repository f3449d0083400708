//! The revocation of many units at once, as a job that is kept in the store and goes
//! on after a crash or on another node.

use std::time::Duration;

use provider_api::{
    BulkRevocation, Extent, JobState, Problem, RevocationJob, RevocationJobs, Revoker, Selected,
    Selector,
};

use crate::choices::whole_type;
use crate::{
    Error, JobRecord, KaIndex, LooseSelection, NewJob, Storage, TypeRevocation, WalletProvider,
    secrets,
};

/// How many units are looked at in one transaction. Each revocation is some ten
/// statements, so the write lock is held for a few milliseconds.
const PAGE: u32 = 64;

/// How many pages pass between two publications of the lists that changed.
const PAGES_A_PUBLICATION: u32 = 100;

/// How often a node looks whether another one left a job.
const LOOK: Duration = Duration::from_secs(5);

/// How many jobs are shown.
const SHOWN: u32 = 100;

impl WalletProvider {
    /// How many units a revocation would take, and how many entries of no unit.
    pub async fn count_selected(&self, asked: &BulkRevocation) -> Result<Selected, Error> {
        self.check_bulk(asked)?;
        let selected = self.revocations.count(&asked.selector, asked.extent);
        Ok(Selected {
            selected: selected.await?,
            entries: self.count_of_no_unit(asked).await?,
        })
    }

    /// How many entries that belong to no unit a job sets: what
    /// [`WalletProvider::close_type`] and [`WalletProvider::revoke_shared`] do.
    async fn count_of_no_unit(&self, asked: &BulkRevocation) -> Result<u64, Error> {
        let mut entries = 0;
        if let Some((kind, name)) = whole_type(&asked.selector) {
            let of = Some((kind, name.to_owned()));
            entries += self.store.count_shared(of).await?;
        }
        if asked.extent != Extent::Unit {
            return Ok(entries);
        }
        if asked.selector.everything {
            entries += self.store.count_shared(None).await?;
        }
        if let Some(selection) = loose(&asked.selector) {
            entries += self.store.count_loose(selection).await?;
        }
        Ok(entries)
    }

    /// Begins the revocation of many units. When this returns, the job is on disk and
    /// will be done; [`WalletProvider::keep_jobs_going`] does it. `name` is the
    /// operator's, where it is known.
    pub async fn begin_bulk_revocation(
        &self,
        asked: BulkRevocation,
        name: Option<String>,
    ) -> Result<RevocationJob, Error> {
        let new = self.prepare_job(asked, name).await?;
        let job = new.job.clone();
        self.revocations.add_job(new).await?;
        self.job_began(&job).await
    }

    /// The job that is asked for, if it can be meant.
    pub(crate) async fn prepare_job(
        &self,
        asked: BulkRevocation,
        name: Option<String>,
    ) -> Result<NewJob, Error> {
        let selected = self.count_selected(&asked).await?.selected;
        if let Some(most) = asked.at_most
            && selected > most
        {
            let what = format!("{selected} units are selected, at most {most} are meant");
            return Err(Error::refused(Problem::WrongState, "at_most", what));
        }
        Ok(NewJob {
            job: hex::encode(secrets::random::<16>()?),
            selector: asked.selector,
            extent: asked.extent,
            reason: asked.reason,
            advisory: asked.advisory,
            name,
            selected,
            at: self.clock.now(),
        })
    }

    /// A job is on disk.
    pub(crate) async fn job_began(&self, job: &str) -> Result<RevocationJob, Error> {
        self.job_bell.notify_one();
        let job = self.revocation_job(job).await?;
        tracing::warn!(
            event = "revocation-job.began",
            job = job.job,
            selected = job.selected,
            reason = job.reason.name()
        );
        Ok(job)
    }

    /// Where a job stands.
    pub async fn revocation_job(&self, job: &str) -> Result<RevocationJob, Error> {
        let found = self.revocations.job(job).await?;
        found.map(view).ok_or_else(|| {
            let what = "there is no such job";
            Error::refused(Problem::UnknownObject, "job", what)
        })
    }

    /// The jobs, the newest first.
    pub async fn revocation_jobs(&self) -> Result<RevocationJobs, Error> {
        let jobs = self.revocations.jobs(SHOWN).await?;
        Ok(RevocationJobs {
            jobs: jobs.into_iter().map(view).collect(),
        })
    }

    /// Does every job there is, to its end; how many units were revoked. Several nodes
    /// may do so at once, and each page of a job is done by one of them.
    ///
    /// The first error ends the job it came from for now, and no other.
    pub async fn do_jobs(&self) -> Result<u64, Error> {
        let _one_at_a_time = self.doing_jobs.lock().await;
        let (mut revoked, mut failed) = (0, None);
        for job in self.revocations.running_jobs().await? {
            match self.do_job(&job).await {
                Ok(count) => revoked += count,
                Err(error) => {
                    tracing::error!(event = "revocation-job.failed", job, %error);
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(revoked), Err)
    }

    /// Does jobs as they come, for as long as it is polled.
    pub async fn keep_jobs_going(&self) {
        loop {
            // What failed is logged, and tried again at the next look.
            let _ = self.do_jobs().await;
            let _ = tokio::time::timeout(LOOK, self.job_bell.notified()).await;
        }
    }

    async fn do_job(&self, job: &str) -> Result<u64, Error> {
        let (mut revoked, mut reached) = (0, true);
        for page in 1u32.. {
            let now = self.clock.now();
            if page == 1
                && let Some(begun) = self.revocations.job(job).await?
            {
                self.close_type(&begun.new.selector, begun.new.reason)
                    .await?;
                self.revoke_shared(&begun.new).await?;
            }
            let record = self.revocations.advance_job(job, PAGE, now).await?;
            revoked = record.revoked;
            // Sessions end with their page, not with the job; a WSCA that is away is told
            // by the next round, and not asked again for each page.
            if reached && let Err(error) = self.tell_wsca().await {
                tracing::error!(event = "unit.wsca-not-told", %error);
                reached = false;
            }
            let done = record.state == JobState::Done;
            if done || page.is_multiple_of(PAGES_A_PUBLICATION) {
                let _ = self.publish_changed().await;
            }
            if done {
                tracing::warn!(event = "revocation-job.done", job, revoked);
                break;
            }
            // Others write too.
            tokio::task::yield_now().await;
        }
        Ok(revoked)
    }

    /// Revokes what belongs to no unit: attestations of the reference's interface, and
    /// with everything, what units of each type of WSCD and keystore share. It can be
    /// repeated.
    async fn revoke_shared(&self, job: &NewJob) -> Result<(), Error> {
        if job.extent != Extent::Unit {
            return Ok(());
        }
        if job.selector.everything {
            for (kind, name) in self.store.storage_types().await? {
                let revocation = TypeRevocation {
                    kind,
                    name,
                    by: Revoker::Operator,
                    reason: job.reason,
                    at: self.clock.now(),
                };
                self.store.revoke_type(revocation).await?;
            }
        }
        if let Some(selection) = loose(&job.selector) {
            self.store.revoke_loose(selection).await?;
        }
        Ok(())
    }

    fn check_bulk(&self, asked: &BulkRevocation) -> Result<(), Error> {
        asked
            .check()
            .map_err(|error| Error::refused(Problem::Malformed, "selector", error.to_string()))?;
        if asked.extent == Extent::Keystore {
            self.keystore_alone()?;
            if asked.selector.wscd_type.is_some() {
                let what = "a type of WSCD is revoked with its units (ARF WURevocation_09a)";
                return Err(Error::refused(Problem::Malformed, "extent", what));
            }
            // Else users would be told of an end that nobody else can see.
            let whole = matches!(whole_type(&asked.selector), Some((Storage::Keystore, _)));
            if self.config.ka_index == KaIndex::TypeShared && !whole {
                let what = "all units of its type share one entry, which is revoked with the \
                            type: select by keystore_type alone";
                return Err(Error::refused(Problem::NotOffered, "extent", what));
            }
        }
        Ok(())
    }
}

/// What belongs to no unit, where the selector means it.
fn loose(selector: &Selector) -> Option<LooseSelection> {
    let of_model = |model: &String| Selector {
        model: Some(model.clone()),
        ..Selector::default()
    };
    let of_patch = |month: u32| Selector {
        patch_below: Some(month),
        ..Selector::default()
    };
    match (selector.everything, &selector.model, selector.patch_below) {
        (true, _, _) => Some(LooseSelection::All),
        (_, Some(model), None) if *selector == of_model(model) => {
            Some(LooseSelection::Model(model.clone()))
        }
        (_, None, Some(month)) if *selector == of_patch(month) => {
            Some(LooseSelection::PatchedBefore(month))
        }
        _ => None,
    }
}

fn view(record: JobRecord) -> RevocationJob {
    let new = record.new;
    RevocationJob {
        job: new.job,
        selector: new.selector,
        reason: new.reason,
        extent: new.extent,
        advisory: new.advisory,
        name: new.name,
        began: new.at,
        finished: record.finished,
        state: record.state,
        selected: new.selected,
        revoked: record.revoked,
    }
}
