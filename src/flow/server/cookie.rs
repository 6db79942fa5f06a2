//! Cookies that keep a client on its server (manual 4.2 "cookie", "dynamic-cookie-key"; 5.2 "cookie").
//! In comes a request with cookies, out comes the server they name; in comes its response, out goes one
//! with the cookie inserted, rewritten, prefixed or left alone.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use xxhash_rust::xxh64::xxh64;

use crate::catalog::{Keyword, Part, ServerOption, Status};
use crate::config::args::{Line, NumberError, OptionLine, Parsed, TimeUnit, parse_time};
use crate::config::diagnostic::{Diagnostic, Level};
use crate::config::section::Sections;
use crate::flow::http::cookie::{CookieHeader, Pair, Pairs};
use crate::flow::http::message::{Edit, Message};
use crate::flow::server::options::{ServerSpec, argument};
use crate::flow::server::persist::Persisted;
use crate::state::clock::Moment;
use crate::state::server_status::ServerAddress;
use crate::state::world::{Backend, Server};

/// What is done to the server's own cookie, or instead of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: the servers set the cookie.
    Passive,
    /// `rewrite`: its value becomes the server's.
    Rewrite,
    /// `insert`: it is ours alone.
    Insert,
    /// `prefix`: the server's value and `~` stand before its own.
    Prefix,
}

/// `cookie` as written.
#[derive(Debug, Clone, PartialEq)]
pub struct CookieSpec {
    /// The cookie's name.
    pub name: Vec<u8>,
    /// What is done.
    pub mode: Mode,
    /// `indirect`: the server does not see it.
    pub indirect: bool,
    /// `nocache`
    pub no_cache: bool,
    /// `postonly`
    pub post_only: bool,
    /// `preserve`: what the server sets stays.
    pub preserve: bool,
    /// `dynamic`
    pub dynamic: bool,
    /// `maxidle` in seconds, 0 for none.
    pub max_idle: i64,
    /// `maxlife` in seconds, 0 for none.
    pub max_life: i64,
    /// `domain`, joined.
    domains: Option<Vec<u8>>,
    /// `httponly`
    http_only: bool,
    /// `secure`
    secure: bool,
    /// `attr`, joined.
    attributes: Option<Vec<u8>>,
}

impl CookieSpec {
    fn new(name: &[u8]) -> CookieSpec {
        CookieSpec {
            name: name.to_vec(),
            mode: Mode::Passive,
            indirect: false,
            no_cache: false,
            post_only: false,
            preserve: false,
            dynamic: false,
            max_idle: 0,
            max_life: 0,
            domains: None,
            http_only: false,
            secure: false,
            attributes: None,
        }
    }

    /// Whether the log line tells of cookies: not for one that is only followed.
    pub fn is_logged(&self) -> bool {
        self.mode != Mode::Passive || self.indirect
    }
}

/// The cookie of a running backend.
#[derive(Debug)]
pub struct Cookie {
    spec: CookieSpec,
    /// Everything behind `path=/` in what is inserted.
    tail: Vec<u8>,
    /// Whether servers without a cookie get one made of their address.
    pub dynamic: AtomicBool,
    /// What those are made with.
    pub key: ArcSwapOption<Vec<u8>>,
}

/// What became of the request's cookie: the third letter of the termination state (manual 8.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestCookie {
    /// `N`: there was none.
    #[default]
    None,
    /// `I`: it named no server.
    Invalid,
    /// `D`: its server is down.
    Down,
    /// `V`: its server was used.
    Valid,
    /// `E`: it was not seen for too long.
    Expired,
    /// `O`: it is too old.
    Old,
    /// `U`: it was not looked at.
    Unused,
}

impl RequestCookie {
    /// The letter.
    pub fn letter(self) -> u8 {
        match self {
            RequestCookie::None => b'N',
            RequestCookie::Invalid => b'I',
            RequestCookie::Down => b'D',
            RequestCookie::Valid => b'V',
            RequestCookie::Expired => b'E',
            RequestCookie::Old => b'O',
            RequestCookie::Unused => b'U',
        }
    }
}

