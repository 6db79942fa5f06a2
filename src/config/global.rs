//! The `global` section (manual 3): the process itself.

use std::time::Duration;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::diagnostic::Diagnostic;
use crate::config::process::ProcessSpec;
use crate::config::section::Sections;
use crate::control::cli::spec::CliSpec;
use crate::flow::cpu_map::CpuMapSpec;
use crate::flow::http::case::CaseAdjust;
use crate::flow::listener::rate::RatesSpec;
use crate::flow::log::GlobalLogSpec;
use crate::flow::response::compression::CompressionLimits;
use crate::state::server_file::StateFilesSpec;

/// `global` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GlobalSpec {
    /// `stats socket`, `stats timeout`, `stats maxconn`
    pub cli: CliSpec,
    /// `server-state-base`, `server-state-file`
    pub server_state: StateFilesSpec,
    /// `daemon`
    pub daemon: bool,
    /// `master-worker`
    pub master_worker: bool,
    /// `maxconn`
    pub maxconn: Option<u32>,
    /// `nbthread`
    pub nbthread: Option<u32>,
    /// `nbproc`
    pub nbproc: Option<u32>,
    /// `user` or `uid`, resolved.
    pub uid: Option<u32>,
    /// `group` or `gid`, resolved.
    pub gid: Option<u32>,
    /// `cpu-map`, in order.
    pub cpu_map: Vec<CpuMapSpec>,
    /// `chroot`
    pub chroot: Option<String>,
    /// `pidfile`
    pub pidfile: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// `node`
    pub node: Option<String>,
    /// `noreuseport`
    pub no_reuse_port: bool,
    /// `quiet`
    pub quiet: bool,
    /// `profiling.tasks`
    pub profiling: Option<String>,
    /// `zero-warning`
    pub zero_warning: bool,
    /// `ulimit-n`
    pub ulimit_n: Option<u64>,
    /// `hard-stop-after`
    pub hard_stop_after: Option<Duration>,
    /// `tune.bufsize`, in bytes.
    pub bufsize: Option<usize>,
    /// `tune.maxrewrite`, in bytes.
    pub maxrewrite: Option<usize>,
    /// `tune.http.maxhdr`
    pub maxhdr: Option<usize>,
    /// `tune.rcvbuf.…`, `tune.sndbuf.…`
    pub kernel_buffers: crate::flow::transport::tuning::KernelBuffersSpec,
    /// `spread-checks`, `max-spread-checks`
    pub spread: crate::check::spread::SpreadSpec,
    /// `tune.vars.…`
    pub variables: crate::sample::vars::VariableLimits,
    /// `log`, `log-tag`, `log-send-hostname`
    pub log: GlobalLogSpec,
    /// `strict-limits`, `unix-bind` …
    pub process: ProcessSpec,
    /// `maxcomprate`, `maxcompcpuusage`, `maxzlibmem`, `tune.comp.maxlevel`, `tune.zlib.windowsize`
    pub compression: CompressionLimits,
    /// `maxconnrate`, `maxsessrate`
    pub rates: RatesSpec,
    /// `h1-case-adjust`, `h1-case-adjust-file`
    pub case_adjust: CaseAdjust,
    /// `tune.idle-pool.shared off`
    pub separate_pools: bool,
}

/// `global` of a running process.
#[derive(Debug, Clone, Default)]
pub struct Global {
    /// What was written.
    pub spec: GlobalSpec,
    /// Connections the process serves at once.
    pub maxconn: u32,
    /// Descriptors that as many connections need at most.
    pub maxsock: u64,
    /// Threads that run traffic.
    pub threads: usize,
    /// The host's name, or `node`.
    pub node: String,
    /// Bytes of a buffer.
    pub bufsize: usize,
    /// Bytes of a buffer kept free for header edits.
    pub maxrewrite: usize,
    /// Headers a message may have.
    pub maxhdr: usize,
}

impl GlobalSpec {
    /// Fills in the defaults. `cpus` is how many this process may use.
    pub fn compile(&self, cpus: usize, hostname: String) -> Global {
        let bufsize = self.bufsize.unwrap_or(16_384);
        Global {
            maxconn: self.maxconn.unwrap_or(0),
            maxsock: 0,
            threads: self.nbthread.map_or(cpus, |n| n as usize).clamp(1, 64),
            node: self.node.clone().unwrap_or(hostname),
            bufsize,
            maxrewrite: self.maxrewrite.unwrap_or(1024).min(bufsize / 2),
            maxhdr: self.maxhdr.unwrap_or(101),
            spec: self.clone(),
        }
    }
}

fn number(line: &mut Line<'_>) -> Result<i64, Diagnostic> {
    let name = line.keyword.name;
    let word = line.required(&format!("'{name}' expects an integer argument."))?;
    let value = parse_lenient(word.bytes());
    line.end()?;
    Ok(value)
}

fn count(line: &mut Line<'_>) -> Result<u32, Diagnostic> {
    Ok(u32::try_from(number(line)?.max(0)).unwrap_or(u32::MAX))
}

