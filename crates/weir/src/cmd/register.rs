//! `weir register`: endpoints and accounts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use common::registration::v1::registration::Kind;
use common::registration::v1::{
    Account, DeleteRequest, Endpoint, GetRequest, PlainSecret, RegisterRequest, Registration,
};
use common::registrations::id_of;
use sources::Source;

use super::register_list::{List, shown};
use crate::out;
use crate::register::{Client, Error, connect_with, list};

/// Register endpoints and accounts
///
/// An endpoint is a URL that a platform delivers to, with the secret that its deliveries are signed with. An account
/// (page, repository, …) within an endpoint may belong to another tenant than the endpoint.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir register endpoint my-repo --source github --tenant me --secret-file secret.txt
  weir register endpoint my-app --source meta --tenant me --secret-env APP_SECRET --verify-token-file token.txt
  weir register account my-app 104000000007919 --tenant other
  weir register rotate my-repo --secret-file new.txt --old-secret-file secret.txt --old-for 1d
  weir register list                           the endpoints
  weir register list account/my-app/           the accounts of one
  weir register delete endpoint/my-repo")]
pub struct Register {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    grpc: super::Grpc,
}

#[derive(Debug, Subcommand)]
enum Command {
    Endpoint(EndpointArgs),
    Account(AccountArgs),
    Rotate(RotateArgs),
    List(List),
    Get(GetArgs),
    Delete(DeleteArgs),
}

/// Register an endpoint, or change one with --update
#[derive(Debug, clap::Args)]
struct EndpointArgs {
    /// The last part of its URL: 1 to 64 of a-z, 0-9 and dash
    name: String,
    #[arg(long, help = format!("Source of the deliveries: {}", sources::descriptor::list()))]
    source: String,
    /// The tenant that owns it. This can never be changed
    #[arg(long)]
    tenant: String,
    #[command(flatten)]
    secret: SecretArgs,
    /// A file whose first line is the verify token. For a platform with a handshake: any text, which you also give to
    /// the platform
    #[arg(long, value_name = "FILE")]
    verify_token_file: Option<PathBuf>,
    /// Deliveries per second above which the sender is throttled [default: no limit]
    #[arg(long, value_name = "N")]
    rate_limit: Option<u32>,
    /// Metadata of your choice; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    metadata: Vec<(String, String)>,
    /// Change an existing registration; without a secret it keeps its secret
    #[arg(long)]
    update: bool,
}

/// Where a secret comes from. Without any of these it is asked for, or read from standard input.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct SecretArgs {
    /// A file whose first line is the secret that signs deliveries
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// An environment variable that holds the secret
    #[arg(long, value_name = "NAME")]
    secret_env: Option<String>,
    /// The secret itself. Everybody on this machine can see it while the command runs, and your shell keeps it in its
    /// history
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
}

/// Register the tenant of an account (page, repository, …)
#[derive(Debug, clap::Args)]
struct AccountArgs {
    /// The endpoint that receives its deliveries
    endpoint: String,
    /// The id of the account at the platform
    account: String,
    /// The tenant that owns it
    #[arg(long)]
    tenant: String,
    /// Metadata of your choice; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    metadata: Vec<(String, String)>,
    /// Change an existing registration
    #[arg(long)]
    update: bool,
}

/// Give an endpoint a new secret, and accept the old one for a while
#[derive(Debug, clap::Args)]
struct RotateArgs {
    /// The endpoint
    name: String,
    #[command(flatten)]
    secret: SecretArgs,
    /// A file whose first line is the old secret. Weir never gives a secret out, so you must give it again
    #[arg(long, value_name = "FILE")]
    old_secret_file: PathBuf,
    /// For how long the old one is still accepted: 30m, 12h, 3d
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = parse_period)]
    old_for: std::time::Duration,
}

/// Show one registration, without its secrets
#[derive(Debug, clap::Args)]
struct GetArgs {
    /// endpoint/NAME or account/ENDPOINT/ACCOUNT
    id: String,
}