/// What was done to the response's cookie: the fourth letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseCookie {
    /// `N`: nothing was there or done.
    #[default]
    None,
    /// `P`: the server's was left alone.
    Found,
    /// `D`: the server's was removed.
    Deleted,
    /// `I`: ours was inserted.
    Inserted,
    /// `R`: the server's was changed.
    Rewritten,
    /// `U`: ours was given a new date.
    Updated,
}

impl ResponseCookie {
    /// The letter.
    pub fn letter(self) -> u8 {
        match self {
            ResponseCookie::None => b'N',
            ResponseCookie::Found => b'P',
            ResponseCookie::Deleted => b'D',
            ResponseCookie::Inserted => b'I',
            ResponseCookie::Rewritten => b'R',
            ResponseCookie::Updated => b'U',
        }
    }
}

/// A cookie of the frontend that is kept for log lines (`capture cookie`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieCapture {
    /// How the pair begins.
    pub name: Vec<u8>,
    /// Bytes of NAME=VALUE that are kept.
    pub length: usize,
}

impl CookieCapture {
    fn take(&self, pair: &[u8], place: &mut Option<Vec<u8>>) {
        if place.is_none() && pair.starts_with(&self.name) {
            *place = Some(pair.get(..self.length).unwrap_or(pair).to_vec());
        }
    }
}

/// A day: a date further in the future is wrong.
const DAY: i64 = 86_400;
/// Stands between the server's value and the application's (`prefix`).
const PREFIX_END: u8 = b'~';
/// Stands before the dates of `maxidle` and `maxlife`.
const DATE: u8 = b'|';

