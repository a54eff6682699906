//! What `weir manifests` writes is what stands in the files.

use crate::render;

#[test]
fn what_is_written_is_what_the_code_says() {
    let files = weir::manifests::files(&render::root()).unwrap();
    let differing: Vec<String> =
        files.iter().filter(|file| !file.is_current()).map(weir::manifests::File::diff).collect();
    assert!(
        differing.is_empty(),
        "{}\nnot what the code says; this mends it: cargo run -p weir -- manifests --write",
        differing.join("\n")
    );
}

#[test]
fn every_overlay_has_every_image() {
    for overlay in render::OVERLAYS {
        let folder = render::root().join("k8s/overlays").join(overlay);
        let files =
            ["images/kustomization.yaml", "kustomization.yaml"].map(|file| std::fs::read_to_string(folder.join(file)));
        let text: String = files.into_iter().flatten().collect();
        for program in render::services().into_iter().map(|name| format!("weir-{name}")).chain(["weir".to_owned()]) {
            assert!(text.contains(&format!("\n  - name: {program}\n    newName: ")), "{overlay}: no image {program}");
        }
    }
}
