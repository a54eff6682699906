//! A look-up service that does what it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::enrichment::v1::enrichment_service_server::{EnrichmentService, EnrichmentServiceServer};
use common::enrichment::v1::{Answer, LookUpRequest, LookUpResponse};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// Tells of every account its name.
    Answers,
    Hangs,
    Fails,
    /// One answer less than there are keys.
    Short,
    /// More attributes than may be.
    Many,
    /// A message larger than may be.
    Large,
}

#[derive(Debug, Clone)]
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    does: Arc<Mutex<Does>>,
    calls: Arc<AtomicUsize>,
    _running: Arc<JoinSet<()>>,
}

struct Service {
    does: Arc<Mutex<Does>>,
    calls: Arc<AtomicUsize>,
}

impl Fake {
    pub(crate) async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (does, calls) = (Arc::new(Mutex::new(does)), Arc::new(AtomicUsize::new(0)));
        let service = EnrichmentServiceServer::new(Service { does: Arc::clone(&does), calls: Arc::clone(&calls) });
        let mut running = JoinSet::new();
        running.spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
        Self { address, does, calls, _running: Arc::new(running) }
    }

    pub(crate) fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// A step that asks it for the name of the account.
    pub(crate) fn step(&self, more: &str) -> String {
        format!(
            "[[enricher.steps]]\nname = \"crm\"\ntype = \"lookup\"\nurl = \"http://{}\"\nlookup = \"accounts\"\n\
             key = [\"tenant\", \"account_id\"]\n{more}\n",
            self.address
        )
    }
}

#[tonic::async_trait]
impl EnrichmentService for Service {
    async fn look_up(&self, request: Request<LookUpRequest>) -> Result<Response<LookUpResponse>, Status> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let request = request.into_inner();
        assert_eq!(request.lookup, "accounts");
        let does = *self.does.lock().unwrap();
        let mut answers: Vec<Answer> = request
            .keys
            .iter()
            .map(|key| {
                let name = format!("name of {}", key.fields["account_id"]);
                Answer { found: true, attributes: BTreeMap::from([("name".to_owned(), name)]) }
            })
            .collect();
        match does {
            Does::Answers => {}
            Does::Hangs => std::future::pending().await,
            Does::Fails => return Err(Status::unavailable("the database is away")),
            Does::Short => drop(answers.pop()),
            Does::Many => {
                for answer in &mut answers {
                    answer.attributes = (0..100).map(|n| (n.to_string(), String::new())).collect();
                }
            }
            Does::Large => answers[0].attributes = [("x".to_owned(), "x".repeat(9 << 20))].into(),
        }
        Ok(Response::new(LookUpResponse { answers }))
    }
}
