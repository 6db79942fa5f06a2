//! Maps (manual 7.3.1 "map"): which entry decides, what comes out, and what changes while the proxy runs.

use anyhow::{Context, Result, ensure};
use haproxy_compat::harness::{Builder, Message, Proxy, eventually};
use nix::sys::signal::Signal;

use crate::{CLI, HTTP, proxy, testing_reference};

/// A frontend that answers with what an expression gives, and does what the rules say before.
fn answering(rules: &str, expression: &str) -> String {
    format!(
        "{CLI}{HTTP}frontend fe\n bind {{fe}}\n{rules}\n http-request return status 200 content-type text/plain lf-string \"<%[{expression}]>\"\n"
    )
}

/// Asks; what looks like a parameter is sent as a header.
fn get(proxy: &Proxy, path: &str) -> Result<Message> {
    let (target, parameter) = path.split_once('?').unwrap_or((path, ""));
    let header = match parameter.split_once('=') {
        Some((name, value)) => format!("{name}: {value}\r\n"),
        None => String::new(),
    };
    proxy.connect("fe")?.get(target, &header)
}

fn ask(proxy: &Proxy, path: &str) -> Result<String> {
    let answer = get(proxy, path)?;
    ensure!(answer.status() == 200, "{}", answer.start);
    Ok(answer.text())
}

fn files(builder: Builder) -> Result<Builder> {
    builder
        .file("text.map", "# comment\n  /a A value \n\n/ab\tAB\n/abc ABC\n/a second\n")?
        .file("int.map", "/a 1\n/b -7\n")?
        .file("ip.map", "10.0.0.0/8 ten\n10.1.0.0/16 eleven\n::/0 six\n10.0.0.0/8 again\n192.0.2.0/255.0.255.0 odd\n")?
        .file("addr.map", "/a 10.0.0.1\n/b 2001:db8::1\n")?
        .file("regm.map", "^/(a+)(b*)$ <\\2-\\1>\n^/ \\0!\n")?
        .file("num.map", "1-5 low\n3-9 mid\n-0 none\n10- high\n")
}

#[test]
fn the_entry_that_matches_decides() -> Result<()> {
    let cases: &[(&str, &[(&str, &str)])] = &[
        (
            "path,map({dir}/text.map,none)",
            &[("/a", "A value"), ("/ab", "AB"), ("/x", "none"), ("/A", "none")],
        ),
        ("path,map_str({dir}/text.map)", &[("/abc", "ABC"), ("/x", "")]),
        (
            "path,map_beg({dir}/text.map,none)",
            &[("/abcd", "ABC"), ("/abx", "AB"), ("/ax", "A value"), ("/", "none")],
        ),
        (
            "path,map_end({dir}/text.map,none)",
            &[("/x/ab", "AB"), ("/x/a", "A value"), ("/ab/", "none")],
        ),
        ("path,map_sub({dir}/text.map,none)", &[("/x/abcd", "A value"), ("/x", "none")]),
        ("path,map_dir({dir}/text.map,none)", &[("/x/ab/y", "AB"), ("/x/abx", "none")]),
        ("path,map_dom({dir}/text.map,none)", &[("/x.ab.y", "AB"), ("/x.abx", "none")]),
        ("path,map_str_int({dir}/int.map,0),neg", &[("/a", "-1"), ("/b", "7"), ("/x", "0")]),
        (
            "path,map_beg_ip({dir}/addr.map,192.0.2.1)",
            &[("/ax", "10.0.0.1"), ("/b", "2001:db8::1"), ("/x", "192.0.2.1")],
        ),
        (
            "path,length,map_int({dir}/num.map,no)",
            &[("/", "low"), ("/abc", "low"), ("/abcdef", "mid"), ("/abcdefghijk", "high")],
        ),
        (
            "req.hdr(ip),map_ip({dir}/ip.map,no)",
            &[
                ("/?ip=10.2.0.1", "ten"),
                ("/?ip=10.1.0.1", "eleven"),
                ("/?ip=2001:db8::", "six"),
                ("/?ip=192.77.2.9", "six"),
                ("/?ip=x", ""),
            ],
        ),
        ("path,map_regm({dir}/regm.map)", &[("/aab", "<b-aa>"), ("/q", "/!")]),
        ("path,map_reg({dir}/regm.map)", &[("/aab", "<\\2-\\1>"), ("/q", "\\0!")]),
    ];
    for (expression, keys) in cases {
        let proxy = files(proxy(&answering("", expression)))?.start()?;
        for (path, value) in *keys {
            assert_eq!(ask(&proxy, path)?, format!("<{value}>"), "{expression} of {path}");
        }
    }
    Ok(())
}

