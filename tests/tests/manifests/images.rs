//! deploy/Dockerfile: one file for all services.

use crate::render;

#[test]
fn the_dockerfile_keeps_its_promises() {
    let dockerfile = std::fs::read_to_string(render::root().join("deploy/Dockerfile")).unwrap();
    let stages: Vec<_> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    for image in stages.iter().map(|stage| stage.split(' ').next().unwrap()) {
        let is_stage = stages.iter().any(|stage| stage.ends_with(&format!(" AS {image}")));
        assert!(is_stage || (image.contains(':') && !image.ends_with(":latest")), "{image} has no fixed tag");
    }
    let runtime = dockerfile.rsplit("\nFROM ").next().unwrap();
    for promise in ["USER 65532:65532", "HEALTHCHECK", "\"healthcheck\"", "ENTRYPOINT [\"/weir\"]"] {
        assert!(runtime.contains(promise), "the runtime image lacks {promise}");
    }
    assert!(!runtime.contains("\nRUN "), "the runtime image has no shell to run anything");
}

/// The compiler of the image is the compiler of the project.
#[test]
fn the_image_builds_with_the_pinned_compiler() {
    let dockerfile = std::fs::read_to_string(render::root().join("deploy/Dockerfile")).unwrap();
    let toolchain: toml::Value =
        toml::from_str(&std::fs::read_to_string(render::root().join("rust-toolchain.toml")).unwrap()).unwrap();
    let version = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert!(
        dockerfile.contains(&format!("FROM rust:{version}-")),
        "deploy/Dockerfile does not build with Rust {version}"
    );
}