/// An argument of its own kind.
fn named(line: &mut Line<'_>, expects: &str) -> Result<String, Diagnostic> {
    let name = line.keyword.name;
    let word = line.required(&format!("'{name}' expects {expects} as an argument."))?;
    let word = word.str().into_owned();
    line.end()?;
    Ok(word)
}

/// `tune.bufsize` and `tune.maxrewrite`.
fn buffer(line: &mut Line<'_>, least: i32) -> Result<usize, Diagnostic> {
    let value = number(line)? as i32;
    let name = line.keyword.name;
    usize::try_from(value)
        .ok()
        .filter(|_| value >= least)
        .ok_or_else(|| line.alert(format!("'{name}' expects a positive integer argument.")))
}

fn max_headers(line: &mut Line<'_>) -> Parsed {
    let value = number(line)?;
    let expected = "'tune.http.maxhdr' expects a numeric value between 1 and 32767";
    let count = u16::try_from(value).ok().filter(|n| (1..=32767).contains(n));
    line.global().maxhdr = Some(count.ok_or_else(|| line.alert(expected))?.into());
    Ok(())
}

fn nbproc(line: &mut Line<'_>) -> Parsed {
    let value = number(line)? as i32;
    if !(1..=64).contains(&value) {
        return Err(line.alert(format!("'nbproc' must be between 1 and 64 (was {value}).")));
    }
    line.global().nbproc = u32::try_from(value).ok();
    Ok(())
}

fn node(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let valid = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    if word.is_empty() || !word.bytes().all(valid) {
        return Err(line.bare("'node' requires valid node name - non-empty string with digits(0-9), letters(A-Z, a-z), dot(.), hyphen(-) or underscode(_)."));
    }
    line.end()?;
    line.global().node = Some(word);
    Ok(())
}

fn description(line: &mut Line<'_>) -> Parsed {
    let words: Vec<_> = line.rest().iter().map(|w| w.str().into_owned()).collect();
    if words.is_empty() {
        return Err(line.bare("'description' expects a string argument."));
    }
    line.global().description = Some(words.join(" "));
    Ok(())
}

fn master_worker(line: &mut Line<'_>) -> Parsed {
    if let Some(word) = line.word() {
        if *word != *"no-exit-on-failure" {
            return Err(line.alert("'master-worker' only supports 'no-exit-on-failure' option."));
        }
        line.global().process.no_exit_on_failure = true;
    }
    line.end()?;
    line.global().master_worker = true;
    Ok(())
}

/// `uid` and `gid`.
fn identity(line: &mut Line<'_>) -> Result<u32, Diagnostic> {
    let name = line.keyword.name;
    if let Some(word) = line.peek().filter(|w| w.str().parse::<i32>().is_err()) {
        line.warn(format!(" {name}: string '{word}' is not a number."));
    }
    count(line)
}

fn nbthread(line: &mut Line<'_>) -> Parsed {
    let word = line.peek().map(|w| w.str().into_owned()).unwrap_or_default();
    let value = number(line)?;
    if word.parse::<i64>().is_err() {
        return Err(line.alert(format!(
            "'nbthread' passed a missing or unparsable integer value in '{word}'."
        )));
    }
    if !(1..=64).contains(&value) {
        return Err(line.alert(format!("'nbthread' value must be between 1 and 64 (was {value}).")));
    }
    line.global().nbthread = u32::try_from(value).ok();
    Ok(())
}

fn user(line: &mut Line<'_>) -> Parsed {
    let name = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    line.end()?;
    let uid = line.outside.user(&name);
    line.global().uid = Some(
        uid.ok_or_else(|| line.alert(format!("cannot find user id for '{name}' (0:Success)")))?,
    );
    Ok(())
}

fn group(line: &mut Line<'_>) -> Parsed {
    let name = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    line.end()?;
    let gid = line.outside.group(&name);
    line.global().gid = Some(
        gid.ok_or_else(|| line.alert(format!("cannot find group id for '{name}' (0:Success)")))?,
    );
    Ok(())
}

fn hard_stop_after(line: &mut Line<'_>) -> Parsed {
    let word = line.required("'hard-stop-after' expects <time> as argument.")?.str().into_owned();
    let time = parse_time(word.as_bytes(), TimeUnit::Milliseconds).map_err(|e| {
        line.alert(match e {
            NumberError::Overflow => format!("timer overflow in argument '{word}' to 'hard-stop-after' (maximum value is 2147483647 ms or ~24.8 days)"),
            NumberError::Unexpected(c) => format!("unexpected character '{c}' in argument to <hard-stop-after>."),
        })
    })?;
    line.global().hard_stop_after = Some(time);
    Ok(())
}

