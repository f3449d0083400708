//! What was fetched, kept while it says something.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long what is kept is used without asking again. After that it is asked
/// for, and while nothing newer comes the kept one counts until its nextUpdate.
const AGAIN: Duration = Duration::from_secs(3_600);
/// For how long an address is left alone that gave nothing of use.
const PAUSE: Duration = Duration::from_secs(5);

/// What was fetched, by what it was fetched for. However many ask at once, each
/// key is fetched once.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
    most: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    state: Arc<tokio::sync::Mutex<State<V>>>,
    bytes: usize,
    used: Instant,
}

#[derive(Debug)]
struct State<V> {
    /// What came last, and when.
    value: Option<(Arc<V>, Instant)>,
    /// When it was last asked for in vain, and what went wrong then where nothing
    /// came at all.
    vain: Option<(Instant, Option<String>)>,
}

impl<K: Eq + Hash + Clone, V> Kept<K, V> {
    pub(crate) fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            entries: Mutex::default(),
            most,
            most_bytes,
        }
    }

    /// What is kept and `still` says something, or what `fetch` gives: a value and
    /// its size in bytes. What came and says nothing is given too, for the refusal
    /// to name it, and is asked for again soon.
    pub(crate) async fn get(
        &self,
        key: K,
        still: impl Fn(&V) -> bool,
        fetch: impl AsyncFnOnce() -> Result<(V, usize), String>,
    ) -> Result<Arc<V>, String> {
        let state = self.state(&key);
        let mut state = state.lock().await;
        let kept = state
            .value
            .as_ref()
            .filter(|(value, _)| still(value))
            .map(|(value, since)| (Arc::clone(value), since.elapsed()));
        if let Some((value, age)) = &kept
            && *age < AGAIN
        {
            return Ok(Arc::clone(value));
        }
        if let Some((asked, trouble)) = &state.vain
            && asked.elapsed() < PAUSE
        {
            return match (kept, &state.value, trouble) {
                (Some((value, _)), _, _) => Ok(value),
                (None, _, Some(why)) => Err(why.clone()),
                (None, Some((value, _)), None) => Ok(Arc::clone(value)),
                (None, None, None) => Err("nothing came".to_owned()),
            };
        }
        let fetched = fetch().await;
        let now = Instant::now();
        match fetched {
            Ok((value, bytes)) => {
                let value = Arc::new(value);
                let says = still(&value);
                state.vain = (!says).then_some((now, None));
                // What says nothing does not put out what does.
                if says || kept.is_none() {
                    state.value = Some((Arc::clone(&value), now));
                    self.weigh(&key, bytes);
                    return Ok(value);
                }
                Ok(kept.map_or(value, |(kept, _)| kept))
            }
            Err(why) => {
                state.vain = Some((now, Some(why.clone())));
                kept.map(|(value, _)| value).ok_or(why)
            }
        }
    }

    fn state(&self, key: &K) -> Arc<tokio::sync::Mutex<State<V>>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if !entries.contains_key(key) {
            make_room(&mut entries, self.most, self.most_bytes);
        }
        let now = Instant::now();
        let entry = entries.entry(key.clone()).or_insert_with(|| Entry {
            state: Arc::new(tokio::sync::Mutex::new(State {
                value: None,
                vain: None,
            })),
            bytes: 0,
            used: now,
        });
        entry.used = now;
        Arc::clone(&entry.state)
    }

    fn weigh(&self, key: &K, bytes: usize) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(key) {
            entry.bytes = bytes;
        }
        make_room(&mut entries, self.most.saturating_add(1), self.most_bytes);
    }
}

/// Drops what was not used for longest until there is room for one more.
fn make_room<K: Eq + Hash + Clone, V>(
    entries: &mut HashMap<K, Entry<V>>,
    most: usize,
    most_bytes: usize,
) {
    let mut bytes: usize = entries.values().map(|e| e.bytes).sum();
    while entries.len() >= most || bytes > most_bytes {
        let oldest = entries.iter().min_by_key(|(_, entry)| entry.used);
        let Some((key, gone)) = oldest.map(|(key, entry)| (key.clone(), entry.bytes)) else {
            return;
        };
        entries.remove(&key);
        bytes -= gone;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn however_many_ask_each_is_fetched_once() {
        let kept: Arc<Kept<u8, u8>> = Arc::new(Kept::new(4, 100));
        let fetches = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (kept, fetches) = (Arc::clone(&kept), Arc::clone(&fetches));
                tokio::spawn(async move {
                    let fetch = async || {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        Ok((7, 1))
                    };
                    *kept.get(1, |_| true, fetch).await.unwrap()
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 7);
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_says_nothing_more_is_fetched_again_and_then_left_alone() {
        let kept: Kept<u8, u8> = Kept::new(4, 100);
        let get = async |still: u8, next: u8| {
            let fetch = async || Ok((next, 1));
            *kept.get(1, |v| *v == still, fetch).await.unwrap()
        };
        assert_eq!(get(7, 7).await, 7);
        assert_eq!(get(7, 8).await, 7, "it is kept");
        assert_eq!(get(8, 8).await, 8, "it said nothing more");
        assert_eq!(get(9, 8).await, 8, "what came says nothing either");
        assert_eq!(get(9, 9).await, 8, "and it has just been asked for");
        // A failure is told again without asking.
        let failed = kept.get(2, |_| true, async || Err("down".into())).await;
        assert_eq!(failed, Err("down".to_owned()));
        let failed = kept.get(2, |_| true, async || Ok((9, 1))).await;
        assert_eq!(failed, Err("down".to_owned()));
    }

    #[tokio::test]
    async fn it_keeps_no_more_than_it_may() {
        let kept: Kept<usize, ()> = Kept::new(8, 100);
        for key in 0..50 {
            kept.get(key, |()| true, async || Ok(((), 30)))
                .await
                .unwrap();
            let entries = kept.entries.lock().unwrap();
            let bytes: usize = entries.values().map(|e| e.bytes).sum();
            assert!(entries.len() <= 8 && bytes <= 100, "{bytes}");
            assert!(entries.contains_key(&key));
        }
    }
}
