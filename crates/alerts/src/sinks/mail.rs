//! Mail by SMTP.

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message as Letter};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use service::outbound::{Reach, resolve};

use super::{NotTaken, Sink};
use crate::message::Message;
use crate::settings::{AlertsSettings, MailSettings, MailTls};

pub(crate) struct Mail {
    host: String,
    port: u16,
    from: Mailbox,
    to: Vec<Mailbox>,
    tls: MailTls,
    credentials: Option<Credentials>,
    limit: std::time::Duration,
    reach: Reach,
}

impl Mail {
    pub(crate) fn new(settings: &MailSettings, all: &AlertsSettings) -> Result<Self, String> {
        let (host, port) = settings.server.rsplit_once(':').ok_or("the server has no port")?;
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|_| format!("{text:?} is not an address"));
        let password = settings.password.as_ref();
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: port.parse().map_err(|_| "the server has no port")?,
            from: mailbox(&settings.from)?,
            to: settings.to.iter().map(mailbox).collect::<Result<_, _>>()?,
            tls: settings.tls,
            credentials: password.map(|it| Credentials::new(settings.user.clone(), it.expose().to_owned())),
            limit: all.timeout(),
            reach: super::reach(all),
        })
    }

    fn letter(&self, message: &Message) -> Result<Letter, String> {
        // Mails of one group are one thread; the same message has the same id each time.
        let domain = self.from.email.domain();
        let thread = format!("<{}@{domain}>", crate::alert::digest(&[&message.group], 16));
        let mut letter = Letter::builder()
            .from(self.from.clone())
            .subject(message.title())
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .in_reply_to(thread.clone())
            .references(thread)
            .date(service::clock::now())
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            letter = letter.to(to.clone());
        }
        letter.body(message.text() + "\n").map_err(|error| error.to_string())
    }

    fn tls(&self) -> Result<Tls, String> {
        let parameters = || TlsParameters::new_rustls(self.host.clone()).map_err(|error| cause(&error));
        Ok(match self.tls {
            MailTls::Never => Tls::None,
            MailTls::StartTls => Tls::Required(parameters()?),
            MailTls::Always => Tls::Wrapper(parameters()?),
        })
    }
}

#[async_trait]
impl Sink for Mail {
    async fn send(&self, message: &Message) -> Result<(), NotTaken> {
        let letter = self.letter(message)?;
        let found = resolve(&self.host, self.port, &self.reach).await.map_err(|error| error.to_string())?;
        let mut failed = NotTaken::from("its name stands for no address".to_owned());
        // An address that swallows all is not the only one that is tried.
        let limit = self.limit / u32::try_from(found.len()).unwrap_or(u32::MAX).max(1);
        for at in found {
            // To this address, whatever the name stands for by then; TLS expects the name there.
            let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(at.ip().to_string())
                .port(self.port)
                .tls(self.tls()?)
                .timeout(Some(limit));
            let transport = match &self.credentials {
                Some(credentials) => transport.credentials(credentials.clone()),
                None => transport,
            };
            match transport.build::<Tokio1Executor>().send(letter.clone()).await {
                Ok(_) => return Ok(()),
                // Answered: another address of the server says the same.
                Err(error) if error.status().is_some() => {
                    return Err(format!("{}:{}: {}", self.host, self.port, cause(&error)).into());
                }
                Err(error) => {
                    let perhaps = failed.perhaps || !is_refused(&error);
                    failed = NotTaken { problem: format!("{}:{}: {}", self.host, self.port, cause(&error)), perhaps };
                }
            }
        }
        Err(failed)
    }
}

/// Whether nobody is there who could have taken it.
fn is_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let of_connection = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    of_connection == Some(std::io::ErrorKind::ConnectionRefused) || error.source().is_some_and(is_refused)
}

/// The whole chain of causes.
fn cause(error: &dyn std::error::Error) -> String {
    let (mut text, mut inner) = (error.to_string(), error.source());
    while let Some(error) = inner {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        inner = error.source();
    }
    service::escape::word(&text).into()
}
