//! The files of a folder that hold manifests.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder that holds the source of manifests, not manifests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// A Kustomization that changes what it lists.
    #[error("{} changes its manifests (`{field}`): give the output of `kustomize build`", path.display())]
    Kustomization {
        /// The file.
        path: PathBuf,
        /// A field by which it does.
        field: String,
    },
    /// A Helm chart.
    #[error("{} makes this folder a Helm chart: give the output of `helm template`", path.display())]
    Chart {
        /// The file.
        path: PathBuf,
    },
    /// Nothing in it could be a manifest.
    #[error("{} holds no file that ends in .yaml, .yml or .json", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

/// Why files were not found.
pub(in crate::app) enum Unfound {
    Read(PathBuf, std::io::Error),
    Folder(FolderError),
}

/// What was found: the files, sorted.
pub(in crate::app) type Found = Result<Vec<PathBuf>, Unfound>;

/// The files of a path: itself, or every manifest below a folder, sorted, as `kubectl apply --recursive --filename` takes them.
pub(in crate::app) fn find(path: &Path) -> Found {
    let about = std::fs::metadata(path).map_err(|error| Unfound::Read(path.to_owned(), error))?;
    if !about.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    walk(path, &mut files)?;
    if files.is_empty() {
        return Err(Unfound::Folder(FolderError::Empty { path: path.to_owned() }));
    }
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Unfound> {
    let failed = |error| Unfound::Read(folder.to_owned(), error);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?);
    }
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        // A link to a folder is not followed, or a circle of links would have no end.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            if !name.starts_with('.') {
                walk(&path, files)?;
            }
        } else if name == "Chart.yaml" {
            return Err(Unfound::Folder(FolderError::Chart { path }));
        } else if matches!(&*name, "kustomization.yaml" | "kustomization.yml") {
            check_kustomization(path)?;
        } else if path
            .extension()
            .is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known))
        {
            files.push(path);
        }
    }
    Ok(())
}

/// A Kustomization that only lists the files beside it says nothing that the folder does not.
fn check_kustomization(path: PathBuf) -> Result<(), Unfound> {
    const PLAIN: [&str; 4] = ["apiVersion", "kind", "metadata", "resources"];
    let text = std::fs::read_to_string(&path).map_err(|error| Unfound::Read(path.clone(), error))?;
    let written: Value = serde_yaml::from_str(&text).unwrap_or_default();
    let resources = written["resources"].as_array();
    let elsewhere = resources.is_some_and(|all| {
        all.iter()
            .filter_map(Value::as_str)
            .any(|it| it.contains("://") || it.contains("..") || it.contains("github.com"))
    });
    let other = written
        .as_object()
        .and_then(|fields| fields.keys().find(|key| !PLAIN.contains(&key.as_str())));
    let field = match other {
        Some(field) => field.clone(),
        None if elsewhere => "resources".to_owned(),
        None => return Ok(()),
    };
    Err(Unfound::Folder(FolderError::Kustomization { path, field }))
}