#[test]
fn a_map_is_changed_from_the_runtime_socket() -> Result<()> {
    let proxy = files(proxy(&answering("", "path,map_beg({dir}/text.map,none)")))?.start()?;
    let map = proxy.fill("{dir}/text.map")?;
    let cli = |command: &str| proxy.cli(&command.replace("MAP", &map));
    assert_eq!(cli("add map MAP /new fresh")?, "\n");
    assert_eq!(ask(&proxy, "/newer")?, "<fresh>");
    assert_eq!(cli("set map MAP /new changed")?, "\n");
    assert_eq!(ask(&proxy, "/newer")?, "<changed>");
    assert_eq!(cli("set map MAP /a all")?, "\n");
    assert_eq!(cli("del map MAP /abc")?, "\n");
    assert_eq!(ask(&proxy, "/abc")?, "<AB>");
    assert_eq!(cli("add map MAP <<\n/p1 one  word\n/p2 two\n")?, "\n");
    assert_eq!(ask(&proxy, "/p1")?, "<one  word>");
    let shown = cli("show map MAP")?;
    let entries: Vec<(&str, &str)> =
        shown.lines().filter_map(|line| line.split_once(' ')).collect();
    let texts: Vec<&str> = entries.iter().map(|(_, text)| *text).collect();
    assert_eq!(texts, ["/a all", "/ab AB", "/a all", "/new changed", "/p1 one  word", "/p2 two"]);
    let number = entries[1].0;
    assert_eq!(cli(&format!("set map MAP #{number} by-number"))?, "\n");
    assert_eq!(ask(&proxy, "/ab")?, "<by-number>");
    assert_eq!(cli(&format!("del map MAP #{number}"))?, "\n");
    assert_eq!(ask(&proxy, "/ab")?, "<all>");
    assert_eq!(cli("clear map MAP")?, "\n");
    assert_eq!(ask(&proxy, "/ab")?, "<none>");
    assert_eq!(cli("show map MAP")?, "\n");
    Ok(())
}

#[test]
fn maps_are_listed_and_asked() -> Result<()> {
    let expression = "path,map({dir}/text.map,none)]%[path,map_beg({dir}/text.map)]%[path,length,map_int_int({dir}/n.map,0)]%[path,map_str_ip({dir}/addr.map)";
    let proxy = files(proxy(&answering("", expression)))?.file("n.map", "1:9 5\n")?.start()?;
    let dir = proxy.fill("{dir}")?;
    let shown = proxy.cli("show map")?;
    let first = shown.lines().nth(1).context("no map")?;
    let start = format!(
        "0 ({dir}/text.map) pattern loaded from file '{dir}/text.map' used by map at file '"
    );
    ensure!(first.starts_with(&start) && first.contains("used by map"), "{shown}");
    ensure!(first.matches(" by map at file ").count() == 2, "{shown}");
    let unknown = "Unknown map identifier. Please use #<id> or <file>.\n";
    let cases = [
        (
            "get map DIR/text.map /a",
            "type=str, case=sensitive, found=yes, idx=tree, key=\"/a\", value=\"A value\", type=\"str\"\ntype=beg, case=sensitive, found=yes, idx=tree, key=\"/a\", value=\"A value\", type=\"str\"\n",
        ),
        (
            "get map DIR/text.map x",
            "type=str, case=sensitive, found=no\ntype=beg, case=sensitive, found=no\n",
        ),
        (
            "get map DIR/n.map 4",
            "type=int, case=sensitive, found=yes, idx=list, key=\"1:9\", value=\"5\", type=\"sint\"\n",
        ),
        (
            "get map DIR/addr.map /b",
            "type=str, case=sensitive, found=yes, idx=tree, key=\"/b\", value=\"2001:db8::1\", type=\"ipv6\"\n",
        ),
        ("get map DIR/text.map", "Missing map identifier and/or key.\n"),
        ("get map nope x", unknown),
        ("show map nope", unknown),
        ("show map #77", unknown),
        ("set map DIR/text.map /nope v", "entry not found.\n"),
        ("set map DIR/text.map #0x1 v", "key or pattern not found.\n"),
        ("set map DIR/text.map #0xzz v", "Malformed identifier. Please use #<id> or <file>.\n"),
        (
            "set map DIR/text.map",
            "'set map' expects three parameters: map identifier, key and value.\n",
        ),
        (
            "add map DIR/text.map k",
            "'add map' expects three parameters (map identifier, key and value) or one parameter (map identifier) and a payload\n",
        ),
        ("add map DIR/text.map <<\nk\n", "Missing value for key 'k'.\n"),
        ("add map DIR/n.map x 1", "'x' is not a number.\n"),
        ("add map DIR/n.map 7 x", "unable to parse 'x'.\n"),
        ("del map DIR/text.map nope", "Key not found.\n"),
        ("clear map", "Missing map identifier.\n"),
        ("clear map nope", unknown),
    ];
    for (command, answer) in cases {
        assert_eq!(proxy.cli(&command.replace("DIR", &dir))?, format!("{answer}\n"), "{command}");
    }
    Ok(())
}

