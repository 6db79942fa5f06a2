//! The lines of a `spoe-agent` section (SPOE.txt 2.2). In: a line's words. Out: what they change in the
//! agent.

use crate::config::args::{
    Inversion, Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time,
};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::spoe::{AgentSpec, AgentTimeouts, file};
use crate::config::words::Word;
use crate::flow::log::target;

/// Frames are at least and at most this long, in bytes.
const FRAME_SIZES: (u32, u32) = (256, 16_380);
/// Frames that wait for an answer on one connection, unless told otherwise.
const WAITING_FRAMES: u32 = 20;

impl AgentSpec {
    /// An agent without lines.
    pub fn new(name: String, place: Place) -> AgentSpec {
        AgentSpec {
            name,
            place,
            backend: None,
            messages: Vec::new(),
            groups: Vec::new(),
            timeouts: AgentTimeouts::default(),
            prefix: None,
            on_error: None,
            process_time: None,
            total_time: None,
            pipelining: true,
            asynchronous: true,
            fragments: true,
            errors_only: false,
            force_variables: false,
            continue_on_error: false,
            connection_rate: 0,
            error_rate: 0,
            frame_size: FRAME_SIZES.1,
            waiting_frames: WAITING_FRAMES,
            variables: Vec::new(),
            log: Vec::new(),
        }
    }
}

/// Reads one line; its keyword is read already.
pub fn keyword(line: &mut Line<'_>, agent: &mut AgentSpec, keyword: &Word) -> Parsed {
    match &*keyword.str() {
        "use-backend" => {
            let Some(name) = line.word() else {
                return Err(line.alert("'use-backend' expects a backend name."));
            };
            line.words.end("use-backend")?;
            agent.backend = Some(name.str().into_owned());
        }
        "messages" => file::names(line, &mut agent.messages, "spoe-message")?,
        "groups" => file::names(line, &mut agent.groups, "spoe-group")?,
        "timeout" => timeout(line, &mut agent.timeouts)?,
        "option" => option(line, agent)?,
        "maxconnrate" => agent.connection_rate = integer(line, "maxconnrate")?,
        "maxerrrate" => agent.error_rate = integer(line, "maxerrrate")?,
        "max-frame-size" => agent.frame_size = frame_size(line)?,
        "max-waiting-frames" => agent.waiting_frames = waiting_frames(line)?,
        "register-var-names" => {
            if line.is_empty() {
                return Err(line.alert("'register-var-names' expects one or more variable names."));
            }
            agent.variables.extend(line.rest().iter().map(|word| word.str().into_owned()));
        }
        "log" => log(line, agent)?,
        other => {
            return Err(line.alert(format!("unknown keyword '{other}' in spoe-agent section.")));
        }
    }
    Ok(())
}

fn timeout(line: &mut Line<'_>, timeouts: &mut AgentTimeouts) -> Parsed {
    let Some(which) = line.word().map(|w| w.str().into_owned()) else {
        return Err(line.alert("'timeout' expects 'hello', 'idle' and 'processing'."));
    };
    let value = line.word();
    line.words.end("timeout")?;
    let slot = match which.as_str() {
        "hello" => &mut timeouts.hello,
        "idle" => &mut timeouts.idle,
        "processing" => &mut timeouts.processing,
        _ => {
            return Err(line.alert(format!(
                "'timeout' supports 'hello', 'idle' or 'processing' (got {which})."
            )));
        }
    };
    let Some(value) = value else {
        return Err(
            line.alert(format!("'timeout {which}' expects an integer value (in milliseconds)."))
        );
    };
    match parse_time(value.bytes(), TimeUnit::Milliseconds) {
        Ok(time) => {
            *slot = Some(time);
            Ok(())
        }
        Err(NumberError::Overflow) => Err(line.bare(format!(
            "timer overflow in argument <{value}> to <timeout {which}>, maximum value is 2147483647 ms (~24.8 days)."
        ))),
        Err(NumberError::Unexpected(c)) => {
            Err(line.alert(format!("unexpected character '{c}' in 'timeout {which}'.")))
        }
    }
}

