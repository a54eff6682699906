//! The certificate of a service ends, and its files are replaced as they are in a pod.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use service::tls::{ClientTlsSettings, Dial};
use weir_tests::certificates::{Authority, Certificate};

use crate::cases::{Act, Case};
use crate::report::RECOVERED_WITHIN;
use crate::run::Run;
use crate::tail::Moment;

pub(crate) const OF: &str = "processing-1";
const CHECK: &str = "certificates";
const NAMES: [&str; 2] = ["DNS:localhost", "IP:127.0.0.1"];
/// Files are looked at every half minute.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// The service is started anew with it, and tells that it ends soon.
const LEFT: Duration = Duration::from_secs(75);
/// Health-check is started before it ends, too.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// A certificate that a service shows.
#[derive(Debug)]
pub(crate) struct Shown {
    authority: Authority,
    folder: PathBuf,
    /// When it has expired.
    pub(crate) ends: Instant,
}

impl Shown {
    /// Who signed it.
    pub(crate) fn root(&self) -> &Path {
        &self.authority.root
    }

    /// Another one comes into its place, without a restart.
    pub(crate) fn replace(&self) -> anyhow::Result<()> {
        mount(&self.folder, 2, &self.authority.issue_for_days(30, "localhost", &NAMES)?)
    }
}

pub(crate) fn case() -> Case {
    let about = "the gRPC certificate of a service expires and is replaced without a restart";
    Case::new("certificate-expires", about, vec![]).act(Act::ExpireCertificate)
}

/// As Kubernetes mounts a secret: names that lead through one link, which is replaced as a whole.
fn mount(folder: &Path, number: u32, certificate: &Certificate) -> anyhow::Result<()> {
    let version = format!("..{number}");
    std::fs::create_dir_all(folder.join(&version))?;
    std::fs::copy(&certificate.certificate, folder.join(&version).join("tls.crt"))?;
    std::fs::copy(&certificate.key, folder.join(&version).join("tls.key"))?;
    symlink(&version, folder.join("..next"))?;
    std::fs::rename(folder.join("..next"), folder.join("..data"))?;
    for name in ["tls.crt", "tls.key"] {
        let link = folder.join(name);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(name), link)?;
        }
    }
    Ok(())
}

/// The service shows a certificate that ends so soon.
pub(crate) async fn show(run: &Run<'_>, left: Duration) -> anyhow::Result<Shown> {
    let authority = Authority::new("weir faults")?;
    let folder = run.system.folder().join("certificate");
    let ends = Instant::now() + left;
    mount(&folder, 1, &authority.issue_for(left, "localhost", &NAMES)?)?;
    let file = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (file("tls.crt"), file("tls.key"));
    let with_tls = move |process: &mut weir_tests::process::Process| {
        // With one of them alone it does not start, and is started again.
        process.restart_with("WEIR__GRPC__TLS__KEY_FILE", &key)?;
        process.restart_with("WEIR__GRPC__TLS__CERTIFICATE_FILE", &certificate)?;
        process.ready(Duration::from_secs(60))
    };
    run.system.on(OF, with_tls).await?;
    Ok(Shown { authority, folder, ends })
}

/// Its check warns before and fails after, nobody new can call it meanwhile and who is connected can, deliveries and
/// stages go on; and the new certificate is shown without a restart.
pub(crate) async fn act(run: &mut Run<'_>) -> anyhow::Result<()> {
    let shown = show(run, LEFT).await?;
    let url = run.system.grpc(OF).await?.replace("http://127.0.0.1", "https://localhost");
    let dial =
        Dial::new("test", &ClientTlsSettings { ca_file: shown.root().to_owned(), ..ClientTlsSettings::default() });
    let mut connected =
        weir::register::connect_with(&dial, &url).await.context("cannot connect before the certificate expires")?;

    run.system.until_check(OF, CHECK, |state| state == "warning", TOLD_WITHIN).await?;
    run.system.until_check(OF, CHECK, |state| state == "failing", LEFT + TOLD_WITHIN).await?;
    ensure!(weir::register::connect_with(&dial, &url).await.is_err(), "an expired certificate was accepted");
    weir::register::list(&mut connected, "endpoint/", "").await.context("the existing connection failed")?;
    run.traffic.acknowledges(100, TOLD_WITHIN).await?;

    shown.replace()?;
    let replaced = Moment::now();
    while let Err(error) = weir::register::connect_with(&dial, &url).await {
        ensure!(replaced.at.elapsed() < RECOVERED_WITHIN, "cannot connect with the new certificate: {error}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("  the new certificate is in use after {:.1} s", replaced.at.elapsed().as_secs_f64());
    run.ended(replaced);
    let began = Instant::now();
    run.system.until_check(OF, CHECK, |state| state == "ok", TOLD_WITHIN).await?;
    println!("  its check is ok after {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}
