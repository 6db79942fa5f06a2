//! One root folder: the binary is put into it, runs in it, and answers through two servers whose
//! addresses it can only know from `/etc/hosts` and from DNS.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use haproxy_compat::harness::{Connection, Folder, Web, eventually};
use haproxy_compat::machines::{in_own_network, portable_binary, run};

use crate::names;

const ADDRESS: &str = "127.0.0.1:8080";

/// Runs the binary under test as master and worker in `root`.
pub fn check(root: Folder) -> Result<()> {
    root.write("haproxy", &std::fs::read(portable_binary()?)?)?;
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(root.path().join("haproxy"), executable)?;
    write_accounts(&root)?;
    make_null(&root)?;
    in_own_network(|| {
        names::serve("web.example")?;
        let (one, two) = (Web::start("by hosts")?, Web::start("by dns")?);
        write_config(&root, one.address().port(), two.address().port())?;
        let mut running = Running::start(&root)?;
        eventually("it listens", || running.look(|| Ok(Connection::to(ADDRESS.parse()?).is_ok())))?;
        ensure!(fetch("/")? == "by hosts", "the wrong server answers");
        ensure!(fetch("/dns")? == "by dns", "the wrong server answers");
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.worker()?))?;
        ensure!(status.contains("\nUid:\t4711\t4711\t4711\t4711\n"), "not the user: {status}");
        ensure!(status.contains("\nGid:\t4712\t4712\t4712\t4712\n"), "not the group: {status}");
        Ok(())
    })
}

fn fetch(path: &str) -> Result<String> {
    let answer = Connection::to(ADDRESS.parse()?)?.get(path, "Connection: close\r\n")?;
    ensure!(answer.status() == 200, "{path} is answered {}", answer.start);
    Ok(answer.text())
}

/// The accounts and the names, none of them known outside.
fn write_accounts(root: &Folder) -> Result<()> {
    root.write("etc/passwd", b"root:x:0:0::/:/bin/sh\nbalancer:x:4711:4712::/:/bin/sh\n")?;
    root.write("etc/group", b"root:x:0:\nbalancers:x:4712:\n")?;
    root.write("etc/hosts", b"127.0.0.1 localhost web\n")?;
    // Debian's root folders may hold a link here that leads outside.
    let _ = std::fs::remove_file(root.path().join("etc/resolv.conf"));
    root.write("etc/resolv.conf", b"nameserver 127.0.0.1\n").map(|_| ())
}

/// The one device that every container has and HAProxy opens.
fn make_null(root: &Folder) -> Result<()> {
    let null = root.path().join("dev/null");
    if !null.exists() {
        root.write("dev/here", b"")?;
        run(Command::new("mknod").arg(null).args(["c", "1", "3"]))?;
    }
    Ok(())
}

fn write_config(root: &Folder, one: u16, two: u16) -> Result<()> {
    let text = format!(
        "global
    user balancer
    group balancers
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend in
    bind {ADDRESS}
    use_backend by_dns if {{ path /dns }}
    default_backend by_hosts
backend by_hosts
    server s1 web:{one}
backend by_dns
    server s1 web.example:{two}
"
    );
    root.write("haproxy.cfg", text.as_bytes()).map(|_| ())
}

/// A haproxy in a root folder, in process numbers of its own, so that it ends as a whole.
struct Running(Child);

impl Running {
    fn start(root: &Folder) -> Result<Running> {
        let child = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "chroot"])
            .arg(root.path())
            .args(["/haproxy", "-W", "-db", "-f", "/haproxy.cfg"])
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Running(child))
    }

    /// Asks only while it runs.
    fn look(&mut self, ask: impl FnOnce() -> Result<bool>) -> Result<bool> {
        let end = self.0.try_wait()?;
        ensure!(end.is_none(), "it ended: {end:?}");
        ask()
    }

    fn worker(&self) -> Result<u32> {
        let master = children(self.0.id())?;
        let workers = children(*master.first().context("no master")?)?;
        workers.first().copied().context("no worker")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn children(pid: u32) -> Result<Vec<u32>> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(list.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}
