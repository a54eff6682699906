//! The finder of circles on invented files.

use std::path::PathBuf;

use super::{Modules, circles};

/// The circles of invented files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let texts = files.iter().map(|(file, text)| (PathBuf::from(file), (*text).to_owned()));
    let modules = Modules::of_texts(texts);
    circles(&modules.steps()).iter().map(|circle| circle.join(" -> ")).collect()
}

#[test]
fn two_and_three_that_need_each_other_are_found() {
    let two = [
        ("lib.rs", "mod ant;\nmod bee;\nuse ant::Ant;\n"),
        ("ant.rs", "use crate::bee::{self, Bee as Other};\n"),
        ("bee.rs", "fn bee() -> Option<super::ant::Ant> {\n"),
    ];
    assert_eq!(circles_of(&two), ["ant -> bee -> ant"]);
    let three = [
        ("zoo/mod.rs", "mod ant;\nmod bee;\nmod cat;\n"),
        (
            "zoo/ant.rs",
            "use std::fmt;\n\npub(crate) use super::dog;\nuse super::{\n    bee::{Bee, HIVE},\n    Zoo,\n};\n",
        ),
        ("zoo/bee.rs", "fn bee(cat: &'static crate::zoo::cat::Cat) {}\n"),
        ("zoo/cat.rs", "use self::super::ant;\nuse super::bee::{Bee};\n"),
    ];
    assert_eq!(
        circles_of(&three),
        ["zoo::ant -> zoo::bee -> zoo::cat -> zoo::ant", "zoo::bee -> zoo::cat -> zoo::bee"]
    );
}

#[test]
fn parents_and_children_may_need_each_other() {
    let files = [
        ("lib.rs", "mod ant;\npub use ant::Ant;\nuse bee::Bee;\n"),
        ("ant.rs", "mod leg;\nuse crate::Bee;\nfn leg() -> leg::Leg {}\n"),
        ("ant/leg.rs", "use super::Ant;\nuse crate::ant::Ant;\nuse super::super::Ant;\n"),
        ("antler.rs", "use crate::ant::Ant;\n"),
    ];
    assert_eq!(circles_of(&files), [""; 0]);
}

#[test]
fn what_is_passed_on_is_of_whoever_has_it() {
    let files = [
        ("lib.rs", "mod ant;\nmod bee;\npub use bee::{Bee, hive::Hive as Home};\n"),
        ("ant.rs", "pub(super) use cell::Cell;\n\nuse crate::Home;\n"),
        ("ant/cell.rs", "pub struct Cell;\n"),
        ("bee.rs", "pub(crate) mod hive;\n"),
        ("bee/hive.rs", "fn hive(of: crate::ant::Cell) -> crate::ant::Ant {}\n"),
    ];
    // By its other name, and not with what is only passed on beside it.
    assert_eq!(circles_of(&files), ["ant -> bee::hive -> ant"]);
    // Nobody has what two pass on to each other.
    let endless = [("ant.rs", "pub use crate::bee::X;\nuse crate::bee::X;\n"), ("bee.rs", "pub use crate::ant::X;\n")];
    assert_eq!(circles_of(&endless), [""; 0]);
}

#[test]
fn what_is_passed_on_is_needed_where_its_name_occurs() {
    let of = |ant: &str| circles_of(&[("ant.rs", ant), ("bee.rs", "use crate::ant::Ant;\npub struct Bee;\n")]);
    assert_eq!(of("pub(crate) use crate::bee::Bee;\npub struct Ant(Bee);\n"), ["ant -> bee -> ant"]);
    assert_eq!(of("pub(in crate::zoo) use crate::bee::{Bee as Other};\nfn ant() -> Other {}\n"), ["ant -> bee -> ant"]);
    // The name of a field, of a part of another path, and in texts.
    assert_eq!(of("pub use crate::bee::Bee;\nfn ant() { x.Bee; std::Bee::x; \"Bee\" } // Bee\n"), [""; 0]);
}

#[test]
fn what_a_parent_imports_for_itself_is_seen_below() {
    let of = |lib: &str, zoo: &str, ant: &str| {
        let bee = ("bee.rs", "use crate::zoo::ant::Ant;\npub struct Bee;\n");
        circles_of(&[("lib.rs", lib), ("zoo.rs", zoo), ("zoo/ant.rs", ant), bee])
    };
    assert_eq!(of("use bee::Bee;\n", "", "use crate::Bee;\n"), ["bee -> zoo::ant -> bee"]);
    // By a path that goes on, and around another.
    assert_eq!(of("", "use crate::bee;\n", "fn ant() { super::bee::go() }\n"), ["bee -> zoo::ant -> bee"]);
    assert_eq!(of("use bee::Bee as X;\n", "use super::X as Y;\n", "use super::Y;\n"), ["bee -> zoo::ant -> bee"]);
    // Within a function, of another crate, and hidden by what the parent has.
    assert_eq!(of("fn lib() { use bee::Bee; }\n", "", "use crate::Bee;\n"), [""; 0]);
    assert_eq!(of("use hive::Bee;\n", "use ::bee::Bee as X;\n", "use crate::Bee;\nuse super::X;\n"), [""; 0]);
    assert_eq!(of("use bee::Bee as X;\nstruct Bee;\n", "", "use crate::Bee;\n"), [""; 0]);
}

