//! Android key attestation over chains of a test bed: each demand of the policy
//! broken alone, and each attack.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use claviger_fixtures::TestKey;
use device_evidence::android::{
    self, AndroidPolicy, BootKey, CertifiedDevice, Check, Leniency, RevocationList, Said,
    SecurityLevel, WithoutRevocationList,
};
use device_evidence::{Assessment, AttackPotential, UserAuthentication, rules};
use finding::{Rule, Trusted};
use jose::Curve;
use rstest::rstest;
use support::android::*;
use support::{Cert, ca_extensions, der, extension, public, sign, signing_usage, time};

fn assess_with(bed: &Bed, chain: &[Vec<u8>], policy: &AndroidPolicy) -> Assessment<Said> {
    let key = public(&bed.app_key);
    let list = nothing_revoked();
    android::assess(
        chain,
        &Check {
            policy,
            challenge: Some(CHALLENGE),
            key: Some(&key),
            revocation: Some(&list),
            at: time(AT),
        },
    )
}

fn assess(description: &Description) -> Assessment<Said> {
    let bed = Bed::new();
    assess_with(&bed, &bed.chain(description), &bed.policy())
}

/// Exactly these rules, all errors.
#[track_caller]
fn refused(assessment: &Assessment<Said>, expected: &[&Rule]) {
    let mut found: Vec<&str> = assessment
        .findings
        .iter()
        .filter(|f| f.severity == finding::Severity::Error)
        .map(|f| f.rule.as_ref())
        .collect();
    found.dedup();
    let expected: Vec<&str> = expected.iter().map(|rule| rule.id).collect();
    assert_eq!(found, expected, "{:#?}", assessment.findings);
    assert_eq!(
        assessment.key_storage, None,
        "refused evidence earns nothing"
    );
    assert_eq!(assessment.user_authentication, None);
}

#[test]
fn a_sound_key_is_accepted_and_earns_its_level() {
    let assessment = assess(&Description::sound());
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert_eq!(assessment.key_storage, Some(AttackPotential::EnhancedBasic));
    assert_eq!(assessment.root.as_deref(), Some("test bed"));
    assert_eq!(assessment.path.len(), 4);
    let said = assessment.says.unwrap();
    assert_eq!(said.user_authentication, UserAuthentication::None);
    assert_eq!(assessment.user_authentication, None);
}

#[test]
fn a_chain_without_its_root_is_accepted() {
    let bed = Bed::new();
    let mut chain = bed.chain(&Description::sound());
    chain.pop();
    let assessment = assess_with(&bed, &chain, &bed.policy());
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert_eq!(assessment.root.as_deref(), Some("test bed"));
}

/// A keystore's level is that which it was certified for (ARF `WIAM_08a`).
#[test]
fn without_a_certification_or_the_operators_word_a_keystore_earns_nothing() {
    for (bed, description) in [
        (Bed::new(), Description::sound()),
        (Bed::strong_box(), Description::strong_box()),
    ] {
        let chain = bed.chain(&description);
        let policy = AndroidPolicy {
            levels: Default::default(),
            ..bed.policy()
        };
        let assessment = assess_with(&bed, &chain, &policy);
        assert_eq!(assessment.accepted, Trusted::Yes);
        assert_eq!(assessment.key_storage, None);
        assert_eq!(assessment.user_authentication, None);
    }
}

#[test]
fn strong_box_earns_more_and_a_certification_decides() {
    let bed = Bed::strong_box();
    let chain = bed.chain(&Description::strong_box());
    let assessment = assess_with(&bed, &chain, &bed.policy());
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert_eq!(assessment.key_storage, Some(AttackPotential::Moderate));

    let certified = |model: &str, security_level| AndroidPolicy {
        certified: vec![CertifiedDevice {
            brand: Some("examplebrand".into()),
            manufacturer: None,
            model: Some(model.into()),
            device: None,
            security_level,
            level: AttackPotential::High,
            certificate: "EUCC-3110-2026-1".into(),
        }],
        ..bed.policy()
    };
    let level = |policy: &AndroidPolicy| {
        let assessment = assess_with(&bed, &chain, policy);
        (assessment.key_storage, assessment.basis)
    };
    assert_eq!(
        level(&certified("Example One", SecurityLevel::StrongBox)),
        (Some(AttackPotential::High), Some("EUCC-3110-2026-1".into()))
    );
    for (model, place) in [
        ("Example Two", SecurityLevel::StrongBox),
        ("Example One", SecurityLevel::TrustedEnvironment),
    ] {
        assert_eq!(
            level(&certified(model, place)).0,
            Some(AttackPotential::Moderate)
        );
    }
}

