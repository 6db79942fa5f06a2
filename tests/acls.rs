//! ACLs (manual 7.1): methods, flags, files, and what changes while the proxy runs.

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Builder, Proxy, Web};

use crate::{CLI, HTTP, proxy};

/// A proxy that adds `x-m: NUMBER` to a request for each ACL that holds, and the server behind it.
fn adding(acls: &[&str]) -> String {
    let rule = |(number, acl): (usize, &&str)| {
        format!(" http-request add-header x-m {number} if {{ {acl} }}\n")
    };
    let rules: String = acls.iter().enumerate().map(rule).collect();
    format!(
        "{CLI}{HTTP}frontend fe\n bind {{fe}}\n{rules} default_backend be\nbackend be\n server s1 {{s1}}\n"
    )
}

fn start(builder: Builder) -> Result<(Proxy, Web)> {
    let web = Web::start("s1")?;
    Ok((builder.name("s1", web.address()).start()?, web))
}

/// The numbers of the ACLs that hold for a request.
fn holding(proxy: &Proxy, web: &Web, path: &str, headers: &str) -> Result<Vec<usize>> {
    let before = web.requests().len();
    proxy.connect("fe")?.get(path, headers)?;
    let requests = web.requests();
    ensure!(requests.len() == before + 1, "the request did not arrive");
    Ok(requests[before].all("x-m").iter().map(|n| n.parse()).collect::<Result<_, _>>()?)
}

#[test]
fn each_method_compares_in_its_own_way() -> Result<()> {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("path -m found", &["/"], &[]),
        ("req.hdr(x-no) -m found", &[], &["/"]),
        ("path /a /b", &["/a", "/b"], &["/A", "/ab", "/"]),
        ("path -i /a", &["/a", "/A"], &["/b"]),
        ("path -i -- /a -i", &["/A"], &["/i"]),
        ("path -m beg /a /bc", &["/a", "/ab", "/bcd"], &["/b", "/c"]),
        ("path_beg -i /Ab", &["/aBc"], &["/a"]),
        ("path_end .png .GIF", &["/x.png", "/.GIF"], &["/x.gif", "/png"]),
        ("path_end -i .GIF", &["/x.gif"], &["/gif"]),
        ("path_sub bc xyz q", &["/abcd", "/wxyz", "/q"], &["/b/c", "/xy"]),
        ("path_sub -i BC", &["/abCd"], &["/b-c"]),
        (
            "path_dir img /a/b/",
            &["/img", "/x/img/y", "/x/a/b?q", "/a/b"],
            &["/imgs", "/ximg/", "/a/bc"],
        ),
        ("path_len 3:4 9", &["/ab", "/abc", "/abcdefgh"], &["/a", "/abcd"]),
        ("path,length gt 5 lt 3", &["/", "/abcdef"], &["/ab", "/abcd"]),
        ("path,length 5-", &["/abcd"], &["/abc"]),
        ("path -m bool", &[], &["/a"]),
        ("req.hdr(n) -m bool", &["/?n=1"], &["/?n=0", "/?n=x", "/"]),
        ("req.hdr(n) -m int 7 10:20", &["/?n=7", "/?n=15"], &["/?n=8", "/"]),
        ("path -m bin 2f61 2F42", &["/a", "/B"], &["/A", "/b"]),
        ("path_reg ^/[0-9]+$ x{3}", &["/42", "/axxx"], &["/a", "/4a", "/xx"]),
        ("path_reg -i ^/AB", &["/abc"], &["/b"]),
        ("path_reg ^/(?!no)", &["/yes"], &["/not"]),
        ("path -m regm (.)\\\\1", &["/aa", "//"], &["/ab"]),
        (
            "req.hdr(ip) -m ip 10.0.0.0/8 192.168.1.0/255.255.255.0 2001:db8::/32",
            &["/?ip=10.1.2.3", "/?ip=192.168.1.9", "/?ip=2001:db8::1", "/?ip=::ffff:10.9.9.9"],
            &["/?ip=11.1.2.3", "/?ip=192.168.2.9", "/?ip=2001:db9::1", "/?ip=x", "/"],
        ),
        ("req.hdr(ip) -m ip 10.0.7.0/255.0.255.0", &["/?ip=10.9.7.1"], &["/?ip=10.9.8.1"]),
        ("src 127.0.0.0/8", &["/"], &[]),
        ("src 128.0.0.0/1 ::1", &[], &["/"]),
        ("path,lower -m str /a", &["/A"], &["/B"]),
        ("path -m len 1", &["/"], &["/a"]),
        ("path -m regm ^/a", &["/ab"], &["/b"]),
    ];
    let acls: Vec<&str> =
        cases.iter().map(|(acl, ..)| *acl).filter(|acl| !acl.contains("concat")).collect();
    let (proxy, web) = start(proxy(&adding(&acls)))?;
    let mut paths: Vec<&str> = cases.iter().flat_map(|(_, yes, no)| [*yes, *no].concat()).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        // What looks like a parameter is sent as a header.
        let (target, header) = match path.split_once("/?") {
            Some((_, parameter)) => ("/", format!("{}\r\n", parameter.replacen('=', ": ", 1))),
            None => (path, String::new()),
        };
        let found = holding(&proxy, &web, target, &header)?;
        for (number, acl) in acls.iter().enumerate() {
            let case = cases.iter().find(|(a, ..)| a == acl);
            let Some((_, yes, no)) = case else { continue };
            ensure!(!yes.contains(&path) || found.contains(&number), "{acl} does not match {path}");
            ensure!(!no.contains(&path) || !found.contains(&number), "{acl} matches {path}");
        }
    }
    Ok(())
}

