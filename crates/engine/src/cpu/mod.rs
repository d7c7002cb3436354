//! The CPU's kernels: single-threaded loops over raw rows, compiled once per instruction set, and the
//! choice among them at run time. Parallelism lives one level up, in [`crate::parallel`].

pub(crate) mod attention;
pub(crate) mod bf16;
pub(crate) mod bytes;
mod dot;
pub(crate) mod gemm;
pub(crate) mod lookup;
pub(crate) mod math;
pub(crate) mod multiply;
pub(crate) mod rows;
pub(crate) mod simd;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// A CPU instruction set for which kernels are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// 512-bit vectors (x86-64 with AVX-512F).
    Avx512,
    /// 256-bit vectors (x86-64 with AVX2 and FMA).
    Avx2,
    /// 128-bit vectors (AArch64).
    Neon,
    /// Plain Rust.
    Portable,
}

/// Environment variable that forces an instruction set: `avx512`, `avx2`, `neon` or `portable`.
pub const ISA_VARIABLE: &str = "ISOGLOSS_CPU";

static SELECTED: OnceLock<Isa> = OnceLock::new();

thread_local! {
    static FORCED: std::cell::Cell<Option<Isa>> = const { std::cell::Cell::new(None) };
}

impl Isa {
    /// All instruction sets that this machine has, widest first. [`Isa::Portable`] is always among them.
    pub fn available() -> Vec<Isa> {
        [Isa::Avx512, Isa::Avx2, Isa::Neon, Isa::Portable].into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// Whether this machine can run the kernels of this instruction set.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => true,
            Isa::Portable => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The instruction set in use: the one forced by [`with_isa`] on this thread, else by [`Isa::select`] or the
    /// environment variable [`ISA_VARIABLE`], else the widest available.
    pub fn current() -> Isa {
        FORCED.get().unwrap_or_else(|| *SELECTED.get_or_init(Isa::from_environment))
    }

    /// Fixes the instruction set of the process. Fails if the machine lacks it or another was already in use.
    pub fn select(isa: Isa) -> Result<(), String> {
        if !isa.is_available() {
            return Err(unavailable(isa));
        }
        match *SELECTED.get_or_init(|| isa) {
            chosen if chosen == isa => Ok(()),
            chosen => Err(format!("kernels already run with {chosen}; choose {isa} before the first computation")),
        }
    }

    fn from_environment() -> Isa {
        let widest = Isa::available()[0];
        match std::env::var(ISA_VARIABLE).ok().map(|name| name.parse::<Isa>()) {
            Some(Ok(isa)) if isa.is_available() => isa,
            Some(_) => {
                eprintln!("warning: {ISA_VARIABLE} names no instruction set of this machine; using {widest}");
                widest
            }
            None => widest,
        }
    }

    /// Whether the processor multiplies bf16 in this instruction set.
    pub(crate) fn has_native_bf16(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => is_x86_feature_detected!("avx512bf16"),
            _ => false,
        }
    }

    /// The instruction set whose kernels multiply bytes where this one is in use.
    pub(crate) fn for_bytes(self) -> Isa {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 if is_x86_feature_detected!("avx512vnni") => Isa::Avx512,
            Isa::Avx512 if Isa::Avx2.is_available() => Isa::Avx2,
            Isa::Avx2 => Isa::Avx2,
            _ => Isa::Portable,
        }
    }

    /// f32 elements in a register of this instruction set.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Isa::Avx512 => 16,
            Isa::Avx2 | Isa::Portable => 8,
            Isa::Neon => 4,
        }
    }
}

fn unavailable(isa: Isa) -> String {
    let have: Vec<String> = Isa::available().iter().map(Isa::to_string).collect();
    format!("this machine has no {isa}; it has {}", have.join(", "))
}

/// Runs `f` with every operation started on this thread using `isa`.
///
/// # Panics
/// If the machine lacks the instruction set.
pub fn with_isa<T>(isa: Isa, f: impl FnOnce() -> T) -> T {
    assert!(isa.is_available(), "{}", unavailable(isa));
    let before = FORCED.replace(Some(isa));
    let result = f();
    FORCED.set(before);
    result
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Neon => "neon",
            Isa::Portable => "portable",
        })
    }
}

impl FromStr for Isa {
    type Err = String;

    fn from_str(name: &str) -> Result<Isa, String> {
        match name {
            "avx512" => Ok(Isa::Avx512),
            "avx2" => Ok(Isa::Avx2),
            "neon" => Ok(Isa::Neon),
            "portable" => Ok(Isa::Portable),
            _ => Err(format!("unknown instruction set \"{name}\"; known: avx512, avx2, neon, portable")),
        }
    }
}

/// Declares kernels: generic over [`simd::Simd`], compiled once per instruction set, called with an [`Isa`].
///
/// The body of a kernel is one `unsafe` block; the contract of its pointers is in its documentation.
macro_rules! kernels {
    ($($(#[$doc:meta])* fn $name:ident<$S:ident>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// The pointers are valid for the stated extents and the machine has `isa`.
        #[allow(clippy::too_many_arguments)]
        pub(crate) unsafe fn $name(isa: $crate::cpu::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            unsafe fn generic<$S: $crate::cpu::simd::Simd>($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the contract of the kernel.
                unsafe { $body }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the feature is enabled here.
                unsafe { generic::<$crate::cpu::simd::Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx2($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the feature is enabled here.
                unsafe { generic::<$crate::cpu::simd::Avx2>($($arg),*) }
            }
            // SAFETY: an Isa in use was found available; the rest is the kernel's contract.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    $crate::cpu::Isa::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::cpu::Isa::Avx2 => avx2($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    $crate::cpu::Isa::Neon => generic::<$crate::cpu::simd::Neon>($($arg),*),
                    _ => generic::<$crate::cpu::simd::Portable>($($arg),*),
                }
            }
        }
    )*};
}
pub(crate) use kernels;
