//! HAProxy 2.3, rebuilt.
