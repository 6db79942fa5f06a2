//! Resolutions: names that somebody wants to know, asked again and again (manual 5.3). In: the time,
//! what name servers send, and who wants to know. Out: messages to send and resolutions that ended.
//! Knows neither sockets nor clocks; times are milliseconds of the process's clock.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::message::{self, Fault, Found, Question, Service, Wanted};
use super::section::Settings;

/// How the last attempt to resolve a name went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There was none yet.
    None,
    /// It was answered.
    Valid,
    /// There is no such name.
    Nx,
    /// The name servers refuse.
    Refused,
    /// Nobody answered.
    Timeout,
    /// Anything else.
    Other,
}

/// What a name server's message was, as `show resolvers` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A good answer.
    Valid,
    /// See `Fault`.
    Fault(Fault),
    /// Larger than was allowed.
    TooBig,
    /// An answer to what nobody asks any more.
    Outdated,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send this to every name server.
    Send(Vec<u8>),
    /// Tell those who want to know.
    Ended(Ended),
}

/// A resolution has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What was asked.
    pub question: Question,
    /// The name server that answered, by its place; `None` when nobody did.
    pub by: Option<usize>,
    /// Places of a service that are no more.
    pub lost: Vec<Service>,
}

/// One name and what is known of it.
#[derive(Debug)]
pub struct Resolution<R> {
    /// What is asked.
    pub question: Question,
    /// How it went last.
    pub status: Status,
    /// When it was answered last, or began to be asked.
    pub last_valid: u64,
    /// Who wants to know.
    pub requesters: Vec<R>,
    items: Vec<Item>,
    running: Option<Running>,
    /// When the last attempt ended.
    ended: Option<u64>,
}

/// Something an answer said, and the second in which one said it last.
#[derive(Debug)]
struct Item {
    found: Found,
    seen: u64,
}

/// An attempt in progress.
#[derive(Debug)]
struct Running {
    id: u16,
    /// What is asked at the moment: perhaps the other family's addresses.
    wanted: Wanted,
    tries: i64,
    sent: u64,
    responses: usize,
}

/// What a requester would rather have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Preference {
    /// `resolve-prefer ipv4`; IPv6 otherwise.
    pub ipv4: bool,
    /// `resolve-net`
    pub networks: Vec<(IpAddr, u8)>,
    /// `resolve-opts allow-dup-ip`
    pub duplicates: bool,
}

impl Preference {
    /// Which records are asked for first.
    pub fn wanted(&self) -> Wanted {
        if self.ipv4 { Wanted::A } else { Wanted::Aaaa }
    }

    /// How well an address fits; the first of the best is taken.
    fn score(&self, ip: IpAddr) -> u8 {
        let family = if ip.is_ipv4() == self.ipv4 { 8 } else { 0 };
        let inside = |network: &(IpAddr, u8)| {
            network.0.is_ipv4() == ip.is_ipv4() && crate::sample::pattern::in_network(ip, *network)
        };
        family + if self.networks.iter().any(inside) { 4 } else { 0 }
    }
}

/// Which address to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The one there is.
    Keep,
    /// Another one.
    Take(IpAddr),
    /// There is none.
    Nothing,
}

impl<R> Resolution<R> {
    fn new(question: Question, now: u64) -> Resolution<R> {
        Resolution {
            question,
            status: Status::None,
            last_valid: now,
            requesters: Vec::new(),
            items: Vec::new(),
            running: None,
            ended: None,
        }
    }

