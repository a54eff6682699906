use clap::CommandFactory as _;

use super::*;

fn help(command: &mut clap::Command, path: &str, all: &mut Vec<(String, String)>) {
    let path = format!("{path} {}", command.get_name()).trim().to_owned();
    all.push((path.clone(), command.render_long_help().to_string()));
    for sub in command.get_subcommands_mut() {
        help(sub, &path, all);
    }
}

#[test]
fn the_arguments_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_teaches() {
    let mut all = Vec::new();
    let mut command = Cli::command().term_width(100);
    command.build();
    help(&mut command, "", &mut all);
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "weir",
            "weir up",
            "weir simulate",
            "weir tail",
            "weir register",
            "weir register endpoint",
            "weir register account",
            "weir register rotate",
            "weir register list",
            "weir register get",
            "weir register delete",
            "weir trace",
            "weir lake",
            "weir lake count",
            "weir dead-letters",
            "weir dead-letters list",
            "weir dead-letters show",
            "weir dead-letters stats",
            "weir dead-letters replay",
            "weir dead-letters replays",
            "weir replay",
            "weir replay raw",
            "weir groups",
            "weir groups list",
            "weir groups set",
            "weir groups delete",
            "weir rebuild",
            "weir job",
            "weir job compact",
            "weir job vacuum",
            "weir job upgrade",
            "weir job export-reference",
            "weir job conservation",
            "weir health",
            "weir alerts",
            "weir alerts list",
            "weir alerts test",
            "weir platforms",
            "weir platforms check",
            "weir platforms redeliver",
            "weir platforms subscribe",
            "weir topics",
            "weir acls",
            "weir manifests",
            "weir settings",
            "weir settings schema",
            "weir settings reference",
            "weir wait",
        ]
    );
    for (name, text) in &all {
        insta::assert_snapshot!(name.replace(' ', "_"), text);
    }
}

#[test]
fn only_one_place_gives_a_secret() {
    let parse = |arguments: &[&str]| Cli::try_parse_from(arguments);
    let endpoint = ["weir", "register", "endpoint", "x", "--source", "github", "--tenant", "t"];
    assert!(parse(&endpoint).is_ok());
    // Where the service is can be said before and after what is asked for.
    assert!(parse(&["weir", "register", "list", "--grpc", "http://127.0.0.1:1"]).is_ok());
    assert!(parse(&["weir", "register", "--grpc", "http://127.0.0.1:1", "list"]).is_ok());
    assert!(parse(&[&endpoint[..], &["--secret-file", "a", "--secret-env", "B"]].concat()).is_err());
}

#[test]
fn a_secret_file_is_asked_for_by_name() {
    let error = read_secret_file(Path::new("/nowhere/secret")).unwrap_err();
    assert!(format!("{error:#}").contains("/nowhere/secret"));
}
