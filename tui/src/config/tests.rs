//! The settings: read, written, refused.

use super::*;

fn prod() -> Context {
    Context {
        address: "10.0.0.5:4780".to_owned(),
        read_only: true,
        color: Some(Tint::Red),
    }
}

fn config() -> Config {
    Config {
        actor: Some("anna \"x\" \\ \u{7f}?".replace('\u{7f}', "")),
        local: Some(true),
        context: Some("prod".to_owned()),
        contexts: [("prod".to_owned(), prod())].into(),
        ..Config::default()
    }
}

#[test]
fn what_is_written_is_read_again_and_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("config.toml");
    assert_eq!(
        load(&path).unwrap(),
        Config::default(),
        "no file is no error"
    );
    save(&path, &config()).unwrap();
    assert_eq!(load(&path).unwrap(), config());
    assert!(is_private(&path));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("# mine\n{text}")).unwrap();
    save(&path, &config()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# mine\n"), "comments stay: {text}");
}

#[test]
fn a_file_that_makes_no_sense_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for (text, said) in [
        ("actr = \"x\"\n", "actr"),
        ("color = \"maybe\"\n", "`auto`"),
        ("context = \"prod\"\n", "there is no context `prod`"),
        ("output = \"xml\"\n", "`csv`"),
        ("[contexts.prod]\naddress = \"ftp://x\"\n", "context prod"),
        ("[contexts.\"a b\"]\naddress = \"x:1\"\n", "letters"),
        ("actor = 3\n", "actor"),
        ("=", "config.toml"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(
            error.contains(said) && error.contains("config.toml"),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_context() {
    let config = config();
    let target = |daemon, context, variable| {
        config.target(
            Said {
                daemon,
                context,
                variable,
            },
            "default",
        )
    };
    assert_eq!(target(None, None, None).unwrap().address, "10.0.0.5:4780");
    assert_eq!(target(None, None, None).unwrap().read_only(), Some("prod"));
    assert_eq!(target(None, None, Some("e")).unwrap().address, "e");
    assert_eq!(
        target(None, Some("prod"), Some("e")).unwrap().read_only(),
        Some("prod")
    );
    let flag = target(Some("f"), None, Some("e")).unwrap();
    assert_eq!((flag.address.as_str(), flag.read_only()), ("f", None));
    let error = target(None, Some("prd"), None).unwrap_err();
    assert!(error.contains("did you mean `prod`"), "{error}");
    let nothing = Config::default()
        .target(Said::default(), "default")
        .unwrap();
    assert_eq!(nothing.address, "default");
}

#[test]
fn a_setting_takes_what_it_may_be() {
    let mut config = config();
    for setting in Setting::ALL {
        assert_eq!(setting.name().parse::<Setting>().unwrap(), setting);
        setting.set(None, &mut config).unwrap();
        assert_eq!(setting.get(&config), None);
    }
    Setting::Local.set(Some("true"), &mut config).unwrap();
    assert_eq!(Setting::Local.get(&config).as_deref(), Some("true"));
    for (setting, value) in [
        (Setting::Local, "yes"),
        (Setting::Color, "blue"),
        (Setting::Actor, " "),
        (Setting::Context, "nowhere"),
    ] {
        let mut changed = config.clone();
        assert!(setting.set(Some(value), &mut changed).is_err(), "{setting}");
    }
    let error = "colour".parse::<Setting>().unwrap_err();
    assert!(error.contains("did you mean `color`"), "{error}");
}