#[test]
fn every_occurrence_of_a_header_is_looked_at() -> Result<()> {
    let (proxy, web) =
        start(proxy(&adding(&["hdr(x-h) b", "hdr_beg(x-h) c", "hdr_dom(x-host) -i example.com"])))?;
    assert_eq!(holding(&proxy, &web, "/", "X-H: a\r\nX-H: b, cd\r\n")?, [0, 1]);
    assert_eq!(holding(&proxy, &web, "/", "X-Host: www.Example.com:80\r\n")?, [2]);
    Ok(())
}

#[test]
fn files_hold_a_pattern_a_line() -> Result<()> {
    let acls = [
        "path -f {dir}/a.acl",
        "path_beg -i -f {dir}/a.acl /zz",
        "path -M -f {dir}/a.map",
        "src -f {dir}/ip.acl",
    ];
    let builder = proxy(&adding(&acls))
        .file("a.acl", "# comment\n/one\n\n   /two\n\t/three four\n/five\r\n#/six\n")?
        .file("a.map", "/key value\n/other\tmore words\n")?
        .file("ip.acl", "10.0.0.0/8\nlocalhost\n")?;
    let (proxy, web) = start(builder)?;
    assert_eq!(holding(&proxy, &web, "/one", "")?, [0, 1, 3]);
    assert_eq!(holding(&proxy, &web, "/TWO", "")?, [1, 3]);
    assert_eq!(holding(&proxy, &web, "/five", "")?, [0, 1, 3]);
    assert_eq!(holding(&proxy, &web, "/ZZtop", "")?, [1, 3]);
    assert_eq!(holding(&proxy, &web, "/six", "")?, [3]);
    assert_eq!(holding(&proxy, &web, "/key", "")?, [2, 3]);
    Ok(())
}

#[test]
fn a_file_that_two_acls_name_is_changed_once_for_both() -> Result<()> {
    let acls = ["path -f {dir}/a.acl", "path_beg -f {dir}/a.acl", "path -u 7 /own"];
    let (proxy, web) = start(proxy(&adding(&acls)).file("a.acl", "/one\n")?)?;
    let list = proxy.fill("{dir}/a.acl")?;
    assert_eq!(holding(&proxy, &web, "/new", "")?, [0; 0]);
    assert_eq!(proxy.cli(&format!("add acl {list} /new"))?, "\n");
    assert_eq!(holding(&proxy, &web, "/new", "")?, [0, 1]);
    assert_eq!(holding(&proxy, &web, "/newer", "")?, [1]);
    assert_eq!(proxy.cli(&format!("del acl {list} /one"))?, "\n");
    assert_eq!(holding(&proxy, &web, "/one", "")?, [0; 0]);
    assert_eq!(proxy.cli(&format!("del acl {list} /one"))?, "Key not found.\n\n");
    assert_eq!(proxy.cli(&format!("clear acl {list}"))?, "\n");
    assert_eq!(holding(&proxy, &web, "/new", "")?, [0; 0]);
    assert_eq!(proxy.cli("add acl #7 /mine")?, "\n");
    assert_eq!(holding(&proxy, &web, "/mine", "")?, [2]);
    assert_eq!(proxy.cli("del acl #7 /own;clear acl #7")?, "\n\n");
    assert_eq!(holding(&proxy, &web, "/own", "")?, [0; 0]);
    Ok(())
}