/// The model that the software states is the app's word.
#[test]
fn a_certified_model_counts_only_as_hardware_states_it() {
    let bed = Bed::new();
    let policy = AndroidPolicy {
        certified: vec![CertifiedDevice {
            brand: None,
            manufacturer: None,
            model: Some("Certified".into()),
            device: None,
            security_level: SecurityLevel::TrustedEnvironment,
            level: AttackPotential::High,
            certificate: "EUCC-1".into(),
        }],
        ..bed.policy()
    };
    let mut description = Description::sound();
    description.software.push((717, der::octets(b"Certified")));
    let assessment = assess_with(&bed, &bed.chain(&description), &policy);
    assert_eq!(assessment.key_storage, Some(AttackPotential::EnhancedBasic));
}

#[test]
fn a_user_whom_hardware_asks_for_earns_a_level() {
    let description = Description::sound().without(503).with(504, der::integer(3));
    let assessment = assess(&description);
    assert_eq!(assessment.accepted, Trusted::Yes);
    assert_eq!(assessment.user_authentication, Some(AttackPotential::Basic));
    // Software's word, beside hardware that asks for nobody, is worth nothing.
    let mut description = Description::sound();
    description.software.push((504, der::integer(3)));
    description.software.sort_by_key(|(tag, _)| *tag);
    assert_eq!(assess(&description).user_authentication, None);
}

#[rstest]
#[case::origin_imported(Description::sound().with(702, der::integer(2)), &rules::ANDROID_ORIGIN)]
#[case::origin_absent(Description::sound().without(702), &rules::ANDROID_ORIGIN)]
#[case::cannot_sign(Description::sound().with(1, der::set(&[der::integer(3)])), &rules::ANDROID_PURPOSE)]
#[case::may_decrypt(Description::sound().with(1, der::set(&[der::integer(1), der::integer(2)])), &rules::ANDROID_PURPOSE)]
#[case::may_attest(Description::sound().with(1, der::set(&[der::integer(2), der::integer(7)])), &rules::ANDROID_PURPOSE)]
#[case::no_purpose(Description::sound().without(1), &rules::ANDROID_PURPOSE)]
#[case::unlocked(Description::sound().with(704, boot(&[7; 32], false, 0)), &rules::ANDROID_BOOT)]
#[case::orange(Description::sound().with(704, boot(&[0; 32], false, 2)), &rules::ANDROID_BOOT)]
#[case::red(Description::sound().with(704, boot(&[7; 32], true, 3)), &rules::ANDROID_BOOT)]
#[case::locked_but_unverified(Description::sound().with(704, boot(&[7; 32], true, 2)), &rules::ANDROID_BOOT)]
#[case::another_system(Description::sound().with(704, boot(&[8; 32], true, 1)), &rules::ANDROID_BOOT)]
#[case::no_root_of_trust(Description::sound().without(704), &rules::ANDROID_BOOT)]
#[case::rsa(Description::sound().with(2, der::integer(1)), &rules::ANDROID_KEY_PARAMETERS)]
#[case::wrong_curve(Description::sound().with(10, der::integer(2)), &rules::ANDROID_KEY_PARAMETERS)]
#[case::wrong_size(Description::sound().with(3, der::integer(384)), &rules::ANDROID_KEY_PARAMETERS)]
#[case::other_package(Description::sound().with_application(application("eu.evil.wallet", 7, &[SIGNER])), &rules::ANDROID_APPLICATION)]
#[case::other_signer(Description::sound().with_application(application(PACKAGE, 7, &[[0x52; 32]])), &rules::ANDROID_APPLICATION)]
#[case::another_signer_too(Description::sound().with_application(application(PACKAGE, 7, &[SIGNER, [0x52; 32]])), &rules::ANDROID_APPLICATION)]
#[case::no_signer(Description::sound().with_application(application(PACKAGE, 7, &[])), &rules::ANDROID_APPLICATION)]
#[case::old_app(Description::sound().with_application(application(PACKAGE, 4, &[SIGNER])), &rules::ANDROID_APPLICATION)]
#[case::no_app(Description { software: vec![], ..Description::sound() }, &rules::ANDROID_APPLICATION)]
#[case::version_2(Description { attestation_version: 2, keymint_version: 3, ..Description::sound() }, &rules::ANDROID_VERSION)]
#[case::version_unknown(Description { attestation_version: 301, ..Description::sound() }, &rules::ANDROID_VERSION)]
#[case::keymint_unknown(Description { keymint_version: 1, ..Description::sound() }, &rules::ANDROID_VERSION)]
#[case::software_attested(Description { attestation_level: 0, keymint_level: 0, ..Description::sound() }, &rules::ANDROID_SECURITY_LEVEL)]
#[case::software_key(Description { keymint_level: 0, ..Description::sound() }, &rules::ANDROID_SECURITY_LEVEL)]
#[case::strong_box_by_a_tee(Description::strong_box(), &rules::ANDROID_SECURITY_LEVEL)]
#[case::other_challenge(Description { challenge: b"another".to_vec(), ..Description::sound() }, &rules::CHALLENGE)]
#[case::no_challenge(Description { challenge: vec![], ..Description::sound() }, &rules::CHALLENGE)]
fn each_demand_broken_alone(#[case] description: Description, #[case] rule: &'static Rule) {
    refused(&assess(&description), &[rule]);
}

