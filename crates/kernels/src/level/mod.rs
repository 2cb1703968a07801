//! The level of vector instructions in use: the highest that the processor has, or a lower one set in
//! `PLYWOOD_MAX_LEVEL`.
//!
//! The level is determined at the first use and never changes, so no result mixes two levels, and the threads of the
//! pool use the same level as their caller. Only tests of this crate differ: `with` sets the level of a thread, and the
//! pool passes it on.
//!
//! A kernel cannot return an error. So if the variable does not name a level, [`check`] returns the error, which
//! `plywood` calls whenever it creates a model or a parameter. Kernels that run before that, such as those that read a
//! data set, use [`Portable`](Level::Portable): it is below any bound that can have been meant, and loops have the same
//! bits at each level.

#[cfg(test)]
mod rule_steps;
#[cfg(test)]
mod same_bits;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// The environment variable that limits the level.
pub const VARIABLE: &str = "PLYWOOD_MAX_LEVEL";

/// A level of vector instructions. Only the levels of the target architecture exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// What the compiler generates for every processor of the architecture, or for the `target-cpu` it was given.
    Portable = 1,
    /// AVX2, FMA, BMI1 and BMI2, which come together.
    #[cfg(target_arch = "x86_64")]
    Avx2 = 2,
    /// The common subset of AVX-512: F, DQ, BW and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512 = 3,
    /// NEON, which every processor of the architecture has.
    #[cfg(target_arch = "aarch64")]
    Neon = 2,
}

/// The level in use, or 0 if it is not determined yet. No other memory depends on it, so `Relaxed` is enough.
static IN_USE: AtomicU8 = AtomicU8::new(0);

/// The level to be used, or the value of the environment variable if it does not name a level.
static FOUND: LazyLock<Result<Level, String>> = LazyLock::new(|| {
    let bound = std::env::var_os(VARIABLE);
    bounded(Level::of_processor(), &bound.unwrap_or_default().to_string_lossy())
});

/// Returns the lower of the processor's level and the bound of this name, or the name if there is no such level. An
/// empty name is no bound.
fn bounded(processor: Level, bound: &str) -> Result<Level, String> {
    match bound.trim() {
        "" => Ok(processor),
        name => match Level::ALL.iter().find(|level| level.name() == name) {
            Some(bound) => Ok(processor.min(*bound)),
            None => Err(name.to_owned()),
        },
    }
}

/// Returns the level in use.
///
/// # Errors
/// The value of the environment variable, if it does not name a level.
pub fn check() -> Result<Level, &'static str> {
    FOUND.as_ref().map(|_| Level::in_use()).map_err(String::as_str)
}

impl Level {
    /// All levels of this architecture, from the lowest to the highest.
    pub const ALL: &'static [Self] = &[
        Self::Portable,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
        #[cfg(target_arch = "aarch64")]
        Self::Neon,
    ];

    /// Returns the level's name in the environment variable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
        }
    }

    /// Returns the level in use, which the processor supports. From the second call on this is a single load.
    #[inline]
    pub fn in_use() -> Self {
        #[cfg(test)]
        if let Some(level) = in_tests::SET.get() {
            return level;
        }
        const PORTABLE: u8 = Level::Portable as u8;
        match IN_USE.load(Ordering::Relaxed) {
            PORTABLE => Self::Portable,
            #[cfg(target_arch = "x86_64")]
            2 => Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            3 => Self::Avx512,
            #[cfg(target_arch = "aarch64")]
            2 => Self::Neon,
            _ => Self::first_use(),
        }
    }

    #[cold]
    fn first_use() -> Self {
        let level = *FOUND.as_ref().unwrap_or(&Self::Portable);
        IN_USE.store(level as u8, Ordering::Relaxed);
        level
    }

    /// Returns the highest level that the processor supports.
    fn of_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            macro_rules! has {
                ($($feature:tt)*) => { true $(&& is_x86_feature_detected!($feature))* };
            }
            match has!("avx2" "fma" "bmi1" "bmi2") {
                true if has!("avx512f" "avx512dq" "avx512bw" "avx512vl") => Self::Avx512,
                true => Self::Avx2,
                false => Self::Portable,
            }
        }
        #[cfg(target_arch = "aarch64")]
        return Self::Neon;
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        Self::Portable
    }
}

/// Levels for tests, which run in parallel: each thread may have its own.
#[cfg(test)]
pub use in_tests::{handed_on, usable, with};

#[cfg(test)]
mod in_tests {
    use super::Level;
    use std::cell::Cell;

    thread_local! {
        /// The thread's level, if it has one.
        pub(super) static SET: Cell<Option<Level>> = const { Cell::new(None) };
    }

    /// Returns the levels of the processor, up to the environment's bound.
    pub fn usable() -> impl DoubleEndedIterator<Item = Level> {
        let most = super::check().expect("a level, or none, in the environment");
        Level::ALL.iter().copied().filter(move |level| *level <= most)
    }

    /// Returns the result of `work` at a level, in this thread and in the pool threads that work for it.
    ///
    /// # Panics
    /// If the processor does not support the level, or the environment excludes it.
    pub fn with<T>(level: Level, work: impl FnOnce() -> T) -> T {
        assert!(usable().any(|usable| usable == level), "{level:?} cannot be used here");
        set(Some(level), work)
    }

    /// Wraps work for other threads so that it runs at the level of this one.
    pub fn handed_on(work: impl Fn(usize) + Sync) -> impl Fn(usize) + Sync {
        let level = SET.get();
        move |thread| set(level, || work(thread))
    }

    fn set<T>(level: Option<Level>, work: impl FnOnce() -> T) -> T {
        struct Before(Option<Level>);
        impl Drop for Before {
            fn drop(&mut self) {
                SET.set(self.0);
            }
        }
        let _before = Before(SET.replace(level));
        work()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_bound_and_an_empty_one_is_none() {
        for &processor in Level::ALL {
            assert_eq!(bounded(processor, ""), Ok(processor));
            assert_eq!(bounded(processor, " \n"), Ok(processor));
            for &bound in Level::ALL {
                assert_eq!(bounded(processor, bound.name()), Ok(processor.min(bound)));
            }
            assert_eq!(bounded(processor, " portable "), Ok(Level::Portable));
        }
    }

    #[test]
    fn what_is_no_level_here_is_given_back() {
        let foreign = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
        for name in [foreign, "AVX2", "sse9", "avx", "avx2,avx512", "0"] {
            assert_eq!(bounded(Level::of_processor(), name), Err(name.to_owned()));
        }
    }

    #[test]
    fn a_level_is_set_for_the_thread_and_those_that_work_for_it() {
        let outside = Level::in_use();
        assert_eq!(usable().next_back(), Some(outside));
        for level in usable() {
            with(level, || {
                assert_eq!(Level::in_use(), level);
                crate::threads::fork(3, |_| assert_eq!(Level::in_use(), level));
                with(Level::Portable, || assert_eq!(Level::in_use(), Level::Portable));
                assert_eq!(Level::in_use(), level);
            });
            assert_eq!(Level::in_use(), outside);
            crate::threads::fork(3, |_| assert_eq!(Level::in_use(), outside));
        }
    }
}
