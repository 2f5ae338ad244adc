use sl_stratum::{
    ClientBound, Extranonce, LineSplitter, Password, Refusal, ServerBound, Submit, client, server,
};
use sl_units::ShareDifficulty;

/// A machine that says anything: every answer is a message, nothing comes after the end, and no
/// share is handed out before its worker is authorised.
pub fn server_session(bytes: &[u8]) {
    let settings = server::Settings { max_users: 3, ..server::Settings::default() };
    let mut session = server::Session::new(settings.into());
    let mut splitter = LineSplitter::new(session.line_limit());
    // The first byte says which answers are refusals.
    let mut grants = bytes.first().copied().unwrap_or(0xff);
    let mut closed = false;
    for mut input in crate::cut(bytes) {
        while let Some(line) = splitter.next_line(&mut input) {
            let mut out = session.step(server::Input::Line(line));
            while !out.is_empty() {
                let output = out.remove(0);
                assert!(!closed, "{output:?} after the end");
                grants = grants.rotate_left(1);
                let verdict = verdict(grants & 1 == 1);
                out.splice(0..0, server_answer(&mut session, &output, verdict));
                closed = matches!(output, server::Output::Close(_));
            }
            assert!(session.users().count() <= 3, "more workers than are allowed");
        }
        splitter.set_limit(session.line_limit());
    }
}

fn verdict(granted: bool) -> Result<(), Refusal> {
    if granted { Ok(()) } else { Err(Refusal::new(sl_stratum::ErrorCode::Other, "no")) }
}

fn server_answer(
    session: &mut server::Session,
    output: &server::Output,
    verdict: Result<(), Refusal>,
) -> Vec<server::Output> {
    match output {
        server::Output::Send(line) => {
            assert!(line.ends_with(b"\n") && line.len() < 4096, "{line:?}");
            assert!(ClientBound::parse(line).is_ok(), "{line:?}");
            Vec::new()
        }
        server::Output::Subscribe(_) => {
            let welcome = server::Welcome {
                session_id: "5e".into(),
                extranonce1: Extranonce::default(),
                extranonce2_len: 4,
            };
            session.step(server::Input::Welcome(verdict.map(|()| welcome)))
        }
        server::Output::Authorize { id, user, .. } => {
            let (id, user) = (id.clone(), user.clone());
            session.step(server::Input::Authorized { id, user, verdict })
        }
        server::Output::Share { id, submit } => {
            assert_eq!(submit.extranonce2.len(), 4);
            assert!(session.users().any(|user| user == submit.user), "a stranger's share");
            vec![server::Output::Send(session.answer(id.clone(), verdict))]
        }
        server::Output::Ready => {
            let notify = "{\"id\":null,\"method\":\"m\"}\n".into();
            let difficulty = ShareDifficulty::from(sl_units::Target::MAX);
            session.step(server::Input::Job { notify, difficulty })
        }
        _ => Vec::new(),
    }
}

/// A pool that says anything: every line to it is a message, and each share has one fate at most,
/// and exactly one when the connection is gone.
pub fn client_session(bytes: &[u8]) {
    let settings = client::Settings {
        user: "w".into(),
        password: Password::new("p".into()),
        max_in_flight: 8,
        extranonce_subscribe: bytes.first().is_some_and(|byte| byte & 1 == 1),
        ..client::Settings::default()
    };
    let mut session = client::Session::new(settings);
    let mut splitter = LineSplitter::new(4096);
    let mut fates = Vec::new();
    settle(session.step(client::Input::Connected), &mut fates);
    for mut input in crate::cut(bytes) {
        while let Some(line) = splitter.next_line(&mut input) {
            settle(session.step(client::Input::Line(line)), &mut fates);
            let ticket = fates.len() as u64;
            fates.push(0);
            settle(session.step(client::Input::Submit { ticket, submit: submit() }), &mut fates);
            assert!(session.in_flight() <= 8, "more shares in flight than are allowed");
        }
    }
    settle(session.step(client::Input::Closed), &mut fates);
    assert!(fates.iter().all(|fate| *fate == 1), "shares without a fate: {fates:?}");
}

fn submit() -> Submit {
    Submit {
        user: "w".into(),
        job_id: "j".into(),
        extranonce2: Extranonce::default(),
        ntime: 0,
        nonce: 0,
        version_bits: None,
    }
}

fn settle(outputs: Vec<client::Output>, fates: &mut [u32]) {
    for output in outputs {
        match output {
            client::Output::Send(line) => {
                assert!(ServerBound::parse(&line).is_ok(), "{line:?}");
            }
            client::Output::Verdict { ticket, .. } | client::Output::Lost { ticket, .. } => {
                let fate = usize::try_from(ticket).ok().and_then(|at| fates.get_mut(at));
                *fate.expect("a ticket that was given") += 1;
            }
            client::Output::ShowMessage(text) => assert!(text.chars().count() <= 500),
            _ => {}
        }
    }
}
