//! DNS messages (RFC 1035, 2782, 6891). In: a question, or the bytes of an answer and the question it
//! should be about. Out: bytes, or what was found, or what is wrong with the answer.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Header, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// The kind of record that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Places of a service.
    Srv,
}

impl Wanted {
    /// The other family's addresses, which are asked for when there are none of this one.
    pub fn fallback(self) -> Option<Wanted> {
        match self {
            Wanted::A => Some(Wanted::Aaaa),
            Wanted::Aaaa => Some(Wanted::A),
            Wanted::Srv => None,
        }
    }

    fn record_type(self) -> RecordType {
        match self {
            Wanted::A => RecordType::A,
            Wanted::Aaaa => RecordType::AAAA,
            Wanted::Srv => RecordType::SRV,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name, whose letters' case does not matter.
    pub name: Name,
    /// Which of its records.
    pub wanted: Wanted,
}

impl Question {
    /// A question about a host or service; `None` when that cannot be the name of one: a label is empty
    /// or longer than 63 bytes, or all is longer than 255.
    pub fn new(name: &str, wanted: Wanted) -> Option<Question> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let mut name = Name::from_labels(name.split('.').map(str::as_bytes)).ok()?;
        name.set_fqdn(true);
        Some(Question { name, wanted })
    }

    /// The message that asks it; `payload` is the longest answer that is taken, in bytes.
    pub fn message(&self, id: u16, payload: u16) -> Option<Vec<u8>> {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(self.name.clone(), self.wanted.record_type()));
        let mut edns = Edns::new();
        edns.set_max_payload(payload);
        message.set_edns(edns);
        message.to_vec().ok()
    }
}

/// An identifier that nobody can guess.
pub fn random_id() -> u16 {
    Message::query().metadata.id
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An address.
    Address(IpAddr),
    /// A place of a service.
    Service(Service),
}

/// A place of a service (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// 0 to 65,535.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host, without a dot at its end.
    pub target: String,
    /// The host's address, when the answer gave it too.
    pub address: Option<IpAddr>,
}

/// Why an answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is no answer to this question: not counted as one.
    Foreign,
    /// It is mangled.
    Invalid,
    /// There is no such name.
    Nx,
    /// The name server refuses.
    Refused,
    /// There are no such records.
    Empty,
    /// A name leads to another one, which leads nowhere.
    Cname,
    /// It did not fit.
    Truncated,
    /// The name server could not tell.
    Other,
}

/// Reads the answer to a question that was sent with its identifier; at most `most` records.
pub fn read(bytes: &[u8], question: &Question, most: usize) -> Result<Vec<Found>, Fault> {
    let mut decoder = BinDecoder::new(bytes);
    let header = Header::read(&mut decoder).map_err(|_| Fault::Invalid)?;
    if header.message_type != MessageType::Response || header.op_code != OpCode::Query {
        return Err(Fault::Foreign);
    }
    if header.counts.queries == 1 {
        let query = Query::read(&mut decoder).map_err(|_| Fault::Invalid)?;
        if !query.name.eq_ignore_root(&question.name)
            || query.query_type != question.wanted.record_type()
        {
            return Err(Fault::Foreign);
        }
    }
    match header.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Err(Fault::Nx),
        ResponseCode::Refused => return Err(Fault::Refused),
        _ => return Err(Fault::Other),
    }
    if header.counts.queries != 1 || usize::from(header.counts.answers) > most {
        return Err(Fault::Invalid);
    }
    if header.counts.answers == 0 {
        return Err(Fault::Empty);
    }
    if header.truncation && question.wanted != Wanted::Srv {
        return Err(Fault::Truncated);
    }
    let message = Message::from_vec(bytes).map_err(|_| Fault::Invalid)?;
    match question.wanted {
        Wanted::Srv => Ok(services(&message)),
        Wanted::A | Wanted::Aaaa => addresses(&message.answers, &question.name),
    }
}

/// The addresses at the end of a chain of names.
fn addresses(records: &[Record], asked: &Name) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    let mut name = asked;
    for (index, record) in records.iter().enumerate() {
        if !record.name.eq_ignore_root(name) {
            return Err(if index == 0 { Fault::Invalid } else { Fault::Cname });
        }
        match &record.data {
            RData::A(a) => found.push(Found::Address(IpAddr::V4(a.0))),
            RData::AAAA(a) => found.push(Found::Address(IpAddr::V6(a.0))),
            RData::CNAME(_) if index + 1 == records.len() => return Err(Fault::Cname),
            RData::CNAME(target) => name = &target.0,
            _ => {}
        }
    }
    Ok(found)
}

