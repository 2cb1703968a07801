//! Tells the crate how it is being compiled, so that `fit` can warn when its hot loops are not optimized.

fn main() {
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    println!("cargo::rustc-env=PLYWOOD_OPT_LEVEL={level}");
    println!("cargo::rerun-if-changed=build.rs");
}
