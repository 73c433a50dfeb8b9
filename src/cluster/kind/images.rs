//! Getting images onto nodes, without a registry.

use std::process::Stdio;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::process::Command;

use super::KindError;
use super::change::Hands;
use super::engine::{self, EngineError};

/// How long an image may take onto a node.
const COPY: Duration = Duration::from_secs(300);

impl Hands {
    /// Whether the engine itself has an image.
    pub(crate) async fn has_image(&self, image: &str) -> bool {
        self.engine
            .run(&["image", "inspect", "--format", "{{.Id}}", image])
            .await
            .is_ok()
    }

    /// Loads an image of the engine onto every running node that has not got it, as `kind load docker-image` does.
    pub(crate) async fn load_image(&self, image: &str) -> Result<(), KindError> {
        let nodes = self.engine.nodes(&self.cluster).await?;
        let wanted = full_name(image);
        let loads = nodes.iter().filter(|node| node.is_running()).map(|node| {
            let wanted = &wanted;
            async move {
                if self.images(&node.name).await?.contains(wanted) {
                    return Ok(());
                }
                let from = ["save", image];
                let to = into_node(&node.name);
                self.pipe(&from, &to.each_ref().map(String::as_str), image).await
            }
        });
        try_join_all(loads).await.map(drop)
    }

    /// Copies the images that a node has and another has not.
    pub(super) async fn copy_images(&self, from: &str, to: &str) -> Result<(), KindError> {
        let there = self.images(to).await?;
        for image in self
            .images(from)
            .await?
            .into_iter()
            .filter(|image| !there.contains(image))
        {
            let export = [
                "exec",
                from,
                "ctr",
                "--namespace=k8s.io",
                "images",
                "export",
                "-",
                &image,
            ];
            let import = into_node(to);
            self.pipe(&export, &import.each_ref().map(String::as_str), &image)
                .await?;
        }
        Ok(())
    }

    /// The names of a node's images, those by their digests left out.
    async fn images(&self, node: &str) -> Result<Vec<String>, KindError> {
        let said = self
            .engine
            .exec(node, &["ctr", "--namespace=k8s.io", "images", "list", "--quiet"])
            .await?;
        Ok(said
            .lines()
            .map(str::trim)
            .filter(|name| !name.contains("sha256:"))
            .map(str::to_owned)
            .collect())
    }

    /// Runs two commands of the engine, the output of one into the other.
    async fn pipe(&self, from: &[&str], to: &[&str], image: &str) -> Result<(), KindError> {
        let what = format!(
            "{} {} | {} {}",
            self.engine.command(),
            from.join(" "),
            self.engine.command(),
            to.join(" ")
        );
        let start = |source| EngineError::Start {
            command: what.clone(),
            source,
        };
        let mut export = Command::new(self.engine.command())
            .args(from)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(start)?;
        let pipe = export
            .stdout
            .take()
            .map(TryInto::<Stdio>::try_into)
            .transpose()
            .map_err(start)?;
        let import = Command::new(self.engine.command())
            .args(to)
            .stdin(pipe.unwrap_or_else(Stdio::null))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(start)?;
        let both = async { tokio::join!(export.wait(), import.wait_with_output()) };
        let late = |_| EngineError::Late {
            command: what.clone(),
            after_s: COPY.as_secs(),
        };
        let (exported, imported) = tokio::time::timeout(COPY, both).await.map_err(late)?;
        let (exported, imported) = (exported.map_err(start)?, imported.map_err(start)?);
        if exported.success() && imported.status.success() {
            return Ok(());
        }
        let said = if exported.success() {
            engine::last_words(&imported)
        } else {
            format!("image {image} could not be read")
        };
        Err(EngineError::Failed { command: what, said }.into())
    }
}

/// The command that imports an archive: kind, `pkg/cluster/nodeutils/util.go` `LoadImageArchive`.
fn into_node(node: &str) -> [String; 9] {
    [
        "exec",
        "--interactive",
        node,
        "ctr",
        "--namespace=k8s.io",
        "images",
        "import",
        "--digests",
        "-",
    ]
    .map(str::to_owned)
}

/// An image's name with its registry and tag, as nodes list it (github.com/distribution/reference `ParseNormalizedNamed`).
fn full_name(image: &str) -> String {
    let (host, rest) = image.split_once('/').unwrap_or(("", image));
    let is_host = host.contains(['.', ':']) || host == "localhost";
    let named = match (is_host, image.contains('/')) {
        (true, _) => image.to_owned(),
        (false, true) => format!("docker.io/{image}"),
        (false, false) => format!("docker.io/library/{rest}"),
    };
    let tagged = named.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    if tagged { named } else { format!("{named}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_out_as_nodes_list_them() {
        for (image, full) in [
            ("mongo", "docker.io/library/mongo:latest"),
            (
                "rabbitmq:3.6.8-management",
                "docker.io/library/rabbitmq:3.6.8-management",
            ),
            ("steadfast/stand-in:0.1.0", "docker.io/steadfast/stand-in:0.1.0"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("localhost:5000/a", "localhost:5000/a:latest"),
            ("localhost/a/b", "localhost/a/b:latest"),
        ] {
            assert_eq!(full_name(image), full);
        }
    }
}
