//! What a loss of power left half written at the end of the newest journal.
//!
//! A batch that was synced is whole, and so is everything before it. Of what was written after that, any part may be on
//! the disk: the store drops a batch whose end is missing, but takes one whose middle is missing for damage, and does
//! not open. Only then this looks: the journal is cut after the last batch that is whole, as Kafka cuts a segment after a
//! crash. Nothing that was told to anybody stands behind that point, unless the disk has lost what it had promised to
//! keep; so what is cut is kept beside it, and told.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

/// The marks that begin the parts of a journal.
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// Stands after the checksum that ends a batch.
const TRAILER: &[u8] = b"FJL\x03";

/// Cuts the newest journal after its last whole batch. False: there is nothing to be cut.
pub(super) fn cut_what_is_torn(folder: &Path) -> io::Result<bool> {
    let Some(journal) = newest(folder)? else { return Ok(false) };
    let mut file = File::options().read(true).write(true).open(&journal)?;
    let size = file.metadata()?.len();
    let whole = whole(&mut BufReader::with_capacity(256 * 1024, &file))?;
    file.seek(SeekFrom::Start(whole))?;
    let mut torn = Vec::new();
    (&mut file).take(size - whole).read_to_end(&mut torn)?;
    let Some(last) = torn.iter().rposition(|byte| *byte != 0) else { return Ok(false) };
    torn.truncate(last + 1);
    let kept = journal.with_extension("torn");
    fs::write(&kept, &torn)?;
    file.set_len(whole)?;
    file.sync_all()?;
    tracing::warn!(
        journal = %journal.display(), whole, torn = torn.len(), kept = %kept.display(),
        "the end of the log's journal was incomplete, as after a power failure: it was truncated"
    );
    Ok(true)
}

fn newest(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut journals: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse().ok());
        journals.extend(number.map(|number| (number, path)));
    }
    Ok(journals.into_iter().max().map(|(_, path)| path))
}

/// Where the last whole batch ends.
fn whole(journal: &mut impl Read) -> io::Result<u64> {
    let mut at = 0;
    loop {
        match batch(journal) {
            Ok(Some(length)) => at += length,
            Ok(None) => return Ok(at),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(at),
            Err(error) => return Err(error),
        }
    }
}

/// The length of the next batch, if it is one, and whole.
fn batch(journal: &mut impl Read) -> io::Result<Option<u64>> {
    let [START] = take(journal)? else { return Ok(None) };
    let (items, _number) = (u32::from_le_bytes(take(journal)?), take::<8>(journal)?);
    let (mut length, mut sum) = (13, Xxh3::new());
    for _ in 0..items {
        let item = match take(journal)? {
            [CLEAR] => [&[CLEAR][..], &take::<8>(journal)?].concat(),
            [ITEM] => {
                // Type and compression, keyspace, lengths of the key, of the value, and of the value as it is stored.
                let head = take::<20>(journal)?;
                let (key, stored) = (u16::from_le_bytes([head[10], head[11]]), &head[16..]);
                let stored = u32::from_le_bytes([stored[0], stored[1], stored[2], stored[3]]);
                let rest = u64::from(key) + u64::from(stored);
                let mut item = [&[ITEM][..], &head].concat();
                if journal.take(rest).read_to_end(&mut item)? as u64 != rest {
                    return Ok(None);
                }
                item
            }
            _ => return Ok(None),
        };
        sum.update(&item);
        length += item.len() as u64;
    }
    let [END] = take(journal)? else { return Ok(None) };
    let expected = u64::from_le_bytes(take(journal)?);
    let trailer = take::<4>(journal)?;
    length += 13;
    Ok((expected == sum.digest() && trailer == *TRAILER).then_some(length))
}

fn take<const N: usize>(journal: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    journal.read_exact(&mut bytes)?;
    Ok(bytes)
}