    /// Chooses an address: of the family that is preferred, in a network that is preferred, used by
    /// no one else, and rather the current one. Without duplicates one that is `taken` will not do.
    pub fn choose(
        &mut self,
        preference: &Preference,
        current: Option<IpAddr>,
        taken: impl Fn(IpAddr) -> bool,
    ) -> Choice {
        let mut best: Option<(u8, IpAddr)> = None;
        for item in &self.items {
            let Found::Address(ip) = item.found else { continue };
            let shared = taken(ip);
            if shared && !preference.duplicates {
                continue;
            }
            let own = u8::from(current == Some(ip));
            let score = preference.score(ip) + if shared { 0 } else { 2 } + own;
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, ip));
            }
        }
        match best {
            None => Choice::Nothing,
            Some((_, ip)) if current == Some(ip) => Choice::Keep,
            Some((_, ip)) => {
                // The next one who asks gets another one.
                self.items.rotate_left(1);
                Choice::Take(ip)
            }
        }
    }

    /// The places of a service, in the order in which they came.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.items.iter().filter_map(|item| match &item.found {
            Found::Service(service) => Some(service),
            Found::Address(_) => None,
        })
    }

    /// Whether there is an answer that is not older than that.
    pub fn is_fresh(&self, hold: Duration, now: u64) -> bool {
        let fits = |ended: u64| now < ended + millis(hold);
        self.status == Status::Valid && self.running.is_none() && self.ended.is_some_and(fits)
    }

    /// Takes an answer in; gives the places of a service that no answer has named for a while.
    fn merge(&mut self, found: Vec<Found>, obsolete: Duration, now: u64) -> Vec<Service> {
        let second = now / 1000;
        for found in found {
            match self.items.iter_mut().find(|item| item.found.is_same(&found)) {
                Some(item) => *item = Item { found, seen: second },
                None => self.items.push(Item { found, seen: second }),
            }
        }
        let limit = obsolete.as_secs();
        let (kept, lost) =
            std::mem::take(&mut self.items).into_iter().partition(|i| i.seen + limit >= second);
        self.items = kept;
        let lost: Vec<Item> = lost;
        let service = |item: Item| match item.found {
            Found::Service(service) => Some(service),
            Found::Address(_) => None,
        };
        lost.into_iter().filter_map(service).collect()
    }

    /// When something is to be done about it next.
    fn due(&self, settings: &Settings) -> u64 {
        match (&self.running, self.ended) {
            (Some(running), _) => running.sent + millis(settings.retry),
            (None, Some(ended)) => ended + millis(settings.resolve),
            (None, None) => 0,
        }
    }

    /// Ends the attempt.
    fn give_up(&mut self, now: u64) -> Ended {
        self.running = None;
        self.ended = Some(now);
        Ended { question: self.question.clone(), by: None, lost: Vec::new() }
    }
}

impl Found {
    /// Whether it is the same thing: an address, or a place by host and port.
    fn is_same(&self, other: &Found) -> bool {
        match (self, other) {
            (Found::Address(a), Found::Address(b)) => a == b,
            (Found::Service(a), Found::Service(b)) => {
                a.port == b.port && a.target.eq_ignore_ascii_case(&b.target)
            }
            _ => false,
        }
    }
}

/// All resolutions of one section.
#[derive(Debug)]
pub struct Resolutions<R> {
    settings: Settings,
    list: Vec<Resolution<R>>,
    /// Where in the list each question is.
    questions: HashMap<Question, usize>,
    /// Where in the list each attempt in progress is, by its identifier.
    attempts: HashMap<u16, usize>,
}

impl<R> Resolutions<R> {
    /// None yet.
    pub fn new(settings: Settings) -> Resolutions<R> {
        let (questions, attempts) = Default::default();
        Resolutions { settings, list: Vec::new(), questions, attempts }
    }

    /// The resolution of this question.
    pub fn find(&mut self, question: &Question) -> Option<&mut Resolution<R>> {
        self.list.get_mut(*self.questions.get(question)?)
    }

    /// Adds somebody who wants to know; a question that nobody has asked is asked at the next tick.
    pub fn link(&mut self, question: &Question, requester: R, now: u64) {
        match self.find(question) {
            Some(resolution) => resolution.requesters.push(requester),
            None => {
                let mut resolution = Resolution::new(question.clone(), now);
                resolution.requesters.push(requester);
                self.questions.insert(question.clone(), self.list.len());
                self.list.push(resolution);
            }
        }
    }