#[test]
fn rules_change_maps_and_acls() -> Result<()> {
    let rules = " acl blocked path -f {dir}/list.acl\n\
         http-request set-map({dir}/text.map) %[path] %[req.hdr(v)] if { req.hdr(v) -m found }\n\
         http-request del-map({dir}/text.map) %[path] if { req.hdr(del) -m found }\n\
         http-request add-acl({dir}/list.acl) %[path] if { req.hdr(block) -m found }\n\
         http-request del-acl({dir}/list.acl) %[path] if { req.hdr(unblock) -m found }\n\
         http-request set-map({dir}/nobody) %[path] x\n\
         http-request deny if blocked";
    let config = answering(rules, "path,map({dir}/text.map,none)");
    let proxy = files(proxy(&config))?.file("list.acl", "/never\n")?.start()?;
    assert_eq!(ask(&proxy, "/k?v=1")?, "<1>");
    assert_eq!(ask(&proxy, "/k")?, "<1>");
    assert_eq!(ask(&proxy, "/k?v=2")?, "<2>");
    assert_eq!(ask(&proxy, "/k?del=1")?, "<none>");
    let status = |path: &str| Ok::<_, anyhow::Error>(get(&proxy, path)?.status());
    assert_eq!(status("/k?block=1")?, 403);
    assert_eq!(status("/k?block=1")?, 403);
    let list = proxy.cli(&proxy.fill("show acl {dir}/list.acl")?)?;
    assert_eq!(list.lines().filter(|line| line.ends_with(" /k")).count(), 1, "{list}");
    assert_eq!(status("/k?unblock=1")?, 200);
    Ok(())
}

#[test]
fn responses_change_maps_too() -> Result<()> {
    let web = haproxy_compat::harness::Web::start("s1")?;
    let config = format!(
        "{CLI}{HTTP}frontend fe\n bind {{fe}}\n http-response set-map({{dir}}/text.map) seen %ST\n default_backend be\n\
         backend be\n server s1 {{s1}}\n http-request set-header x %[path,map({{dir}}/text.map)]\n"
    );
    let proxy = files(proxy(&config))?.name("s1", web.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
    let shown = proxy.cli(&proxy.fill("show map {dir}/text.map")?)?;
    ensure!(shown.lines().any(|line| line.ends_with(" seen 200")), "{shown}");
    Ok(())
}

#[test]
fn a_file_that_changed_is_read_again_and_another_keeps_its_changes() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let config = answering("", "path,map({dir}/text.map,none)]%[path,map({dir}/more.map,none)");
    for mode in [&["-db"][..], &["-W", "-db"]] {
        let proxy = files(proxy(&config))?.file("more.map", "/a more\n")?.args(mode).start()?;
        assert_eq!(ask(&proxy, "/a")?, "<A valuemore>");
        for (map, value) in [("text", "kept"), ("more", "lost")] {
            let set = proxy.fill(&format!("set map {{dir}}/{map}.map /a {value}"))?;
            assert_eq!(proxy.cli(&set)?, "\n");
        }
        assert_eq!(ask(&proxy, "/a")?, "<keptlost>");
        proxy.write_file("more.map", "/a read again\n")?;
        proxy.signal(Signal::SIGHUP)?;
        eventually("the file is read again", || Ok(ask(&proxy, "/a")? == "<keptread again>"))?;
    }
    Ok(())
}