const GLOBAL: Keyword =
    Keyword { sections: Sections::GLOBAL, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "chroot",
            once: "'chroot'",
            args: "<jail dir>",
            doc: "Changes the root directory once everything is open.",
            examples: &["chroot /var/empty"],
            parse: |l| named(l, "a directory").map(|t| l.global().chroot = Some(t)),
            ..GLOBAL
        },
        Keyword {
            name: "daemon",
            doc: "Goes to the background.",
            examples: &["daemon"],
            parse: |l| {
                l.global().daemon = true;
                l.end()
            },
            ..GLOBAL
        },
        Keyword {
            name: "description",
            args: "<text>",
            doc: "A text shown on the statistics page.",
            examples: &["description Front door"],
            parse: description,
            ..GLOBAL
        },
        Keyword {
            name: "gid",
            once: "group/gid",
            args: "<number>",
            doc: "The group to run as, by number.",
            examples: &["gid 1000"],
            parse: |l| identity(l).map(|n| l.global().gid = Some(n)),
            ..GLOBAL
        },
        Keyword {
            name: "group",
            args: "<group name>",
            doc: "The group to run as, by name.",
            examples: &["group root"],
            parse: group,
            ..GLOBAL
        },
        Keyword {
            name: "hard-stop-after",
            args: "<time>",
            default: "no limit",
            doc: "How long a soft stop may take.",
            examples: &["hard-stop-after 30s"],
            parse: hard_stop_after,
            ..GLOBAL
        },
        Keyword {
            name: "master-worker",
            args: "[no-exit-on-failure]",
            doc: "A master process keeps the rights, reloads, and watches a worker, which serves.",
            examples: &["master-worker"],
            parse: master_worker,
            ..GLOBAL
        },
        Keyword {
            name: "maxconn",
            once: "'maxconn'",
            args: "<number>",
            doc: "How many connections the process serves at once.",
            examples: &["maxconn 2000"],
            parse: |l| count(l).map(|n| l.global().maxconn = Some(n)),
            ..GLOBAL
        },
        Keyword {
            name: "nbproc",
            args: "<number>",
            default: "1",
            doc: "How many processes there are; all numbers are taken for one process.",
            examples: &["nbproc 1"],
            parse: nbproc,
            status: Status::NoEffect("one process serves on all threads"),
            ..GLOBAL
        },
        Keyword {
            name: "nbthread",
            args: "<number>",
            default: "the number of CPUs this process may use",
            doc: "How many threads run traffic; by default one for each CPU.",
            examples: &["nbthread 2"],
            parse: nbthread,
            ..GLOBAL
        },
        Keyword {
            name: "node",
            args: "<name>",
            default: "this machine's name",
            doc: "The name shown on the statistics page.",
            examples: &["node lb1"],
            parse: node,
            ..GLOBAL
        },
        Keyword {
            name: "pidfile",
            once: "'pidfile'",
            args: "<file>",
            doc: "Where the process writes its number.",
            examples: &["pidfile /tmp/haproxy.pid"],
            parse: |l| named(l, "a file name").map(|t| l.global().pidfile = Some(t)),
            ..GLOBAL
        },
        Keyword {
            name: "quiet",
            doc: "Says nothing at start.",
            examples: &["quiet"],
            parse: |line| {
                line.global().quiet = true;
                line.end()
            },
            ..GLOBAL
        },
        Keyword {
            name: "tune.bufsize",
            args: "<number>",
            default: "16384",
            doc: "Bytes of a buffer; the heads of messages must fit in.",
            examples: &["tune.bufsize 16384"],
            parse: |l| buffer(l, 1).map(|n| l.global().bufsize = Some(n)),
            ..GLOBAL
        },
        Keyword {
            name: "tune.http.maxhdr",
            args: "<number>",
            default: "101",
            doc: "Headers a message may have.",
            examples: &["tune.http.maxhdr 101"],
            parse: max_headers,
            ..GLOBAL
        },
        Keyword {
            name: "tune.maxrewrite",
            args: "<number>",
            default: "1024",
            doc: "Bytes of a buffer kept free for header edits.",
            examples: &["tune.maxrewrite 1024"],
            parse: |l| buffer(l, 0).map(|n| l.global().maxrewrite = Some(n)),
            ..GLOBAL
        },
        Keyword {
            name: "uid",
            once: "user/uid",
            args: "<number>",
            doc: "The user to run as, by number.",
            examples: &["uid 1000"],
            parse: |l| identity(l).map(|n| l.global().uid = Some(n)),
            ..GLOBAL
        },
        Keyword {
            name: "ulimit-n",
            once: "'ulimit-n'",
            args: "<number>",
            default: "computed from maxconn",
            doc: "File descriptors the process may have; computed when not given.",
            examples: &["ulimit-n 4096"],
            parse: |l| count(l).map(|n| l.global().ulimit_n = Some(n.into())),
            ..GLOBAL
        },
        Keyword {
            name: "user",
            args: "<user name>",
            doc: "The user to run as, by name.",
            examples: &["user root"],
            parse: user,
            ..GLOBAL
        },
        Keyword {
            name: "zero-warning",
            doc: "Refuses to start when there are warnings.",
            examples: &["zero-warning"],
            parse: |line| {
                line.global().zero_warning = true;
                line.end()
            },
            ..GLOBAL
        },
    ],
    ..Part::NONE
};
