//! Commands about cookies made of servers' addresses: `enable`, `disable` `dynamic-cookie`, `set
//! dynamic-cookie-key` (management.txt 9.3).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Answer, Command, CommandContext, Level};
use crate::catalog::{Part, Status};
use crate::flow::server::cookie::Cookie;

/// Acts on the cookie of the backend that the first argument names; one without a cookie is fine.
fn with_cookie(context: &CommandContext<'_>, act: impl FnOnce(&Cookie)) -> Answer {
    let name = context.arg(0);
    if name.is_empty() {
        return Answer::error("A backend name is expected.\n");
    }
    let Some(backend) = context.backend(name).and_then(|p| p.backend.as_ref()) else {
        return Answer::error("No such backend.\n");
    };
    if let Some(cookie) = backend.persistence.as_ref().and_then(|p| p.cookie.as_ref()) {
        act(cookie);
    }
    Answer::Done
}

fn set_key(context: &mut CommandContext<'_>) -> Answer {
    let key = context.arg(1).to_owned();
    if key.is_empty() && context.backend(context.arg(0)).is_some() {
        return Answer::error("String value expected.\n");
    }
    with_cookie(context, |cookie| cookie.key.store(Some(Arc::new(key.into_bytes()))))
}

const ADMIN: Command = Command { level: Level::Admin, status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "disable dynamic-cookie backend",
            args: "<backend>",
            help: "disable dynamic-cookie backend : disable dynamic cookies on a specific backend",
            doc: "Stops making cookies from servers' addresses.",
            examples: &["disable dynamic-cookie backend www"],
            run: |context| with_cookie(context, |cookie| cookie.dynamic.store(false, Relaxed)),
            ..ADMIN
        },
        Command {
            name: "enable dynamic-cookie backend",
            args: "<backend>",
            help: "enable dynamic-cookie backend : enable dynamic cookies on a specific backend",
            doc: "Makes cookies from servers' addresses, for servers that have none.",
            examples: &["enable dynamic-cookie backend www"],
            run: |context| with_cookie(context, |cookie| cookie.dynamic.store(true, Relaxed)),
            ..ADMIN
        },
        Command {
            name: "set dynamic-cookie-key backend",
            args: "<backend> <value>",
            help: "set dynamic-cookie-key backend : change a backend secret key for dynamic cookies",
            doc: "The secret of cookies made from servers' addresses.",
            examples: &["set dynamic-cookie-key backend www secret"],
            run: set_key,
            ..ADMIN
        },
    ],
    ..Part::NONE
};
