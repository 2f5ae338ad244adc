use sl_ports::bind::{BindError, listen};

#[tokio::test]
async fn a_port_in_use_names_its_holder_and_the_cure() {
    let first = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = first.local_addr().unwrap();
    let error = listen(addr).await.unwrap_err();
    let BindError::InUse { holder, .. } = &error else { panic!("{error}") };
    if cfg!(target_os = "linux") {
        assert_eq!(holder.as_ref().unwrap().pid, std::process::id());
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on {addr}: port {} is in use by this very process; choose another \
                 port",
                addr.port()
            )
        );
    }
}

#[test]
fn the_holder_is_told_with_the_command_that_stops_it() {
    let addr = "127.0.0.1:3333".parse().unwrap();
    let check = |holder, expect: &str| {
        assert_eq!(BindError::InUse { addr, holder }.to_string(), expect);
    };
    check(
        Some(sl_ports::bind::Holder { pid: 0, command: "minerd".to_owned() }),
        "cannot listen on 127.0.0.1:3333: port 3333 is in use by minerd (process 0); stop it \
         (kill 0), or choose another port",
    );
    check(
        None,
        "cannot listen on 127.0.0.1:3333: port 3333 is in use by another program; choose another \
         port",
    );
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused_with_a_cure() {
    // TEST-NET-1 (RFC 5737): no machine has it.
    let error = listen("192.0.2.1:0".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, BindError::NoSuchAddress { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}
