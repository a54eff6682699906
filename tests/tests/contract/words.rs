//! How the pages read: somebody who was woken at night understands a sentence at the first reading.

use std::path::{Path, PathBuf};

/// Words in a sentence.
const LONGEST: usize = 25;

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let in_folder = |folder: &str| std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let docs = in_folder("docs").chain(in_folder("docs/runbooks"));
    let mut pages: Vec<_> = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

/// The texts of a page, each with the number of its first line: paragraphs, items of lists, cells of tables. No code.
fn texts(page: &str) -> Vec<(usize, String)> {
    let (mut texts, mut is_code, mut going) = (Vec::new(), false, false);
    for (number, line) in (1..).zip(page.lines()) {
        let text = line.trim();
        is_code ^= text.starts_with("```");
        if is_code || text.is_empty() || ["```", "#", "<!--"].iter().any(|mark| text.starts_with(mark)) {
            going = false;
            continue;
        }
        if let Some(row) = text.strip_prefix('|') {
            texts.extend(row.split('|').map(|cell| (number, cell.trim().to_owned())));
            going = false;
            continue;
        }
        let item = text.strip_prefix("* ").or(text.strip_prefix("- "));
        let numbered = text.split_once(". ").filter(|(mark, _)| mark.parse::<u8>().is_ok()).map(|(_, rest)| rest);
        match item.or(numbered) {
            Some(item) => texts.push((number, item.to_owned())),
            None if going => {
                let (_, last) = texts.last_mut().unwrap();
                last.push(' ');
                last.push_str(text);
            }
            None => texts.push((number, text.to_owned())),
        }
        going = true;
    }
    texts
}

/// One word for each name in code, and none for where a link leads.
fn spoken(text: &str) -> String {
    let without_code = text.split('`').enumerate().map(|(n, part)| if n % 2 == 1 { "X" } else { part });
    let mut spoken: String = without_code.collect();
    while let Some(start) = spoken.find("](") {
        let end = spoken[start..].find(')').map_or(spoken.len(), |end| start + end + 1);
        spoken.replace_range(start..end, "]");
    }
    spoken
}

/// The sentences of a text: each ends before a word that begins one.
fn sentences(text: &str) -> Vec<String> {
    let (mut sentences, mut sentence, mut ended) = (Vec::new(), Vec::new(), false);
    for word in text.split_whitespace() {
        let begins =
            word.starts_with(|first: char| first.is_uppercase() || first.is_numeric() || "*[(\"".contains(first));
        if ended && begins {
            sentences.push(std::mem::take(&mut sentence).join(" "));
        }
        ended = word.trim_end_matches(['"', '\'', ')', '*']).ends_with(['.', '!', '?']);
        sentence.push(word);
    }
    sentences.push(sentence.join(" "));
    sentences
}

fn words(sentence: &str) -> usize {
    sentence.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

#[test]
fn sentences_are_short() {
    let mut long = Vec::new();
    for page in pages() {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        for (line, text) in texts(&std::fs::read_to_string(&page).unwrap()) {
            for sentence in sentences(&spoken(&text)) {
                let count = words(&sentence);
                if count > LONGEST {
                    long.push(format!("{name}:{line}: {count} words: {sentence}"));
                }
            }
        }
    }
    assert!(long.is_empty(), "make two sentences of each, of at most {LONGEST} words:\n{}", long.join("\n"));
}

#[test]
fn a_page_is_read_as_a_person_reads_it() {
    let page = "# A heading\n\nOne sentence. Another one\nof two lines, with `code of many words` and [a link](https://x.y/z).\n\n\
                ```sh\nno words here\n```\n\n| a cell | Another. One |\n* an item,\n  with more\n2. a step";
    let texts: Vec<_> = texts(page).into_iter().map(|(line, text)| (line, sentences(&spoken(&text)))).collect();
    let expected = [
        (3, vec!["One sentence.", "Another one of two lines, with X and [a link]."]),
        (10, vec!["a cell"]),
        (10, vec!["Another.", "One"]),
        (10, vec![""]),
        (11, vec!["an item, with more"]),
        (13, vec!["a step"]),
    ];
    assert_eq!(texts.len(), expected.len(), "{texts:?}");
    for ((line, said), (expected_line, expected)) in texts.iter().zip(&expected) {
        assert_eq!((line, said.iter().map(String::as_str).collect::<Vec<_>>()), (expected_line, expected.clone()));
    }
    assert_eq!(words("Weir's own page – 1.5 of it, X."), 7);
}
