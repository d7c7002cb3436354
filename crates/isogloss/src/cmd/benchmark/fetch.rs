//! `isogloss benchmark fetch`: a benchmark's files as the hub has them, each checked against the sum published with it.

use super::catalogue::{self, Benchmark, OnHub};
use crate::exit::Fault;
use isogloss_ir::Error;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file of a data set.
pub struct Remote {
    /// Below the data set's root.
    pub path: String,
    pub bytes: u64,
    pub sum: Option<Sum>,
}

/// What a file's bytes have to amount to, in hexadecimal.
#[cfg_attr(not(any(feature = "hub", test)), expect(dead_code, reason = "the hub alone publishes sums"))]
pub enum Sum {
    Sha256(String),
    /// The name git has for it.
    GitBlob(String),
}

/// Where data sets lie.
pub trait Hub {
    /// All files of a data set `owner/name`.
    ///
    /// # Errors
    /// It cannot be reached or there is none of that name.
    fn files(&self, set: &str) -> Result<Vec<Remote>, String>;

    /// Puts a file below `folder` under its own path and says where.
    ///
    /// # Errors
    /// It cannot be reached or not be written.
    fn get(&self, set: &str, path: &str, folder: &Path) -> Result<PathBuf, String>;
}

/// Fetches the files of `name`, for `beir` of `beir/SET`, into `out`, and says how many there are.
///
/// # Errors
/// There is no such benchmark, the hub does not have it or cannot be reached, or the files are not what it says.
pub fn run(name: &str, out: &Path) -> anyhow::Result<()> {
    let (name, set) = name.split_once('/').map_or((name, None), |(name, set)| (name, Some(set)));
    let benchmark = catalogue::find(name)?;
    let sources = sources(benchmark, set)?;
    let hub = online(benchmark)?;
    let (mut fetched, mut there) = (0, 0);
    for source in &sources {
        let failed = |message: String| unreachable(benchmark, &format!("{}: {message}", source.set));
        let files = hub.files(&source.set).map_err(failed)?;
        let mut wanted = 0;
        for file in &files {
            let Some(to) = source.target(&file.path) else { continue };
            wanted += 1;
            let to = out.join(to);
            match to.is_file() && check(&to, file)?.is_ok() {
                true => there += 1,
                false => {
                    eprintln!("{} ({} bytes)", to.display(), file.bytes);
                    fetch(&*hub, &source.set, file, &to)?.map_err(failed)?;
                    fetched += 1;
                }
            }
        }
        if wanted == 0 {
            return Err(failed("holds none of the files looked for".into()).into());
        }
    }
    println!("{}: {fetched} files fetched, {there} there already, all as published", out.display());
    Ok(())
}

/// A data set and which of its files are wanted.
struct Source {
    set: String,
    from: &'static OnHub,
}

impl Source {
    /// Where a file goes below the benchmark's folder; `None` if it is not wanted.
    fn target(&self, path: &str) -> Option<String> {
        let OnHub { starts, contains, ends, to, .. } = self.from;
        let wanted = path.starts_with(starts) && path.contains(contains) && path.ends_with(ends);
        wanted.then(|| match to {
            // `data/eng_Latn.jsonl` and its like go to one folder.
            Some(folder) => format!("{folder}{}", path.rsplit('/').next().unwrap_or(path)),
            None => path.to_owned(),
        })
    }
}

fn sources(benchmark: &'static Benchmark, set: Option<&str>) -> Result<Vec<Source>, Fault> {
    if benchmark.on_hub.is_empty() {
        return Err(unreachable(benchmark, "is not published on the hub in the form that is read here"));
    }
    let open = benchmark.on_hub.iter().any(|from| from.set.contains("{}"));
    match (open, set) {
        (true, None) => Err(Fault::option("NAME", format!("name the set too: {}/scifact", benchmark.name))),
        (false, Some(set)) => Err(Fault::option("NAME", format!("{} is one set; leave out /{set}", benchmark.name))),
        _ => {
            let of = |from: &'static OnHub| Source { set: from.set.replace("{}", set.unwrap_or_default()), from };
            Ok(benchmark.on_hub.iter().map(of).collect())
        }
    }
}

