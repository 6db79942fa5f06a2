//! HAProxy 2.3, rebuilt: a configuration becomes a proxy graph, connections pass through it.
//!
//! Read the modules in this order. `catalog` lists every name; `config` turns text into a `Spec` and a
//! `Spec` into a `World`; `flow` is the life of a connection; `sample` evaluates expressions on the way;
//! `state` holds what outlives a request and a reload; `check` watches servers; `control` is where
//! people look and steer.

pub mod catalog;
pub mod config;
pub mod flow;
pub mod sample;
pub mod state;

pub mod check;
pub mod control;
pub mod sys;
pub mod version;
