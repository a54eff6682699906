//! Names that are no settings of ours, as properties of a client and patterns of topics: they may have dots.

use std::collections::BTreeMap;

use super::tests::{error_of, load_with};

fn limits(file: &str, env: &[(&str, &str)]) -> BTreeMap<String, u32> {
    load_with(file, env).unwrap().shop.limits
}

fn map(entries: &[(&str, u32)]) -> BTreeMap<String, u32> {
    entries.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[test]
fn a_quoted_name_of_a_file_is_taken_as_it_is() {
    for (file, expected) in [
        ("[shop.limits]\n\"a.b\" = 1\n", &[("a.b", 1), ("page", 5)][..]),
        ("[shop]\nlimits = { \"raw.*\" = 1, 'x y[0]' = 2 }\n", &[("raw.*", 1), ("x y[0]", 2), ("page", 5)]),
        (
            "[shop.limits]\n\"socket.timeout.ms\" = 1\n\"socket\" = 2\n",
            &[("socket.timeout.ms", 1), ("socket", 2), ("page", 5)],
        ),
        ("[shop.limits]\n\"page\" = 6\n\"PAGE\" = 7\n", &[("page", 6), ("PAGE", 7)]),
        ("shop.limits.\"a.b\" = 1\n", &[("a.b", 1), ("page", 5)]),
    ] {
        assert_eq!(limits(file, &[]), map(expected), "{file}");
    }
}

#[test]
fn a_variable_holds_a_whole_table() {
    let file = "[shop.limits]\n\"a.b\" = 1\n";
    for (value, expected) in [
        ("{ \"a.b\" = 7, post = 8 }", &[("a.b", 7), ("post", 8)][..]),
        ("  {\"a.b\"=7}\n", &[("a.b", 7)]),
        ("{\n  \"a.b\" = 7, # the first\n  \"c.d\" = 8,\n}", &[("a.b", 7), ("c.d", 8)]),
        ("{}", &[]),
        ("", &[]),
    ] {
        assert_eq!(limits(file, &[("WEIR__SHOP__LIMITS", value)]), map(expected), "{value}");
    }
    let single = limits(file, &[("WEIR__SHOP__LIMITS__POST", "8")]);
    assert_eq!(single, map(&[("a.b", 1), ("page", 5), ("post", 8)]), "single names are set beside the others");
}

#[test]
fn what_is_printed_can_be_loaded_again() {
    let all = load_with("[shop.limits]\n\"a.b\" = 1\n", &[]).unwrap();
    let printed = super::print(&all);
    assert!(printed.contains("\"a.b\" = 1"), "{printed}");
    assert_eq!(limits(&printed, &[]), all.shop.limits);
}

const TABLE: &str = "write a TOML table: { \"name.with.dots\" = \"value\", name = 1 }";
const NUMBER: &str = "give a whole number from 0 to 4294967295, without quotes";

#[test]
fn errors_show_the_name_as_it_is_written() {
    for (file, expected) in [
        (
            "[shop]\n\"a.b\" = 1\n",
            "shop.\"a.b\" (weir.toml line 2): there is no such setting; remove it; known in [shop]: ",
        ),
        ("[shop]\n\"cou.nt\" = 1\n", "shop.\"cou.nt\" (weir.toml line 2): there is no such setting; "),
        ("[shop]\n\"\" = 1\n", "shop.\"\" (weir.toml line 2): there is no such setting; "),
        (
            "[shop.limits]\n\"a.b\" = true\n",
            &format!("shop.limits.\"a.b\" (weir.toml line 2): true is not what is expected; {NUMBER}"),
        ),
        (
            "[shop.limits]\na.b = 1\n",
            &format!(
                "shop.limits.a (weir.toml line 2): a section is not what is expected; {NUMBER}; write a name with dots \
                 in quotes: \"a.b\" = …"
            ),
        ),
        (
            "[shop.limits]\n\"my.token\" = \"planted\"\n",
            &format!("shop.limits.\"my.token\" (weir.toml line 2): the value is not what is expected; {NUMBER}"),
        ),
    ] {
        let found = error_of(file, &[]);
        assert!(found.starts_with(expected), "{file}\n{found}\n{expected}");
    }
}

#[test]
fn errors_of_variables_that_hold_tables() {
    for (value, expected) in [
        ("page=1", " (environment variable WEIR__SHOP__LIMITS): not TOML: ".to_owned()),
        ("5", format!(" (environment variable WEIR__SHOP__LIMITS): not a table; {TABLE}")),
        (
            "{ \"a.b\" = \"x\" }",
            format!(".\"a.b\" (environment variable WEIR__SHOP__LIMITS): \"x\" is not what is expected; {NUMBER}"),
        ),
        (
            "{ a = 99999999999999999999 }",
            " (environment variable WEIR__SHOP__LIMITS): a: the number is out of range; give a smaller one".to_owned(),
        ),
    ] {
        let found = error_of("", &[("WEIR__SHOP__LIMITS", value)]);
        assert!(found.starts_with(&format!("shop.limits{expected}")), "{value}\n{found}\n{expected}");
    }
    let found = error_of("", &[("WEIR__SHOP__LIMITS", "{ \"ssl.key.password\" = \"hunter2")]);
    assert!(!found.contains("hunter2"), "{found}");
    let found = error_of("", &[("WEIR__SHOP__LIMITS__a.b", "1")]);
    let fix = "set the section as a whole: WEIR__SHOP__LIMITS='{ \"name.with.dots\" = \"value\" }'";
    assert!(found.ends_with(&format!("the name of a variable must not have dots; {fix}")), "{found}");
}
