//! TCP mode (manual 4 `mode tcp`): bytes, half-closes, resets and time-outs pass from end to end.

use super::{TCP_S1, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const BASE: &str = "defaults\n mode tcp\n timeout connect 10s\n";

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "tcp/both-ways",
        TCP_S1,
        "",
        &[Send("ping\n"), ServerBytes(5), Answer("pong\n"), Bytes(5), Send("more"), ServerBytes(4)],
    ),
    scenario(
        "tcp/server-speaks-first",
        TCP_S1,
        "",
        &[Connect("fe"), Accept("s1"), Answer("220 hello\r\n"), Bytes(11), Close, ServerEnd],
    ),
    scenario(
        "tcp/client-half-closes",
        TCP_S1,
        "",
        &[Send("all"), HalfClose, ServerEnd, Answer("answer after the end"), ServerClose, End],
    ),
    scenario(
        "tcp/server-half-closes",
        TCP_S1,
        "",
        &[Send("x"), ServerBytes(1), Answer("bye"), ServerHalfClose, End],
    ),
    scenario("tcp/client-resets", TCP_S1, "", &[Send("x"), ServerBytes(1), Reset, ServerEnd]),
    scenario("tcp/server-resets", TCP_S1, "", &[Send("x"), ServerBytes(1), ServerReset, End]),
    scenario(
        "tcp/client-timeout",
        BASE,
        "    timeout client 300ms\n timeout server 10s\nlisten main\n bind {fe}\n server s1 {s1}\n",
        &[Send("x"), ServerBytes(1), ServerEnd, ServerClose, End],
    ),
    scenario(
        "tcp/server-timeout",
        BASE,
        "    timeout client 10s\n timeout server 300ms\nlisten main\n bind {fe}\n server s1 {s1}\n",
        &[Send("x"), ServerBytes(1), End],
    ),
    scenario(
        "tcp/server-refuses",
        BASE,
        "    timeout client 10s\n timeout server 10s\n retries 0\nlisten main\n bind {fe}\n server s1 {dead}\n",
        &[Send("x"), End],
    ),
    scenario(
        "tcp/no-server",
        BASE,
        "    timeout client 10s\n timeout server 10s\nlisten main\n bind {fe}\n",
        &[Send("x"), End],
    ),
];