/// Says where the files are to be had by hand.
fn unreachable(benchmark: &Benchmark, why: &str) -> Fault {
    let (source, layout) = (benchmark.source, benchmark.layout);
    Fault::option("NAME", format!("{}: {why}; the files are at {source}; --data takes {layout}", benchmark.name))
}

/// Fetches one file beside its place, checks it and moves it there.
fn fetch(hub: &dyn Hub, set: &str, file: &Remote, to: &Path) -> anyhow::Result<Result<(), String>> {
    let parent = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
    let scratch = tempfile::Builder::new().prefix(".fetch-").tempdir_in(parent).map_err(|e| Error::io(parent, e))?;
    let got = match hub.get(set, &file.path, scratch.path()) {
        Ok(got) => got,
        Err(message) => return Ok(Err(message)),
    };
    if let Err(why) = check(&got, file)? {
        return Ok(Err(format!("{} is not what was published: {why}; try again", file.path)));
    }
    File::open(&got).and_then(|file| file.sync_all()).map_err(|e| Error::io(&got, e))?;
    fs::rename(&got, to).map_err(|e| Error::io(to, e))?;
    Ok(Ok(()))
}

/// Whether a file is what the hub says it is, or why not.
fn check(path: &Path, file: &Remote) -> anyhow::Result<Result<(), String>> {
    let failed = |e| Error::io(path, e);
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes != file.bytes {
        return Ok(Err(format!("{bytes} bytes for {}", file.bytes)));
    }
    let (found, expected) = match &file.sum {
        None => return Ok(Ok(())),
        Some(Sum::Sha256(sum)) => (digest(Sha256::new(), path).map_err(failed)?, sum),
        Some(Sum::GitBlob(sum)) => {
            let head = format!("blob {bytes}\0");
            (digest(Sha1::new().chain_update(head), path).map_err(failed)?, sum)
        }
    };
    Ok(if found == *expected { Ok(()) } else { Err(format!("its sum is {found} for {expected}")) })
}

fn digest<D: Digest>(mut state: D, path: &Path) -> io::Result<String> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(state.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => state.update(&buffer[..n]),
        }
    }
}

#[cfg(not(feature = "hub"))]
fn online(benchmark: &Benchmark) -> Result<Box<dyn Hub>, Fault> {
    Err(unreachable(benchmark, "this program was built without downloads (build it with --features hub)"))
}

#[cfg(feature = "hub")]
fn online(benchmark: &Benchmark) -> Result<Box<dyn Hub>, Fault> {
    let client = hf_hub::HFClientSync::new().map_err(|e| unreachable(benchmark, &e.to_string()))?;
    Ok(Box::new(HuggingFace(client)))
}

/// The hub of Hugging Face.
#[cfg(feature = "hub")]
struct HuggingFace(hf_hub::HFClientSync);

#[cfg(feature = "hub")]
impl Hub for HuggingFace {
    fn files(&self, set: &str) -> Result<Vec<Remote>, String> {
        use hf_hub::repository::RepoTreeEntry;
        let (owner, name) = set.split_once('/').unwrap_or(("", set));
        let tree = self.0.dataset(owner, name).list_tree().recursive(true).send().map_err(|e| e.to_string())?;
        let file = |entry| match entry {
            RepoTreeEntry::File { oid, size, path, lfs, .. } => {
                let sum = match lfs {
                    None => Some(Sum::GitBlob(oid)),
                    Some(lfs) => lfs.sha256.map(Sum::Sha256),
                };
                Some(Remote { path, bytes: size, sum })
            }
            RepoTreeEntry::Directory { .. } => None,
        };
        Ok(tree.into_iter().filter_map(file).collect())
    }

