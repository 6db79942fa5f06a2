//! Samples of the connection and of the program's own state (manual 7.3.2, 7.3.3): each value as HAProxy
//! gives it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use haproxy_compat::harness::{Web, eventually};

use crate::{CLI, GET, HTTP, OK, proxy};

/// Backends and servers in many states; the samples are taken in `be`.
const STATES: &str = "
backend x
    server u {s1}
    server v {s1} maxconn 10 maxqueue 5
    server d {s1} disabled weight 20
    server q {s1} maxconn 4 maxqueue 3
    server w {s1} weight 30
    server b {s1} backup maxconn 7 maxqueue 1
backend limited
    server v {s1} maxconn 10 maxqueue 5
    server q {s1} maxconn 4 maxqueue 3
    server d {s1} disabled maxconn 50 maxqueue 50
backend spare
    server d {s1} disabled
    server b {s1} backup maxconn 7 maxqueue 1
    server c {s1} backup maxconn 9 maxqueue 1
backend empty
";

/// Takes the samples in a backend; gives their values as text.
fn take(samples: &[&str]) -> Result<Vec<String>> {
    let web = Web::start("here")?;
    let rules: String = samples
        .iter()
        .enumerate()
        .map(|(n, sample)| format!(" http-request set-header x-{n} <%[{sample}]>\n"))
        .collect();
    let config = format!(
        "{HTTP}frontend fe\n id 77\n bind {{fe}} name door id 9\n default_backend be\n\
         backend be\n id 88\n{rules} server s1 {{s1}} id 5 weight 3\n{STATES}"
    );
    let proxy = proxy(&config).name("s1", web.address()).env("SEEN", "bar").start()?;
    proxy.connect("fe")?.get("/", "")?;
    let request = web.wait_for_requests(1)?.remove(0);
    let value = |n| request.header(&format!("x-{n}")).unwrap_or("(none)").to_owned();
    Ok((0..samples.len()).map(value).collect())
}

#[test]
fn samples_have_the_values_of_the_state() -> Result<()> {
    let cases = [
        ("always_true", "1"),
        ("always_false", "0"),
        ("avg_queue(be)", "0"),
        ("avg_queue(empty)", "0"),
        ("be_conn(be)", "1"),
        ("be_conn", "1"),
        ("be_conn(x)", "0"),
        ("be_conn_free(be)", "-1"),
        ("be_conn_free(x)", "-1"),
        ("be_conn_free(limited)", "14"),
        ("be_conn_free(spare)", "7"),
        ("be_conn_free(empty)", "0"),
        ("be_id", "88"),
        ("be_name", "be"),
        ("be_sess_rate(be)", "1"),
        ("be_sess_rate(x)", "0"),
        ("connslots(x)", "-1"),
        ("connslots(limited)", "22"),
        ("connslots(spare)", "18"),
        ("connslots(empty)", "0"),
        ("dst", "127.0.0.1"),
        ("dst_conn", "1"),
        ("dst_is_local", "1"),
        ("env(SEEN)", "bar"),
        ("env(UNSEEN)", ""),
        ("fc_fackets", "0"),
        ("fc_http_major", "1"),
        ("fc_lost", "0"),
        ("fc_pp_authority", ""),
        ("fc_pp_unique_id", ""),
        ("fc_rcvd_proxy", "0"),
        ("fc_reordering", "3"),
        ("fc_retrans", "0"),
        ("fc_rtt", "0"),
        ("fc_rttvar", "0"),
        ("fc_sacked", "0"),
        ("fc_unacked", "0"),
        ("fe_conn(fe)", "1"),
        ("fe_defbe", "be"),
        ("fe_id", "77"),
        ("fe_name", "fe"),
        ("fe_req_rate(fe)", "1"),
        ("fe_sess_rate(fe)", "1"),
        ("nbproc", "1"),
        ("nbsrv", "1"),
        ("nbsrv(x)", "4"),
        ("nbsrv(spare)", "1"),
        ("nbsrv(empty)", "0"),
        ("prio_class", "0"),
        ("prio_offset", "0"),
        ("proc", "1"),
        ("queue(be)", "0"),
        ("rand(1)", "0"),
        ("so_id", "9"),
        ("so_name", "door"),
        ("src", "127.0.0.1"),
        ("src_is_local", "1"),
        ("srv_conn(be/s1)", "0"),
        ("srv_conn_free(x/u)", "-1"),
        ("srv_conn_free(x/v)", "10"),
        ("srv_is_up(x/d)", "0"),
        ("srv_is_up(x/u)", "1"),
        ("srv_iweight(s1)", "3"),
        ("srv_iweight(x/d)", "20"),
        ("srv_queue(be/s1)", "0"),
        ("srv_sess_rate(be/s1)", "0"),
        ("srv_uweight(x/w)", "30"),
        ("srv_weight(x/w)", "30"),
        ("stopping", "0"),
    ];
    let names: Vec<_> = cases.iter().map(|(sample, _)| *sample).collect();
    for ((sample, wanted), got) in cases.iter().zip(take(&names)?) {
        assert_eq!(got, format!("<{wanted}>"), "{sample}");
    }
    Ok(())
}