    /// Keeps these requesters of each resolution.
    pub fn retain(&mut self, mut keep: impl FnMut(&R) -> bool) {
        for resolution in &mut self.list {
            resolution.requesters.retain(|r| keep(r));
        }
    }

    /// Forgets resolutions that nobody wants to know of.
    pub fn sweep(&mut self) {
        self.list.retain(|resolution| !resolution.requesters.is_empty());
        let list = self.list.iter().enumerate();
        self.questions = list.clone().map(|(at, r)| (r.question.clone(), at)).collect();
        self.attempts = list.filter_map(|(at, r)| Some((r.running.as_ref()?.id, at))).collect();
    }

    /// How long nothing has to be done.
    pub fn rest(&self, now: u64) -> Option<Duration> {
        let next = self.list.iter().map(|r| r.due(&self.settings)).min()?;
        Some(Duration::from_millis(next.saturating_sub(now)))
    }

    /// Asks what is due to be asked, and gives up what was asked too often.
    pub fn tick(&mut self, now: u64) -> Vec<Effect> {
        let settings = self.settings;
        let mut effects = Vec::new();
        for (at, resolution) in self.list.iter_mut().enumerate() {
            if now < resolution.due(&settings) {
                continue;
            }
            match &mut resolution.running {
                Some(running) if running.tries == 0 => {
                    if running.responses == 0 {
                        resolution.status = Status::Timeout;
                    }
                    self.attempts.remove(&running.id);
                    effects.push(Effect::Ended(resolution.give_up(now)));
                    continue;
                }
                Some(running) => running.again(resolution.question.wanted),
                None => {
                    let Some(id) = fresh_id(&self.attempts) else { continue };
                    self.attempts.insert(id, at);
                    let wanted = resolution.question.wanted;
                    let tries = i64::from(settings.retries) - 1;
                    resolution.running =
                        Some(Running { id, wanted, tries, sent: now, responses: 0 });
                }
            }
            effects.extend(resolution.send(settings.payload, now));
        }
        effects
    }

    /// A name server has sent this: the one at this place, of so many.
    pub fn receive(
        &mut self,
        (server, servers): (usize, usize),
        bytes: &[u8],
        now: u64,
    ) -> (Kind, Option<Effect>) {
        let settings = self.settings;
        if bytes.len() > usize::from(settings.payload) {
            return (Kind::TooBig, None);
        }
        let Some(id) = bytes.first_chunk().map(|id| u16::from_be_bytes(*id)) else {
            return (Kind::Fault(Fault::Invalid), None);
        };
        let resolution = self.attempts.get(&id).and_then(|at| self.list.get_mut(*at));
        let Some(resolution) = resolution else { return (Kind::Outdated, None) };
        let Some(attempt) = &mut resolution.running else { return (Kind::Outdated, None) };
        let asked = Question { wanted: attempt.wanted, ..resolution.question.clone() };
        let (kind, effect) = match message::read(bytes, &asked, settings.most_records()) {
            // A forger must not end what the true answer will end.
            Err(Fault::Foreign) => return (Kind::Fault(Fault::Foreign), None),
            Err(fault) => {
                attempt.responses += 1;
                let all = attempt.responses >= servers;
                resolution.status = fault.status();
                let effect = if all { resolution.fail(settings.payload, now) } else { None };
                (Kind::Fault(fault), effect)
            }
            Ok(found) => {
                let lost = resolution.merge(found, settings.hold.obsolete, now);
                resolution.status = Status::Valid;
                resolution.last_valid = now;
                let ended = Ended { by: Some(server), lost, ..resolution.give_up(now) };
                (Kind::Valid, Some(Effect::Ended(ended)))
            }
        };
        if resolution.running.is_none() {
            self.attempts.remove(&id);
        }
        (kind, effect)
    }
}

