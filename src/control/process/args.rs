//! The command line (management.txt 3).
//!
//! In: the words after the program's name. HAProxy's words are no longer than two letters behind one dash
//! and only their beginning counts, so they are first rewritten into long options, which clap then takes
//! apart. Out: [`Args`], or why the words make no sense.

use super::keywords::Class;
use crate::version;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Everything that the command line says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Args {
    /// `-f` and what follows `--`: files and directories, in order.
    pub files: Vec<PathBuf>,
    /// `-c`.
    pub check: bool,
    /// `-dC`: print the configuration as it was understood.
    pub show_configuration: bool,
    /// `-dK`: print the names of these classes.
    pub show_keywords: Vec<Class>,
    /// `-D`.
    pub daemon: bool,
    /// `-W` or `-Ws`.
    pub master_worker: bool,
    /// `-Ws`: tell systemd when ready.
    pub notify_systemd: bool,
    /// `-db` or `-Ws`: stay in the foreground, whatever the configuration says.
    pub foreground: bool,
    /// `-d`: foreground, and say what happens to each connection.
    pub debug: bool,
    /// `-V`.
    pub verbose: bool,
    /// `-q`.
    pub quiet: bool,
    /// `-dW`: a warning is an error.
    pub zero_warning: bool,
    /// `-dr`: a server's name that does not resolve is no error.
    pub tolerate_resolution_failure: bool,
    /// `-dV`: do not verify servers' certificates.
    pub no_server_verify: bool,
    /// `-dR`: listen without `SO_REUSEPORT`.
    pub no_reuse_port: bool,
    /// `-dS`: move bytes without splicing.
    pub no_splice: bool,
    /// `-dG`: `gethostbyname` in place of `getaddrinfo`; accepted, there is only the latter.
    pub no_getaddrinfo: bool,
    /// `-de`, `-dp`: accepted, there is only epoll.
    pub no_poller: bool,
    /// `-dM`: accepted, memory is never used before it is written.
    pub poison_memory: bool,
    /// `-n`, connections of the whole process; 0 is unset.
    pub max_connections: u64,
    /// `-N`, connections of each proxy; 0 is unset.
    pub max_proxy_connections: u64,
    /// `-m`, MB of the whole process; 0 is unset.
    pub memory_limit: u64,
    /// `-L`.
    pub local_peer: Option<String>,
    /// `-C`: the directory to go to before files are read.
    pub directory: Option<PathBuf>,
    /// `-p`.
    pub pid_file: Option<PathBuf>,
    /// `-sf` and `-st`: the processes to replace.
    pub old_pids: Vec<i32>,
    /// The last of `-sf` and `-st` was `-st`: end them at once.
    pub terminate_old: bool,
    /// `-x`: the stats socket of a process that hands over its listening sockets.
    pub sockets_from: Option<PathBuf>,
    /// `-S`: addresses of the master's own socket, each with its bind options after commas.
    pub master_sockets: Vec<String>,
    /// Things worth a `[WARNING]`.
    pub warnings: Vec<String>,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Check or run a configuration.
    Run(Box<Args>),
    /// `-v`.
    ShowVersion,
    /// `--demo`: run the embedded configuration.
    Demo,
    /// `-vv`.
    ShowBuildOptions,
}

/// A command line that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// The text of an `[ALERT]`, if there is more to say than the usage.
    pub alert: Option<String>,
    /// Whether the usage is to be shown.
    pub usage: bool,
}

/// Takes the words after the program's name apart.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Request, Refusal> {
    match rewrite(words.into_iter())? {
        Rewritten::Show(request) => Ok(request),
        Rewritten::Words(words) => {
            let matches = command().try_get_matches_from(words).map_err(|error| Refusal {
                alert: Some(error.to_string().trim_end().to_owned()),
                usage: true,
            })?;
            collect(&matches).map(|args| Request::Run(Box::new(args)))
        }
    }
}

