//! A TCP proxy that can be slow, silent, cut, lose one answer, or silence one connection.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of what passes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It passes.
    Pass,
    /// Each piece, in each direction, comes so much later.
    Slow(Duration),
    /// Connections stay and can be made, and nothing passes: the other side has gone without a word.
    Silent,
    /// Connections are reset, and new ones too.
    Cut,
    /// The answer to the first piece that has these bytes is lost, and its connection with it. The other connections, and
    /// what comes after, pass.
    LoseAnswerTo(Vec<u8>),
    /// The first connection on which a piece has these bytes is silent from there on, in both directions. The others pass.
    SilenceWith(Vec<u8>),
}

/// A proxy on a port of loopback. Dropping it cuts all that is connected.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    /// Where it leads to.
    before: Arc<AtomicU16>,
    mode: Arc<watch::Sender<Mode>>,
    /// Accepts connections, and has them; ends with the proxy.
    _accepting: JoinSet<()>,
}

impl Proxy {
    /// A proxy on this port before another port of loopback. Needs a tokio runtime.
    ///
    /// # Errors
    /// The port cannot be listened on.
    pub async fn start(port: u16, before: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let mode = Arc::new(watch::Sender::new(Mode::Pass));
        let before = Arc::new(AtomicU16::new(before));
        let (modes, leads) = (mode.clone(), before.clone());
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(connection(client, leads.load(Ordering::Relaxed), modes.clone()));
            }
        });
        Ok(Self { port, before, mode, _accepting: accepting })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// New connections lead to another port; those that are there stay as they are.
    pub fn turn_to(&self, before: u16) {
        self.before.store(before, Ordering::Relaxed);
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How it is.
    pub fn mode(&self) -> Mode {
        self.mode.borrow().clone()
    }
}

/// Ends when one side ends, or when it is cut: then with a reset.
async fn connection(mut client: TcpStream, before: u16, modes: Arc<watch::Sender<Mode>>) {
    let mut mode = modes.subscribe();
    let reset = |stream: &TcpStream| {
        // Where it cannot be set the connection is closed in good order, which is a cut too.
        let _ = stream.set_zero_linger();
    };
    if *mode.borrow() == Mode::Cut {
        return reset(&client);
    }
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, before)).await else { return reset(&client) };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut up, mut down, mut cut) = (vec![0; 64 * 1024], vec![0; 64 * 1024], mode.clone());
    loop {
        let passed = tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(0) | Err(_) => break,
                Ok(read) => {
                    if !pace(&mut mode).await {
                        break;
                    }
                    let trouble = trouble(&modes, &up[..read]);
                    if matches!(trouble, Some(Mode::SilenceWith(_))) {
                        silence(&mut client, &mut up, &mut cut).await;
                        break;
                    }
                    let sent = server.write_all(&up[..read]).await;
                    if trouble.is_some() {
                        // It has been done when the answer is there.
                        let _ = server.read(&mut down).await;
                        break;
                    }
                    sent
                }
            },
            read = server.read(&mut down) => match read {
                Ok(0) | Err(_) => break,
                Ok(read) if pace(&mut mode).await => client.write_all(&down[..read]).await,
                Ok(_) => break,
            },
            () = is_cut(&mut cut) => break,
        };
        if passed.is_err() {
            break;
        }
    }
    reset(&client);
    reset(&server);
}

async fn is_cut(mode: &mut watch::Receiver<Mode>) {
    // An error: the proxy has gone.
    let _ = mode.wait_for(|mode| *mode == Mode::Cut).await;
}

/// Waits as the mode says. False: it is cut.
async fn pace(mode: &mut watch::Receiver<Mode>) -> bool {
    let delay = match &*mode.borrow() {
        Mode::Slow(delay) => Some(*delay),
        _ => None,
    };
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    matches!(mode.wait_for(|mode| *mode != Mode::Silent).await.as_deref(), Ok(mode) if *mode != Mode::Cut)
}

/// What is sent is taken, until the client has enough of it.
async fn silence(client: &mut TcpStream, up: &mut [u8], cut: &mut watch::Receiver<Mode>) {
    tokio::select! {
        () = is_cut(cut) => {}
        () = async { while client.read(up).await.is_ok_and(|read| read > 0) {} } => {}
    }
}

/// The trouble that this piece is the first to meet; then no other does.
fn trouble(modes: &watch::Sender<Mode>, piece: &[u8]) -> Option<Mode> {
    let mut met = None;
    modes.send_if_modified(|mode| {
        let (Mode::LoseAnswerTo(bytes) | Mode::SilenceWith(bytes)) = mode else { return false };
        if piece.windows(bytes.len()).any(|window| window == *bytes) {
            met = Some(std::mem::replace(mode, Mode::Pass));
        }
        met.is_some()
    });
    met
}