#[rstest]
#[case::os_version(AndroidPolicy { min_os_version: Some(170_000), ..AndroidPolicy::default() }, &rules::ANDROID_OS_VERSION)]
#[case::os_patch(AndroidPolicy { min_os_patch_level: Some(202_611), ..AndroidPolicy::default() }, &rules::ANDROID_PATCH_LEVEL)]
#[case::vendor_patch(AndroidPolicy { min_vendor_patch_level: Some(20_261_006), ..AndroidPolicy::default() }, &rules::ANDROID_PATCH_LEVEL)]
#[case::vendor_patch_by_month(AndroidPolicy { min_vendor_patch_level: Some(202_611), ..AndroidPolicy::default() }, &rules::ANDROID_PATCH_LEVEL)]
#[case::boot_patch(AndroidPolicy { min_boot_patch_level: Some(20_261_101), ..AndroidPolicy::default() }, &rules::ANDROID_PATCH_LEVEL)]
#[case::patch_age(AndroidPolicy { max_os_patch_age_months: Some(0), ..AndroidPolicy::default() }, &rules::ANDROID_PATCH_AGE)]
#[case::rollback(AndroidPolicy { rollback_resistance: true, ..AndroidPolicy::default() }, &rules::ANDROID_ROLLBACK)]
#[case::authentication(AndroidPolicy { user_authentication: true, ..AndroidPolicy::default() }, &rules::ANDROID_AUTHENTICATION)]
#[case::strong_box(AndroidPolicy { security_level: SecurityLevel::StrongBox, ..AndroidPolicy::default() }, &rules::ANDROID_SECURITY_LEVEL)]
#[case::attestation_version(AndroidPolicy { min_attestation_version: 400, ..AndroidPolicy::default() }, &rules::ANDROID_VERSION)]
fn each_stricter_policy(#[case] policy: AndroidPolicy, #[case] rule: &'static Rule) {
    let bed = Bed::new();
    let own = bed.policy();
    let policy = AndroidPolicy {
        google_roots: own.google_roots,
        roots: own.roots,
        apps: own.apps,
        ..policy
    };
    let chain = bed.chain(&Description::sound());
    refused(&assess_with(&bed, &chain, &policy), &[rule]);
}

#[test]
fn what_meets_a_stricter_policy_is_accepted() {
    let bed = Bed::new();
    let policy = AndroidPolicy {
        min_os_version: Some(160_000),
        min_os_patch_level: Some(202_610),
        min_vendor_patch_level: Some(202_610),
        min_boot_patch_level: Some(20_261_005),
        max_os_patch_age_months: Some(1),
        rollback_resistance: true,
        user_authentication: true,
        ..bed.policy()
    };
    let description = Description::sound()
        .with(303, der::null())
        .without(503)
        .with(504, der::integer(2));
    let assessment = assess_with(&bed, &bed.chain(&description), &policy);
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    // Version 2 and 3 have another tag for it.
    let older = Description {
        attestation_version: 3,
        keymint_version: 4,
        ..description.without(303).with(703, der::null())
    };
    let assessment = assess_with(&bed, &bed.chain(&older), &policy);
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
}