impl Cookie {
    /// The cookie that was written; `key` is `dynamic-cookie-key`.
    pub fn compile(spec: &CookieSpec, key: Option<&[u8]>) -> Cookie {
        let mut tail = Vec::new();
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|p| tail.extend_from_slice(p));
        if let Some(domains) = &spec.domains {
            put(&[b"; domain=", domains]);
        }
        if spec.http_only {
            put(&[b"; HttpOnly"]);
        }
        if spec.secure {
            put(&[b"; Secure"]);
        }
        if let Some(attributes) = &spec.attributes {
            put(&[b"; ", attributes]);
        }
        Cookie {
            tail,
            dynamic: AtomicBool::new(spec.dynamic),
            key: ArcSwapOption::from_pointee(key.map(<[u8]>::to_vec)),
            spec: spec.clone(),
        }
    }

    /// What was written.
    pub fn spec(&self) -> &CookieSpec {
        &self.spec
    }

    /// A server's value: its own, or one made of its address.
    pub fn of_server(&self, server: &Server) -> Option<Vec<u8>> {
        if let Some(cookie) = &server.spec.cookie {
            return Some(cookie.as_bytes().to_vec());
        }
        let key = self.key.load();
        let key = key.as_ref().filter(|_| self.dynamic.load(Relaxed))?;
        dynamic(key, &server.status.address.load())
    }

    /// The value of a pair, if it is this cookie.
    fn pair_value<'a>(&self, text: &'a [u8], pair: &Pair) -> Option<&'a [u8]> {
        let value = pair.value.clone()?;
        (text.get(pair.name.clone()) == Some(&self.spec.name)).then(|| text.get(value))?
    }

    /// Follows a cookie's value; gives what of it is the server's.
    fn follow<'a>(&self, value: &'a [u8], backend: &Backend, found: &mut Persisted) -> &'a [u8] {
        let named = match self.spec.mode {
            Mode::Prefix => value.split(|b| *b == PREFIX_END).next().unwrap_or(value),
            _ => self.read_dates(value, found),
        };
        let expired = self.expired(found);
        if let Some(reason) = expired {
            found.request_cookie = reason;
            (found.first_seen, found.last_seen) = (0, 0);
        }
        let looked_at = !found.ignore && found.server.is_none();
        if looked_at && expired.is_none() && !named.is_empty() {
            self.find_server(named, backend, found);
        }
        if found.request_cookie == RequestCookie::None {
            let state = if looked_at { RequestCookie::Invalid } else { RequestCookie::Unused };
            found.request_cookie = state;
        }
        named
    }

    /// The first running server with this value; with `option persist` or `force-persist` one that is
    /// down will do.
    fn find_server(&self, named: &[u8], backend: &Backend, found: &mut Persisted) {
        for server in &backend.servers {
            if self.of_server(server).as_deref() != Some(named) {
                continue;
            }
            let up = server.status.accepts_persistent();
            let state = if up { RequestCookie::Valid } else { RequestCookie::Down };
            found.request_cookie = state;
            if up || found.to_any_state {
                found.server = Some(server.index);
                return;
            }
        }
    }

    /// `VALUE|LAST|FIRST`: gives the value, keeps the dates.
    fn read_dates<'a>(&self, value: &'a [u8], found: &mut Persisted) -> &'a [u8] {
        let mut parts = value.splitn(2, |b| *b == DATE);
        let named = parts.next().unwrap_or(value);
        let Some(dates) = parts.next() else { return named };
        if let Some(date) = read_date(dates) {
            found.last_seen = date;
        }
        let first = dates.iter().position(|b| *b == DATE).and_then(|at| dates.get(at + 1..));
        if let Some(date) = first.and_then(read_date) {
            found.first_seen = date;
        }
        named
    }

    fn expired(&self, found: &Persisted) -> Option<RequestCookie> {
        let now = now();
        let too_far = |date: i64, limit: i64| now - date > limit || date - now > DAY;
        let (life, idle) = (self.spec.max_life, self.spec.max_idle);
        if found.first_seen != 0 && life != 0 && too_far(found.first_seen, life) {
            return Some(RequestCookie::Old);
        }
        let old = found.last_seen != 0 && idle != 0 && too_far(found.last_seen, idle);
        old.then_some(RequestCookie::Expired)
    }

    /// Whether a response needs our cookie.
    fn wants_insertion(&self, request: &Message, found: &Persisted) -> bool {
        let spec = &self.spec;
        if spec.mode != Mode::Insert || found.ignore {
            return false;
        }
        let servers_own = matches!(
            found.response_cookie,
            ResponseCookie::Found | ResponseCookie::Inserted | ResponseCookie::Updated
        );
        if servers_own && spec.preserve {
            return false;
        }
        let dated = spec.max_idle != 0 || found.last_seen != 0;
        let stale = dated && (found.last_seen == 0 || found.last_seen < now());
        let life_changed = (spec.max_life != 0) != (found.first_seen != 0);
        let needed = found.server.is_none() || stale || life_changed;
        needed && (!spec.post_only || request.method() == b"POST")
    }

    /// The value of the `Set-Cookie` header for a server; one that has no cookie has the client forget it.
    fn inserted(&self, value: Option<&[u8]>, found: &Persisted) -> Vec<u8> {
        let spec = &self.spec;
        let mut out = spec.name.clone();
        out.push(b'=');
        match value {
            None => out.extend_from_slice(b"; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/"),
            Some(value) => {
                out.extend_from_slice(value);
                let quarter = (now() + 3) >> 2;
                if spec.max_idle != 0 || spec.max_life != 0 {
                    write_date(quarter, &mut out);
                }
                if spec.max_life != 0 {
                    let first = if found.first_seen != 0 { found.first_seen >> 2 } else { quarter };
                    write_date(first, &mut out);
                }
                out.extend_from_slice(b"; path=/");
            }
        }
        out.extend_from_slice(&self.tail);
        out
    }
}