/// Remove a registration
#[derive(Debug, clap::Args)]
struct DeleteArgs {
    /// endpoint/NAME or account/ENDPOINT/ACCOUNT
    id: String,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A number with s, m, h or d.
pub(super) fn parse_period(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "write a number with s, m, h or d, for example 12h".to_owned();
    let unit = match text.bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number
        .checked_mul(unit)
        .filter(|seconds| *seconds <= 3650 * 86_400)
        .map(std::time::Duration::from_secs)
        .ok_or_else(wrong)
}

fn source(name: &str) -> anyhow::Result<&'static dyn Source> {
    let known = || sources::names().join(", ");
    sources::by_name(name).with_context(|| format!("there is no source {name}: give one of {}", known()))
}

impl SecretArgs {
    fn is_given(&self) -> bool {
        self.secret_file.is_some() || self.secret_env.is_some() || self.secret.is_some()
    }

    /// Read, and shown to the source, which alone can tell whether it can verify anything.
    fn read(&self, source: &dyn Source) -> anyhow::Result<PlainSecret> {
        let value = if let Some(file) = &self.secret_file {
            super::read_secret_file(file)?
        } else if let Some(name) = &self.secret_env {
            variable(name).with_context(|| format!("the environment variable {name} is not set, or empty"))?
        } else if let Some(secret) = &self.secret {
            out::complain("weir: a secret on the command line can be seen by others; --secret-file is safer");
            secret.clone()
        } else {
            super::ask::secret()?
        };
        source.check_secret(&value).map_err(|wrong| anyhow::anyhow!("the secret {wrong}"))?;
        Ok(PlainSecret { value, expires_at: None })
    }
}

