//! Releases the schemas as they are: what `proto/released.binpb` holds is never broken again, and what
//! `proto/released-addresses.json` holds is never changed.

fn main() -> anyhow::Result<()> {
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    std::fs::write(format!("{proto}/released.binpb"), common::DESCRIPTORS)?;
    std::fs::write(format!("{proto}/released-addresses.json"), common::addresses::TEMPLATES)?;
    anyhow::Ok(())
}