/// The usage text, from the table of options.
pub fn usage(program: &str) -> String {
    let mut text = version::banner();
    let _ = writeln!(text, "Usage : {program} [options] [-f <file|directory>]... [-- <file>...]");
    for (word, doc) in options() {
        let _ = writeln!(text, "  {word:<18} {doc}");
    }
    text
}

/// Every option with its argument, and what it does, for the usage text and the manual page.
pub fn options() -> Vec<(String, &'static str)> {
    let usage = |option: &Opt| match option.takes {
        Takes::Nothing => format!("-{}", option.word),
        Takes::Suffix => format!("-{}[<byte>]", option.word),
        Takes::Classes => format!("-{}<class>[,...]", option.word),
        Takes::Value(name) => format!("-{} <{name}>", option.word),
        Takes::Pids => format!("-{} [<pid>...]", option.word),
    };
    let demo = ("--demo".to_owned(), "runs two web servers behind a balancer, to look at");
    OPTIONS.iter().map(|option| (usage(option), option.doc)).chain([demo]).collect()
}

/// What stands behind a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// Something glued to the word itself.
    Suffix,
    /// Names of classes, glued to the word itself.
    Classes,
    Value(&'static str),
    /// Every following word that has no dash.
    Pids,
}

/// One option: HAProxy's word, the long name behind it, what it takes.
struct Opt {
    word: &'static str,
    long: &'static str,
    takes: Takes,
    doc: &'static str,
}

const fn flag(word: &'static str, long: &'static str, doc: &'static str) -> Opt {
    Opt { word, long, takes: Takes::Nothing, doc }
}

const fn value(
    word: &'static str,
    long: &'static str,
    name: &'static str,
    doc: &'static str,
) -> Opt {
    Opt { word, long, takes: Takes::Value(name), doc }
}

/// In the order of the usage text. A word is the first of the longest that it begins with.
const OPTIONS: &[Opt] = &[
    value("f", "file", "file", "reads a configuration file, or every .cfg file of a directory"),
    flag("c", "check", "checks the configuration, says what is wrong with it, and exits"),
    flag("v", "version", "shows the version; -vv also shows how the program was built"),
    flag("V", "verbose", "says more, even if the configuration asks for quiet"),
    flag("q", "quiet", "says nothing"),
    flag("d", "debug", "stays in the foreground and shows what passes"),
    flag("db", "foreground", "stays in the foreground"),
    flag("D", "daemon", "goes to the background"),
    flag("W", "master-worker", "runs as a master with a worker"),
    flag("Ws", "notify-systemd", "the same, in the foreground, and tells systemd when ready"),
    value("S", "master-socket", "bind[,option]", "opens a socket to steer the master"),
    value("p", "pid-file", "file", "writes the process ids to a file"),
    value("C", "directory", "dir", "goes to a directory before reading files"),
    value("n", "max-connections", "number", "limits the connections of the whole process"),
    value("N", "max-proxy-connections", "number", "limits the connections of each proxy"),
    value("m", "memory", "MB", "limits the memory of the whole process"),
    value("L", "local-peer", "name", "names this peer (the host's name by default)"),
    value("x", "sockets-from", "socket", "takes the listening sockets from a running process"),
    Opt {
        word: "sf",
        long: "finish",
        takes: Takes::Pids,
        doc: "replaces processes, which finish what they are doing",
    },
    Opt {
        word: "st",
        long: "terminate",
        takes: Takes::Pids,
        doc: "replaces processes, which stop at once",
    },
    flag("dC", "show-configuration", "shows the configuration as it was understood, and exits"),
    Opt {
        word: "dK",
        long: "show-keywords",
        takes: Takes::Classes,
        doc: "shows the names of a class that this program knows; help lists the classes",
    },
    flag("dW", "zero-warning", "takes a warning for an error"),
    flag("dr", "tolerate-resolution", "starts even if servers' names do not resolve"),
    flag("dV", "no-server-verify", "does not verify servers' certificates"),
    flag("dR", "no-reuse-port", "listens without SO_REUSEPORT"),
    flag("dS", "no-splice", "moves bytes without splicing"),
    Opt {
        word: "dM",
        long: "poison-memory",
        takes: Takes::Suffix,
        doc: "accepted: memory is always written before it is used",
    },
    flag("de", "no-epoll", "accepted: epoll is the only poller"),
    flag("dp", "no-poll", "accepted: epoll is the only poller"),
    flag("dG", "no-getaddrinfo", "accepted: getaddrinfo is the only resolver"),
];

