use super::*;

#[derive(Deserialize)]
struct File {
    platforms: PlatformsSettings,
}

/// The defaults with these in place of theirs.
pub(crate) fn settings(own: &str) -> PlatformsSettings {
    let mut all: toml::Table = DEFAULTS.parse().unwrap();
    let own: toml::Table = own.parse().unwrap();
    let section = all["platforms"].as_table_mut().unwrap();
    section.extend(own);
    toml::from_str::<File>(&toml::to_string(&all).unwrap()).unwrap().platforms
}

fn wrong(own: &str) -> Vec<(String, String)> {
    settings(own).validate().into_iter().map(|problem| (problem.key, problem.problem)).collect()
}

#[test]
fn nothing_is_asked_unless_it_is_set() {
    let settings = settings("");
    assert!(settings.endpoints.is_empty() && settings.validate().is_empty());
    assert_eq!((settings.timeout(), settings.reach()), (Duration::from_secs(10), Reach::Public(Vec::new())));
}

#[test]
fn both_examples_of_the_defaults_are_right() {
    let examples: Vec<_> = DEFAULTS.lines().skip_while(|line| *line != "# [[platforms.endpoints]]").collect();
    let until = examples.iter().position(|line| !line.starts_with('#')).unwrap();
    let lines = examples[..until].iter().map(|line| line.trim_start_matches('#'));
    // The files are not there.
    let text: String =
        lines.map(|line| line.replace("{ file = ", "").replace("-token\" }", "-token\"") + "\n").collect();
    let own: toml::Table = text.parse().unwrap();
    let settings = settings(&toml::to_string(&own["platforms"]).unwrap());
    assert_eq!(settings.validate(), []);
    let [meta, github] = settings.endpoints.as_slice() else { panic!("{settings:?}") };
    assert_eq!(meta.meta.as_ref().unwrap().pages[0].fields, ["feed", "mention"]);
    assert_eq!(github.github.as_ref().unwrap().hooks(), ["repos", "octo", "hello", "hooks"]);
    assert!(!format!("{settings:?}").contains("-token"));
}

#[test]
fn what_is_wrong_is_named_by_its_setting() {
    let page = "pages = [{ id = \"1\", token = \"t\", fields = [\"feed\"] }]";
    let meta = |table: &str| format!("endpoints = [{{ name = \"a\", meta = {{ {table} }} }}]");
    let github =
        |table: &str| format!("endpoints = [{{ name = \"a\", github = {{ hook = 1, token = \"t\", {table} }} }}]");
    for (own, key) in [
        ("endpoints = [{ name = \"a\" }]".to_owned(), "endpoints[0].name"),
        (meta(&format!("app_id = \"my-app\", {page}")), "endpoints[0].meta.app_id"),
        (meta("app_id = \"1\""), "endpoints[0].meta.app_token"),
        (meta(&format!("app_id = \"1\", object = \"Page\", {page}")), "endpoints[0].meta.object"),
        (
            meta("app_id = \"1\", pages = [{ id = \"me\", token = \"t\", fields = [\"feed\"] }]"),
            "endpoints[0].meta.pages[0].id",
        ),
        (
            meta("app_id = \"1\", pages = [{ id = \"1\", token = \"t\", fields = [] }]"),
            "endpoints[0].meta.pages[0].fields",
        ),
        (
            meta("app_id = \"1\", pages = [{ id = \"1\", token = \"t\", fields = [\"a,b\"] }]"),
            "endpoints[0].meta.pages[0].fields",
        ),
        (github("repository = \"octo\""), "endpoints[0].github.repository"),
        (github("repository = \"octo/..\""), "endpoints[0].github.repository"),
        (github("repository = \"a/b\", organization = \"c\""), "endpoints[0].github.repository"),
        (github("organization = \"a/b\""), "endpoints[0].github.organization"),
        ("github_url = \"http://api.github.com\"".to_owned(), "github_url"),
        ("meta_url = \"graph.facebook.com\"".to_owned(), "meta_url"),
        ("allow_networks = [\"ten\"]".to_owned(), "allow_networks"),
    ] {
        let found = wrong(&own);
        assert!(found.iter().any(|(known, _)| *known == format!("platforms.{key}")), "{own}: {found:?}");
    }
    let twice = format!(
        "endpoints = [{{ name = \"a\", {0} }}, {{ name = \"a\", callback_url = \"x\", {0} }}]",
        "github = { hook = 1, token = \"t\", organization = \"o\" }"
    );
    let found = wrong(&twice);
    assert_eq!(
        found,
        [
            ("platforms.endpoints[1].name".to_owned(), "\"a\" is empty, or there twice".to_owned()),
            ("platforms.endpoints[1].callback_url".to_owned(), "\"x\" is not a URL".to_owned()),
        ]
    );
    assert_eq!(wrong("github_url = \"http://10.0.0.1/api/v3\"\nallow_networks = [\"10.0.0.0/8\"]"), []);
}