/// GrapheneOS: a locked device with a system of another maker.
#[test]
fn another_systems_boot_key_is_accepted_by_configuration() {
    let bed = Bed::new();
    let policy = AndroidPolicy {
        boot_keys: vec![BootKey {
            name: "GrapheneOS, Example One".into(),
            key: vec![8; 32],
        }],
        ..bed.policy()
    };
    let yellow = |key: u8, locked| Description::sound().with(704, boot(&[key; 32], locked, 1));
    let assessment = assess_with(&bed, &bed.chain(&yellow(8, true)), &policy);
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert_eq!(assessment.key_storage, Some(AttackPotential::EnhancedBasic));
    let noted = |f: &finding::Finding| f.is(&rules::ANDROID_BOOT_KEY_OWN);
    assert!(assessment.findings.iter().any(noted));
    for description in [yellow(9, true), yellow(8, false)] {
        let chain = bed.chain(&description);
        refused(&assess_with(&bed, &chain, &policy), &[&rules::ANDROID_BOOT]);
    }
}

#[test]
fn an_unlocked_device_of_development_earns_nothing() {
    let bed = Bed::new();
    let policy = AndroidPolicy {
        unlocked_devices: true,
        ..bed.policy()
    };
    let description = Description::sound().with(704, boot(&[0; 32], false, 2));
    let assessment = assess_with(&bed, &bed.chain(&description), &policy);
    assert_eq!(assessment.accepted, Trusted::Yes);
    assert_eq!(assessment.key_storage, None);
    assert!(assessment.findings.iter().any(|f| f.is(&rules::LEVEL_NONE)));
}

/// The attack that the extension's place is about: an app's own, soundly attested
/// key signs a certificate over a key in software, with the best KeyDescription.
#[test]
fn a_fake_leaf_signed_by_an_apps_key_is_refused() {
    let bed = Bed::new();
    let software_key = TestKey::generate(Curve::P256);
    let fake = |extensions| {
        sign(
            &Cert {
                subject: LEAF,
                serial: &[1],
                key: public(&software_key),
                from: "1970-01-01T00:00:00Z",
                to: "2048-01-01T00:00:00Z",
                extensions,
            },
            LEAF,
            &bed.app_key,
        )
    };
    let real = bed.chain(&Description::sound());
    let attested = fake(vec![signing_usage(), Description::sound().to_extension()]);
    let bare = fake(vec![signing_usage()]);
    let key = public(&software_key);
    let list = nothing_revoked();
    for (leaf, expected) in [
        (
            &attested,
            vec![&rules::ANDROID_EXTENDED, &rules::ANDROID_CA],
        ),
        (
            &bare,
            vec![
                &rules::ANDROID_EXTENDED,
                &rules::ANDROID_CA,
                &rules::ANDROID_EXTENSION,
            ],
        ),
    ] {
        let chain: Vec<Vec<u8>> = std::iter::once(leaf.der().to_vec())
            .chain(real.iter().cloned())
            .collect();
        let assessment = android::assess(
            &chain,
            &Check {
                policy: &AndroidPolicy {
                    factory_certificate_without_ca: Leniency::Warn,
                    ..bed.policy()
                },
                challenge: Some(CHALLENGE),
                key: Some(&key),
                revocation: Some(&list),
                at: time(AT),
            },
        );
        for rule in expected {
            assert!(
                assessment.refused_for(rule),
                "{}: {:#?}",
                rule.id,
                assessment.findings
            );
        }
        assert_eq!(assessment.accepted, Trusted::No);
    }
}

