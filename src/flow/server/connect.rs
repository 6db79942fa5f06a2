//! Connecting to a server.
