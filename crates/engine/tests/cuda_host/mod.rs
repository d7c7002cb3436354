//! Runs tests of this program again with the libraries of this folder in place of NVIDIA's, which run kernels on the CPU.
#![allow(dead_code)] // every test file uses its part

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// GPUs that are emulated.
pub const DEVICES: usize = 3;

/// What runs on a GPU or in its place is ignored in the first process and run in the second, one test after the other, with any other tests left out.
///
/// # Panics
/// If there is no C++ compiler, a library does not compile, or a test fails.
pub fn run_ignored() {
    let mut tests = Command::new(env::current_exe().expect("the program's own path"));
    let run =
        in_place_of_a_gpu(tests.args(["--ignored", "--test-threads", "1"])).output().expect("the program starts again");
    let told = [&run.stdout[..], &run.stderr[..]].map(String::from_utf8_lossy).join("\n");
    assert!(run.status.success(), "on the libraries of tests/cuda_host:\n{told}");
}

/// The command with the libraries of this folder, made first if they are not there or older than their sources.
///
/// # Panics
/// If there is no C++ compiler, or a library does not compile.
pub fn in_place_of_a_gpu(command: &mut Command) -> &mut Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(libraries);
    command
        .env("LD_LIBRARY_PATH", joined(folder))
        .env("ISOGLOSS_KERNEL_CACHE", folder.join("kernels"))
        .env("CUDA_HOST_DEVICES", DEVICES.to_string())
        .env_remove("CUDA_VISIBLE_DEVICES")
}

/// The folder of the libraries.
fn libraries() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cuda_host");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/cuda_host/build.sh");
    let compiler = env::var("CXX").unwrap_or_else(|_| "g++".into());
    let found = Command::new(&compiler).arg("--version").output().is_ok_and(|told| told.status.success());
    assert!(
        found,
        "no C++ compiler ({compiler}): install g++, or say in CXX what compiles C++; the kernels' tests need it"
    );
    if !is_fresh(&folder, &script) {
        let built = Command::new("sh").arg(&script).arg(&folder).status().expect("sh runs");
        assert!(built.success(), "the libraries of tests/cuda_host do not compile");
    }
    // Under the names that are looked for first, so that those of an installed driver are not found instead.
    for (name, file) in [("cuda", "libcuda.so.1"), ("nvrtc", "libnvrtc.so.12"), ("cublasLt", "libcublasLt.so.12")] {
        let _ = std::os::unix::fs::symlink(file, folder.join(format!("lib{name}.so")));
    }
    folder
}

/// Whether the libraries in `folder` are newer than everything that they are made of.
fn is_fresh(folder: &Path, script: &Path) -> bool {
    let newest = |folder: &Path| {
        let files = folder.read_dir().ok()?.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok());
        files.max()
    };
    let here = script.parent().expect("the script's folder");
    let sources = newest(here).max(newest(&here.join("../../src/cuda/kernels")));
    // The last one to be made.
    let made = folder.join("libcublasLt.so.12").metadata().and_then(|file| file.modified()).ok();
    made.is_some() && made > sources
}

/// `folder` before the folders of libraries that are looked through anyway.
fn joined(folder: &Path) -> std::ffi::OsString {
    let before = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    env::join_paths([folder.to_path_buf()].into_iter().chain(env::split_paths(&before)))
        .unwrap_or_else(|_| folder.into())
}
