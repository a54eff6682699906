//! The status page as people meet it: read with axe, used with a keyboard, and left alone by its server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod states;
mod tab;

use std::path::Path;
use std::time::Duration;

use health_check::cause::Cause;
use health_check::problems::Problem;

use crate::states::{Ends, pipeline};
use crate::tab::{Browser, Screen, Server, workspace};

/// Nothing is to change while it is looked at.
const NEVER: Duration = Duration::from_secs(3600);
const OFTEN: Duration = Duration::from_millis(100);
const PHONE: Screen = Screen { width: 360, dark: false };
const WIDE: Screen = Screen { width: 1280, dark: false };

/// Those that the documentation shows.
const SHOWN: [&str; 3] = ["status-failing-light-1280", "status-ok-dark-1280", "status-warning-dark-360"];

/// A screenshot, where a run is to renew them: `SCREENSHOTS=docs/screenshots` makes those that the documentation shows,
/// `SCREENSHOTS_ALL=target/screenshots` all of them.
fn keep(browser: &Browser, name: &str) {
    let wanted = std::env::var_os("SCREENSHOTS").filter(|_| SHOWN.contains(&name));
    let Some(folder) = wanted.or_else(|| std::env::var_os("SCREENSHOTS_ALL")) else { return };
    let folder = workspace().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(Path::new(name).with_extension("png")), browser.picture()).unwrap();
}

#[test]
fn everybody_can_read_it_in_each_state_on_each_screen() {
    let browser = Browser::start();
    let mut found = Vec::new();
    for ends in Ends::ALL {
        let (view, history) = pipeline(ends);
        let server = Server::start(NEVER, &view, &history);
        for screen in [PHONE, WIDE].into_iter().flat_map(|screen| [screen, Screen { dark: true, ..screen }]) {
            browser.open(&server, screen);
            let wide = browser.is("document.documentElement.scrollWidth - window.innerWidth");
            assert!(wide.as_i64().unwrap() <= 0, "{ends:?} {screen:?} is {wide} pixels too wide");
            assert_eq!(browser.title(), format!("{} · shop, Frankfurt · Weir", ends.name()));
            let scheme = if screen.dark { "dark" } else { "light" };
            keep(&browser, &format!("status-{}-{scheme}-{}", ends.name(), screen.width));
            // What is folded is read too.
            browser.is("document.querySelectorAll('details').forEach(one => one.open = true)");
            let told = browser.violations();
            found.extend(told.into_iter().map(|told| format!("{ends:?} {screen:?}: {told}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Else the test above could not fail.
#[test]
fn axe_finds_what_is_wrong() {
    let browser = Browser::start();
    let (view, history) = pipeline(Ends::Ok);
    let server = Server::start(NEVER, &view, &history);
    browser.open(&server, WIDE);
    browser.is("document.querySelector('svg').removeAttribute('aria-label')");
    let found = browser.violations();
    assert!(found.iter().any(|told| told.starts_with("\"svg-img-alt\"")), "{found:?}");
}

#[test]
fn the_focus_and_what_is_unfolded_survive_a_refresh_and_a_change_is_announced() {
    let browser = Browser::start();
    let (failing, history) = pipeline(Ends::Failing);
    let server = Server::start(OFTEN, &failing, &history);
    browser.open(&server, WIDE);
    browser.is("document.querySelector('.problems details').open = true");
    browser.is("document.querySelector('.problems summary').focus()");
    // What comes with a refresh: a number that only it has.
    let mut later = failing.clone();
    later.pipeline.hops[1].instances = 77;
    server.show(&later, &history);
    browser.until("document.body.textContent.includes('77 of 2 instances')");
    assert_eq!(browser.is("document.activeElement.textContent"), "4 checks say so");
    assert_eq!(browser.is("document.querySelector('.problems details').open"), true);
    assert_eq!(browser.is("document.getElementById('said').textContent"), "", "nothing has changed");

    // Something more urgent comes before it: the focus stays with what it was on.
    let mut more = later.clone();
    let first = more.causes[0].clone();
    more.problems.push(Problem { check: "new_check".to_owned(), ..more.problems[0].clone() });
    more.causes.insert(
        0,
        Cause { id: "new".to_owned(), signs: vec![more.problems.len() - 1], consequences: Vec::new(), ..first },
    );
    server.show(&more, &history);
    browser.until("document.querySelector('.problems').children.length === 2");
    assert_eq!(browser.is("document.activeElement.textContent"), "4 checks say so");

    let (ok, history) = pipeline(Ends::Ok);
    server.show(&ok, &history);
    browser.until("document.getElementById('said').textContent.includes('All is well')");
    assert_eq!(browser.is("document.getElementById('said').getAttribute('role')"), "status");
    assert_eq!(browser.title(), "ok · shop, Frankfurt · Weir");
}

#[test]
fn a_page_whose_server_is_gone_says_so_in_its_title_and_icon_too() {
    let browser = Browser::start();
    let (ok, history) = pipeline(Ends::Ok);
    let mut server = Server::start(OFTEN, &ok, &history);
    browser.open(&server, PHONE);
    let icon = browser.is("document.querySelector('link[rel=icon]').href");
    assert_eq!(browser.is("document.getElementById('stale').hidden"), true);
    server.end();
    browser.until("!document.getElementById('stale').hidden");
    assert_eq!(browser.title(), "? no answer · ok · shop, Frankfurt · Weir");
    assert_ne!(browser.is("document.querySelector('link[rel=icon]').href"), icon);
    let says = browser.is("document.getElementById('stale').textContent");
    assert!(says.as_str().unwrap().starts_with("Health-check does not answer"), "{says}");
    keep(&browser, "status-gone");
    assert_eq!(browser.violations(), Vec::<String>::new());
}

#[test]
fn without_javascript_it_says_the_same_and_asks_again_by_itself() {
    let browser = Browser::start();
    let (failing, history) = pipeline(Ends::Failing);
    let server = Server::start(OFTEN, &failing, &history);
    browser.send("Emulation.setScriptExecutionDisabled", serde_json::json!({ "value": true }));
    browser.open(&server, PHONE);
    // The driver's own scripts run all the same.
    let text = browser.source();
    assert!(text.contains("The brokers do not answer: 4 stages wait"), "{text}");
    assert!(text.contains("http-equiv=\"refresh\""), "{text}");
}
