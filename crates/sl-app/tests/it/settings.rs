use sl_app::{Builder, Composition, Ports, Settings, check};
use sl_config::{FieldInfo, Layers, Section, Shape, declaration_faults, load};

#[test]
fn the_declaration_is_sound() {
    assert_eq!(declaration_faults::<Settings>(), Vec::<String>::new());
}

/// Whatever the setting, a refusal says once what was found and once what is allowed.
#[test]
fn a_refusal_says_everything_once() {
    fn values(fields: &[FieldInfo], path: &str, found: &mut Vec<String>) {
        for field in fields {
            let path = format!("{path}{}", field.name);
            match (&field.shape, field.fields()) {
                (Shape::Setting(_), _) => found.push(path),
                (Shape::Section(_) | Shape::Optional(_), Some(inner)) => {
                    values(inner, &format!("{path}."), found);
                }
                _ => {}
            }
        }
    }
    let mut keys = Vec::new();
    values(&Settings::fields(), "", &mut keys);
    let (mut refusals, mut twice) = (0, Vec::new());
    for key in &keys {
        for text in ["?!", "10.0.0.1/24", "-1", "0", "a:b", "7 parsecs"] {
            let loaded = load(Layers::new().flag("--flag", key, text)).expect("one value");
            let Err(problems) = loaded.read::<Settings>() else { continue };
            let told = problems.list().iter().filter(|problem| problem.key == *key);
            for problem in told {
                let told = problem.to_string();
                refusals += 1;
                if ["found", "allowed"].iter().any(|word| told.matches(word).count() > 1) {
                    twice.push(told);
                }
            }
        }
    }
    assert_eq!(twice, Vec::<String>::new());
    assert!(refusals > keys.len(), "{refusals} refusals of {} settings", keys.len());
}

fn refused(yaml: &str) -> Vec<String> {
    let loaded = load(Layers::new().file("silverlode.yaml", yaml)).expect("YAML");
    match loaded.read_with::<Settings>(check) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .list()
            .iter()
            .map(|problem| format!("{} {}: {}", problem.line, problem.key, problem.message))
            .collect(),
    }
}

#[test]
fn production_refuses_what_is_only_for_learning() {
    let example = sl_chain::address::Address::example(
        sl_chain::coins::by_ticker("LTC").expect("in the table"),
    );
    let yaml = format!(
        "mode: production
solo:
  parent:
    coin: LTC
    url: http://127.0.0.1:9332
    user: rpc
    password: in plain sight
    address: {example}
  auxiliaries:
    - coin: DOGE
      url: http://127.0.0.1:22555
      user: rpc
      password: env:DOGE_PASSWORD
      address: DBXu2kgc3xtvCUWFcxFE3r9hEYgmuaaCyX
"
    );
    let problems = refused(&yaml);
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(problems.iter().any(|problem| {
        problem.starts_with("7 solo.parent.password: production mode takes no secret")
    }));
    assert!(problems.iter().any(|problem| problem.starts_with("8 solo.parent.address: ")
        && problem.contains("example address")));
    assert!(problems.iter().any(|problem| problem.starts_with("14 solo.auxiliaries[0].address: ")
        && problem.contains("checksum")));
    assert_eq!(refused("mode: production\n").len(), 1, "production needs somewhere to mine");
    assert_eq!(refused("mode: educational\n"), Vec::<String>::new());
}

#[test]
fn coins_without_a_parent_are_refused() {
    let problems = refused("simulation:\n  coins: [DOGE, DOGE]\n");
    assert_eq!(problems.len(), 2, "{problems:#?}");
}

#[test]
fn the_graph_is_in_the_order_of_start() {
    let ports = Ports::real(Some(7), Default::default(), None);
    let plan = Builder::new(Settings::default(), ports).assemble(Composition::Up).expect("a plan");
    let services = plan.services();
    for (at, service) in services.iter().enumerate() {
        assert_eq!(service.state, None, "nothing runs");
        for earlier in &service.after {
            assert!(
                services.iter().take(at).any(|other| other.id == *earlier),
                "{} starts after {earlier}",
                service.id
            );
        }
    }
    let ids: Vec<&str> = services.iter().map(|service| service.id.as_str()).collect();
    for id in
        ["node.ltc", "node.trmp", "blocks", "solo", "gateway", "pool.gateway", "hasher", "latency"]
    {
        assert!(ids.contains(&id), "{id} in {ids:?}");
    }
}

#[test]
fn the_engines_find_the_gateway_wherever_it_listens() {
    let check = |listen: &str, found: Result<&str, &str>| {
        let mut settings = Settings::default();
        settings.gateway.listen = listen.parse().expect("an address");
        settings.simulation.engine_rate = Some(sl_units::HashRate::from_hs(1000.0));
        let ports = Ports::real(Some(7), Default::default(), None);
        let plan = Builder::new(settings, ports).assemble(Composition::Up);
        let described = plan.map_err(|wrong| wrong.to_string()).map(|plan| {
            let services = plan.services();
            let own = services.iter().find(|service| service.id == "pool.gateway");
            own.expect("the engines' way").description.clone()
        });
        match (described, found) {
            (Ok(description), Ok(url)) => assert_eq!(description, format!("work from {url}")),
            (Err(wrong), Err(part)) => assert!(wrong.contains(part), "{wrong}"),
            (described, found) => panic!("{listen}: {described:?}, expected {found:?}"),
        }
    };
    check("127.0.0.1:3333", Ok("stratum+tcp://127.0.0.1:3333"));
    check("0.0.0.0:3333", Ok("stratum+tcp://127.0.0.1:3333"));
    check("[::]:3333", Ok("stratum+tcp://[::1]:3333"));
    check("127.0.0.1:0", Err("allowed is a port from 1 to 65535"));
}
