//! A folder as an object store whose objects survive a loss of power.
//!
//! The store of the library leaves that to the system: after a loss of power an object that was acknowledged may be
//! empty. Here the contents are on the disk before the name is, and the name is before the call returns.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
    UploadPart,
};

const NAME: &str = "local folder";
/// Where files are written before they get their names.
const STAGING: &str = ".staging";
/// What is older is left of a process that ended; no write takes that long.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// Reading and deleting are the library's; writing is here, and the order of what is listed.
#[derive(Debug)]
pub(crate) struct DurableFolder {
    files: LocalFileSystem,
    folder: Arc<FilePath>,
    staged: AtomicU64,
}

impl DurableFolder {
    pub(crate) fn open(folder: &FilePath) -> io::Result<Self> {
        let staging = folder.join(STAGING);
        fs::create_dir_all(&staging)?;
        let folder = folder.canonicalize()?;
        for entry in fs::read_dir(&staging)?.flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            if modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > LEFT_BEHIND)) {
                // Another process may have been faster.
                let _ = fs::remove_file(entry.path());
            }
        }
        let files = LocalFileSystem::new_with_prefix(&folder)?;
        Ok(Self { files, folder: folder.into(), staged: AtomicU64::new(0) })
    }
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} {}", self.folder.display())
    }
}

/// Makes the names in the folders from `path` up to the root durable.
fn sync_folders(root: &FilePath, path: &FilePath) -> io::Result<()> {
    for folder in path.ancestors().skip(1) {
        File::open(folder)?.sync_all()?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

fn write(root: &FilePath, staged: &FilePath, path: &FilePath, payload: &PutPayload, mode: &PutMode) -> io::Result<()> {
    let mut file = File::create_new(staged)?;
    payload.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match mode {
        // Two that create the same: the second is refused.
        PutMode::Create => fs::hard_link(staged, path)?,
        _ => fs::rename(staged, path)?,
    }
    sync_folders(root, path)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// In the order of their names, as every bucket lists them: whoever reads a table's log counts on it.
fn sorted(listed: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    let sorted = async move {
        let mut objects: Vec<ObjectMeta> = listed.try_collect().await?;
        objects.sort_by(|a, b| a.location.cmp(&b.location));
        Ok::<_, Error>(stream::iter(objects.into_iter().map(Ok)))
    };
    sorted.try_flatten_stream().boxed()
}

/// Whether an object would stand in this folder itself.
fn is_within(folder: &Path, object: &Path) -> bool {
    object.prefix_match(folder).is_some_and(|parts| parts.count() == 1)
}

/// The names in a folder that come after another, and whether they are folders. Only names are read: a table's log has
/// many, of which the last few are wanted.
fn later(folder: &FilePath, after: &str) -> io::Result<Vec<(String, bool)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut later = Vec::new();
    for entry in entries {
        let entry = entry?;
        // What is no text is no object's name.
        let Some(name) = entry.file_name().to_str().map(ToOwned::to_owned) else { continue };
        let kind = entry.file_type()?;
        let is_folder = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
        // What is in a folder has its name and a slash before it.
        let is_later = if is_folder { format!("{name}/").as_str() > after } else { name.as_str() > after };
        if is_later {
            later.push((name, is_folder));
        }
    }
    Ok(later)
}

fn failed(error: io::Error) -> Error {
    Error::Generic { store: NAME, source: error.into() }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if matches!(opts.mode, PutMode::Update(_)) {
            return Err(Error::NotImplemented {
                operation: "`put_opts` with mode `PutMode::Update`".to_owned(),
                implementer: self.to_string(),
            });
        }
        let path = self.files.path_to_filesystem(location)?;
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        let unique = self as *const Self as usize;
        let staged = self.folder.join(STAGING).join(format!("{}-{unique:x}-{number}", std::process::id()));
        let (root, location) = (Arc::clone(&self.folder), location.clone());
        blocking(move || {
            let written = write(&root, &staged, &path, &payload, &opts.mode);
            // Renamed already, or of no use any more.
            let _ = fs::remove_file(&staged);
            match written {
                Ok(()) => Ok(PutResult { e_tag: None, version: None }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(Error::AlreadyExists { path: location.to_string(), source: error.into() })
                }
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let path = self.files.path_to_filesystem(location)?;
        let upload = self.files.put_multipart_opts(location, opts).await?;
        Ok(Box::new(Upload { upload, root: Arc::clone(&self.folder), path }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.files.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let Some((folder, after)) = prefix.zip(offset.filename()).filter(|(folder, _)| is_within(folder, offset))
        else {
            return sorted(self.files.list_with_offset(prefix, offset));
        };
        let (files, folder, after) = (self.files.clone(), folder.clone(), after.to_owned());
        let listed = async move {
            let path = files.path_to_filesystem(&folder)?;
            let later = blocking(move || later(&path, &after).map_err(failed)).await?;
            let mut objects = Vec::with_capacity(later.len());
            for (name, is_folder) in later {
                let location = folder.clone().join(name.as_str());
                if is_folder {
                    objects.extend(files.list(Some(&location)).try_collect::<Vec<_>>().await?);
                    continue;
                }
                match files.head(&location).await {
                    Ok(object) => objects.push(object),
                    // Removed meanwhile.
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok::<_, Error>(stream::iter(objects.into_iter().map(Ok)))
        };
        sorted(listed.try_flatten_stream().boxed())
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await
    }
}

/// An object in parts. Its name is there before it is durable, but not before [`complete`](Upload::complete) returns.
#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    root: Arc<FilePath>,
    path: PathBuf,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.upload.complete().await?;
        let (root, path) = (Arc::clone(&self.root), self.path.clone());
        blocking(move || {
            File::open(&path).and_then(|file| file.sync_all()).map_err(failed)?;
            sync_folders(&root, &path).map_err(failed)
        })
        .await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