/// Looks at the request's cookies: captures one, follows ours and hides it from the server where it
/// shall not see it.
pub fn read_request(
    request: &mut Message,
    own: Option<(&Cookie, &Backend)>,
    capture: Option<&CookieCapture>,
    found: &mut Persisted,
) {
    request.edit(CookieHeader::Cookie.name(), |text| {
        let mut header = Rewritten::default();
        for pair in Pairs::new(text, CookieHeader::Cookie) {
            header.take(text, &pair, own, capture, found);
        }
        header.end(text)
    });
}

/// A `Cookie` header on its way to the server.
#[derive(Default)]
struct Rewritten {
    out: Vec<u8>,
    /// Our cookie has just been left out.
    leaving_out: bool,
    /// Something in the header is not ours.
    keeps: bool,
}

impl Rewritten {
    fn take(
        &mut self,
        text: &[u8],
        pair: &Pair,
        own: Option<(&Cookie, &Backend)>,
        capture: Option<&CookieCapture>,
        found: &mut Persisted,
    ) {
        let part = |range| text.get(range).unwrap_or_default();
        if pair.is_attribute(text) {
            if !self.leaving_out {
                self.out.extend_from_slice(part(pair.start..pair.end));
            }
            return;
        }
        let Some(value) = pair.value.clone() else {
            self.keep(text, pair, part(pair.start..pair.end));
            return;
        };
        let before = part(pair.start..pair.name.start);
        let name = part(pair.name.clone());
        let plain = [name, b"=", part(value.clone())].concat();
        if let Some(capture) = capture {
            capture.take(&plain, &mut found.captured.0);
        }
        let rest = part(value.end..pair.end);
        let ours = own.and_then(|(c, b)| Some((c, b, c.pair_value(text, pair)?)));
        let Some((cookie, backend, value)) = ours else {
            self.keep(text, pair, &[before, &plain, rest].concat());
            return;
        };
        let named = cookie.follow(value, backend, found);
        let spec = cookie.spec();
        if spec.mode == Mode::Prefix && named.len() < value.len() {
            let value = value.get(named.len() + 1..).unwrap_or_default();
            self.keeps = true;
            self.leaving_out = false;
            self.out.extend_from_slice(&[before, name, b"=", value, rest].concat());
        } else if spec.mode == Mode::Insert && spec.indirect {
            self.leaving_out = true;
        } else if !self.leaving_out {
            self.out.extend_from_slice(&[before, &plain, rest].concat());
        }
    }

    /// A pair of somebody else's; `whole` is its text with the separator before it.
    fn keep(&mut self, text: &[u8], pair: &Pair, whole: &[u8]) {
        self.keeps = true;
        if !std::mem::take(&mut self.leaving_out) {
            self.out.extend_from_slice(whole);
            return;
        }
        let skip = usize::from(pair.start > 0);
        let bare = whole.get(skip..).unwrap_or_default().trim_ascii_start();
        if !self.out.is_empty() {
            self.out.truncate(self.out.trim_ascii_end().len());
            self.out.extend_from_slice(text.get(pair.start..=pair.start).unwrap_or_default());
            self.out.push(b' ');
        }
        self.out.extend_from_slice(bare);
    }

    fn end(self, text: &[u8]) -> Edit {
        match () {
            () if self.leaving_out && !self.keeps => Edit::Remove,
            () if self.out == text => Edit::Keep,
            () if self.out.is_empty() => Edit::Remove,
            () => Edit::Set(self.out),
        }
    }
}

/// The backend's cookie, when a response comes back.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// The cookie.
    pub cookie: &'a Cookie,
    /// The value of the server that answered; `None` when it has none.
    pub value: Option<&'a [u8]>,
}

