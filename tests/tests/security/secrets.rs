//! Secrets that are planted, and the search for them in what came out.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A secret by the name that messages call it.
pub(crate) struct Planted {
    name: &'static str,
    forms: Vec<String>,
}

/// Bytes as characters, one for one: the standard library looks for texts fast, also in a test that is not optimised.
fn characters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

impl Planted {
    /// In the forms in which a text gets into logs: as it is, as base64 (of itself, or somewhere in something longer), as
    /// hex, as a list of numbers, and escaped for a URL.
    pub(crate) fn new(name: &'static str, secret: impl AsRef<[u8]>) -> Self {
        let secret = secret.as_ref();
        assert!(secret.len() >= 12, "{name} is too short to be told from chance");
        let mut forms = vec![
            secret.to_vec(),
            STANDARD.encode(secret).into_bytes(),
            URL_SAFE_NO_PAD.encode(secret).into_bytes(),
            hex::encode(secret).into_bytes(),
            hex::encode_upper(secret).into_bytes(),
            escaped(secret).into_bytes(),
        ];
        for separator in [", ", ","] {
            let numbers: Vec<_> = secret.iter().map(u8::to_string).collect();
            forms.push(numbers.join(separator).into_bytes());
        }
        // Somewhere in what was encoded as a whole: three ways to begin, without the digits that depend on neighbours.
        for shift in 0..3 {
            let inner = &secret[(3 - shift) % 3..];
            let whole = STANDARD_NO_PAD.encode(&inner[..inner.len() / 3 * 3]);
            forms.push(whole.into_bytes());
        }
        forms.sort();
        forms.dedup();
        Self { name, forms: forms.iter().map(|form| characters(form)).collect() }
    }

    fn is_in(&self, text: &str) -> bool {
        self.forms.iter().any(|form| text.contains(form))
    }
}

fn escaped(secret: &[u8]) -> String {
    secret
        .iter()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => char::from(*byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// What was planted, and what came out, each with where it came from.
#[derive(Default)]
pub(crate) struct Search {
    pub(crate) planted: Vec<Planted>,
    pub(crate) heard: Vec<(String, String)>,
}

impl Search {
    pub(crate) fn hear(&mut self, from: impl Into<String>, text: impl AsRef<[u8]>) {
        self.heard.push((from.into(), characters(text.as_ref())));
    }

    /// Where something is found, by name.
    pub(crate) fn places(&self, planted: &Planted) -> Vec<&str> {
        self.heard.iter().filter(|(_, text)| planted.is_in(text)).map(|(from, _)| from.as_str()).collect()
    }

    /// Each secret that is somewhere, and where.
    pub(crate) fn told(&self) -> Vec<String> {
        let found = self.planted.iter().map(|planted| (planted.name, self.places(planted)));
        found.filter(|(_, places)| !places.is_empty()).map(|(name, places)| format!("{name} in {places:?}")).collect()
    }
}

#[test]
fn the_search_finds_what_is_there_in_every_form() {
    let secret = "p1anted+se/cret!";
    let forms = [
        format!("{{\"password\":\"{secret}\"}}"),
        STANDARD.encode(secret),
        STANDARD.encode(format!("user:{secret}")),
        STANDARD.encode(format!("xuser:{secret} and more")),
        STANDARD.encode(format!("xyuser:{secret}.")),
        hex::encode(format!("ab{secret}")),
        "redis://:p1anted%2Bse%2Fcret%21@127.0.0.1".to_owned(),
        format!("{:?}", secret.as_bytes()),
    ];
    for form in forms {
        let mut search = Search { planted: vec![Planted::new("secret", secret)], ..Search::default() };
        search.hear("log", form.clone());
        assert_eq!(search.told(), ["secret in [\"log\"]"], "{form}");
    }
    let mut search = Search { planted: vec![Planted::new("secret", secret)], ..Search::default() };
    search.hear("log", "p1anted and secret!");
    assert!(search.told().is_empty());
}