    fn get(&self, set: &str, path: &str, folder: &Path) -> Result<PathBuf, String> {
        let (owner, name) = set.split_once('/').unwrap_or(("", set));
        let set = self.0.dataset(owner, name);
        set.download_file().filename(path).local_dir(folder.to_path_buf()).send().map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hub in a folder: `root/owner/name/…`.
    struct Folder(PathBuf);

    impl Hub for Folder {
        fn files(&self, set: &str) -> Result<Vec<Remote>, String> {
            let mut found = Vec::new();
            let root = self.0.join(set);
            let mut folders = vec![root.clone()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).map_err(|e| e.to_string())? {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                        continue;
                    }
                    let bytes = fs::metadata(&path).unwrap().len();
                    let sum = Some(Sum::Sha256(digest(Sha256::new(), &path).unwrap()));
                    found.push(Remote { path: path.strip_prefix(&root).unwrap().display().to_string(), bytes, sum });
                }
            }
            Ok(found)
        }

        fn get(&self, set: &str, path: &str, folder: &Path) -> Result<PathBuf, String> {
            let to = folder.join("got");
            fs::copy(self.0.join(set).join(path), &to).map_err(|e| e.to_string())?;
            Ok(to)
        }
    }

    fn all(name: &str, set: Option<&str>) -> Vec<Source> {
        sources(catalogue::find(name).unwrap(), set).unwrap()
    }

    #[test]
    fn files_go_where_the_benchmark_reads_them() {
        let to = |name: &str, set: Option<&str>, repository: usize, path: &str| all(name, set)[repository].target(path);
        assert_eq!(to("belebele", None, 0, "data/eng_Latn.jsonl").unwrap(), "eng_Latn.jsonl");
        assert_eq!(to("belebele", None, 0, "README.md"), None);
        let topics = "miracl-v1.0-sw/topics/topics.miracl-v1.0-sw-dev.tsv";
        assert_eq!(to("miracl", None, 0, topics).unwrap(), topics);
        assert_eq!(to("miracl", None, 0, "miracl-v1.0-sw/topics/topics.miracl-v1.0-sw-train.tsv"), None);
        assert_eq!(to("beir", Some("scifact"), 1, "test.tsv").unwrap(), "qrels/test.tsv");
        assert_eq!(all("beir", Some("scifact"))[1].set, "BeIR/scifact-qrels");
    }

    #[test]
    fn a_file_is_fetched_whole_and_checked() {
        let dir = tempfile::tempdir().unwrap();
        let hub = Folder(dir.path().join("hub"));
        fs::create_dir_all(hub.0.join("o/n/data")).unwrap();
        fs::write(hub.0.join("o/n/data/a.jsonl"), "{}\n").unwrap();
        let mut file = hub.files("o/n").unwrap().remove(0);
        let to = dir.path().join("out/a.jsonl");
        fetch(&hub, "o/n", &file, &to).unwrap().unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "{}\n");
        assert!(check(&to, &file).unwrap().is_ok());
        fs::remove_file(&to).unwrap();
        file.sum = Some(Sum::Sha256("0".repeat(64)));
        let why = fetch(&hub, "o/n", &file, &to).unwrap().unwrap_err();
        assert!(why.contains("data/a.jsonl") && why.contains("published"), "{why}");
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn sums_are_those_of_sha256sum_and_git() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "hello\n").unwrap();
        let with = |sum| Remote { path: "a".into(), bytes: 6, sum: Some(sum) };
        let git = Sum::GitBlob("ce013625030ba8dba906f756967f9e9ca394464a".into());
        let sha = Sum::Sha256("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".into());
        assert!(check(&path, &with(git)).unwrap().is_ok() && check(&path, &with(sha)).unwrap().is_ok());
        assert!(check(&path, &Remote { bytes: 7, ..with(Sum::GitBlob(String::new())) }).unwrap().is_err());
    }

    #[test]
    fn what_the_hub_lacks_is_said_with_the_place_to_find_it() {
        let fault = |name: &str, set| match sources(catalogue::find(name).unwrap(), set) {
            Err(fault) => fault.to_string(),
            Ok(_) => panic!("{name} is there"),
        };
        assert!(fault("tatoeba", None).contains("github.com/facebookresearch/LASER"));
        assert!(fault("beir", None).contains("beir/scifact") && fault("miracl", Some("sw")).contains("/sw"));
    }
}