enum Rewritten {
    Show(Request),
    Words(Vec<OsString>),
}

/// HAProxy's words become clap's: `-sf 1 2` becomes `--finish --pid=1 --pid=2`.
fn rewrite(mut words: impl Iterator<Item = OsString>) -> Result<Rewritten, Refusal> {
    let mut out = vec![OsString::from("haproxy")];
    let mut pending = words.next();
    while let Some(word) = pending.take() {
        if word == "--demo" {
            return Ok(Rewritten::Show(Request::Demo));
        }
        if word == "--" {
            out.extend(words.by_ref().map(|file| glued("file", &file)));
            break;
        }
        let option = recognise(&word)?;
        match option.takes {
            Takes::Nothing if option.word == "v" => {
                let build = word.as_bytes().get(2) == Some(&b'v');
                return Ok(Rewritten::Show(match build {
                    true => Request::ShowBuildOptions,
                    false => Request::ShowVersion,
                }));
            }
            Takes::Nothing | Takes::Suffix => out.push(long(option.long)),
            Takes::Classes => {
                let classes = word.as_bytes().get(1 + option.word.len()..).unwrap_or_default();
                out.push(glued(option.long, OsStr::from_bytes(classes)));
            }
            Takes::Value(name) => {
                let value = words.next().ok_or_else(|| missing(option, name))?;
                out.push(glued(option.long, &value));
            }
            Takes::Pids => {
                out.push(long(option.long));
                pending = take_pids(&mut words, &mut out);
                continue;
            }
        }
        pending = words.next();
    }
    Ok(Rewritten::Words(out))
}

/// Takes words as process ids until one begins with a dash, which is given back.
fn take_pids(
    words: &mut impl Iterator<Item = OsString>,
    out: &mut Vec<OsString>,
) -> Option<OsString> {
    for word in words {
        if word.as_bytes().starts_with(b"-") {
            return Some(word);
        }
        out.push(glued("pid", &word));
    }
    None
}

/// Letters after the recognised ones are ignored, as HAProxy does.
fn recognise(word: &OsStr) -> Result<&'static Opt, Refusal> {
    let usage = Refusal { alert: None, usage: true };
    let letters = word.as_bytes().strip_prefix(b"-").ok_or(usage.clone())?;
    OPTIONS
        .iter()
        .filter(|option| letters.starts_with(option.word.as_bytes()))
        .max_by_key(|option| option.word.len())
        .ok_or(usage)
}

fn missing(option: &Opt, name: &str) -> Refusal {
    let alert = match option.word {
        "x" => "Unix socket path expected with the -x flag\n".to_owned(),
        "S" => "Socket and optional bind parameters expected with the -S flag".to_owned(),
        word => format!("-{word} option: <{name}> expected"),
    };
    Refusal { alert: Some(alert), usage: true }
}

fn long(name: &str) -> OsString {
    OsString::from(format!("--{name}"))
}

fn glued(name: &str, value: &OsStr) -> OsString {
    let mut word = format!("--{name}=").into_bytes();
    word.extend_from_slice(value.as_bytes());
    OsString::from_vec(word)
}

