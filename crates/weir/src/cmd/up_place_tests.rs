use super::*;
use crate::settings::DEFAULTS;

fn settings(variables: &[(&str, &str)]) -> Settings {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    service::load(DEFAULTS, None, variables).unwrap()
}

#[test]
fn one_option_moves_every_port_and_no_host() {
    let all = settings(&[("WEIR__STREAMING__LISTEN", "0.0.0.0:80"), ("WEIR__GRPC__LISTEN", "[::1]:9090")]);
    let moved = listeners(&all, 18_080);
    let moved: Vec<_> = moved.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("WEIR__STREAMING__LISTEN", "0.0.0.0:18080"),
        ("WEIR__ADMIN__LISTEN", "127.0.0.1:18081"),
        ("WEIR__GRPC__LISTEN", "[::1]:18082"),
    ];
    assert_eq!(moved, expected);
    let again = settings(&moved);
    assert_eq!(listeners(&again, 18_080), listeners(&all, 18_080), "they are the names of the settings");
}

#[test]
fn there_are_two_ports_after_the_first() {
    assert_eq!((parse_port("1"), parse_port("65533")), (Ok(1), Ok(65_533)));
    for wrong in ["0", "65534", "-1", "http", ""] {
        assert!(parse_port(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_its_setting_and_the_option() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let error = with_ports(service::bind("admin.listen", &at).await.unwrap_err()).to_string();
    assert!(error.starts_with(&format!("cannot listen on {at} (setting admin.listen): address in use")), "{error}");
    assert!(error.ends_with("`weir up --ports 18080` moves all three ports"), "{error}");
    let error = with_ports(service::bind("admin.listen", "nonsense").await.unwrap_err()).to_string();
    assert!(!error.contains("--ports"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_as_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data");
    let all = settings(&[("WEIR__DATA__DIR", below.to_str().unwrap())]);
    let error = format!("{:#}", check_folder(&all).unwrap_err());
    assert!(
        error.starts_with(&format!("cannot write the data folder {} (setting data.dir)", below.display())),
        "{error}"
    );
    assert!(error.contains("WEIR__DATA__DIR=") && !error.contains("key_file"), "{error}");

    let good = folder.path().join("new/data");
    check_folder(&settings(&[("WEIR__DATA__DIR", good.to_str().unwrap())])).unwrap();
    assert_eq!(std::fs::read_dir(&good).unwrap().count(), 0, "nothing is left of the look");

    // Where nothing is stored in it nobody needs it.
    let elsewhere = settings(&[
        ("WEIR__DATA__DIR", below.to_str().unwrap()),
        ("WEIR__BUS__DATA_DIR", "/elsewhere"),
        ("WEIR__LAKE__ROOT", "s3://lake/weir"),
        ("WEIR__REGISTRATIONS__DATABASE", "sqlite:///elsewhere/registrations.db"),
        ("WEIR__SECRETS__KEY_FILE", "/elsewhere/key"),
    ]);
    check_folder(&elsewhere).unwrap();
}

#[test]
fn the_data_directory_moves_everything_that_is_stored() {
    let moved = settings(&[("WEIR__DATA__DIR", "/moved/here")]);
    let text = service::print(&moved);
    assert!(!text.contains("weir-data"), "{text}");
    let kept = |text: &str| text.matches("/moved/here").count();
    assert_eq!(kept(&text), service::print(&settings(&[])).matches("./weir-data").count());
    assert!(kept(&text) >= 5, "{text}");
}

#[test]
fn a_log_that_has_grown_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.log");
    std::fs::File::create(&file).unwrap().set_len(MAX_LOG + 1).unwrap();
    drop(Log::redirect(folder.path()).unwrap());
    assert_eq!(std::fs::metadata(folder.path().join("weir.log.old")).unwrap().len(), MAX_LOG + 1);
    assert!(std::fs::metadata(&file).unwrap().len() < MAX_LOG);
}