/// A batch certificate that is no CA stands in a factory's chain alone.
#[test]
fn a_certificate_that_is_no_ca_issues_nothing_but_in_a_factorys_place() {
    let bed = Bed::with_batch(BATCH_TEE, vec![signing_usage()]);
    let chain = bed.chain(&Description::sound());
    let assessment = assess_with(&bed, &chain, &bed.policy());
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert!(
        assessment
            .findings
            .iter()
            .any(|f| f.is(&rules::ANDROID_LEGACY_CA))
    );

    let strict = AndroidPolicy {
        factory_certificate_without_ca: Leniency::Refuse,
        ..bed.policy()
    };
    refused(&assess_with(&bed, &chain, &strict), &[&rules::ANDROID_CA]);

    // Remotely provisioned, it must be a CA.
    let mut extensions = rkp_extensions(1);
    extensions.retain(|e| e.extn_id != pki::Oid::new_unwrap("2.5.29.19"));
    let bed = Bed::with_batch(RKP, extensions);
    let chain = bed.chain(&Description::sound());
    refused(
        &assess_with(&bed, &chain, &bed.policy()),
        &[&rules::ANDROID_CA],
    );
}

#[test]
fn a_ca_keeps_to_its_path_length() {
    // The intermediate allows one CA below it; here stand two.
    let bed = Bed::new();
    let extra_key = TestKey::generate(Curve::P256);
    let extra = sign(
        &Cert {
            subject: BATCH_TEE,
            serial: &[5],
            key: public(&extra_key),
            from: "2024-01-01T00:00:00Z",
            to: "2034-01-01T00:00:00Z",
            extensions: ca_extensions(None),
        },
        BATCH_TEE,
        &bed.batch_key,
    );
    let leaf = sign(
        &Cert {
            subject: LEAF,
            serial: &[1],
            key: public(&bed.app_key),
            from: "1970-01-01T00:00:00Z",
            to: "2048-01-01T00:00:00Z",
            extensions: vec![signing_usage(), Description::sound().to_extension()],
        },
        BATCH_TEE,
        &extra_key,
    );
    let mut chain = bed.chain_of(&leaf);
    chain.insert(1, extra.der().to_vec());
    refused(
        &assess_with(&bed, &chain, &bed.policy()),
        &[&rules::ANDROID_CA],
    );
}

#[test]
fn remote_certificates_end_on_their_date_and_factories_do_not() {
    let (from, to) = ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z");
    let assess = |subject, extensions, from, to| {
        let bed = Bed::with_dates(subject, extensions, from, to);
        assess_with(&bed, &bed.chain(&Description::sound()), &bed.policy())
    };
    refused(
        &assess(RKP, rkp_extensions(1), from, to),
        &[&rules::ANDROID_VALIDITY],
    );
    let factory = assess(BATCH_TEE, ca_extensions(None), from, to);
    assert_eq!(factory.accepted, Trusted::Yes, "{:#?}", factory.findings);
    assert!(
        factory
            .findings
            .iter()
            .any(|f| f.is(&rules::ANDROID_EXPIRED_FACTORY))
    );
    for (subject, extensions) in [(RKP, rkp_extensions(1)), (BATCH_TEE, ca_extensions(None))] {
        refused(
            &assess(
                subject,
                extensions,
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            &[&rules::ANDROID_VALIDITY],
        );
    }
}

#[test]
fn remote_provisioning_tells_how_many_certificates() {
    let bed = Bed::with_batch(RKP, rkp_extensions(250));
    let assessment = assess_with(&bed, &bed.chain(&Description::sound()), &bed.policy());
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert_eq!(
        assessment.says.as_ref().unwrap().provisioning,
        android::Provisioning::Remote {
            certificates_issued: Some(250)
        }
    );
    let warned = |f: &finding::Finding| f.is(&rules::ANDROID_MANY_CERTIFICATES);
    assert!(assessment.findings.iter().any(warned));

    let mut extensions = ca_extensions(None);
    extensions.push(extension("1.3.6.1.4.1.11129.2.1.30", false, &[0xff]));
    let bed = Bed::with_batch(RKP, extensions);
    refused(
        &assess_with(&bed, &bed.chain(&Description::sound()), &bed.policy()),
        &[&rules::ANDROID_PROVISIONING],
    );
}

#[test]
fn evidence_of_one_device_with_anothers_key_is_refused() {
    let bed = Bed::new();
    let other = public(&TestKey::generate(Curve::P256));
    let list = nothing_revoked();
    let assessment = android::assess(
        &bed.chain(&Description::sound()),
        &Check {
            policy: &bed.policy(),
            challenge: Some(CHALLENGE),
            key: Some(&other),
            revocation: Some(&list),
            at: time(AT),
        },
    );
    refused(&assessment, &[&rules::KEY]);
    // A leaf of one device over the attesting key of another.
    let theirs = Bed::new();
    let mut chain = theirs.chain(&Description::sound());
    chain[0] = bed.leaf(&Description::sound()).der().to_vec();
    let assessment = assess_with(&bed, &chain, &theirs.policy());
    refused(&assessment, &[&rules::ANDROID_SIGNATURE]);
}

#[test]
fn another_root_is_not_trusted() {
    let bed = Bed::new();
    let chain = bed.chain(&Description::sound());
    for policy in [
        AndroidPolicy {
            google_roots: true,
            roots: vec![],
            ..bed.policy()
        },
        Bed::new().policy(),
    ] {
        refused(&assess_with(&bed, &chain, &policy), &[&rules::ANDROID_ROOT]);
        refused(
            &assess_with(&bed, &chain[..3], &policy),
            &[&rules::ANDROID_ROOT],
        );
    }
}

#[rstest]
#[case::intermediate("abc")]
#[case::intermediate_in_capitals_with_zeros("00ABC")]
#[case::batch("def01")]
#[case::leaf("1")]
fn a_listed_serial_is_refused_wherever_it_stands(
    #[case] serial: &str,
    #[values(
        ("REVOKED", &rules::ANDROID_REVOKED),
        ("SUSPENDED", &rules::ANDROID_SUSPENDED),
        ("something new", &rules::ANDROID_REVOKED)
    )]
    listed: (&str, &'static Rule),
) {
    let bed = Bed::new();
    let (status, rule) = listed;
    let list = format!(
        r#"{{"entries":{{"{serial}":{{"status":"{status}","reason":"KEY_COMPROMISE"}}}}}}"#
    );
    let list = RevocationList::from_json(list.as_bytes(), time(AT)).unwrap();
    let policy = bed.policy();
    let assessment = android::assess(
        &bed.chain(&Description::sound()),
        &Check {
            policy: &policy,
            challenge: Some(CHALLENGE),
            key: None,
            revocation: Some(&list),
            at: time(AT),
        },
    );
    refused(&assessment, &[rule]);
}

