//! A connection in TCP mode: a server is chosen, then bytes are copied both ways (manual 4.2 "mode tcp").

use std::pin::pin;
use std::time::Duration;

use crate::flow::log::format::LogContext;
use crate::flow::phase::Phase;
use crate::flow::rules::{switch, track};
use crate::flow::server::{assign, persist, stick};
use crate::flow::session::exchange::Ending;
use crate::flow::session::outcome::{Outcome, When, Who};
use crate::flow::session::{Client, Session, Stream, forward, inspect, tunnel};
use crate::flow::transport::socket::Follows;

/// Serves a connection from its accept to its end.
pub async fn run(session: &Session, client: &mut Client) {
    let Some((world, frontend)) = session.view() else { return };
    let mut stream = Stream::new(session, world, frontend, session.accepted);
    stream.times.first_byte = Some(session.handshake);
    stream.times.request = Some(session.handshake);
    if let Some(context) = LogContext::of_stream(&stream, Phase::Log) {
        context.frontend.log.begin(&context);
    }
    let entry = stream.registered.entry();
    let passed = {
        let passing = pin!(pass(&mut stream, client));
        entry.unless_killed(passing).await
    };
    match passed {
        Some(Ok(())) => {}
        Some(Err(ending)) => {
            stream.outcome = ending.outcome;
            if ending.outcome.who != Who::Proxy {
                forward::close(client, true).await;
            }
        }
        None => stream.outcome = Outcome::new(stream.registered.killed_by(), When::Data),
    }
    stream.server_disconnected();
    finish(&mut stream);
}

async fn pass(stream: &mut Stream<'_>, client: &mut Client) -> Result<(), Ending> {
    let frontend = stream.frontend;
    if has_content_rules(stream, frontend) {
        Box::pin(inspect::request(stream, client, frontend)).await?;
    }
    let none = Ending::silent(0, Who::Server, When::Connect);
    let backend = switch::choose(stream, Phase::RequestContent).ok_or(none)?;
    stream.backend = Some(backend);
    stream.show_target();
    let _counted = forward::BackendSession::begin(stream, backend);
    persist::judge(stream, Phase::RequestContent);
    if backend != frontend && has_content_rules(stream, backend) {
        Box::pin(inspect::request(stream, client, backend)).await?;
    }
    persist::use_server(stream, Phase::RequestContent);
    stick::find(stream, Phase::RequestContent);
    let mut link = assign::connect(stream, &mut client.timer, true).await?;
    inspect::resume(stream, client);
    stream.times.response = stream.times.connected;
    if let Some(context) = LogContext::of_stream(stream, Phase::Log) {
        context.frontend.log.emit_early(&context);
    }
    let at_hand = match inspect::looks_at_response(stream) {
        false => {
            stick::store(stream, Phase::ResponseContent);
            None
        }
        true => match Box::pin(inspect::response(stream, client, &mut link)).await? {
            (input, false) => Some(input).filter(|input| !input.is_empty()),
            (input, true) => {
                stream.bytes_out += input.filled().len() as u64;
                let (_, mut writer) = client.socket.split();
                // The end of the connection is all that is left to tell.
                let _ = client
                    .timer
                    .within(LAST_WORDS, writer.write_all(input.filled(), Follows::Unknown))
                    .await;
                return Ok(());
            }
        },
    };
    let timeouts = tunnel::pair(stream);
    let (outcome, up, down) = tunnel::copy(client, &mut link, timeouts, at_hand).await;
    stream.outcome = outcome;
    stream.bytes_in += up;
    stream.bytes_out += down;
    Ok(())
}

/// How long a client may take for the bytes that come before a `close`.
const LAST_WORDS: Option<Duration> = Some(Duration::from_secs(10));

fn has_content_rules(stream: &Stream<'_>, proxy: usize) -> bool {
    stream.world.proxies.get(proxy).is_some_and(|p| !p.rules.tcp_request_content.is_empty())
}

fn finish(stream: &mut Stream<'_>) {
    stream.times.end = Some(stream.times.elapsed());
    let frontend_counters = &stream.session.frontend_state().counters;
    let backend = stream.backend().and_then(|p| p.backend.as_ref());
    let server = stream.server().map(|s| &s.status.counters);
    let all = [
        Some(frontend_counters),
        Some(stream.session.listener.counters.as_ref()),
        backend.map(|b| &b.state.counters),
        server,
    ];
    for counters in all.into_iter().flatten() {
        counters.bytes_in.add(stream.bytes_in);
        counters.bytes_out.add(stream.bytes_out);
    }
    track::count_bytes(stream, stream.bytes_in, stream.bytes_out);
    stream.session.thread.shared.counters.bytes_out.add(stream.bytes_out);
    forward::count_times(stream);
    if let Some(context) = LogContext::of_stream(stream, Phase::Log) {
        context.frontend.log.emit(&context);
    }
}
