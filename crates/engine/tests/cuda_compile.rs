//! Every kernel goes through NVIDIA's compiler, without a GPU.

use isogloss_engine::cuda::compile_all;

#[test]
#[ignore = "needs libnvrtc.so.12 in LD_LIBRARY_PATH; .ci/run installs it"]
fn kernels_compile_for_sm_80_and_sm_90() {
    for architecture in ["sm_80", "sm_90"] {
        let compiled = compile_all(architecture).unwrap_or_else(|error| panic!("{error}"));
        assert!(!compiled.is_empty() && compiled.iter().all(|(_, bytes)| *bytes > 1000), "{compiled:?}");
        println!("{architecture}: {compiled:?}");
    }
}