#[test]
fn without_a_fresh_revocation_list_nothing_is_accepted_unless_policy_records_it() {
    let bed = Bed::new();
    let chain = bed.chain(&Description::sound());
    let old = RevocationList::from_json(br#"{"entries":{}}"#, time("2026-11-19T11:00:00Z"));
    let old = old.unwrap();
    let future = RevocationList::from_json(br#"{"entries":{}}"#, time("2026-11-21T11:00:00Z"));
    let future = future.unwrap();
    for list in [None, Some(&old), Some(&future)] {
        let assess = |revocation| {
            let policy = AndroidPolicy {
                revocation,
                ..bed.policy()
            };
            android::assess(
                &chain,
                &Check {
                    policy: &policy,
                    challenge: Some(CHALLENGE),
                    key: None,
                    revocation: list,
                    at: time(AT),
                },
            )
        };
        let closed = assess(WithoutRevocationList::Undecided);
        assert_eq!(closed.accepted, Trusted::Undecided);
        refused(&closed, &[&rules::ANDROID_REVOCATION_UNKNOWN]);
        let recorded = assess(WithoutRevocationList::Record);
        assert_eq!(recorded.accepted, Trusted::Yes);
        let noted = |f: &finding::Finding| f.is(&rules::ANDROID_REVOCATION_UNKNOWN);
        assert!(recorded.findings.iter().any(noted));
    }
    // An old list still refuses what it names.
    let old = br#"{"entries":{"abc":{"status":"REVOKED"}}}"#;
    let old = RevocationList::from_json(old, time("2020-01-01T00:00:00Z")).unwrap();
    let policy = AndroidPolicy {
        revocation: WithoutRevocationList::Record,
        ..bed.policy()
    };
    let assessment = android::assess(
        &chain,
        &Check {
            policy: &policy,
            challenge: Some(CHALLENGE),
            key: None,
            revocation: Some(&old),
            at: time(AT),
        },
    );
    refused(&assessment, &[&rules::ANDROID_REVOKED]);
}

#[test]
fn what_is_not_known_leaves_it_undecided() {
    let bed = Bed::new();
    let chain = bed.chain(&Description::sound());
    let list = nothing_revoked();
    let policy = bed.policy();
    let check = Check {
        policy: &policy,
        challenge: None,
        key: None,
        revocation: Some(&list),
        at: time(AT),
    };
    let assessment = android::assess(&chain, &check);
    assert_eq!(assessment.accepted, Trusted::Undecided);
    refused(&assessment, &[&rules::CHALLENGE_UNKNOWN]);
    let nameless = AndroidPolicy {
        apps: vec![],
        ..bed.policy()
    };
    let assessment = android::assess(
        &chain,
        &Check {
            policy: &nameless,
            challenge: Some(CHALLENGE),
            ..check
        },
    );
    assert_eq!(assessment.accepted, Trusted::Undecided);
    // Not known and broken at once is broken.
    let assessment = android::assess(&bed.chain(&Description::sound().without(704)), &check);
    assert_eq!(assessment.accepted, Trusted::No);
}

#[rstest]
#[case::twice(vec![(2, der::integer(3)), (2, der::integer(3))], &rules::ANDROID_EXTENSION)]
#[case::no_set(vec![(1, der::integer(2))], &rules::ANDROID_EXTENSION)]
#[case::trailing(vec![(2, [der::integer(3), der::integer(3)].concat())], &rules::ANDROID_EXTENSION)]
#[case::unknown_origin(vec![(702, der::integer(9))], &rules::ANDROID_EXTENSION)]
#[case::unknown_purpose(vec![(1, der::set(&[der::integer(99)]))], &rules::ANDROID_EXTENSION)]
#[case::boot_state(vec![(704, boot(&[1; 32], true, 7))], &rules::ANDROID_EXTENSION)]
#[case::null_with_content(vec![(503, vec![0x05, 0x01, 0x00])], &rules::ANDROID_EXTENSION)]
fn a_malformed_list_is_refused(#[case] hardware: Vec<(u32, Vec<u8>)>, #[case] rule: &'static Rule) {
    let description = Description {
        hardware,
        ..Description::sound()
    };
    refused(&assess(&description), &[rule]);
}

#[test]
fn tags_out_of_order_are_refused_unless_policy_warns() {
    let mut description = Description::sound();
    description.hardware.swap(0, 1);
    refused(&assess(&description), &[&rules::ANDROID_TAG_ORDER]);
    let bed = Bed::new();
    let policy = AndroidPolicy {
        unordered_tags: Leniency::Warn,
        ..bed.policy()
    };
    let assessment = assess_with(&bed, &bed.chain(&description), &policy);
    assert_eq!(assessment.accepted, Trusted::Yes);
    assert!(
        assessment
            .findings
            .iter()
            .any(|f| f.is(&rules::ANDROID_TAG_ORDER))
    );
}

#[test]
fn an_unknown_tag_is_passed_over_and_told() {
    let assessment = assess(&Description::sound().with(799, der::integer(1)));
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    let told = |f: &finding::Finding| f.is(&rules::ANDROID_UNKNOWN_TAG);
    assert!(assessment.findings.iter().any(told));
}

#[test]
fn sizes_and_depths_are_bounded() {
    let bed = Bed::new();
    let sound = bed.chain(&Description::sound());
    let many: Vec<Vec<u8>> = sound.iter().cycle().take(11).cloned().collect();
    refused(&assess_with(&bed, &many, &bed.policy()), &[&rules::SIZE]);
    let huge = vec![vec![0x30; 70_000]];
    refused(&assess_with(&bed, &huge, &bed.policy()), &[&rules::SIZE]);
    refused(
        &assess_with(&bed, &[], &bed.policy()),
        &[&rules::ANDROID_CHAIN],
    );
    // An extension larger than any, and one that is nested without end.
    let mut nested = der::integer(1);
    for _ in 0..60 {
        nested = der::explicit(704, &nested);
    }
    for extension_value in [
        der::octets(&vec![0; 20_000]),
        Description {
            hardware: vec![(704, nested)],
            ..Description::sound()
        }
        .to_der(),
        Description {
            challenge: vec![1; 129],
            ..Description::sound()
        }
        .to_der(),
    ] {
        let leaf = bed.leaf_with(vec![extension(KEY_DESCRIPTION, false, &extension_value)]);
        let chain = bed.chain_of(&leaf);
        refused(
            &assess_with(&bed, &chain, &bed.policy()),
            &[&rules::ANDROID_EXTENSION],
        );
    }
}
