//! A connection in TCP mode: a server is chosen, then bytes are copied both ways (manual 4.2 "mode tcp").

use crate::flow::log::format::LogContext;
use crate::flow::phase::Phase;
use crate::flow::rules::switch;
use crate::flow::server::{assign, persist};
use crate::flow::session::exchange::Ending;
use crate::flow::session::outcome::{Outcome, When, Who};
use crate::flow::session::{Client, Session, Stream, forward, tunnel};

/// Serves a connection from its accept to its end.
pub async fn run(session: &Session, client: &mut Client) {
    let Some((world, frontend)) = session.view() else { return };
    let mut stream = Stream::new(session, world, frontend, session.accepted);
    stream.number = session.number;
    stream.times.first_byte = Some(session.handshake);
    stream.times.request = Some(session.handshake);
    if let Some(context) = LogContext::of_stream(&stream, Phase::Log) {
        context.frontend.log.begin(&context);
    }
    let entry = stream.registered.entry();
    match entry.unless_killed(pass(&mut stream, client)).await {
        Some(Ok(())) => {}
        Some(Err(ending)) => {
            stream.outcome = ending.outcome;
            forward::close(client, true).await;
        }
        None => stream.outcome = Outcome::new(Who::Killed, When::Data),
    }
    stream.server_disconnected();
    finish(&mut stream);
}

async fn pass(stream: &mut Stream<'_>, client: &mut Client) -> Result<(), Ending> {
    let none = Ending::silent(0, Who::Server, When::Connect);
    let backend = switch::choose(stream, Phase::RequestContent).ok_or(none)?;
    stream.backend = Some(backend);
    stream.show_target();
    let _counted = forward::BackendSession::begin(stream, backend);
    persist::judge(stream, Phase::RequestContent);
    persist::use_server(stream, Phase::RequestContent);
    let mut link = assign::connect(stream, &mut client.timer, true).await?;
    stream.times.response = stream.times.connected;
    if let Some(context) = LogContext::of_stream(stream, Phase::Log) {
        context.frontend.log.emit_early(&context);
    }
    let timeouts = tunnel::pair(stream);
    let (outcome, up, down) = tunnel::copy(client, &mut link, timeouts, None).await;
    stream.outcome = outcome;
    stream.bytes_in += up;
    stream.bytes_out += down;
    Ok(())
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
    stream.session.thread.shared.counters.bytes_out.add(stream.bytes_out);
    forward::count_times(stream);
    if let Some(context) = LogContext::of_stream(stream, Phase::Log) {
        context.frontend.log.emit(&context);
    }
}