#[test]
fn what_stands_for_everything_is_followed() {
    let of = |zoo: &str, cat: &str| {
        circles_of(&[
            ("zoo.rs", zoo),
            ("zoo/ant.rs", "pub const LEGS: u8 = 6;\npub(crate) async fn walk() {}\nfn ant() { crate::cat::cat() }\n"),
            ("zoo/bee.rs", "pub use super::cell::Cell;\nfn bee() { crate::cat::cat() }\n"),
            ("zoo/cell.rs", "pub struct Cell;\n"),
            ("cat.rs", cat),
        ])
    };
    let zoo = "pub use ant::*;\npub(crate) use self::bee::*;\nuse std::fmt::*;\n";
    assert_eq!(of(zoo, "use crate::zoo::LEGS;\n"), ["cat -> zoo::ant -> cat"]);
    assert_eq!(of(zoo, "fn cat() { crate::zoo::walk() }\n"), ["cat -> zoo::ant -> cat"]);
    assert_eq!(of(zoo, "use crate::zoo::*;\nfn cat() { walk() }\n"), ["cat -> zoo::ant -> cat"]);
    // The cell is declared elsewhere, of the rest nobody has anything, and the last name is not used.
    assert_eq!(of(zoo, "use crate::zoo::{Cell, Other};\nuse crate::zoo::*;\n"), [""; 0]);
    let endless = [("ant.rs", "pub use crate::bee::*;\nfn ant() { X }\n"), ("bee.rs", "pub use crate::ant::*;\n")];
    assert_eq!(circles_of(&endless), [""; 0]);
}

#[test]
fn comments_texts_and_tests_need_nothing() {
    let of = |bee: &str| circles_of(&[("ant.rs", "use crate::bee::Bee;\n"), ("bee.rs", bee)]);
    let nothing = [
        "//! See crate::ant::Ant.\nconst AT: &str = \"http://ant\"; // not crate::ant::Ant\n",
        "/* crate::ant::Ant /* within */ crate::ant::Ant */\n",
        "const A: &str = r#\"\" crate::ant::Ant\"#;\nconst B: &[u8] = b\"\\\" crate::ant::Ant\";\n",
        "#[cfg(test)]\nmod tests {\n    use crate::ant::Ant;\n\n    fn ant() {\n    }\n}\n",
        "#[cfg(test)]\n#[allow(clippy::ant, reason = \"]\")]\npub(crate) mod tests {\n    use crate::ant::Ant;\n}\n",
        "#[rustfmt::skip]\n#[cfg(test)]\nmod tests {\n    const END: &str = \"\n}\n\";\n    use crate::ant::Ant;\n}\n",
        "#[cfg(test)]\npub use crate::ant::{Ant, Leg};\n",
        "#[cfg(test)]\nconst ANT: [crate::ant::Ant; 2] = { crate::ant::ants() };\n",
        "#[cfg(test)]\npub(super) const fn ant(x: [u8; 2]) -> crate::ant::Ant {\n    crate::ant::ant()\n}\n",
        "#[cfg(test)]\nimpl Bee {\n    fn a() {}\n    fn b() { crate::ant::ant() }\n}\n",
        "struct Bee {\n    #[cfg(test)]\n    ants: Map<fn() -> u8, crate::ant::Ant>,\n}\n",
        "fn bee() {\n    #[cfg(test)]\n    let ant = Bee { a } + crate::ant::ant();\n    go(#[cfg(test)] crate::ant::ant())\n}\n",
        "#[test]\nfn ant() {\n    crate::ant::ant();\n}\n",
    ];
    for text in nothing {
        assert_eq!(of(text), [""; 0], "{text}");
        // And nothing after it is lost.
        assert_eq!(of(&format!("{text}use crate::ant::Ant;\n")), ["ant -> bee -> ant"], "{text}");
    }
    let something = [
        "fn bee() { go(\"http://ant\", crate::ant::go) }\n",
        "fn bee<'a>(quote: char) { quote == '\"' || quote == '\\'' || quote == b'\"' || crate::ant::go() }\n",
        "const A: &str = r\"\\\";\nuse crate::ant::Ant;\nconst B: &str = \"\";\n",
        "#[cfg(not(test))]\nuse crate::ant::Ant;\n",
        "#[serde(with = \"crate::ant::as_text\")]\nstruct Bee;\n",
        "fn bee() -> impl Fn() + use<> { crate::ant::go }\n",
        "struct Bee {\n    #[cfg(test)]\n    held: Map<u8, u8>,\n    ant: crate::ant::Ant,\n}\n",
        "struct Bee {\n    #[cfg(test)]\n    held: u8\n}\nuse crate::ant::Ant;\n",
    ];
    for text in something {
        assert_eq!(of(text), ["ant -> bee -> ant"], "{text}");
    }
}