/// The places of a service, with the addresses that came along.
fn services(message: &Message) -> Vec<Found> {
    let mut list = Vec::new();
    for record in &message.answers {
        let RData::SRV(srv) = &record.data else { continue };
        let mut target = srv.target.to_ascii();
        target.truncate(target.trim_end_matches('.').len());
        let (weight, port) = (srv.weight, srv.port);
        list.push((&srv.target, Service { weight, port, target, address: None }));
    }
    for record in &message.additionals {
        let address = match &record.data {
            RData::A(a) => IpAddr::V4(a.0),
            RData::AAAA(a) => IpAddr::V6(a.0),
            _ => continue,
        };
        if let Some((_, service)) = list.iter_mut().find(|(t, _)| t.eq_ignore_root(&record.name)) {
            service.address = Some(address);
        }
    }
    list.into_iter().map(|(_, service)| Found::Service(service)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::rdata::{A, CNAME, SRV};

    fn question() -> Question {
        Question::new("web.example", Wanted::A).unwrap()
    }

    fn answer(question: &Question, fill: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::new(7, MessageType::Response, OpCode::Query);
        message.add_query(Query::query(question.name.clone(), question.wanted.record_type()));
        fill(&mut message);
        message.to_vec().unwrap()
    }

    fn a(name: &str, last: u8) -> Record {
        let name = Question::new(name, Wanted::A).unwrap().name;
        Record::from_rdata(name, 5, RData::A(A::new(192, 0, 2, last)))
    }

    fn cname(name: &str, target: &str) -> Record {
        let of = |text| Question::new(text, Wanted::A).unwrap().name;
        Record::from_rdata(of(name), 5, RData::CNAME(CNAME(of(target))))
    }

    fn address(last: u8) -> Found {
        Found::Address(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_question_is_asked_with_recursion_and_a_size() {
        let bytes = question().message(0x1234, 512).unwrap();
        let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x03web\x07example\0\0\x01\0\x01\0\0\x29\x02\0\0\0\0\0\0\0";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn names_have_labels_of_1_to_63_bytes() {
        let is_name = |text: &str| Question::new(text, Wanted::A).is_some();
        assert!(is_name("a.b.") && is_name("_http._tcp.x") && is_name(&"a".repeat(63)));
        assert!(!is_name("a..b") && !is_name("") && !is_name(&"a".repeat(64)));
        assert!(!is_name(&"abc.".repeat(70)));
    }

    #[test]
    fn an_answer_gives_addresses_also_behind_other_names() {
        let q = question();
        let plain = answer(&q, |m| {
            m.add_answer(a("WEB.example", 1));
        });
        assert_eq!(read(&plain, &q, 40), Ok(vec![address(1)]));
        let chain = answer(&q, |m| {
            m.add_answer(cname("web.example", "real.example"));
            m.add_answer(a("real.example", 2)).add_answer(a("real.example", 3));
        });
        assert_eq!(read(&chain, &q, 40), Ok(vec![address(2), address(3)]));
    }

    #[test]
    fn answers_that_are_none_are_told_apart() {
        let q = question();
        let code = |code| answer(&q, |m| m.metadata.response_code = code);
        assert_eq!(read(&code(ResponseCode::NXDomain), &q, 40), Err(Fault::Nx));
        assert_eq!(read(&code(ResponseCode::Refused), &q, 40), Err(Fault::Refused));
        assert_eq!(read(&code(ResponseCode::ServFail), &q, 40), Err(Fault::Other));
        assert_eq!(read(&code(ResponseCode::NoError), &q, 40), Err(Fault::Empty));
        let lost = answer(&q, |m| {
            m.add_answer(cname("web.example", "b.example"));
        });
        assert_eq!(read(&lost, &q, 40), Err(Fault::Cname));
        let strange = answer(&q, |m| {
            m.add_answer(a("other.example", 1));
        });
        assert_eq!(read(&strange, &q, 40), Err(Fault::Invalid));
        let many = answer(&q, |m| {
            m.add_answer(a("web.example", 1)).add_answer(a("web.example", 2));
        });
        assert_eq!(read(&many, &q, 1), Err(Fault::Invalid));
        let cut = answer(&q, |m| {
            m.metadata.truncation = true;
            m.add_answer(a("web.example", 1));
        });
        assert_eq!(read(&cut, &q, 40), Err(Fault::Truncated));
        assert_eq!(read(&cut[..cut.len() - 3], &q, 40), Err(Fault::Truncated));
        assert_eq!(read(b"\0\x01\x80", &q, 40), Err(Fault::Invalid));
    }

    #[test]
    fn what_is_no_answer_to_this_question_is_foreign() {
        let q = question();
        let forged = answer(&Question::new("evil.example", Wanted::A).unwrap(), |m| {
            m.add_answer(a("evil.example", 66));
        });
        assert_eq!(read(&forged, &q, 40), Err(Fault::Foreign));
        let other = answer(&Question { wanted: Wanted::Aaaa, ..q.clone() }, |_| ());
        assert_eq!(read(&other, &q, 40), Err(Fault::Foreign));
        let own = q.message(7, 512).unwrap();
        assert_eq!(read(&own, &q, 40), Err(Fault::Foreign));
    }

    #[test]
    fn services_come_with_weight_port_and_perhaps_an_address() {
        let q = Question::new("_http._tcp.example", Wanted::Srv).unwrap();
        let target = Question::new("n1.example", Wanted::A).unwrap().name;
        let bytes = answer(&q, |m| {
            let data = RData::SRV(SRV::new(1, 60_000, 8001, target));
            m.add_answer(Record::from_rdata(q.name.clone(), 5, data));
            m.add_additional(a("n1.example", 9));
        });
        let expected = Service {
            weight: 60_000,
            port: 8001,
            target: "n1.example".into(),
            address: Some(IpAddr::from([192, 0, 2, 9])),
        };
        assert_eq!(read(&bytes, &q, 40), Ok(vec![Found::Service(expected)]));
    }
}