#[test]
fn acls_are_listed_and_asked() -> Result<()> {
    let acls = [
        "path -f {dir}/a.acl",
        "path_beg -f {dir}/a.acl",
        "path_dir -u 2 img /css/",
        "METH_GET",
        "int(5) ge 5",
    ];
    let config = adding(&acls).replace("{ METH_GET }", "METH_GET").replace("{CLI}", CLI);
    let (proxy, _web) = start(proxy(&config).file("a.acl", "/one \n/two\n")?)?;
    let (list, cfg) = (proxy.fill("{dir}/a.acl")?, proxy.fill("{dir}/haproxy.cfg")?);
    let shown = proxy.cli("show acl")?.replace(&cfg, "CFG").replace("haproxy.cfg", "CFG");
    let expected = format!(
        "# id (file) description\n\
         0 ({list}) pattern loaded from file '{list}' used by acl at file 'CFG' line 10, by acl at file 'CFG' line 11\n\
         1 () acl 'path' file 'CFG' line 10\n\
         2 () acl 'path_dir' file 'CFG' line 12\n\
         3 () acl 'path_beg' file 'CFG' line 11\n\
         4 () acl 'method' file 'CFG' line 13\n\
         5 () acl 'int' file 'CFG' line 14\n\n"
    );
    assert_eq!(shown, expected);
    let contents = proxy.cli(&format!("show acl {list}"))?;
    let patterns: Vec<&str> = contents.lines().filter_map(|l| Some(l.split_once(' ')?.1)).collect();
    assert_eq!(patterns, ["/one ", "/two"]);
    let cases = [
        (
            format!("get acl {list} /two"),
            "type=str, case=sensitive, match=yes, idx=tree, pattern=\"/two\"\ntype=beg, case=sensitive, match=yes, idx=tree, pattern=\"/two\"\n",
        ),
        (
            "get acl #2 /a/css".into(),
            "type=dir, case=sensitive, match=yes, idx=list, pattern=\"/css/\"\n",
        ),
        ("get acl #5 4".into(), "type=int, case=sensitive, match=no\n"),
        ("get acl #5 9".into(), "type=int, case=sensitive, match=yes, idx=list, pattern=\"5:\"\n"),
        ("get acl #99 x".into(), "Unknown ACL identifier. Please use #<id> or <file>.\n"),
        ("get acl".into(), "Missing ACL identifier and/or key.\n"),
        ("show acl nope".into(), "Unknown ACL identifier. Please use #<id> or <file>.\n"),
        ("add acl #5".into(), "'add acl' expects two parameters: ACL identifier and pattern.\n"),
        ("add acl #5 x".into(), "'x' is not a number.\n"),
        ("clear acl".into(), "Missing ACL identifier.\n"),
        ("del acl #5".into(), "This command expects two parameters: ACL identifier and key.\n"),
        (format!("del map {list} /two"), "Unknown map identifier. Please use #<id> or <file>.\n"),
    ];
    for (command, answer) in cases {
        assert_eq!(proxy.cli(&command)?, format!("{answer}\n"), "{command}");
    }
    Ok(())
}

#[test]
fn mistakes_are_told_in_haproxys_words() -> Result<()> {
    let cases = [
        ("path -f {dir}/nope", "failed to open pattern file <{dir}/nope>"),
        (
            "path -f {dir}/re -m reg",
            "'-m' must only be specified before patterns and files in parsing ACL expression",
        ),
        (
            "path -m reg -f {dir}/re",
            "regex '(' is invalid (error=missing closing parenthesis, erroffset=1) at line 2 of file '{dir}/re'",
        ),
        ("int(1) -f {dir}/re", "'foo' is not a number at line 1 of file '{dir}/re'"),
        (
            "src -f {dir}/re -n",
            "'foo' is not a valid IPv4 or IPv6 address at line 1 of file '{dir}/re'",
        ),
        ("path,length ge x", "'x' is neither a number nor a supported operator"),
        ("path,length 3:1", "'3:1' is not a valid number range"),
        ("path -u 7 /x", "the id is already used"),
        ("path -u zz /x", "the argument of -u must be an integer"),
        (
            "path -M -f {dir}/ok",
            "The file \"{dir}/ok\" is already used as one column file and cannot be used by as two column file.",
        ),
        ("path -m bin 2g", "an hex digit is expected (found 'g')"),
        ("src 10.0.0.0/33", "'10.0.0.0/33' is not a valid IPv4 or IPv6 address"),
        ("src -n localhost", "'localhost' is not a valid IPv4 or IPv6 address"),
        ("path -m foo a", "unknown matching method 'foo' when parsing ACL expression"),
        (
            "path -x a",
            "'-x' is not a valid ACL option. Please use '--' before any pattern beginning with a '-'",
        ),
    ];
    for (acl, message) in cases {
        let config = format!(
            "{HTTP}frontend fe\n bind {{fe}}\n acl one path -u 7 -f {{dir}}/ok\n acl x {acl}\n default_backend be\nbackend be\n server s 127.0.0.1:1\n"
        );
        let builder = proxy(&config).file("re", "foo\n(\n")?.file("ok", "a\n")?.args(&["-c"]);
        let folder = builder.folder()?.display().to_string();
        let finished = builder.run()?;
        let message =
            format!("error detected while parsing ACL 'x' : {message}.").replace("{dir}", &folder);
        ensure!(finished.stderr.contains(&message), "{acl}: {}", finished.stderr);
        ensure!(finished.status.code() == Some(1), "{acl}: {:?}", finished.status);
    }
    Ok(())
}

