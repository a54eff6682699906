use std::collections::BTreeSet;

use super::*;

const HAND: &str = "a: 1
  # written by weir manifests: ports (by hand: nothing)
  - old
  - older
  # end of what weir manifests writes
b: 2
<!-- written by weir manifests: table -->
<!-- end of what weir manifests writes -->
c: 3
";

#[test]
fn a_block_replaces_what_is_between_its_markers() {
    let once = place::with_block(HAND, "ports", "  - new\n").unwrap();
    assert_eq!(once, HAND.replace("  - old\n  - older\n", "  - new\n"));
    assert_eq!(place::with_block(&once, "ports", "  - new\n").as_ref(), Some(&once), "twice is as once");
    let table = place::with_block(HAND, "table", "| x |\n").unwrap();
    assert!(table.contains("table -->\n| x |\n<!-- end"), "{table}");
}

#[test]
fn a_block_without_its_markers_is_an_error() {
    let open = HAND.replace("end of what", "end of all that");
    for (text, name) in [(HAND, "port"), ("", "ports"), (&open, "ports")] {
        assert_eq!(place::with_block(text, name, "x\n"), None, "{name}");
    }
}

#[test]
fn an_overlay_keeps_the_images_that_it_runs_and_gets_those_that_are_missing() {
    let old = "kind: Component\nimages:\n  - name: weir-a\n    newName: r.example/x/weir-a\n    digest: sha256:1\n  \
               - name: weir-gone\n    newName: r.example/x/weir-gone\n    newTag: 1.0.0\npatches: []\n";
    let programs = ["weir-a".to_owned(), "weir-b".to_owned()];
    let wanted = "kind: Component\nimages:\n  - name: weir-a\n    newName: r.example/x/weir-a\n    digest: sha256:1\n  \
                  - name: weir-b\n    newName: r.example/x/weir-b\n    newTag: 2.0.0\npatches: []\n";
    assert_eq!(place::with_images(old, &programs, "2.0.0").as_deref(), Some(wanted));
    assert_eq!(place::with_images("kind: Component\n", &programs, "2.0.0"), None);
}

#[test]
fn a_difference_is_from_the_first_line_that_differs_to_the_last() {
    assert_eq!(place::diff("x.yaml", "a\nb\nc\nd\n", "a\nB\nd\n"), "x.yaml, from line 2:\n-b\n-c\n+B\n");
    assert_eq!(place::diff("x.yaml", "", "a\n"), "x.yaml, from line 1:\n+a\n");
}

/// Without a checkout, as an installed program: everything is there, and each piece is another file.
#[test]
fn every_service_is_in_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let pieces = pieces(folder.path()).unwrap();
    let names: BTreeSet<_> = pieces.iter().map(Piece::name).collect();
    assert_eq!(names.len(), pieces.len());
    let all = |name: &str| pieces.iter().find(|piece| piece.name() == name).map(|piece| piece.text.as_str()).unwrap();
    for description in crate::catalogue::descriptions() {
        let name = description.name;
        for (file, line) in [
            ("k8s/base/services/services.yaml", format!("\n          image: weir-{name}\n")),
            ("k8s/base/services/kustomization.yaml", format!("\n  - name: weir-{name}\n")),
            ("docker-compose.yml.services", format!("\n  {name}:\n")),
            ("docs/kubernetes.md.services", format!("\n| {name} | `weir-{name}` |")),
        ] {
            assert!(all(file).contains(&line), "{file}: {line:?}");
        }
        let is_watched = all("k8s/base/services/health-check.toml").contains(&format!("name = \"{name}\""));
        assert_eq!(is_watched, !description.topics.is_empty(), "{name}");
    }
    let (table, kinds) = (all("crates/sources/README.md.sources"), all("crates/sources/README.md.kinds"));
    for source in sources::all() {
        assert!(table.contains(&format!("\n| `{}` | {} |", source.name(), source.descriptor().about)), "{table}");
        for platform in source.platforms() {
            assert!(kinds.contains(&format!("\n| `{platform}` | ")), "{platform}: {kinds}");
        }
    }
    assert!(table.contains("| `events.facebook.*`, `events.instagram.*`, `events.whatsapp.*` | – |"), "{table}");
    assert!(table.contains("| `events.github.*` | `x-github-event`, `x-github-delivery` |"), "{table}");
    assert!(kinds.contains("\n| `whatsapp` | `account_alert`, `account_review_update`, "), "{kinds}");
    assert!(all("docs/settings.md.settings").contains("\n| `replication_factor` | "));
    assert!(all("docs/settings.schema.json").ends_with("}\n"));
    assert!(
        all("k8s/components/strimzi/topics.yaml").contains("\n  replicas: 3\n"),
        "three copies unless a base says otherwise"
    );
}

#[test]
fn the_base_decides_partitions_and_copies() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join(BASE);
    std::fs::create_dir_all(base.parent().unwrap()).unwrap();
    std::fs::write(&base, "  - WEIR__BUS__PARTITIONS=12\n  - WEIR__BUS__KAFKA__BROKERS=nowhere:1\n").unwrap();
    let settings = settings(folder.path()).unwrap();
    assert_eq!((settings.bus.partitions, settings.bus.replication_factor), (12, 3));
    assert!(settings.bus.kafka.brokers.is_empty(), "nothing else counts");
    let scaled = pieces(folder.path()).unwrap().into_iter().find(|piece| piece.path.ends_with("scaled.yaml")).unwrap();
    assert!(scaled.text.contains("maxReplicaCount: 12"), "{}", scaled.text);
}
