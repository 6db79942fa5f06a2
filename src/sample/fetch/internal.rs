//! Fetches from the program's own state (manual 7.3.2).

use crate::catalog::{Fetch, Part, Status};
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, vars};

fn variable_name(args: &mut Arguments) -> Result<(), String> {
    let name = args.str(0).unwrap_or_default();
    vars::check_name(name).map_err(|e| e.replace("{name}", &String::from_utf8_lossy(name)))
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "always_false",
            gives: Type::Bool,
            valid: "YYYYYYYYYYYYYYYYYYYYYY",
            doc: "Always false.",
            examples: &["always_false"],
            status: Status::Works,
            run: |_, _| Some(Value::Bool(false)),
            ..Fetch::NEW
        },
        Fetch {
            name: "always_true",
            gives: Type::Bool,
            valid: "YYYYYYYYYYYYYYYYYYYYYY",
            doc: "Always true.",
            examples: &["always_true"],
            status: Status::Works,
            run: |_, _| Some(Value::Bool(true)),
            ..Fetch::NEW
        },
        Fetch {
            name: "avg_queue",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Queued connections of a backend divided by its usable servers.",
            examples: &["avg_queue(app)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "be_conn",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Established connections of a backend.",
            examples: &["be_conn(app)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "be_conn_free",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Connections a backend could still take on its usable servers.",
            examples: &["be_conn_free(app)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "be_sess_rate",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "New sessions of a backend in the last second.",
            examples: &["be_sess_rate(app)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "connslots",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Free connection and queue slots of all usable servers of a backend.",
            examples: &["connslots(app)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "cpu_calls",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "How often the stream's task has run.",
            examples: &["cpu_calls"],
            ..Fetch::NEW
        },
        Fetch {
            name: "cpu_ns_avg",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Average CPU time of one run of the stream's task, in nanoseconds.",
            examples: &["cpu_ns_avg"],
            ..Fetch::NEW
        },
        Fetch {
            name: "cpu_ns_tot",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "CPU time the stream has used, in nanoseconds.",
            examples: &["cpu_ns_tot"],
            ..Fetch::NEW
        },
        Fetch {
            name: "date",
            args: &[ArgType::Int, ArgType::Str],
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The current time since the epoch, with an offset and a unit (s, ms, us).",
            examples: &["date(0)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "date_us",
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The microseconds of the current time.",
            examples: &["date_us"],
            ..Fetch::NEW
        },
        Fetch {
            name: "env",
            args: &[ArgType::Str],
            required: 1,
            gives: Type::Str,
            valid: valid::ANYWHERE,
            doc: "The value of an environment variable.",
            examples: &["env(HOME)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "hostname",
            gives: Type::Str,
            valid: valid::ANYWHERE,
            doc: "The name of this machine.",
            examples: &["hostname"],
            ..Fetch::NEW
        },
        Fetch {
            name: "lat_ns_avg",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Average scheduling delay of the stream's task, in nanoseconds.",
            examples: &["lat_ns_avg"],
            ..Fetch::NEW
        },
        Fetch {
            name: "lat_ns_tot",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Summed scheduling delay of the stream's task, in nanoseconds.",
            examples: &["lat_ns_tot"],
            ..Fetch::NEW
        },
        Fetch {
            name: "nbproc",
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The number of processes.",
            examples: &["nbproc"],
            ..Fetch::NEW
        },
        Fetch {
            name: "nbsrv",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Usable servers of a backend.",
            examples: &["nbsrv(app)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "proc",
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The number of the current process.",
            examples: &["proc"],
            ..Fetch::NEW
        },
        Fetch {
            name: "queue",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Queued connections of a backend and its servers.",
            examples: &["queue(app)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "rand",
            args: &[ArgType::Int],
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "A random integer below the given limit.",
            examples: &["rand"],
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_conn",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Connections on a server.",
            examples: &["srv_conn(app/s1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_conn_free",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Connections a server could still take.",
            examples: &["srv_conn_free(app/s1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_is_up",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Bool,
            valid: valid::INTERNAL,
            doc: "Whether a server is up.",
            examples: &["srv_is_up(app/s1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_iweight",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "A server's weight as configured.",
            examples: &["srv_iweight(app/s1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_queue",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Connections waiting for a server.",
            examples: &["srv_queue(app/s1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_sess_rate",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "New sessions of a server in the last second.",
            examples: &["srv_sess_rate(app/s1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_uweight",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "A server's weight as set at run time.",
            examples: &["srv_uweight(app/s1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_weight",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "A server's effective weight.",
            examples: &["srv_weight(app/s1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "stopping",
            gives: Type::Bool,
            valid: valid::INTERNAL,
            doc: "Whether the process is stopping.",
            examples: &["stopping"],
            ..Fetch::NEW
        },
        Fetch {
            name: "thread",
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The number of the current thread.",
            examples: &["thread"],
            ..Fetch::NEW
        },
        Fetch {
            name: "uuid",
            args: &[ArgType::Int],
            gives: Type::Str,
            valid: valid::ANYWHERE,
            doc: "A new random UUID.",
            examples: &["uuid(4)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "var",
            args: &[ArgType::Str],
            check: variable_name,
            required: 1,
            gives: Type::Any,
            valid: valid::ANYWHERE,
            doc: "The value of a variable.",
            examples: &["var(txn.x)"],
            status: Status::Works,
            run: |context, args| vars::get(context, args.str(0)?),
            ..Fetch::NEW
        },
    ],
    ..Part::NONE
};
