//! Where connections come in: `bind` lines, accepting, the first checks.

pub mod accept;
pub mod bind;
pub mod crt_list;
pub mod limits;
pub mod options;
pub mod proxy_protocol;
pub mod rate;
