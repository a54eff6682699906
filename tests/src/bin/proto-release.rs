//! Releases the schemas as they are: what `proto/released.binpb` holds is never broken again.

fn main() -> anyhow::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/released.binpb");
    std::fs::write(path, common::DESCRIPTORS)?;
    anyhow::Ok(())
}
