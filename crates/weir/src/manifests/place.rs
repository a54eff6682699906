//! Where what is written goes. Pure: texts become texts.

use std::fmt::Write as _;

/// Stands, with the name of the block, in the line before it.
pub(super) const BEGIN: &str = "written by weir manifests: ";
/// Stands in the line after a block.
pub(super) const END: &str = "end of what weir manifests writes";

/// The text with this block between its markers. `None`: it has none.
pub(super) fn with_block(text: &str, name: &str, block: &str) -> Option<String> {
    let mut lines = text.split_inclusive('\n');
    let mut wanted = String::new();
    loop {
        let line = lines.next()?;
        wanted.push_str(line);
        let named = line.split_once(BEGIN).and_then(|(_, rest)| rest.split_whitespace().next());
        if named == Some(name) {
            break;
        }
    }
    wanted.push_str(block);
    let mut rest = lines.skip_while(|line| !line.contains(END)).peekable();
    rest.peek()?;
    wanted.extend(rest);
    Some(wanted)
}

/// The text of a kustomization with one image for each program. Those that are there stay as they are, for a push or a
/// promotion decides which tag or digest runs; new ones come from where the others come from. `None`: it has no images.
pub(super) fn with_images(text: &str, programs: &[String], version: &str) -> Option<String> {
    let (head, rest) = text.split_once("\nimages:\n")?;
    let end: usize = rest.split_inclusive('\n').take_while(|line| line.starts_with(' ')).map(str::len).sum();
    let (list, tail) = rest.split_at(end);
    let known: Vec<(&str, &str)> =
        list.split("  - name: ").skip(1).filter_map(|entry| entry.split_once('\n')).collect();
    let registry = known.iter().find_map(|(name, entry)| {
        let new_name = entry.lines().find_map(|line| line.trim().strip_prefix("newName: "))?;
        new_name.strip_suffix(*name)
    });
    let registry = registry.unwrap_or("registry.example.com/weir/");
    let mut wanted = format!("{head}\nimages:\n");
    for program in programs {
        let _ = match known.iter().find(|(name, _)| *name == program.as_str()) {
            Some((_, entry)) => write!(wanted, "  - name: {program}\n{entry}"),
            None => write!(wanted, "  - name: {program}\n    newName: {registry}{program}\n    newTag: {version}\n"),
        };
    }
    wanted.push_str(tail);
    Some(wanted)
}

/// From the first line that differs to the last.
pub(super) fn diff(path: &str, now: &str, wanted: &str) -> String {
    let (now, wanted): (Vec<&str>, Vec<&str>) = (now.lines().collect(), wanted.lines().collect());
    let head = now.iter().zip(&wanted).take_while(|(now, wanted)| now == wanted).count();
    let (now, wanted) = (&now[head..], &wanted[head..]);
    let tail = now.iter().rev().zip(wanted.iter().rev()).take_while(|(now, wanted)| now == wanted).count();
    let mut text = format!("{path}, from line {}:\n", head + 1);
    for (sign, lines) in [('-', &now[..now.len() - tail]), ('+', &wanted[..wanted.len() - tail])] {
        for line in lines {
            let _ = writeln!(text, "{sign}{line}");
        }
    }
    text
}