/// clap's side of the table.
fn command() -> Command {
    let mut command = Command::new("haproxy").disable_help_flag(true).disable_version_flag(true);
    for option in OPTIONS {
        let arg = Arg::new(option.long).long(option.long);
        command = command.arg(match option.takes {
            Takes::Value(_) | Takes::Classes => {
                arg.action(ArgAction::Append).value_parser(clap::value_parser!(OsString))
            }
            Takes::Nothing | Takes::Suffix | Takes::Pids => arg.action(ArgAction::Count),
        });
    }
    command.arg(
        Arg::new("pid")
            .long("pid")
            .action(ArgAction::Append)
            .value_parser(clap::value_parser!(OsString)),
    )
}

fn collect(matches: &ArgMatches) -> Result<Args, Refusal> {
    let on = |name: &str| matches.get_count(name) > 0;
    let path = |name: &str| last(matches, name).map(PathBuf::from);
    let mut args = Args {
        files: all(matches, "file").map(PathBuf::from).collect(),
        check: on("check"),
        show_configuration: on("show-configuration"),
        daemon: on("daemon"),
        master_worker: on("master-worker") || on("notify-systemd"),
        notify_systemd: on("notify-systemd"),
        foreground: on("foreground") || on("notify-systemd"),
        debug: on("debug"),
        verbose: on("verbose"),
        quiet: on("quiet"),
        zero_warning: on("zero-warning"),
        tolerate_resolution_failure: on("tolerate-resolution"),
        no_server_verify: on("no-server-verify"),
        no_reuse_port: on("no-reuse-port"),
        no_splice: on("no-splice"),
        no_getaddrinfo: on("no-getaddrinfo"),
        no_poller: on("no-epoll") || on("no-poll"),
        poison_memory: on("poison-memory"),
        max_connections: number(matches, "max-connections"),
        max_proxy_connections: number(matches, "max-proxy-connections"),
        memory_limit: number(matches, "memory"),
        local_peer: last(matches, "local-peer").map(|name| name.to_string_lossy().into_owned()),
        directory: path("directory"),
        pid_file: path("pid-file"),
        sockets_from: path("sockets-from"),
        master_sockets: all(matches, "master-socket")
            .map(|bind| bind.to_string_lossy().into_owned())
            .collect(),
        terminate_old: last_index(matches, "terminate") > last_index(matches, "finish"),
        ..Args::default()
    };
    let signal_word = if args.terminate_old { "st" } else { "sf" };
    args.old_pids =
        all(matches, "pid").map(|word| pid(signal_word, word)).collect::<Result<_, _>>()?;
    for list in all(matches, "show-keywords") {
        classes(&list.to_string_lossy(), &mut args);
    }
    if all(matches, "sockets-from").count() > 1 {
        args.warnings.push("-x option already set, overwriting the value".to_owned());
    }
    match args.files.is_empty() {
        true => Err(Refusal { alert: None, usage: true }),
        false => Ok(args),
    }
}

/// The classes of one `-dK`; none asks which there are.
fn classes(list: &str, args: &mut Args) {
    for word in list.split(',') {
        match Class::of(word) {
            Some(class) => args.show_keywords.push(class),
            None => args.warnings.push(format!(
                "-dK option: unknown class '{word}' is ignored; -dKhelp lists the classes"
            )),
        }
    }
}

fn all<'a>(matches: &'a ArgMatches, name: &str) -> impl Iterator<Item = &'a OsString> {
    matches.get_many::<OsString>(name).into_iter().flatten()
}

fn last<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a OsString> {
    all(matches, name).last()
}

fn last_index(matches: &ArgMatches, name: &str) -> usize {
    match matches.get_count(name) {
        0 => 0,
        _ => matches.indices_of(name).and_then(Iterator::max).unwrap_or(0),
    }
}

/// As C's `atol` reads it: digits at the start, otherwise 0, which means unset.
fn number(matches: &ArgMatches, name: &str) -> u64 {
    let Some(word) = last(matches, name) else { return 0 };
    let text = word.to_string_lossy();
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().unwrap_or(0)
}

