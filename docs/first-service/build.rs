//! Compiles `proto/` to Rust.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let set = protox::compile(["counts.proto"], ["proto"])?;
    let mut prost = prost_build::Config::new();
    prost.btree_map(["."]);
    tonic_prost_build::configure().emit_rerun_if_changed(false).compile_fds_with_config(set, prost)?;
    Ok(())
}