impl Own<'_> {
    /// What becomes of the server's own cookie of this name.
    fn fate(&self, found: &Persisted) -> ResponseCookie {
        let spec = &self.cookie.spec;
        let bound = found.server.is_some() && spec.indirect;
        match spec.mode {
            _ if spec.preserve => ResponseCookie::Found,
            Mode::Insert => ResponseCookie::Deleted,
            _ if bound => ResponseCookie::Deleted,
            Mode::Rewrite | Mode::Prefix if self.value.is_some() => ResponseCookie::Rewritten,
            _ => ResponseCookie::Found,
        }
    }
}

/// Looks at the cookies a response sets: captures one, and does to ours what the mode says. Says whether
/// there are any.
pub fn read_response(
    response: &mut Message,
    own: Option<Own<'_>>,
    capture: Option<&CookieCapture>,
    found: &mut Persisted,
) -> bool {
    let mut any = false;
    for header in [CookieHeader::SetCookie, CookieHeader::SetCookie2] {
        response.edit(header.name(), |text| {
            any = true;
            let mut out = Vec::new();
            for pair in Pairs::new(text, header) {
                write_response_pair(text, &pair, own, capture, found, &mut out);
            }
            match () {
                () if out == text => Edit::Keep,
                () if out.is_empty() => Edit::Remove,
                () => Edit::Set(out),
            }
        });
    }
    any
}

/// Writes one pair of a `Set-Cookie` header as it is to reach the client.
fn write_response_pair(
    text: &[u8],
    pair: &Pair,
    own: Option<Own<'_>>,
    capture: Option<&CookieCapture>,
    found: &mut Persisted,
    out: &mut Vec<u8>,
) {
    let part = |range| text.get(range).unwrap_or_default();
    let before = if out.is_empty() && pair.start > 0 {
        // What stood before it was removed, with the separator.
        part(pair.start + 1..pair.name.start).trim_ascii_start()
    } else {
        part(pair.start..pair.name.start)
    };
    let Some(place) = pair.value.clone() else {
        out.extend_from_slice(&[before, part(pair.name.start..pair.end)].concat());
        return;
    };
    let (name, value, rest) =
        (part(pair.name.clone()), part(place.clone()), part(place.end..pair.end));
    if let Some(capture) = capture {
        capture.take(&[name, b"=", value].concat(), &mut found.captured.1);
    }
    let mut whole = vec![before, name, b"=", value, rest];
    if let Some(own) = own.filter(|own| !found.ignore && own.cookie.spec.name == name) {
        found.response_cookie = own.fate(found);
        match (found.response_cookie, own.value, own.cookie.spec.mode) {
            (ResponseCookie::Deleted, ..) => return,
            (ResponseCookie::Rewritten, Some(server), Mode::Prefix) => {
                whole = vec![before, name, b"=", server, b"~", value, rest];
            }
            (ResponseCookie::Rewritten, Some(server), _) => {
                whole = vec![before, name, b"=", server, rest];
            }
            _ => {}
        }
    }
    out.extend_from_slice(&whole.concat());
}

/// Inserts our cookie into a response if it needs one; says whether it did.
pub fn insert(
    request: &Message,
    response: &mut Message,
    own: Own<'_>,
    found: &mut Persisted,
) -> bool {
    if !own.cookie.wants_insertion(request, found) {
        return false;
    }
    response.add(b"set-cookie", &own.cookie.inserted(own.value, found));
    found.response_cookie = match own.value.is_some() && found.server.is_some() {
        true => ResponseCookie::Updated,
        false => ResponseCookie::Inserted,
    };
    true
}

/// Seconds since 1970.
fn now() -> i64 {
    i64::try_from(Moment::now().date().as_secs()).unwrap_or(i64::MAX)
}

/// The digits of dates.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes `|` and a date in units of four seconds, as five digits of six bits.
fn write_date(quarter: i64, out: &mut Vec<u8>) {
    out.push(DATE);
    for shift in [24, 18, 12, 6, 0] {
        let digit = usize::try_from((quarter >> shift) & 63).unwrap_or(0);
        out.extend(DIGITS.get(digit));
    }
}