fn pid(option: &str, word: &OsStr) -> Result<i32, Refusal> {
    let text = word.to_string_lossy();
    let digits = text.trim();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let rest = digits[end..].trim_start();
    if !rest.is_empty() && !digits.starts_with('-') {
        let alert = format!("-{option} option: some bytes unconsumed in PID list {{{rest}}}");
        return Err(Refusal { alert: Some(alert), usage: false });
    }
    match digits[..end].parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(Refusal { alert: None, usage: true }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn run(line: &str) -> Args {
        match parse(words(line)) {
            Ok(Request::Run(args)) => *args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_docker_image_starts_like_this() {
        let args = run("-W -db -f /usr/local/etc/haproxy/haproxy.cfg");
        let files = vec![PathBuf::from("/usr/local/etc/haproxy/haproxy.cfg")];
        let expected = Args { files, master_worker: true, foreground: true, ..Args::default() };
        assert_eq!(args, expected);
    }

    #[test]
    fn every_option_is_understood() {
        for option in OPTIONS.iter().filter(|option| option.word != "v") {
            let glued = !matches!(option.takes, Takes::Value(_) | Takes::Pids);
            let value = if glued { "" } else { "7" };
            run(&format!("-f a.cfg -{} {value}", option.word));
        }
        command().debug_assert();
    }

    #[test]
    fn files_keep_their_order_and_may_follow_two_dashes() {
        let args = run("-f a -c -f b -- c -d");
        assert_eq!(args.files, ["a", "b", "c", "-d"].map(PathBuf::from));
        assert!(args.check && !args.debug);
    }

    #[test]
    fn only_the_beginning_of_a_word_counts() {
        let args = run("-file a -dM42 -dbx -Wx -checking");
        assert!(args.poison_memory && args.foreground && args.master_worker && args.check);
        assert!(!args.notify_systemd && !args.debug);
    }

    #[test]
    fn classes_of_names_are_glued_to_their_option() {
        let args = run("-f a -dKcfg,smp -dK -dKnone -dC");
        assert_eq!(args.show_keywords, [Class::Configuration, Class::Fetches, Class::Help]);
        assert!(args.show_configuration && args.warnings[0].contains("'none'"));
    }

    #[test]
    fn process_ids_end_at_the_next_option() {
        let args = run("-f a -sf 1 22 -D -p x");
        assert_eq!((args.old_pids, args.terminate_old), (vec![1, 22], false));
        assert!(args.daemon);
        let args = run("-f a -sf -st 3");
        assert_eq!((args.old_pids, args.terminate_old), (vec![3], true));
    }

    #[test]
    fn a_process_id_is_a_number() {
        let alert = |line: &str| parse(words(line)).unwrap_err();
        let words = "-sf option: some bytes unconsumed in PID list {abc}".to_owned();
        assert_eq!(alert("-f a -sf abc"), Refusal { alert: Some(words), usage: false });
        assert_eq!(alert("-f a -sf 0"), Refusal { alert: None, usage: true });
    }

    #[test]
    fn what_is_not_understood_shows_the_usage() {
        for line in ["", "-z -f a", "a.cfg", "-c", "-f a -s"] {
            let refusal = parse(words(line)).unwrap_err();
            assert_eq!(refusal, Refusal { alert: None, usage: true }, "{line}");
        }
        assert!(parse(words("-c -f")).unwrap_err().alert.is_some());
    }

    #[test]
    fn the_version_needs_no_configuration() {
        assert_eq!(parse(words("-v")), Ok(Request::ShowVersion));
        assert_eq!(parse(words("-f a -vv -z")), Ok(Request::ShowBuildOptions));
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let args = run("-f a -n 2000x -N abc -m 64");
        assert_eq!(
            (args.max_connections, args.max_proxy_connections, args.memory_limit),
            (2000, 0, 64)
        );
    }

    #[test]
    fn the_usage_names_every_option() {
        let text = usage("haproxy");
        assert!(OPTIONS.iter().all(|option| text.contains(&format!("  -{}", option.word))));
    }
}
