//! One service and its certificates on the page.

use jiff::Timestamp;
use jose::PublicKey;
use pki::Certificate;

use super::html::Html;
use super::parts::{texts, uris};
use crate::List;
use crate::cert::{self, Read};
use crate::model::{HistoryInstance, Service, ServiceIdentity, ServiceInformation, Text};
use crate::profile::{STATUS_NOTIFIED, STATUS_WITHDRAWN, ServiceKind};

pub(super) fn service(html: &mut Html, service: &Service, list: &List) {
    let information = &service.information;
    html.raw("<article class=\"service\">\n<h4>");
    let english = |names: &[Text]| {
        let en = names.iter().find(|n| n.lang.as_deref() == Some("en"));
        en.or(names.first()).cloned()
    };
    match english(&information.service_name) {
        Some(name) => html.spoken(&name),
        None => html.raw("A service without a name"),
    };
    let service_type = information.service_type_identifier.as_deref();
    let kind = list
        .profile()
        .and_then(|profile| profile.service_kind(service_type.unwrap_or_default()));
    if let Some(kind) = kind {
        html.raw(" <span class=\"tag\">")
            .raw(kind_name(kind))
            .raw("</span>");
    }
    status_tag(html, information.service_status.as_deref());
    html.raw("</h4>\n<dl class=\"facts\">\n");
    facts(html, information);
    html.raw("</dl>\n");
    match &information.service_digital_identity {
        Some(identity) => self::identity(html, identity, list.issued()),
        None => {
            html.raw("<p>It names nothing that it is known by.</p>\n");
        }
    }
    history(html, &service.history);
    html.raw("</article>\n");
}

fn facts(html: &mut Html, information: &ServiceInformation) {
    if information.service_name.len() > 1 {
        html.fact("Name", |h| texts(h, &information.service_name));
    }
    if let Some(service_type) = &information.service_type_identifier {
        html.fact("Type", |h| {
            h.uri(service_type);
        });
    }
    if let Some(status) = &information.service_status {
        html.fact("Status", |h| {
            h.uri(status);
            if let Some(since) = &information.status_starting_time {
                h.raw("<span class=\"line\">since ")
                    .claimed_time(since)
                    .raw("</span>");
            }
        });
    }
    if !information.service_supply_points.is_empty() {
        html.fact("Available at", |h| {
            h.lines(&information.service_supply_points, |h, point| {
                h.uri(point.uri.as_deref().unwrap_or_default());
            });
        });
    }
    for (name, definitions) in [
        ("Definition", &information.service_definition_uri),
        (
            "Scheme's definition",
            &information.scheme_service_definition_uri,
        ),
    ] {
        if !definitions.is_empty() {
            html.fact(name, |h| uris(h, definitions));
        }
    }
    for extension in &information.service_information_extensions {
        match extension
            .get("ServiceUniqueIdentifier")
            .and_then(|id| id.as_str())
        {
            Some(id) => html.fact("Reference number", |h| {
                h.uri(id);
            }),
            None => html.fact("Extension", |h| {
                h.code(&extension.to_string());
            }),
        };
    }
}

fn identity(html: &mut Html, identity: &ServiceIdentity, issued: Timestamp) {
    for object in &identity.certificates {
        match cert::read(object) {
            Read::Good(read) | Read::Sloppy(read, _) => certificate(html, &read, issued),
            Read::Bad(why) => {
                html.raw("<p class=\"notice\">A certificate that cannot be read: ")
                    .text(&why)
                    .raw("</p>\n");
            }
        }
    }
    let beside = !identity.skis.is_empty()
        || !identity.subject_names.is_empty()
        || !identity.public_keys.is_empty()
        || !identity.other_ids.is_empty();
    if !beside {
        return;
    }
    html.raw("<dl class=\"facts certificate\">\n");
    for name in &identity.subject_names {
        html.fact("Subject", |h| {
            h.bdi(name);
        });
    }
    for ski in &identity.skis {
        html.fact("Key identifier", |h| {
            h.code(ski);
        });
    }
    for jwk in &identity.public_keys {
        match PublicKey::from_jwk(jwk) {
            Ok(key) => html.fact("Public key (thumbprint)", |h| {
                h.code(&key.thumbprint_b64());
            }),
            Err(_) => html.fact("Public key", |h| {
                h.code(&jwk.to_string());
            }),
        };
    }
    for other in &identity.other_ids {
        html.fact("Other identity", |h| {
            h.code(&other.to_string());
        });
    }
    html.raw("</dl>\n");
}

/// A certificate: whose it is, how long it is valid, and its fingerprint. One
/// that was not valid when the list was issued is marked.
pub(super) fn certificate(html: &mut Html, certificate: &Certificate, issued: Timestamp) {
    html.raw("<dl class=\"facts certificate\">\n");
    html.fact("Certificate", |h| {
        h.bdi(&certificate.subject());
        let what = if certificate.is_ca() {
            "certification authority"
        } else {
            "end entity"
        };
        h.raw(" <span class=\"tag\">").raw(what).raw("</span>");
    });
    if !certificate.is_self_issued() {
        html.fact("Issued by", |h| {
            h.bdi(&certificate.issuer());
        });
    }
    html.fact("Valid", |h| {
        h.day(certificate.not_before())
            .raw(" to ")
            .day(certificate.not_after());
        if certificate.not_after() < issued {
            h.raw(" <span class=\"tag bad\">ran out before the list was issued</span>");
        } else if certificate.not_before() > issued {
            h.raw(" <span class=\"tag\">not yet valid when the list was issued</span>");
        }
    });
    html.fact("Serial number", |h| {
        h.code(&certificate.serial());
    });
    if let Ok(key) = certificate.public_key() {
        html.fact("Key", |h| {
            h.text(&key.curve().to_string());
        });
    }
    html.fact("SHA-256", |h| {
        h.code(&certificate.sha256_hex());
    });
    html.raw("</dl>\n");
}

fn history(html: &mut Html, history: &[HistoryInstance]) {
    if history.is_empty() {
        return;
    }
    html.raw("<table>\n<caption>Earlier statuses, the newest first</caption>\n");
    html.raw("<thead><tr><th scope=\"col\">Since</th><th scope=\"col\">Status</th><th scope=\"col\">Key identifier</th></tr></thead>\n<tbody>\n");
    for instance in history {
        html.raw("<tr><td>")
            .claimed_time(
                instance
                    .status_starting_time
                    .as_deref()
                    .unwrap_or("unknown"),
            )
            .raw("</td><td>");
        match instance.service_status.as_deref().and_then(status_name) {
            Some(name) => html.raw(name),
            None => html.uri(instance.service_status.as_deref().unwrap_or_default()),
        };
        html.raw("</td><td>");
        if let Some(identity) = &instance.service_digital_identity {
            html.lines(&identity.skis, |h, ski| {
                h.code(ski);
            });
        }
        html.raw("</td></tr>\n");
    }
    html.raw("</tbody>\n</table>\n");
}

fn status_tag(html: &mut Html, status: Option<&str>) {
    match status {
        Some(STATUS_NOTIFIED) => html.raw(" <span class=\"tag good\">notified</span>"),
        Some(STATUS_WITHDRAWN) => html.raw(" <span class=\"tag bad\">withdrawn</span>"),
        _ => html,
    };
}

fn status_name(status: &str) -> Option<&'static str> {
    match status {
        STATUS_NOTIFIED => Some("notified"),
        STATUS_WITHDRAWN => Some("withdrawn"),
        _ => None,
    }
}

fn kind_name(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Issuance => "issuance",
        ServiceKind::Revocation => "revocation",
        ServiceKind::Register => "register",
    }
}
