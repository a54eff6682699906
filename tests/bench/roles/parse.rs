//! Parsing alone: what becomes of raw records, as processing does it.

use std::time::Instant;

use processing::parse::Item;
use serde::{Deserialize, Serialize};

use crate::figures::Done;
use crate::role;
use crate::roles::inputs::{From, Inputs};

pub(crate) const NAME: &str = "parse";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Read what is new into memory.
    Load,
    /// Parse what is in memory.
    Parse,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Loaded {
        records: u64,
        /// Of their values.
        bytes: u64,
    },
    Parsed {
        done: Done,
        events: u64,
        refused: u64,
    },
}

pub(crate) fn run(from: &From) -> anyhow::Result<()> {
    let mut inputs = Inputs::new(from);
    let mut loaded = Vec::new();
    role::serve(|command| match command {
        Command::Load => {
            loaded = inputs.load()?;
            Ok(Answer::Loaded { records: loaded.len() as u64, bytes: loaded.iter().map(|input| input.bytes()).sum() })
        }
        Command::Parse => {
            let began = Instant::now();
            let (mut events, mut refused) = (0, 0);
            for input in &loaded {
                for item in inputs.parse(input).items {
                    match item {
                        Item::Event(_) => events += 1,
                        Item::Refused(_) => refused += 1,
                    }
                }
            }
            let done = Done { records: loaded.len() as u64, elapsed: began.elapsed(), latency: None };
            Ok(Answer::Parsed { done, events, refused })
        }
    })
}
