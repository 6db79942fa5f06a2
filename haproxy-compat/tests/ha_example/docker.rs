//! The story in containers, with the example's own commands: a Docker engine that the test starts,
//! images made of a Debian 11 root folder, and the project's Dockerfile around the binary.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use haproxy_compat::harness::Folder;
use haproxy_compat::machines::{
    Engine, Finished, Stopped, in_own_network, need_root, not_run, portable_binary, project, root,
    run,
};

use crate::story::{self, Stage};

#[test]
fn the_ha_example_in_docker() -> Result<()> {
    need_root()?;
    let (binary, debian) = (portable_binary()?, root::bullseye()?);
    in_own_network(|| {
        let engine = match Engine::start() {
            Ok(engine) => engine,
            Err(error) => {
                not_run("the HA example in Docker", &format!("no engine: {error:#}"));
                return Ok(());
            }
        };
        let mut docker = Docker { engine, debian, folder: Folder::new() };
        docker.make_images(&binary)?;
        story::play(&mut docker)
    })
}

struct Docker {
    engine: Engine,
    debian: PathBuf,
    folder: Folder,
}

impl Docker {
    /// `frontend:v1`, `frontend:v2`, `lb:v1`, and the network.
    fn make_images(&mut self, binary: &Path) -> Result<()> {
        self.engine.import(&self.debian, "debian:11")?;
        let fixtures = project().join("fixtures/ha-example");
        for version in ["v1", "v2"] {
            let page = std::fs::read(fixtures.join(format!("index_{version}.html")))?;
            self.folder.write(&format!("{version}/index.html"), &page)?;
            let text = "FROM debian:11\nCOPY index.html /var/www/html/index.html\n\
                        CMD [\"nginx\", \"-g\", \"daemon off;\"]\n";
            self.folder.write(&format!("{version}/Dockerfile"), text.as_bytes())?;
            self.build(&format!("frontend:{version}"), version)?;
        }
        let other = self.folder.write("other", b"#!/bin/sh\nexit 99\n")?;
        std::fs::set_permissions(&other, PermissionsExt::from_mode(0o755))?;
        self.script("build.sh", &["haproxy:2.3", "debian:11"], &other)?;
        // As if that had been an existing image with another haproxy in it.
        self.script("replace.sh", &["haproxy:2.3"], binary)?;
        let text = "FROM haproxy:2.3\nCOPY haproxy.cfg /usr/local/etc/haproxy/haproxy.cfg\n";
        self.folder.write("lb/Dockerfile", text.as_bytes())?;
        self.folder.write("lb/haproxy.cfg", &std::fs::read(fixtures.join("haproxy.cfg"))?)?;
        self.build("lb:v1", "lb")?;
        self.engine.run(&["network", "create", "my_net"]).map(|_| ())
    }

    /// One of the scripts that README tells about.
    fn script(&self, name: &str, words: &[&str], binary: &Path) -> Result<()> {
        let script = project().join("haproxy-compat/image").join(name);
        let mut command = Command::new(script);
        command.args(words).env("HAPROXY_PORTABLE", binary).envs(self.engine.environment());
        run(&mut command).map(|_| ())
    }

    fn build(&self, tag: &str, folder: &str) -> Result<()> {
        let folder = self.folder.path().join(folder).display().to_string();
        self.engine.run(&["build", "--tag", tag, &folder]).map(|_| ())
    }
}

impl Stage for Docker {
    fn validate(&mut self) -> Result<Finished> {
        let file = "/usr/local/etc/haproxy/haproxy.cfg";
        let words = ["run", "--rm", "--network", "my_net", "lb:v1", "haproxy", "-c", "-f", file];
        self.engine.finish(&words)
    }

    fn run_web(&mut self, name: &str, version: &str) -> Result<()> {
        let image = format!("frontend:{version}");
        self.engine.run(&["run", "-d", "--name", name, "--network", "my_net", &image]).map(|_| ())
    }

    fn run_balancer(&mut self) -> Result<()> {
        let ports = ["-p", "80:80", "-p", "8404:8404"];
        let words = ["run", "-d", "--name", "lb", "--network", "my_net"];
        self.engine.run(&[&words[..], &ports, &["lb:v1"]].concat()).map(|_| ())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.engine.run(&["rm", "-f", name]).map(|_| ())
    }

    fn stop_balancer(&mut self) -> Result<Stopped> {
        let begin = Instant::now();
        self.engine.run(&["stop", "lb"])?;
        let after = begin.elapsed();
        let status = self.engine.run(&["inspect", "--format", "{{.State.ExitCode}}", "lb"])?;
        let code: i32 = status.stdout.trim().parse()?;
        Ok(Stopped { status: std::os::unix::process::ExitStatusExt::from_raw(code << 8), after })
    }

    fn address(&self, port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    fn said(&self) -> String {
        let said = self.engine.finish(&["logs", "lb"]);
        said.map_or_else(|error| format!("{error:#}"), |said| said.stdout + &said.stderr)
    }
}