#[allow(clippy::disallowed_methods, reason = "the variable is no setting: the user names it for its secret")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Register {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut client = connect_with(&self.grpc.dial()?, &self.grpc.url()?).await?;
        match self.command {
            Command::Endpoint(args) => {
                let registration = endpoint(&mut client, args).await?;
                say_endpoint(&self.grpc, &registration);
            }
            Command::Account(args) => {
                let registration = account(&mut client, args).await?;
                out::say(&format!("{} belongs to {}", registration.id, registration.tenant));
            }
            Command::Rotate(args) => {
                let period = args.old_for;
                let registration = rotate(&mut client, args).await?;
                out::say(&format!(
                    "{} has its new secret; the old one is accepted for another {} minutes",
                    registration.id,
                    period.as_secs().div_ceil(60)
                ));
            }
            Command::List(args) => {
                let found = list(&mut client, &args.prefix, &args.tenant).await?;
                args.show(&found)?;
            }
            Command::Get(args) => out::say(&format!("{:#}", shown(&get(&mut client, &args.id).await?)?)),
            Command::Delete(args) => {
                let found = get(&mut client, &args.id).await?;
                let request = DeleteRequest { id: args.id.clone(), expected_revision: found.revision };
                client.delete(request).await.map_err(Error::refused(format!("cannot delete {}", args.id)))?;
                out::say(&format!("{} is deleted", args.id));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn get(client: &mut Client, id: &str) -> anyhow::Result<Registration> {
    let request = GetRequest { id: id.to_owned() };
    let answer = client.get(request).await.map_err(Error::refused(format!("cannot get {id}")))?;
    answer.into_inner().registration.with_context(|| format!("the service answered without {id}"))
}

async fn put(client: &mut Client, mut request: RegisterRequest, update: bool) -> anyhow::Result<Registration> {
    let registration = request.registration.clone().unwrap_or_default();
    let validate = if update { common::registrations::validate } else { common::registrations::validate_new };
    validate(&registration)?;
    let id = registration.kind.as_ref().map(id_of).unwrap_or_default();
    if update {
        request.expected_revision = get(client, &id).await?.revision;
    }
    let answer = client.register(request).await.map_err(Error::refused(format!("cannot register {id}")))?;
    answer.into_inner().registration.with_context(|| format!("the service answered without {id}"))
}

async fn endpoint(client: &mut Client, args: EndpointArgs) -> anyhow::Result<Registration> {
    let source = source(&args.source)?;
    let secrets = if args.update && !args.secret.is_given() { Vec::new() } else { vec![args.secret.read(source)?] };
    let verify_token = args
        .verify_token_file
        .as_deref()
        .map(|file| {
            let value = super::read_secret_file(file)?;
            source.check_verify_token(&value).map_err(|wrong| anyhow::anyhow!("the verify token {wrong}"))?;
            anyhow::Ok(PlainSecret { value, expires_at: None })
        })
        .transpose()?;
    if source.descriptor().handshake && verify_token.is_none() && !args.update {
        let name = source.name();
        out::complain(&format!(
            "weir: without --verify-token-file the handshake of {name} is refused; add it with --update"
        ));
    }
    let mut endpoint = Endpoint { name: args.name, source: args.source, ..Endpoint::default() };
    endpoint.rate_limit = args.rate_limit.unwrap_or_default();
    let mut metadata: std::collections::BTreeMap<_, _> = args.metadata.into_iter().collect();
    if args.update {
        // What is not said stays as it is.
        let found = get(client, &format!("endpoint/{}", endpoint.name)).await?;
        if let (None, Some(Kind::Endpoint(found))) = (args.rate_limit, &found.kind) {
            endpoint.rate_limit = found.rate_limit;
        }
        for (key, value) in found.metadata {
            metadata.entry(key).or_insert(value);
        }
    }
    let registration =
        Registration { tenant: args.tenant, kind: Some(Kind::Endpoint(endpoint)), metadata, ..Registration::default() };
    let request = RegisterRequest { registration: Some(registration), expected_revision: 0, secrets, verify_token };
    put(client, request, args.update).await
}

async fn account(client: &mut Client, args: AccountArgs) -> anyhow::Result<Registration> {
    let registration = Registration {
        tenant: args.tenant,
        kind: Some(Kind::Account(Account { endpoint: args.endpoint, account_id: args.account })),
        metadata: args.metadata.into_iter().collect(),
        ..Registration::default()
    };
    let request = RegisterRequest { registration: Some(registration), ..RegisterRequest::default() };
    put(client, request, args.update).await
}

async fn rotate(client: &mut Client, args: RotateArgs) -> anyhow::Result<Registration> {
    let found = get(client, &format!("endpoint/{}", args.name)).await?;
    let source = match &found.kind {
        Some(Kind::Endpoint(endpoint)) => source(&endpoint.source)?,
        _ => anyhow::bail!("{} is not an endpoint: only endpoints have secrets", found.id),
    };
    let value = super::read_secret_file(&args.old_secret_file)?;
    source.check_secret(&value).map_err(|wrong| {
        let name = &args.name;
        anyhow::anyhow!(
            "the old secret {wrong}. If it was registered like this, it has verified nothing and need not be kept. \
             Register the new one alone: weir register endpoint {name} --update"
        )
    })?;
    let old = PlainSecret { value, expires_at: Some((service::clock::now() + args.old_for).into()) };
    let mut registration = found.clone();
    if let Some(Kind::Endpoint(endpoint)) = &mut registration.kind {
        endpoint.secrets.clear();
        endpoint.verify_token = None;
    }
    let request = RegisterRequest {
        registration: Some(Registration { revision: 0, created_at: None, updated_at: None, ..registration }),
        expected_revision: found.revision,
        secrets: vec![args.secret.read(source)?, old],
        verify_token: None,
    };
    put(client, request, true).await
}

fn say_endpoint(grpc: &super::Grpc, registration: &Registration) {
    let Some(Kind::Endpoint(endpoint)) = &registration.kind else { return };
    // The door of this machine: where the services run elsewhere, its host name stands before the path.
    let listen = grpc.config.load().map_or_else(|_| "127.0.0.1:8080".to_owned(), |settings| settings.streaming.listen);
    out::say(&format!(
        "{} belongs to {} and accepts deliveries.\n\n\
         The platform delivers to   https://YOUR-HOST/webhooks/{}\n\
         which must reach           http://{listen}/webhooks/{}",
        registration.id, registration.tenant, endpoint.name, endpoint.name
    ));
    if let Some(source) = sources::by_name(&endpoint.source) {
        out::say(&format!("\n{}", source.descriptor().setup));
    }
}

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