/// An identifier that no attempt uses.
fn fresh_id(attempts: &HashMap<u16, usize>) -> Option<u16> {
    (0..100).map(|_| message::random_id()).find(|id| !attempts.contains_key(id))
}

impl<R> Resolution<R> {
    /// Every name server has failed: the other family's addresses are asked for, once.
    fn fail(&mut self, payload: u16, now: u64) -> Option<Effect> {
        let running = self.running.as_mut()?;
        if running.wanted == self.question.wanted {
            running.wanted = self.question.wanted.fallback()?;
            return self.send(payload, now);
        }
        if running.tries != 0 {
            return None;
        }
        Some(Effect::Ended(self.give_up(now)))
    }

    fn send(&mut self, payload: u16, now: u64) -> Option<Effect> {
        let running = self.running.as_mut()?;
        running.sent = now;
        running.responses = 0;
        let asked = Question { wanted: running.wanted, ..self.question.clone() };
        asked.message(running.id, payload).map(Effect::Send)
    }
}

impl Running {
    /// Time is over: the other family's addresses if something was answered, the same again otherwise.
    fn again(&mut self, first: Wanted) {
        match first.fallback() {
            Some(other) if self.responses > 0 && self.wanted == first => self.wanted = other,
            _ => {
                self.wanted = first;
                self.tries -= 1;
            }
        }
    }
}

