//! The story on network namespaces: each machine has a network card, an `/etc/hosts`, a host name
//! and process numbers of its own, and the balancer is process 1 of its machine, as in a container.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use haproxy_compat::harness::{Folder, Signal};
use haproxy_compat::machines::{
    Finished, Lan, Machine, Stopped, in_own_network, need_root, portable_binary, project,
};

use crate::story::{self, Stage};

const BALANCER: u8 = 2;

#[test]
fn the_ha_example_on_network_namespaces() -> Result<()> {
    need_root()?;
    let binary = portable_binary()?;
    in_own_network(|| story::play(&mut Namespaces::new(&binary)?))
}

struct Namespaces {
    folder: Folder,
    lan: Lan,
    hosts: PathBuf,
    binary: String,
    machines: BTreeMap<String, Machine>,
}

impl Namespaces {
    fn new(binary: &Path) -> Result<Namespaces> {
        let folder = Folder::new();
        let hosts = "127.0.0.1 localhost\n172.30.0.2 lb\n172.30.0.11 fe1\n172.30.0.12 fe2\n";
        let hosts = folder.write("hosts", hosts.as_bytes())?;
        let config = std::fs::read(project().join("fixtures/ha-example/haproxy.cfg"))?;
        folder.write("haproxy.cfg", &config)?;
        let binary = binary.display().to_string();
        Ok(Namespaces { folder, lan: Lan::new()?, hosts, binary, machines: BTreeMap::new() })
    }

    fn start(&mut self, name: &str, host: u8, command: &[&str]) -> Result<()> {
        let machine = Machine::start(&self.lan, name, host, &self.hosts, command)?;
        self.machines.insert(name.to_owned(), machine);
        Ok(())
    }

    fn config(&self) -> String {
        self.folder.path().join("haproxy.cfg").display().to_string()
    }
}

impl Stage for Namespaces {
    fn validate(&mut self) -> Result<Finished> {
        let (binary, config) = (self.binary.clone(), self.config());
        let machine = self.machines.get("fe1").context("no machine to check on")?;
        machine.run(&[&binary, "-c", "-f", &config])
    }

    fn run_web(&mut self, name: &str, version: &str) -> Result<()> {
        let page = project().join(format!("fixtures/ha-example/index_{version}.html"));
        let page = std::fs::read(page)?;
        self.folder.write(&format!("{name}/index.html"), &page)?;
        let prefix = self.folder.path().join(name).display().to_string();
        let config = self.folder.write(&format!("{name}.nginx"), nginx(&prefix).as_bytes())?;
        let config = config.display().to_string();
        let host = if name == "fe1" { 11 } else { 12 };
        self.start(name, host, &["nginx", "-e", "stderr", "-c", &config])
    }

    fn run_balancer(&mut self) -> Result<()> {
        let (binary, config) = (self.binary.clone(), self.config());
        self.start("lb", BALANCER, &[&binary, "-W", "-db", "-f", &config])
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.machines.remove(name).with_context(|| format!("no machine {name}")).map(drop)
    }

    fn stop_balancer(&mut self) -> Result<Stopped> {
        self.machines.remove("lb").context("no balancer")?.stop(Signal::SIGUSR1)
    }

    fn address(&self, port: u16) -> SocketAddr {
        Lan::address(BALANCER, port)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("lb.log")).unwrap_or_default()
    }
}

fn nginx(prefix: &str) -> String {
    format!(
        "daemon off;
user root;
worker_processes 1;
pid {prefix}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1000; }}
http {{
    access_log off;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    types {{ text/html html; }}
    server {{ listen 80; root {prefix}; }}
}}
"
    )
}