#[test]
fn files_for_tests_alone_need_nothing() {
    let of = |zoo: &str, samples: &str| {
        circles_of(&[
            ("zoo/mod.rs", zoo),
            (samples, "fn sample() { crate::bee::bee() }\n"),
            ("bee.rs", "fn bee() { crate::zoo::go() }\nuse crate::zoo::samples::sample;\nuse crate::zoo::ants::X;\n"),
        ])
    };
    for inside in ["zoo/samples.rs", "zoo/samples/mod.rs", "zoo/samples/more.rs"] {
        assert_eq!(of("#[cfg(test)]\npub(crate) mod samples;\n", inside), [""; 0]);
    }
    assert_eq!(of("#[cfg(test)]\n#[path = \"ants.rs\"]\nmod tests;\n", "zoo/ants.rs"), [""; 0]);
    assert_eq!(of("#[path = \"ants.rs\"]\n#[cfg(test)]\nmod tests;\n", "zoo/ants.rs"), [""; 0]);
    let found = ["bee -> zoo::samples -> bee"];
    assert_eq!(of("pub(crate) mod samples;\n#[cfg(test)]\nmod sample;\n", "zoo/samples.rs"), found);
}

#[test]
fn methods_are_where_their_impl_is() {
    let of = |ant: &str, walk: &str| {
        let leg = ("leg.rs", "use crate::walk::go;\npub struct Leg;\nimpl Leg {\n    fn stretch(&self) {}\n}\n");
        circles_of(&[("ant.rs", ant), leg, ("walk.rs", walk)])
    };
    let walk = "use crate::ant::{Ant, go};\nimpl Ant {\n    pub fn walk_on(&self) { go() }\n    fn go(&self) {}\n}\n";
    let found = ["ant -> walk -> ant"];
    assert_eq!(of("pub struct Ant;\nfn go(ant: &Ant) { ant.walk_on() }\n", walk), found);
    assert_eq!(of("pub struct Ant;\nfn go(ant: &Ant) { ant.walk_on::<u8>() }\n", walk), found);
    assert_eq!(of("pub struct Ant;\nfn go() { iter().map(Ant::walk_on) }\n", walk), found);
    // Of its own type even where the name is short.
    assert_eq!(of("pub struct Ant;\nimpl Ant {\n    fn a(&self) { self.go() }\n}\n", walk), found);
    assert_eq!(of("pub struct Ant;\nimpl<'a> Clone for Ant {\n    fn clone() { Self::go() }\n}\n", walk), found);
    // Short, a field, of another type, or of two.
    assert_eq!(of("pub struct Ant;\nfn go(ant: &Ant) { ant.go() }\n", walk), [""; 0]);
    assert_eq!(of("pub struct Ant;\nfn go(ant: &Ant) { ant.walk_on }\n", walk), [""; 0]);
    assert_eq!(
        of("pub struct Ant;\nstruct Other;\nimpl Other {\n    fn a(&self) { self.walk_on() }\n}\n", walk),
        [""; 0]
    );
    let twice = "pub struct Ant;\ntrait Walk {\n    fn walk_on(&self);\n}\nfn go(ant: &Ant) { ant.walk_on() }\n";
    assert_eq!(of(twice, walk), [""; 0]);
    // As a library's.
    let known = walk.replace("walk_on", "insert");
    assert_eq!(of("pub struct Ant;\nfn go(ant: &Ant) { ant.insert() }\n", &known), [""; 0]);
    // Of a trait, and where the type is.
    let of_trait = walk.replace("impl Ant", "impl<T: for<'a> Fn(&'a u8)> Walk<T> for Ant");
    assert_eq!(of("pub struct Ant;\nfn go(ant: &Ant) { ant.walk_on() }\n", &of_trait), [""; 0]);
    assert_eq!(of("pub struct Ant;\n", "fn go(leg: &X) { leg.stretch() }\n"), [""; 0]);
}
