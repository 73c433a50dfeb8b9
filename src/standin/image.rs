//! The container image of the stand-ins: the static `steadfast` binary and nothing else.
//!
//! A library does not hold its own command's binary, so it has to be found: the path in [`BINARY`], else built by
//! `scripts/stand-in-image` in a checkout, which also makes the image. [`context`] needs no engine; [`build`] asks `docker`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment variable with the path of the static `steadfast` binary.
pub const BINARY: &str = "STEADFAST_STAND_IN";

/// The image's name: this version of the crate.
pub const IMAGE: &str = concat!("steadfast/stand-in:", env!("CARGO_PKG_VERSION"));

/// What `docker build` is told.
pub const DOCKERFILE: &str = include_str!("../../fixtures/stand-in/Dockerfile");

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Nobody says where the binary is.
    #[error("{BINARY} is not set: give it the path of a static `steadfast` binary; scripts/stand-in-image builds one")]
    NoBinary,
    /// The binary cannot be read.
    #[error("{} cannot be read: {BINARY} must be the path of a static `steadfast` binary", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It would not start in an empty image.
    #[error(
        "{} is not a static Linux binary: build it with `-C target-feature=+crt-static`, as scripts/stand-in-image does", path.display()
    )]
    NotStatic {
        /// Its path.
        path: PathBuf,
    },
    /// `docker` could not be run.
    #[error("`docker build` cannot be run: is docker installed, and may you use it?")]
    Docker(#[source] io::Error),
    /// `docker` failed.
    #[error("`docker build` failed: {said}")]
    Build {
        /// The end of what it said.
        said: String,
    },
}

/// The binary that [`BINARY`] names.
///
/// # Errors
/// When it is not set.
pub fn binary() -> Result<PathBuf, ImageError> {
    std::env::var_os(BINARY)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .ok_or(ImageError::NoBinary)
}

/// A build context (a tar archive, as `docker build -` and the engine's API take it) with [`DOCKERFILE`] and the binary.
///
/// # Errors
/// When the binary cannot be read, or is not a static one.
pub fn context(binary: &Path) -> Result<Vec<u8>, ImageError> {
    let bytes = std::fs::read(binary).map_err(|source| ImageError::Read {
        path: binary.to_owned(),
        source,
    })?;
    if !is_static(&bytes) {
        return Err(ImageError::NotStatic {
            path: binary.to_owned(),
        });
    }
    let mut tar = Vec::with_capacity(bytes.len() + 4096);
    entry(&mut tar, "Dockerfile", 0o644, DOCKERFILE.as_bytes());
    entry(&mut tar, "steadfast", 0o755, &bytes);
    // Two empty blocks end an archive.
    tar.resize(tar.len() + 2 * BLOCK, 0);
    Ok(tar)
}

/// Builds the image under this name with the local engine; it blocks until that is done.
///
/// # Errors
/// When the binary is no use, or `docker` fails.
pub fn build(binary: &Path, name: &str) -> Result<(), ImageError> {
    let context = context(binary)?;
    let mut docker = Command::new("docker")
        .args(["build", "--quiet", "--tag", name, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(ImageError::Docker)?;
    if let Some(mut input) = docker.stdin.take() {
        // It says itself why it reads no further.
        let _ = input.write_all(&context);
    }
    let output = docker.wait_with_output().map_err(ImageError::Docker)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(ImageError::Build {
        said: last.unwrap_or("it did not say why").to_owned(),
    })
}

/// Bytes of a block of an archive.
const BLOCK: usize = 512;

/// Adds a file to an archive (POSIX.1-1988 ustar).
fn entry(tar: &mut Vec<u8>, name: &str, mode: u32, bytes: &[u8]) {
    let mut head = [0; BLOCK];
    let mut field = |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
    field(0, name);
    field(100, &format!("{mode:07o}"));
    field(108, "0000000");
    field(116, "0000000");
    field(124, &format!("{:011o}", bytes.len()));
    field(136, "00000000000");
    // Counted as spaces in its own sum.
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let sum: u32 = head.iter().copied().map(u32::from).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(head);
    tar.extend(bytes);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
}

/// Whether it is a 64-bit little-endian ELF file without a program interpreter (elf(5): `PT_INTERP` is 3).
fn is_static(file: &[u8]) -> bool {
    const INTERPRETER: [u8; 4] = [3, 0, 0, 0];
    let number = |at: usize, length: usize| {
        let bytes = file.get(at..at + length)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0_usize, |number, byte| number << 8 | usize::from(*byte)),
        )
    };
    let headers = || Some((number(32, 8)?, number(54, 2)?, number(56, 2)?));
    file.starts_with(b"\x7fELF\x02\x01")
        && headers().is_some_and(|(first, size, count)| {
            let kind = |index| {
                let at = usize::checked_add(first, index * size)?;
                file.get(at..at.checked_add(4)?)
            };
            count > 0 && (0..count).all(|index| kind(index).is_some_and(|kind| kind != INTERPRETER))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with one program header of this kind.
    fn elf(kind: u8) -> Vec<u8> {
        let mut file = vec![0; 120];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (file[32], file[54], file[56], file[64]) = (64, 56, 1, kind);
        file
    }

    #[test]
    fn only_a_static_binary_is_taken() {
        assert!(is_static(&elf(1)));
        assert!(!is_static(&elf(3)), "it has an interpreter");
        assert!(
            !is_static(&elf(1)[..66]),
            "it is cut off, and no header is read past the end"
        );
        assert!(!is_static(b"#!/bin/sh\n"));
    }

    #[test]
    fn tar_reads_the_context() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("binary");
        std::fs::write(&binary, elf(1)).unwrap();
        let archive = folder.path().join("context.tar");
        std::fs::write(&archive, context(&binary).unwrap()).unwrap();
        let tar = Command::new("tar")
            .arg("-C")
            .arg(folder.path())
            .arg("-xf")
            .arg(&archive)
            .status();
        assert!(tar.unwrap().success());
        assert_eq!(std::fs::read(folder.path().join("steadfast")).unwrap(), elf(1));
        assert_eq!(
            std::fs::read_to_string(folder.path().join("Dockerfile")).unwrap(),
            DOCKERFILE
        );
    }

    #[test]
    fn a_dynamic_binary_is_refused_with_the_way_to_a_static_one() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("binary");
        std::fs::write(&binary, elf(3)).unwrap();
        let error = context(&binary).unwrap_err().to_string();
        assert!(error.contains("crt-static"), "{error}");
    }
}