/// A date of five digits, in seconds since 1970; `None` when it is none.
fn read_date(text: &[u8]) -> Option<i64> {
    let quarter = text.get(..5)?.iter().try_fold(0i64, |sum, byte| {
        let digit = DIGITS.iter().position(|d| d == byte)?;
        Some(sum << 6 | i64::try_from(digit).ok()?)
    })?;
    Some(quarter << 2).filter(|date| *date > 0)
}

/// A cookie made of a secret and an address: 16 hexadecimal digits.
fn dynamic(key: &[u8], address: &ServerAddress) -> Option<Vec<u8>> {
    let ServerAddress::Inet(address) = address else { return None };
    let mut bytes = key.to_vec();
    match address.ip() {
        std::net::IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
        std::net::IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
    }
    bytes.extend_from_slice(&u32::from(address.port()).to_be_bytes());
    Some(format!("{:016x}", xxh64(&bytes, 0)).into_bytes())
}

fn cookie(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'cookie' expects <cookie_name> as argument.")?;
    let mut spec = CookieSpec::new(name.bytes());
    let mut modes = Vec::new();
    while let Some(word) = line.word() {
        let option = word.str();
        match &*option {
            "rewrite" => modes.push(Mode::Rewrite),
            "insert" => modes.push(Mode::Insert),
            "prefix" => modes.push(Mode::Prefix),
            "indirect" => spec.indirect = true,
            "nocache" => spec.no_cache = true,
            "postonly" => spec.post_only = true,
            "preserve" => spec.preserve = true,
            "httponly" => spec.http_only = true,
            "secure" => spec.secure = true,
            "dynamic" => spec.dynamic = true,
            "domain" => domain(line, &mut spec)?,
            "maxidle" => spec.max_idle = seconds(line, "maxidle", "idletime")?,
            "maxlife" => spec.max_life = seconds(line, "maxlife", "lifetime")?,
            "attr" => attribute(line, &mut spec)?,
            _ => {
                return Err(line.alert(
                    "'cookie' supports 'rewrite', 'insert', 'prefix', 'indirect', 'nocache', 'postonly', 'domain', 'maxidle', 'dynamic', 'maxlife' and 'attr' options.",
                ));
            }
        }
    }
    modes.dedup();
    if modes.contains(&Mode::Rewrite) && spec.indirect {
        return Err(line.alert("cookie 'rewrite' and 'indirect' modes are incompatible."));
    }
    if modes.len() > 1 {
        return Err(line.alert("cookie 'rewrite', 'insert' and 'prefix' modes are incompatible."));
    }
    spec.mode = modes.first().copied().unwrap_or(Mode::Passive);
    if spec.preserve && spec.mode != Mode::Insert && !spec.indirect {
        return Err(line.alert("cookie 'preserve' requires at least 'insert' or 'indirect'."));
    }
    line.proxy().persistence.cookie = Some(spec);
    Ok(())
}

fn join(list: &mut Option<Vec<u8>>, separator: &[u8], value: &[u8]) {
    match list {
        None => *list = Some(value.to_vec()),
        Some(list) => {
            list.extend_from_slice(separator);
            list.extend_from_slice(value);
        }
    }
}

fn domain(line: &mut Line<'_>, spec: &mut CookieSpec) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.bare("'domain' expects <domain> as argument."));
    };
    if !word.bytes().contains(&b'.') {
        let text = format!(
            "domain '{word}' contains no embedded dot, this configuration may not work properly (see RFC6265#5.2.3)."
        );
        let warning = Diagnostic { level: Level::Warning, ..line.bare(text) };
        line.diagnostics.push(warning);
    }
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"_-.:".contains(b);
    if let Some(bad) = word.bytes().iter().find(|b| !allowed(b)) {
        return Err(line.bare(format!(
            "character '{}' is not permitted in domain name '{word}'.",
            char::from(*bad)
        )));
    }
    join(&mut spec.domains, b"; domain=", word.bytes());
    Ok(())
}