fn option(line: &mut Line<'_>, agent: &mut AgentSpec) -> Parsed {
    let Some(name) = line.word().map(|w| w.str().into_owned()) else {
        return Err(line.bare("'option' expects an option name."));
    };
    let on = line.inversion != Inversion::No;
    let switch = match name.as_str() {
        "pipelining" => Some(&mut agent.pipelining),
        "async" => Some(&mut agent.asynchronous),
        "send-frag-payload" => Some(&mut agent.fragments),
        "dontlog-normal" => Some(&mut agent.errors_only),
        _ => None,
    };
    if let Some(switch) = switch {
        line.words.end("option")?;
        *switch = on;
        return Ok(());
    }
    if !on {
        return Err(line.bare(format!("negation is not supported for option '{name}'.")));
    }
    match name.as_str() {
        "force-set-var" | "continue-on-error" => {
            line.words.end("option")?;
            match name.as_str() {
                "force-set-var" => agent.force_variables = true,
                _ => agent.continue_on_error = true,
            }
            return Ok(());
        }
        _ => {}
    }
    let slot = match name.as_str() {
        "var-prefix" => &mut agent.prefix,
        "set-on-error" => &mut agent.on_error,
        "set-process-time" => &mut agent.process_time,
        "set-total-time" => &mut agent.total_time,
        _ => return Err(line.bare(format!("option '{name}' is not supported."))),
    };
    *slot = Some(variable(line, &name)?);
    Ok(())
}

/// The value of an option that is a variable's name, or the beginning of one.
fn variable(line: &mut Line<'_>, option: &str) -> Result<String, Diagnostic> {
    let Some(word) = line.word() else {
        return Err(line.bare(format!("'option {option}' expects a value.")));
    };
    line.words.end("option")?;
    let name = word.str().into_owned();
    match is_variable(&name) {
        true => Ok(name),
        false => Err(line.bare(format!("'option {option}' only supports [a-zA-Z0-9_.] chars."))),
    }
}

/// Whether variables may have this name, or one that begins so.
pub fn is_variable(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
}

fn integer(line: &mut Line<'_>, keyword: &str) -> Result<i64, Diagnostic> {
    let Some(word) = line.word() else {
        return Err(line.alert(format!("'{keyword}' expects an integer argument.")));
    };
    line.words.end(keyword)?;
    Ok(parse_lenient(word.bytes()))
}

fn frame_size(line: &mut Line<'_>) -> Result<u32, Diagnostic> {
    let (least, most) = FRAME_SIZES;
    let size = u32::try_from(integer(line, "max-frame-size")?).ok();
    size.filter(|size| (least..=most).contains(size)).ok_or_else(|| {
        line.alert(format!(
            "'max-frame-size' expects a positive integer argument in the range [{least}, {most}]."
        ))
    })
}

fn waiting_frames(line: &mut Line<'_>) -> Result<u32, Diagnostic> {
    let frames = u32::try_from(integer(line, "max-waiting-frames")?).ok();
    frames
        .filter(|frames| *frames > 0)
        .ok_or_else(|| line.alert("'max-waiting-frames' expects a positive integer argument."))
}

fn log(line: &mut Line<'_>, agent: &mut AgentSpec) -> Parsed {
    if line.inversion == Inversion::No {
        if !line.is_empty() {
            return Err(line.alert("log : 'no log' does not expect arguments"));
        }
        agent.log.clear();
        return Ok(());
    }
    let mut ahead = line.words.clone();
    if ahead.accept("global") && ahead.is_empty() {
        agent.log.extend(line.global().log.targets.clone());
        return Ok(());
    }
    let target = target::parse(line, false)?;
    target.check_host(line.outside).map_err(|e| line.alert(e))?;
    agent.log.push(target);
    Ok(())
}