#[test]
fn time_chance_and_names_are_plausible() -> Result<()> {
    let number = |text: &String| -> Result<i64> { Ok(text.trim_matches(['<', '>']).parse()?) };
    let values = take(&[
        "date",
        "date(10)",
        "date(0,ms)",
        "date(0,us)",
        "date_us",
        "rand",
        "rand(3)",
        "uuid",
        "uuid(4)",
        "hostname",
        "fc_rtt(us)",
        "thread",
    ])?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let numbers: Vec<_> = values.iter().map(|v| number(v).unwrap_or(-1)).collect();
    assert!((now - 30..=now).contains(&numbers[0]), "{values:?}");
    assert!((numbers[0] + 9..=numbers[0] + 11).contains(&numbers[1]), "{values:?}");
    assert!((numbers[2] / 1_000 - numbers[0]).abs() <= 1, "{values:?}");
    assert!((numbers[3] / 1_000_000 - numbers[0]).abs() <= 1, "{values:?}");
    assert!((0..1_000_000).contains(&numbers[4]) && (0..3).contains(&numbers[6]), "{values:?}");
    assert!(numbers[5] >= 0 && numbers[10] > 0 && numbers[11] >= 0, "{values:?}");
    let shape = regex::bytes::Regex::new(
        "^<[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}>$",
    )?;
    assert!(
        shape.is_match(values[7].as_bytes()) && shape.is_match(values[8].as_bytes()),
        "{values:?}"
    );
    assert_ne!(values[7], values[8]);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    assert_eq!(values[9], format!("<{}>", host.trim()));
    Ok(())
}

#[test]
fn responses_know_their_server() -> Result<()> {
    let web = Web::start("here")?;
    let config = format!(
        "{HTTP}listen fe\n bind {{fe}}\n http-response set-header x-who %[srv_id]/%[srv_name]/%[bc_http_major]/%[be_name]\n\
         server s1 {{s1}} id 5\n"
    );
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.header("x-who"), Some("5/s1/1/fe"));
    Ok(())
}

#[test]
fn urgent_requests_leave_the_queue_first() -> Result<()> {
    let server = haproxy_compat::harness::Server::listen()?;
    let config = format!(
        "{CLI}{HTTP} timeout queue 20s\nlisten fe\n bind {{fe}}\n\
         http-request set-priority-class int(-5) if {{ path /urgent }}\n\
         http-request set-priority-class int(9999) if {{ path /last }}\n\
         http-request set-priority-offset int(-60000) if {{ path /soon }}\n\
         http-request set-header x-prio %[prio_class]/%[prio_offset]\n\
         option httpclose\n server s1 {{s1}} maxconn 1\n"
    );
    let proxy = proxy(&config).name("s1", server.address()).start()?;
    let mut first = proxy.connect("fe")?;
    first.send(GET)?;
    let mut busy = server.accept()?;
    let mut waiting = Vec::new();
    for (count, path) in ["/last", "/plain", "/soon", "/urgent"].iter().enumerate() {
        let mut client = proxy.connect("fe")?;
        client.send(GET.replace("/ ", &format!("{path} ")))?;
        eventually("it waits", || {
            Ok(proxy.stats()?.number("fe", "BACKEND", "qcur")? == i64::try_from(count)? + 1)
        })?;
        waiting.push(client);
    }
    busy.head()?;
    for (path, priority) in
        [("/urgent", "-5/0"), ("/soon", "0/-60000"), ("/plain", "0/0"), ("/last", "2047/0")]
    {
        busy.send(OK)?;
        busy = server.accept()?;
        let request = busy.head()?;
        assert_eq!((request.target(), request.header("x-prio")), (path, Some(priority)));
    }
    Ok(())
}