impl Fault {
    fn status(self) -> Status {
        match self {
            Fault::Nx => Status::Nx,
            Fault::Refused => Status::Refused,
            _ => Status::Other,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{Message, MessageType, ResponseCode};
    use hickory_proto::rr::rdata::{A, SRV};
    use hickory_proto::rr::{RData, Record};

    /// One name server, and a virtual clock.
    struct Desk {
        resolutions: Resolutions<()>,
        question: Question,
        now: u64,
        /// What was sent last.
        asked: Vec<u8>,
    }

    impl Desk {
        fn new(name: &str, wanted: Wanted, settings: Settings) -> Desk {
            let question = Question::new(name, wanted).unwrap();
            let mut resolutions = Resolutions::new(settings);
            resolutions.link(&question, (), 0);
            Desk { resolutions, question, now: 0, asked: Vec::new() }
        }

        fn keep(&mut self, effect: Effect) -> Option<Ended> {
            match effect {
                Effect::Send(bytes) => {
                    self.asked = bytes;
                    None
                }
                Effect::Ended(ended) => Some(ended),
            }
        }

        /// Time passes until something is due; the last thing that ended then.
        fn pass(&mut self) -> Option<Ended> {
            let rest = self.resolutions.rest(self.now).unwrap();
            self.now += rest.as_millis() as u64;
            let effects = self.resolutions.tick(self.now);
            effects.into_iter().filter_map(|effect| self.keep(effect)).last()
        }

        fn wanted(&self) -> hickory_proto::rr::RecordType {
            Message::from_vec(&self.asked).unwrap().queries[0].query_type
        }

        fn answer(&mut self, fill: impl FnOnce(&mut Message)) -> (Kind, Option<Ended>) {
            let mut message = Message::from_vec(&self.asked).unwrap();
            message.metadata.message_type = MessageType::Response;
            fill(&mut message);
            self.receive(&message.to_vec().unwrap())
        }

        fn receive(&mut self, bytes: &[u8]) -> (Kind, Option<Ended>) {
            let (kind, effect) = self.resolutions.receive((0, 1), bytes, self.now);
            (kind, effect.and_then(|effect| self.keep(effect)))
        }

        fn addresses(&mut self, last: &[u8]) -> (Kind, Option<Ended>) {
            let name = self.question.name.clone();
            self.answer(|message| {
                for last in last {
                    let data = RData::A(A::new(192, 0, 2, *last));
                    message.add_answer(Record::from_rdata(name.clone(), 5, data));
                }
            })
        }

        fn choose(&mut self, current: Option<u8>, taken: &[u8]) -> Choice {
            let taken: Vec<IpAddr> = taken.iter().map(|last| ip(*last)).collect();
            let resolution = self.resolutions.find(&self.question).unwrap();
            resolution.choose(&Preference::default(), current.map(ip), |ip| taken.contains(&ip))
        }

        fn status(&mut self) -> Status {
            self.resolutions.find(&self.question).unwrap().status
        }
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn quick() -> Settings {
        let retry = Duration::from_millis(300);
        Settings { retry, ..Settings::default() }
    }

    #[test]
    fn an_answer_ends_the_attempt_and_the_next_follows_in_time() {
        let mut desk = Desk::new("web.example", Wanted::A, quick());
        assert_eq!(desk.pass(), None);
        let (kind, ended) = desk.addresses(&[1, 2]);
        assert_eq!((kind, ended.unwrap().by), (Kind::Valid, Some(0)));
        assert_eq!(desk.resolutions.rest(desk.now), Some(Duration::from_secs(1)));
        assert_eq!(desk.addresses(&[1]).0, Kind::Outdated);
        desk.asked.clear();
        desk.pass();
        assert!(!desk.asked.is_empty());
    }

    #[test]
    fn without_an_answer_the_question_is_repeated_then_given_up() {
        let mut desk = Desk::new("web.example", Wanted::A, quick());
        desk.pass();
        assert_eq!((desk.pass(), desk.pass()), (None, None));
        let ended = desk.pass().unwrap();
        assert_eq!((ended.by, desk.now), (None, 900));
        assert_eq!(desk.status(), Status::Timeout);
    }

    #[test]
    fn the_other_family_is_asked_for_when_there_are_none_of_the_first() {
        let mut desk = Desk::new("web.example", Wanted::Aaaa, quick());
        desk.pass();
        assert_eq!(desk.wanted(), hickory_proto::rr::RecordType::AAAA);
        assert_eq!(desk.answer(|_| ()), (Kind::Fault(Fault::Empty), None));
        assert_eq!(desk.wanted(), hickory_proto::rr::RecordType::A);
        assert_eq!(desk.addresses(&[1]).0, Kind::Valid);
    }

    #[test]
    fn a_refused_name_is_reported_once_every_try_was_refused() {
        let mut desk = Desk::new("web.example", Wanted::A, quick());
        let nx = |message: &mut Message| message.metadata.response_code = ResponseCode::NXDomain;
        desk.pass();
        for _ in 0..2 {
            assert_eq!(desk.answer(nx).1, None);
            assert_eq!(desk.answer(nx).1, None);
            assert_eq!(desk.pass(), None);
        }
        assert_eq!(desk.answer(nx).1, None);
        let (kind, ended) = desk.answer(nx);
        assert_eq!((kind, ended.unwrap().by), (Kind::Fault(Fault::Nx), None));
        assert_eq!(desk.status(), Status::Nx);
    }

    #[test]
    fn all_name_servers_must_fail_before_the_next_question() {
        let mut desk = Desk::new("web.example", Wanted::A, quick());
        desk.pass();
        let mut message = Message::from_vec(&desk.asked).unwrap();
        message.metadata.message_type = MessageType::Response;
        message.metadata.response_code = ResponseCode::Refused;
        let bytes = message.to_vec().unwrap();
        let (kind, effect) = desk.resolutions.receive((0, 2), &bytes, 0);
        assert_eq!((kind, effect), (Kind::Fault(Fault::Refused), None));
        let (_, effect) = desk.resolutions.receive((1, 2), &bytes, 0);
        assert!(matches!(effect, Some(Effect::Send(_))));
    }

    #[test]
    fn a_forged_answer_ends_nothing() {
        let mut desk = Desk::new("web.example", Wanted::A, quick());
        desk.pass();
        let other = Question::new("evil.example", Wanted::A).unwrap().name;
        let (kind, ended) = desk.answer(|message| message.queries[0].name = other);
        assert_eq!((kind, ended), (Kind::Fault(Fault::Foreign), None));
        assert_eq!(desk.receive(&[0; 600]), (Kind::TooBig, None));
        assert_eq!(desk.receive(&[7]), (Kind::Fault(Fault::Invalid), None));
        assert_eq!(desk.addresses(&[1]).0, Kind::Valid);
    }

    #[test]
    fn addresses_are_kept_shared_out_and_forgotten() {
        let mut desk = Desk::new("web.example", Wanted::A, quick());
        desk.pass();
        desk.addresses(&[1, 2]);
        assert_eq!(desk.choose(None, &[]), Choice::Take(ip(1)));
        assert_eq!(desk.choose(None, &[1]), Choice::Take(ip(2)));
        assert_eq!(desk.choose(Some(2), &[1]), Choice::Keep);
        assert_eq!(desk.choose(None, &[1, 2]), Choice::Nothing);
        desk.pass();
        desk.addresses(&[3]);
        assert_eq!(desk.choose(Some(2), &[]), Choice::Take(ip(3)));
    }

    #[test]
    fn what_answers_name_no_more_is_held_for_a_while() {
        let mut settings = quick();
        settings.hold.obsolete = Duration::from_secs(2);
        let mut desk = Desk::new("_http._tcp.example", Wanted::Srv, settings);
        let name = desk.question.name.clone();
        let target = Question::new("n1.example", Wanted::A).unwrap().name;
        let place = |port| {
            let data = RData::SRV(SRV::new(1, 1, port, target.clone()));
            Record::from_rdata(name.clone(), 5, data)
        };
        desk.pass();
        desk.answer(|m| {
            m.add_answer(place(1)).add_answer(place(2));
        });
        for _ in 0..2 {
            desk.pass();
            let (_, ended) = desk.answer(|m| {
                m.add_answer(place(1));
            });
            assert!(ended.unwrap().lost.is_empty());
        }
        desk.pass();
        let (_, ended) = desk.answer(|m| {
            m.add_answer(place(1));
        });
        let lost: Vec<u16> = ended.unwrap().lost.iter().map(|s| s.port).collect();
        assert_eq!(lost, [2]);
    }

    #[test]
    fn preferences_rank_family_then_network() {
        let network = (IpAddr::from([192, 0, 2, 2]), 32);
        let preference = Preference { ipv4: true, networks: vec![network], duplicates: true };
        let mut desk = Desk::new("web.example", Wanted::A, quick());
        desk.pass();
        desk.addresses(&[1, 2, 3]);
        let resolution = desk.resolutions.find(&desk.question).unwrap();
        assert_eq!(resolution.choose(&preference, Some(ip(1)), |_| false), Choice::Take(ip(2)));
        assert_eq!(resolution.choose(&preference, None, |_| true), Choice::Take(ip(2)));
    }

    #[test]
    fn random_bytes_as_answers_never_panic() {
        let mut desk = Desk::new("web.example", Wanted::A, quick());
        desk.pass();
        let good = desk.asked.clone();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..20_000 {
            let mut bytes = good.clone();
            if round % 2 == 0 {
                bytes.truncate(2);
                bytes.resize(2 + (random() % 500) as usize, 0);
                bytes.iter_mut().skip(2).for_each(|b| *b = random() as u8);
            } else {
                bytes[2] |= 0x80;
                bytes.extend((0..random() % 80).map(|_| 0));
                for _ in 0..random() % 8 {
                    let at = 2 + (random() as usize) % (bytes.len() - 2);
                    bytes[at] = random() as u8;
                }
            }
            desk.receive(&bytes);
            if round % 16 == 0 {
                desk.pass();
            }
        }
    }
}
