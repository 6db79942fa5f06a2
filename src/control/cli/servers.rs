//! `show servers state`, `show servers conn`, `show backend` (management.txt 9.3).

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Answer, Command, CommandContext};
use crate::catalog::{Part, Status};
use crate::check::CheckStatus;
use crate::state::clock;
use crate::state::server_status::ServerAddress;
use crate::state::world::{Proxy, Server, World};

/// Columns of `show servers state`, which a server-state file has too.
const STATE_COLUMNS: &str = "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord";

/// Writes something of each server of one backend, or of all, piece by piece.
fn each_server(
    context: &CommandContext<'_>,
    header: String,
    write: fn(&Proxy, &Server, &mut String),
) -> Answer {
    let world: Arc<World> = Arc::clone(&context.world);
    let (first, last) = match context.arg(0) {
        "" => (0, world.proxies.len()),
        name => match context.backend(name) {
            Some(proxy) => (proxy.index, proxy.index + 1),
            None => return Answer::error("Can't find backend.\n"),
        },
    };
    let (mut header, mut next) = (Some(header), first);
    Answer::Pieces(Box::new(move |out| {
        let mut text = header.take().unwrap_or_default();
        let limit = out.len() + 16_384;
        while next < last && text.len() < limit {
            if let Some(proxy) = world.proxies.get(next).filter(|p| !p.disabled) {
                proxy.servers().iter().for_each(|server| write(proxy, server, &mut text));
            }
            next += 1;
        }
        out.extend_from_slice(text.as_bytes());
        next < last
    }))
}

fn show_state(context: &mut CommandContext<'_>) -> Answer {
    each_server(context, format!("1\n# {STATE_COLUMNS}\n"), state_line)
}

/// One line of a server-state file.
fn state_line(proxy: &Proxy, server: &Server, out: &mut String) {
    let status = &server.status;
    let health = status.health.lock().clone();
    let (address, port) = address(server);
    let check_status = match health.status {
        CheckStatus::Unknown => CheckStatus::Initializing,
        status => status,
    };
    let _ = writeln!(
        out,
        "{} {} {} {} {address} {} {} {} {} {} {} {} {} {} {} {} {} {} {port} {}",
        proxy.id,
        proxy.name,
        server.id,
        server.name,
        status.operational() as u8,
        status.admin(),
        status.weight(),
        status.initial_weight.load(Relaxed),
        status.last_change(clock::now_ms()),
        check_status as u8,
        health.result as u8,
        health.health,
        check_state(&health),
        agent_state(&status.agent.lock().health),
        0,
        u8::from(server.spec.option("id").is_some()),
        status.host.load().as_ref().map_or("-", |host| &host.name),
        server.spec.service().unwrap_or("-"),
    );
}

/// Bits of `srv_check_state`: in progress, configured, enabled, paused.
fn check_state(health: &crate::check::Health) -> u8 {
    u8::from(health.in_progress)
        | u8::from(health.configured) << 1
        | u8::from(health.enabled) << 2
        | u8::from(health.paused) << 3
}

/// Bits of `srv_agent_state`: those of a check, and that it is an agent.
fn agent_state(health: &crate::check::Health) -> u8 {
    check_state(health) | u8::from(health.configured) << 4
}

fn address(server: &Server) -> (String, u16) {
    match &**server.status.address.load() {
        ServerAddress::Inet(address) => (address.ip().to_string(), address.port()),
        ServerAddress::Unix(path) => (format!("{}", path.display()), 0),
        ServerAddress::Abstract(name) => (format!("abns@{}", String::from_utf8_lossy(name)), 0),
        ServerAddress::Named(port) => ("-".to_owned(), *port),
        ServerAddress::None => ("-".to_owned(), 0),
    }
}

fn show_conn(context: &mut CommandContext<'_>) -> Answer {
    let threads = context.world.global.threads;
    let header = format!(
        "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim idle_cur idle_per_thr[{threads}]\n"
    );
    each_server(context, header, conn_line)
}

fn conn_line(proxy: &Proxy, server: &Server, out: &mut String) {
    let sessions = &server.status.counters.sessions;
    let (address, port) = address(server);
    let purge = server.spec.pool_purge_delay.map_or(5_000, |delay| delay.as_millis());
    let limit = server.pool_max.map_or(-1, i64::from);
    let idle = server.pool.idle_by_thread();
    let total: usize = idle.iter().sum();
    let (bk, sv) = (&proxy.name, &server.name);
    let (used, most) = (sessions.get(), sessions.peak());
    let _ = write!(
        out,
        "{bk}/{sv} {}/{} {address} {port} - {purge} {used} {most} {most} 0 {total} {limit} {total}",
        proxy.id, server.id,
    );
    for count in idle {
        let _ = write!(out, " {count}");
    }
    out.push('\n');
}

fn show_backend(context: &mut CommandContext<'_>) -> Answer {
    let mut text = String::from("# name\n");
    for proxy in context.world.proxies.iter().filter(|p| p.backend.is_some() && !p.disabled) {
        text.push_str(&proxy.name);
        text.push('\n');
    }
    Answer::text(text)
}

const COMMAND: Command = Command { status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "show servers conn",
            args: "[<backend>]",
            help: "show servers conn [id]: dump server connections status (for backend <id>)",
            doc: "Connections to each server, in use and idle.",
            examples: &["show servers conn", "show servers conn app"],
            run: show_conn,
            ..COMMAND
        },
        Command {
            name: "show servers state",
            args: "[<backend>]",
            help: "show servers state [id]: dump volatile server information (for backend <id>)",
            doc: "What is known of each server, in the form of a server-state file.",
            examples: &["show servers state", "show servers state app"],
            run: show_state,
            ..COMMAND
        },
        Command {
            name: "show backend",
            help: "show backend   : list backends in the current running config",
            doc: "The names of the backends.",
            examples: &["show backend"],
            run: show_backend,
            ..COMMAND
        },
    ],
    ..Part::NONE
};
