//! Tables in pages of the documentation, which a run renews.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Replaces what stands in a page between the lines `<!-- name -->` and `<!-- end of name -->`.
///
/// # Errors
/// The page lacks one of them, or cannot be read or written.
pub fn renew(page: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- end of {name} -->"));
    let before = fs::read_to_string(page).with_context(|| format!("read {}", page.display()))?;
    let parts = before.split_once(&begin).and_then(|(head, rest)| Some((head, rest.split_once(&end)?.1)));
    let (head, tail) = parts.with_context(|| format!("{} lacks {begin} or {end}", page.display()))?;
    fs::write(page, format!("{head}{begin}\n{text}{end}{tail}")).with_context(|| format!("write {}", page.display()))
}
