//! Servers are watched (manual 4.2 "option httpchk", 5.2 "check").

pub mod health;
pub mod http;

pub use health::{CheckResult, CheckStatus, Health};

use crate::catalog::Part;
use crate::config::compile::Compiler;
use crate::config::spec::{ProxySpec, ServerSpec};

/// `option httpchk`, `http-check` … as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckSpec {}

impl CheckSpec {
    /// What the checks of a backend do.
    pub fn compile(&self, _: &ProxySpec, _: &mut Compiler<'_>) -> Check {
        Check {}
    }
}

impl ServerCheckSpec {
    /// The checks of a server, if it has any.
    pub fn compile(&self, _: &ProxySpec, _: &ServerSpec) -> Option<ServerCheck> {
        None
    }
}

/// What a backend's checks do.
#[derive(Debug, Default)]
pub struct Check {}

/// `check`, `inter`, `rise` … of a server as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerCheckSpec {}

/// Checks of one server.
#[derive(Debug, Clone, Default)]
pub struct ServerCheck {}

/// The rows of this family.
pub const PART: Part = Part::NONE;