#[test]
fn long_lists_are_searched_as_short_ones_are() -> Result<()> {
    let words: String = (0..5_000).map(|n| format!("w{n}x\n")).collect();
    let networks: String =
        (0..5_000).map(|n| format!("10.{}.{}.0/24\n", n / 250, n % 250)).collect();
    let acls = [
        "path,field(2,/) -f {dir}/words",
        "path_sub -i -f {dir}/words",
        "path_dir -f {dir}/words",
        "path_end -f {dir}/words",
        "path_beg -f {dir}/words",
        "req.hdr(x-ip) -m ip -f {dir}/nets",
    ];
    let builder = proxy(&adding(&acls)).file("words", words)?.file("nets", networks)?;
    let (proxy, web) = start(builder)?;
    assert_eq!(holding(&proxy, &web, "/w4999x", "")?, [0, 1, 2, 3]);
    assert_eq!(holding(&proxy, &web, "/-W77X-", "")?, [1]);
    assert_eq!(holding(&proxy, &web, "/a/w77x/b", "")?, [1, 2]);
    assert_eq!(holding(&proxy, &web, "/w5000x", "X-IP: 10.19.249.7\r\n")?, [5]);
    assert_eq!(holding(&proxy, &web, "/w", "X-IP: 10.20.0.7\r\n")?, [0; 0]);
    Ok(())
}

#[test]
fn of_many_use_backend_lines_the_first_that_applies_decides() -> Result<()> {
    let names: String = (0..40).map(|n| format!(" acl named{n} hdr(x-h) -i name{n}\n")).collect();
    let lines = |from: usize, condition: &dyn Fn(usize) -> String| -> String {
        (from..from + 20).map(|n| format!(" use_backend b{n} if {}\n", condition(n))).collect()
    };
    let rules = [
        lines(0, &|n| format!("{{ hdr(x-h) -i host{n} both }}")),
        " use_backend b90 if { path /special }\n".to_owned(),
        lines(20, &|n| format!("named{n}")),
        lines(40, &|n| format!("{{ path_beg /p{} }}", n - 40)),
        lines(60, &|n| format!("{{ hdr(x-h) -u {} both host{n} }}", n + 1000)),
    ];
    let backends: String = (0..91)
        .map(|n| {
            format!("backend b{n}\n http-request return status 200 content-type a/b string b{n}\n")
        })
        .collect();
    let config = format!(
        "{CLI}{HTTP}frontend fe\n bind {{fe}}\n{names}{} default_backend b89\n{backends}",
        rules.concat()
    );
    let proxy = proxy(&config).start()?;
    let ask = |path: &str, hosts: &str| -> Result<String> {
        let headers = if hosts.is_empty() { String::new() } else { format!("X-H: {hosts}\r\n") };
        Ok(proxy.connect("fe")?.get(path, &headers)?.text())
    };
    let cases = [
        ("/", "HOST7", "b7"),
        ("/", "both", "b0"),
        ("/", "host9, host3", "b3"),
        ("/", "name25", "b25"),
        ("/", "name25, host60", "b25"),
        ("/special", "name25", "b90"),
        ("/special", "host4", "b4"),
        ("/p1", "", "b41"),
        ("/p15", "", "b41"),
        ("/", "host77", "b77"),
        ("/", "Host77", "b89"),
        ("/", "none", "b89"),
        ("/", "", "b89"),
    ];
    for (path, hosts, backend) in cases {
        assert_eq!(ask(path, hosts)?, backend, "{path} {hosts}");
    }
    assert_eq!(proxy.cli("add acl #1070 added;del acl #1061 both;del acl #1060 both")?, "\n\n\n");
    assert_eq!(ask("/", "added")?, "b70");
    assert_eq!(ask("/", "host77")?, "b77");
    Ok(())
}
