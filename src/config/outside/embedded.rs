//! Files inside the program: the configuration that `--demo` runs.

use std::path::Path;
use std::sync::Arc;

/// The demonstration's name in messages; no file can be meant by it.
pub const DEMO: &str = "<demo>";

const DEMO_TEXT: &[u8] = include_bytes!("../../../fixtures/demo/haproxy.cfg");

/// The content of an embedded file.
pub fn read(path: &Path) -> Option<Arc<[u8]>> {
    (path == Path::new(DEMO)).then(|| Arc::from(DEMO_TEXT))
}
