//! Texts that JSON can say and Unicode cannot: half of a surrogate pair, `\ud83d` without its other half. A sender that
//! cuts a text in the middle of an emoji makes one, and no parser into Rust's strings can take it.
//!
//! Each half becomes U+FFFD, as everywhere where text is decoded, and what was sent is kept beside it.

use std::collections::BTreeMap;

use super::reader::push_segment;

/// What stands where half of a pair stood; as long as what it takes the place of.
const REPLACEMENT: &[u8] = br"\ufffd";
/// The parser stops at this depth, so nothing is looked for below.
const DEEPEST: usize = 128;

/// What could not be read as it was sent: the JSON text of each, by its JSON Pointer.
pub type Sent = BTreeMap<String, String>;

/// A text that can be read, in place of one that cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The text, each half of a pair replaced. As long as what was sent.
    pub text: String,
    /// The strings that had one, as they were sent. Of a member whose name had one the name stands in the pointer as it
    /// was sent, and its value here. Together no more than the text is long.
    pub sent: Sent,
}

/// Replaces halves of surrogate pairs. `None` where there is none: then it is for another reason that the text cannot
/// be read. To be asked only when it cannot. What is no JSON is still none afterwards.
pub fn repair(text: &str) -> Option<Repaired> {
    let mut scan = Scan {
        text: text.as_bytes(),
        repaired: Vec::new(),
        stack: Vec::new(),
        member: None,
        sent: Sent::new(),
        room: text.len(),
    };
    scan.run();
    if scan.repaired.is_empty() {
        return None;
    }
    // An escape in ASCII took the place of another, so this is UTF-8 still.
    String::from_utf8(scan.repaired).ok().map(|text| Repaired { text, sent: scan.sent })
}

/// A container that is open.
enum Open {
    /// With the place of the name of the member that is being read, between its quotes; `None`: a name comes next.
    Object(Option<(usize, usize)>),
    /// With the index of the item that is being read.
    List(usize),
}

/// A member whose name had half of a pair: its value is kept as a whole.
struct Member {
    depth: usize,
    from: usize,
    pointer: String,
}

struct Scan<'a> {
    text: &'a [u8],
    /// Empty until something was replaced.
    repaired: Vec<u8>,
    stack: Vec<Open>,
    member: Option<Member>,
    sent: Sent,
    /// How much more may be kept.
    room: usize,
}

impl Scan<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'"' => {
                    at = self.string(at);
                    continue;
                }
                b'{' => self.stack.push(Open::Object(None)),
                b'[' => self.stack.push(Open::List(0)),
                b'}' | b']' => {
                    self.end_member(at);
                    self.stack.pop();
                }
                b',' => {
                    self.end_member(at);
                    match self.stack.last_mut() {
                        Some(Open::Object(name)) => *name = None,
                        Some(Open::List(index)) => *index += 1,
                        None => {}
                    }
                }
                _ => {}
            }
            if self.stack.len() > DEEPEST {
                return;
            }
            at += 1;
        }
    }

    /// Reads a string that begins at its quote; where it ends.
    fn string(&mut self, from: usize) -> usize {
        let mut at = from + 1;
        let mut halves = false;
        let end = loop {
            match self.text.get(at) {
                None => return at,
                Some(b'"') => break at,
                Some(b'\\') => {
                    let length = match (self.unit(at), self.unit(at + 6)) {
                        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
                        (Some(0xd800..=0xdfff), _) => {
                            halves = true;
                            self.replace(at);
                            6
                        }
                        _ => 2,
                    };
                    at += length;
                }
                Some(_) => at += 1,
            }
        };
        if let Some(Open::Object(name @ None)) = self.stack.last_mut() {
            *name = Some((from + 1, end));
            if halves && self.member.is_none() {
                let pointer = self.pointer(true);
                self.member = Some(Member { depth: self.stack.len(), from: end + 1, pointer });
            }
        } else if halves && self.member.is_none() {
            let pointer = self.pointer(false);
            self.keep(pointer, from, end + 1);
        }
        end + 1
    }

    /// The code unit of the escape that begins here.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix(br"\u")?;
        // `from_str_radix` takes a sign, which is no digit.
        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    fn replace(&mut self, at: usize) {
        if self.repaired.is_empty() {
            self.repaired = self.text.to_vec();
        }
        self.repaired[at..at + REPLACEMENT.len()].copy_from_slice(REPLACEMENT);
    }

    fn end_member(&mut self, end: usize) {
        if let Some(member) = self.member.take_if(|member| member.depth == self.stack.len()) {
            // Between the name and the value there is a colon.
            let value = self.text.get(member.from..end).unwrap_or_default().trim_ascii_start();
            let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
            let from = end - value.len() - trailing(&self.text[..end]);
            self.keep(member.pointer, from, from + value.len());
        }
    }

    fn keep(&mut self, pointer: String, from: usize, to: usize) {
        let size = pointer.len() + (to - from);
        if size > self.room {
            return;
        }
        self.room -= size;
        let text = String::from_utf8_lossy(&self.text[from..to]).into_owned();
        self.sent.insert(pointer, text);
    }

    /// Where this is. `as_sent`: the last name with its escapes.
    fn pointer(&self, as_sent: bool) -> String {
        let source = if self.repaired.is_empty() { self.text } else { &self.repaired };
        let mut pointer = String::new();
        for (n, open) in self.stack.iter().enumerate() {
            match open {
                Open::List(index) => push_segment(&mut pointer, &index.to_string()),
                Open::Object(None) => {}
                Open::Object(Some((from, to))) => {
                    let is_last = n + 1 == self.stack.len();
                    let raw = |text: &[u8]| String::from_utf8_lossy(&text[*from..*to]).into_owned();
                    if as_sent && is_last {
                        push_segment(&mut pointer, &raw(self.text));
                    } else {
                        let name = serde_json::from_slice(&source[*from - 1..=*to]);
                        push_segment(&mut pointer, &name.unwrap_or_else(|_| raw(source)));
                    }
                }
            }
            // Longer than what may be kept: whatever it leads to is not.
            if pointer.len() > self.room {
                break;
            }
        }
        pointer
    }
}

fn trailing(text: &[u8]) -> usize {
    text.len() - text.trim_ascii_end().len()
}

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;