fn seconds(line: &mut Line<'_>, option: &str, what: &str) -> Result<i64, Diagnostic> {
    let Some(word) = line.word() else {
        return Err(line.bare(format!("'{option}' expects <{what}> in seconds as argument.")));
    };
    match parse_time(word.bytes(), TimeUnit::Seconds) {
        Ok(time) => Ok(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)),
        Err(NumberError::Unexpected(c)) => {
            Err(line.bare(format!("unexpected character '{c}' in argument to <{option}>.")))
        }
        Err(NumberError::Overflow) => Err(line.bare(format!(
            "timer overflow in argument <{word}> to <{option}>, maximum value is 2147483647 s (~68 years)."
        ))),
    }
}

fn attribute(line: &mut Line<'_>, spec: &mut CookieSpec) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.bare("'attr' expects <value> as argument."));
    };
    if let Some(bad) = word.bytes().iter().find(|b| b.is_ascii_control() || **b == b';') {
        return Err(
            line.bare(format!("character '%x{bad:02X}' is not permitted in attribute value."))
        );
    }
    join(&mut spec.attributes, b"; ", word.bytes());
    Ok(())
}

fn dynamic_cookie_key(line: &mut Line<'_>) -> Parsed {
    let key = line.required("'dynamic-cookie-key' expects <secret_key> as argument.")?;
    let key = key.bytes().to_vec();
    line.proxy().persistence.dynamic_key = Some(key);
    Ok(())
}

fn server_cookie(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    server.cookie = Some(argument(line, "<value> as argument")?);
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "cookie",
            sections: Sections::BACKENDS,
            args: "<name> [ rewrite | insert | prefix ] [ indirect ] [ nocache ] [ postonly ] [ preserve ] [ httponly ] [ secure ] [ domain <domain> ]* [ maxidle <idle> ] [ maxlife <life> ] [ dynamic ] [ attr <value> ]*",
            doc: "Keeps clients on their server by a cookie. `insert` adds it, `rewrite` changes one that the server sets, `prefix` puts the server's name before its value. `indirect` hides it from servers, `nocache` keeps caches from storing responses that set it, `postonly` sets it in responses to POST only, `preserve` keeps one that the server sets; `maxidle` and `maxlife` limit how long it counts. `httponly`, `secure`, `domain` and `attr` are written into it, and `dynamic` makes the values from servers' addresses.",
            examples: &["cookie SRV insert indirect nocache"],
            status: Status::Works,
            parse: cookie,
            ..Keyword::NEW
        },
        Keyword {
            name: "dynamic-cookie-key",
            sections: Sections::BACKENDS,
            args: "<string>",
            doc: "The secret that dynamic cookies are made with.",
            examples: &["dynamic-cookie-key secret"],
            status: Status::Works,
            parse: dynamic_cookie_key,
            ..Keyword::NEW
        },
    ],
    server_options: &[ServerOption {
        name: "cookie",
        args: "<value>",
        doc: "The server's value in the persistence cookie.",
        examples: &["cookie s1"],
        status: Status::Works,
        parse: server_cookie,
        ..ServerOption::NEW
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_five_digits_of_four_seconds() {
        let mut out = Vec::new();
        write_date(1_600_000_000 >> 2, &mut out);
        assert_eq!(out, b"|X14QA");
        assert_eq!(read_date(b"X14QA|rest"), Some(1_600_000_000));
        assert_eq!(read_date(b"X14E"), None);
        assert_eq!(read_date(b"X14E~"), None);
    }

    #[test]
    fn a_secret_and_an_address_make_a_cookie() {
        let address = ServerAddress::Inet("127.0.0.1:8080".parse().unwrap());
        let made = dynamic(b"secret", &address).unwrap();
        assert_eq!(made.len(), 16);
        assert_ne!(made, dynamic(b"other", &address).unwrap());
        assert_eq!(dynamic(b"secret", &ServerAddress::None), None);
    }
}