#[test]
fn mistakes_are_told_in_haproxys_words() -> Result<()> {
    let cases = [
        ("path,map({dir}/nope)", "map", "failed to open pattern file <{dir}/nope>"),
        (
            "path,map_int({dir}/int.map)",
            "map_int",
            "'/a' is not a number at line 1 of file '{dir}/int.map'",
        ),
        (
            "path,map_str_int({dir}/text.map)",
            "map_str_int",
            "unable to parse 'A value' at line 2 of file '{dir}/text.map'",
        ),
        (
            "path,map_str_ip({dir}/int.map)",
            "map_str_ip",
            "unable to parse '1' at line 1 of file '{dir}/int.map'",
        ),
        (
            "path,map_str_ip({dir}/addr.map,foo)",
            "map_str_ip",
            "map: cannot parse default ip <foo>.",
        ),
        (
            "path,map({dir}/one)",
            "map",
            "The file \"{dir}/one\" is already used as one column file and cannot be used by as two column file.",
        ),
    ];
    for (expression, converter, message) in cases {
        let config = answering(" acl one path -f {dir}/one\n", expression).replace(
            "http-request return status 200 content-type text/plain lf-string \"<",
            "http-request set-header x \"<",
        );
        let builder = files(proxy(&config))?.file("one", "x\n")?.args(&["-c"]);
        let folder = builder.folder()?.display().to_string();
        let finished = builder.run()?;
        let message = format!("failed to parse sample expression <{expression}]>> : invalid args in converter '{converter}' : {message}.").replace("{dir}", &folder);
        ensure!(finished.stderr.contains(&message), "{expression}: {}", finished.stderr);
        ensure!(finished.status.code() == Some(1), "{expression}: {:?}", finished.status);
    }
    Ok(())
}

#[test]
fn every_map_converter_gives_its_kind_of_value() -> Result<()> {
    let methods = [
        ("str", "path"),
        ("beg", "path"),
        ("end", "path"),
        ("sub", "path"),
        ("dir", "path"),
        ("dom", "path"),
        ("reg", "path"),
        ("int", "path,length"),
        ("ip", "src"),
    ];
    let keys = |method: &str| match method {
        "int" => "4",
        "ip" => "127.0.0.0/8",
        "reg" => "^/key$",
        "dir" | "dom" => "key",
        _ => "/key",
    };
    let mut rules = String::new();
    for (method, expression) in methods {
        for (output, default) in [("", "none"), ("_int", "0"), ("_ip", "::")] {
            let map = format!("map_{method}{output}");
            rules += &format!(
                " http-request return status 200 content-type text/plain lf-string \"%[{expression},{map}({{dir}}/{map},{default})] %[{expression},{map}({{dir}}/empty,{default})]\" if {{ req.hdr(map) -- {map} }}\n"
            );
        }
    }
    let config = format!("{HTTP}frontend fe\n bind {{fe}}\n{rules}");
    let mut builder = proxy(&config).file("empty", "")?;
    for (method, _) in methods {
        for (output, value) in [("", "seven"), ("_int", "7"), ("_ip", "10.0.0.7")] {
            let content = format!("{} {value}\n", keys(method));
            builder = builder.file(&format!("map_{method}{output}"), content)?;
        }
    }
    let proxy = builder.start()?;
    for (method, _) in methods {
        for (output, expected) in [("", "seven none"), ("_int", "7 0"), ("_ip", "10.0.0.7 ::")] {
            let header = format!("Map: map_{method}{output}\r\n");
            let answer = proxy.connect("fe")?.get("/key", &header)?;
            assert_eq!(answer.text(), expected, "map_{method}{output}");
        }
    }
    Ok(())
}
