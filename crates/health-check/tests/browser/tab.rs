//! A headless Chromium that looks at pages of health-check, and axe, which says what keeps people from reading them. The
//! browser is driven by chromedriver, which takes JSON over HTTP: the WebDriver protocol of the W3C.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::routing::get;
use base64::Engine as _;
use health_check::history::History;
use health_check::page::Page;
use health_check::pipeline::View;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(60);

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Pages as health-check serves them, of whatever state they are told to be.
pub(crate) struct Server {
    shown: Arc<Mutex<String>>,
    page: Page,
    port: u16,
    /// Of its own, so that it can go with all of its connections.
    runtime: Option<Runtime>,
}

impl Server {
    /// Shows this; the page asks again after so long.
    pub(crate) fn start(refresh: Duration, view: &View, history: &History) -> Self {
        let page = Page::new(refresh.as_millis() as u64);
        let shown = Arc::new(Mutex::new(page.html(view, history)));
        let (policy, html) = (page.policy(), Arc::clone(&shown));
        let answer = get(async move || {
            let html = html.lock().unwrap().clone();
            ([(CONTENT_SECURITY_POLICY, policy), (CONTENT_TYPE, "text/html; charset=utf-8".parse().unwrap())], html)
        });
        let router = Router::new().route("/", answer);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self { shown, page, port, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What it shows from now on.
    pub(crate) fn show(&self, view: &View, history: &History) {
        *self.shown.lock().unwrap() = self.page.html(view, history);
    }

    /// As if its process was killed.
    pub(crate) fn end(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a page is seen with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) dark: bool,
}

/// One tab of a browser.
pub(crate) struct Browser {
    driver: Driver,
    /// Where the session is, below the driver.
    session: String,
}

/// chromedriver, which ends with the test.
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// On a port that it finds itself, and says.
    fn start() -> Self {
        let mut command = Command::new("chromedriver");
        // The zone and the language of the reader: times on the page are in it.
        command.arg("--port=0").env("TZ", "UTC").env("LANGUAGE", "en").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("chromedriver is not there: scripts/install.sh test installs it");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // "ChromeDriver was started successfully on port 40123."
        let port = lines
            .find_map(|line| line.unwrap().strip_suffix('.')?.split_once(" successfully on port ")?.1.parse().ok());
        // It may say more, and must not stand still because nobody reads it.
        std::thread::spawn(move || lines.count());
        Self { child, port: port.expect("chromedriver said no port") }
    }
}

impl Driver {
    /// What it answers; an error of it is a panic here.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_ascii_lowercase());
        }
        let length = head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut answer = vec![0; length.unwrap()];
        lines.read_exact(&mut answer).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let value = answer["value"].clone();
        assert!(head[0].contains(" 200 "), "{method} {path}: {} {}", head[0], value["message"]);
        value
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Else the browser would outlive its driver; one that does not answer any more ends with the machine.
        if !std::thread::panicking() {
            self.driver.ask("DELETE", &self.session, &json!({}));
        }
    }
}

impl Browser {
    pub(crate) fn start() -> Self {
        let driver = Driver::start();
        // As root it has no sandbox, and in a container little shared memory.
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"];
        let wanted = json!({
            "goog:chromeOptions": { "args": arguments },
            "timeouts": { "script": LIMIT.as_millis() as u64 / 2 },
        });
        let session = driver.ask("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        let session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Self { driver, session }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.driver.ask("POST", &format!("{}{path}", self.session), body)
    }

    /// Opens a page on such a screen.
    pub(crate) fn open(&self, server: &Server, screen: Screen) {
        let size =
            json!({ "width": screen.width, "height": 900, "deviceScaleFactor": 1, "mobile": screen.width < 600 });
        self.send("Emulation.setDeviceMetricsOverride", size);
        let scheme = if screen.dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.send("Emulation.setEmulatedMedia", media);
        self.post("/url", &json!({ "url": server.url() }));
    }

    pub(crate) fn send(&self, method: &str, arguments: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": method, "params": arguments }))
    }

    /// What an expression of JavaScript is in the page.
    pub(crate) fn is(&self, expression: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": format!("return {expression}"), "args": [] }))
    }

    /// Looks until the expression is true.
    pub(crate) fn until(&self, expression: &str) {
        let look = format!(
            "const done = arguments[0]; const look = () => ({expression}) ? done() : setTimeout(look, 20); look()"
        );
        self.post("/execute/async", &json!({ "script": look, "args": [] }));
    }

    pub(crate) fn title(&self) -> String {
        self.is("document.title").as_str().unwrap().to_owned()
    }

    /// The page as it is now, for the driver's own eyes.
    pub(crate) fn source(&self) -> String {
        self.driver.ask("GET", &format!("{}/source", self.session), &json!({})).as_str().unwrap().to_owned()
    }

    /// What axe finds, each with where it is.
    pub(crate) fn violations(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(axe()).unwrap();
        self.post("/execute/sync", &json!({ "script": axe, "args": [] }));
        let run = "const done = arguments[0]; axe.run().then(found => done(found.violations), error => done([String(error)]))";
        let found = self.post("/execute/async", &json!({ "script": run, "args": [] }));
        let told = |violation: &Value| {
            let nodes = violation["nodes"].as_array().into_iter().flatten();
            let places: Vec<String> =
                nodes.take(3).map(|node| format!("{} ({})", node["html"], node["failureSummary"])).collect();
            format!("{}: {} {}", violation["id"], violation["help"], places.join("; "))
        };
        found.as_array().unwrap().iter().map(told).collect()
    }

    /// The page as PNG, for a page of the documentation: of a phone the upper part, as it is very long.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let size = self.send("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let [width, height] = ["width", "height"].map(|side| size[side].as_f64().unwrap());
        let (height, scale) = if width < 600.0 { (height.min(1400.0), 1.0) } else { (height, 0.58) };
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": scale });
        let how = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.send("Page.captureScreenshot", how);
        base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }
}

/// `scripts/install.sh test` puts it there.
fn axe() -> PathBuf {
    workspace().join(Path::new("target/browser/node_modules/axe-core/axe.min.js"))
}
