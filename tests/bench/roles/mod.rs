//! What runs beside the services: the load, and each part of their work alone.

pub(crate) mod claims;
pub(crate) mod copy;
pub(crate) mod http_limit;
pub(crate) mod inputs;
pub(crate) mod load;
pub(crate) mod parse;
pub(crate) mod produce;

/// Runs a role until its commands end.
pub(crate) fn run(name: &str, settings: &str) -> anyhow::Result<()> {
    match name {
        load::NAME => load::run(serde_json::from_str(settings)?),
        http_limit::NAME => http_limit::run(),
        produce::NAME => produce::run(&serde_json::from_str(settings)?),
        copy::NAME => copy::run(&serde_json::from_str(settings)?),
        parse::NAME => parse::run(&serde_json::from_str(settings)?),
        claims::NAME => claims::run(&serde_json::from_str(settings)?),
        _ => anyhow::bail!("there is no role {name:?}"),
    }
}
