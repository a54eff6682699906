//! Tables in pages of the documentation, which a run renews.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// What stands in a page between the lines `<!-- name -->` and `<!-- end of name -->`.
#[derive(Debug)]
pub struct Table {
    page: PathBuf,
    name: String,
}

impl Table {
    /// Finds the table, before the run that renews it. A page that does not exist is made, with an empty table.
    ///
    /// # Errors
    /// The page lacks one of the two lines, or cannot be read or made.
    pub fn find(page: &Path, name: &str) -> anyhow::Result<Self> {
        let table = Self { page: page.to_owned(), name: name.to_owned() };
        if page.exists() {
            table.around()?;
        } else {
            table.write("", "", "\n")?;
        }
        Ok(table)
    }

    /// Replaces the table.
    ///
    /// # Errors
    /// The page lacks one of the two lines, or cannot be read or written.
    pub fn renew(&self, text: &str) -> anyhow::Result<()> {
        let (head, tail) = self.around()?;
        self.write(&head, text, &tail)
    }

    fn lines(&self) -> (String, String) {
        (format!("<!-- {} -->", self.name), format!("<!-- end of {} -->", self.name))
    }

    /// What stands before the two lines, and after them.
    fn around(&self) -> anyhow::Result<(String, String)> {
        let (begin, end) = self.lines();
        let page = self.page.display();
        let text = fs::read_to_string(&self.page).with_context(|| format!("cannot read {page}"))?;
        let Some((head, rest)) = text.split_once(&begin) else { bail!("{page} lacks the line {begin}") };
        let Some((_, tail)) = rest.split_once(&end) else { bail!("{page} lacks the line {end} after {begin}") };
        Ok((head.to_owned(), tail.to_owned()))
    }

    fn write(&self, head: &str, text: &str, tail: &str) -> anyhow::Result<()> {
        let (begin, end) = self.lines();
        let written = fs::write(&self.page, format!("{head}{begin}\n{text}{end}{tail}"));
        written.with_context(|| format!("cannot write {}", self.page.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Table;
    use crate::scratch::Scratch;

    #[test]
    fn only_the_table_of_its_name_is_replaced() {
        let scratch = Scratch::new("page").unwrap();
        let page = scratch.path().join("page.md");
        let with =
            |b: &str| format!("a\n<!-- one -->\nA\n<!-- end of one -->\nb\n<!-- two -->\n{b}<!-- end of two -->\nc\n");
        fs::write(&page, with("B\n")).unwrap();
        Table::find(&page, "two").unwrap().renew("C\nD\n").unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), with("C\nD\n"));
    }

    #[test]
    fn a_page_that_has_no_place_for_it_is_told_before_the_run() {
        let scratch = Scratch::new("page").unwrap();
        let page = scratch.path().join("page.md");
        for (text, said) in [
            ("a\n", "lacks the line <!-- one -->"),
            ("<!-- end of one --><!-- one -->", "lacks the line <!-- end of one --> after <!-- one -->"),
        ] {
            fs::write(&page, text).unwrap();
            let error = Table::find(&page, "one").unwrap_err().to_string();
            assert!(error.ends_with(said), "{error}");
            assert_eq!(fs::read_to_string(&page).unwrap(), text);
        }
        let nowhere = scratch.path().join("no-folder/page.md");
        let error = Table::find(&nowhere, "one").unwrap_err().to_string();
        assert!(error.starts_with("cannot write "), "{error}");
    }

    #[test]
    fn a_page_that_does_not_exist_is_made() {
        let scratch = Scratch::new("page").unwrap();
        let page = scratch.path().join("page.md");
        let table = Table::find(&page, "one").unwrap();
        table.renew("A\n").unwrap();
        table.renew("B\n").unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), "<!-- one -->\nB\n<!-- end of one -->\n");
    }
}
