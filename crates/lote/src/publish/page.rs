//! The page of one instance of a list.

use jiff::Timestamp;

use super::entity::entity;
use super::html::Html;
use super::parts::{hex, operator_name, postal, scheme_name, texts, title, uris};
use super::service::certificate;
use crate::cert::{self, Read};
use crate::model::{LegalNotice, Pointer, UncheckedList};
use crate::{Profile, VerifiedList};

/// Where the page's neighbours are, relative to it.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    /// The sealed list.
    pub sealed: &'a str,
    /// The same as plain JSON.
    pub json: &'a str,
    /// The index of all instances.
    pub archive: &'a str,
    /// For a page in the archive, the page of the instance that is current.
    pub current: Option<&'a str>,
}

/// The page of an instance, for people: its scheme, operator, dates and seal, and
/// every entity with its services and certificates.
pub fn page(verified: &VerifiedList, links: &Links<'_>) -> String {
    let list = &verified.list;
    let content = list.content();
    let name = scheme_name(content);
    let mut html = Html::begin(&format!("{name}, no. {}", list.sequence()));
    head(&mut html, verified, links);
    html.raw("<main id=\"content\">\n");
    about(&mut html, verified);
    seal(&mut html, verified, links);
    contents(&mut html, content);
    html.raw("<section aria-labelledby=\"entities\">\n<h2 id=\"entities\">Trusted entities</h2>\n");
    if content.entities().is_empty() {
        html.raw("<p>No entity is on this list.</p>\n");
    }
    for (i, listed) in content.entities().iter().enumerate() {
        entity(&mut html, i.saturating_add(1), listed, list);
    }
    html.raw("</section>\n");
    pointers(&mut html, verified);
    html.raw("</main>\n<footer><p>This page is for reading. What counts is the sealed list, <a")
        .attribute("href", links.sealed)
        .raw(">")
        .text(links.sealed)
        .raw("</a>, once its seal and dates are verified.</p></footer>\n");
    html.end()
}

fn head(html: &mut Html, verified: &VerifiedList, links: &Links<'_>) {
    let list = &verified.list;
    let scheme = list.content().scheme();
    let kind = list.profile().map_or("List of trusted entities", title);
    html.raw("<header class=\"top\"><div>\n<p class=\"kind\">")
        .raw(kind);
    if let Some(territory) = &scheme.scheme_territory {
        html.raw(" <span class=\"tag\">")
            .text(territory)
            .raw("</span>");
    }
    html.raw("</p>\n<h1>")
        .bdi(&scheme_name(list.content()))
        .raw("</h1>\n<p class=\"operator\">Operated by ");
    operator_name(html, &scheme.scheme_operator_name);
    html.raw("</p>\n<dl class=\"key\">\n");
    html.fact("Instance", |h| {
        h.raw("no. ").text(&list.sequence().to_string());
    });
    html.fact("Issued", |h| {
        h.time(list.issued());
    });
    html.fact("Next update by", |h| next_update(h, list.next_update()));
    let entities = list.content().entities();
    let services: usize = entities.iter().map(|e| e.services.len()).sum();
    html.fact("Entities", |h| {
        h.text(&entities.len().to_string());
    });
    html.fact("Services", |h| {
        h.text(&services.to_string());
    });
    html.raw("</dl>\n");
    html.raw("<nav aria-label=\"Forms of this list\"><ul class=\"forms\">\n");
    let forms = [
        ("The sealed list", Some(links.sealed)),
        ("JSON", Some(links.json)),
        ("All instances", Some(links.archive)),
        ("The current instance", links.current),
    ];
    for (what, href) in forms {
        if let Some(href) = href {
            html.raw("<li><a")
                .attribute("href", href)
                .raw(">")
                .raw(what)
                .raw("</a></li>\n");
        }
    }
    html.raw("</ul></nav>\n</div></header>\n");
    if links.current.is_some() {
        html.raw(
            "<p class=\"notice\" role=\"note\">This page is of the archive. It shows instance no. ",
        )
        .text(&list.sequence().to_string())
        .raw(", which a later one may have replaced.</p>\n");
    }
}

fn next_update(html: &mut Html, next: Option<Timestamp>) {
    match next {
        Some(next) => html.time(next),
        None => html.raw("none: the list is closed"),
    };
}

fn about(html: &mut Html, verified: &VerifiedList) {
    let list = &verified.list;
    let scheme = list.content().scheme();
    html.raw("<section aria-labelledby=\"about\">\n<h2 id=\"about\">The list</h2>\n<dl class=\"facts\">\n");
    if scheme.scheme_name.len() > 1 {
        html.fact("Name", |h| texts(h, &scheme.scheme_name));
    }
    html.fact("Type", |h| {
        h.uri(list.lote_type());
    });
    html.fact("Operator", |h| texts(h, &scheme.scheme_operator_name));
    if let Some(address) = &scheme.scheme_operator_address {
        html.fact("Address", |h| postal(h, &address.postal));
        html.fact("Contact", |h| uris(h, &address.electronic));
    }
    if let Some(territory) = &scheme.scheme_territory {
        html.fact("Territory", |h| {
            h.bdi(territory);
        });
    }
    if !scheme.scheme_information_uri.is_empty() {
        html.fact("Information", |h| uris(h, &scheme.scheme_information_uri));
    }
    if let Some(approach) = &scheme.status_determination_approach {
        html.fact("Status determination", |h| {
            h.uri(approach);
        });
    }
    if !scheme.scheme_type_community_rules.is_empty() {
        html.fact("Rules", |h| uris(h, &scheme.scheme_type_community_rules));
    }
    if !scheme.policy_or_legal_notice.is_empty() {
        html.fact("Policy or legal notice", |h| {
            for notice in &scheme.policy_or_legal_notice {
                uris(h, notice.policy.as_slice());
                match &notice.notice {
                    Some(LegalNotice::Plain(text)) => {
                        h.raw("<p>").bdi(text).raw("</p>");
                    }
                    Some(LegalNotice::Multilingual(text)) => {
                        h.raw("<p>").spoken(text).raw("</p>");
                    }
                    None => {}
                }
            }
        });
    }
    if !scheme.distribution_points.is_empty() {
        html.fact("Published at", |h| {
            h.lines(&scheme.distribution_points, |h, point| {
                h.uri(point);
            });
        });
    }
    if let Some(period) = scheme.historical_information_period {
        html.fact("History", |h| match period {
            65_535 => {
                h.raw("kept without end");
            }
            days => {
                h.raw("kept for ").text(&days.to_string()).raw(" days");
            }
        });
    }
    html.raw("</dl>\n</section>\n");
}

fn seal(html: &mut Html, verified: &VerifiedList, links: &Links<'_>) {
    html.raw(
        "<section aria-labelledby=\"seal\">\n<h2 id=\"seal\">Its seal</h2>\n<dl class=\"facts\">\n",
    );
    html.fact("File", |h| {
        h.raw("<a")
            .attribute("href", links.sealed)
            .raw(">")
            .text(links.sealed)
            .raw("</a>");
    });
    html.fact("SHA-256 of the file", |h| {
        h.code(&hex(&verified.sha256));
    });
    if let Some(sealed_at) = verified.sealed_at {
        html.fact("Sealed", |h| {
            h.time(sealed_at);
        });
    }
    html.raw("</dl>\n");
    if let Some(signer) = &verified.signer {
        html.raw("<h3>The certificate it was sealed with</h3>\n");
        certificate(html, signer, verified.list.issued());
    }
    html.raw("</section>\n");
}

/// The names of the entities, each leading to its own section.
fn contents(html: &mut Html, content: &UncheckedList) {
    if content.entities().len() < 2 {
        return;
    }
    html.raw("<nav class=\"contents\" aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<ol>\n");
    for (i, entity) in content.entities().iter().enumerate() {
        let target = format!("#entity-{}", i.saturating_add(1));
        html.raw("<li><a")
            .attribute("href", &target)
            .raw(">")
            .bdi(entity.name())
            .raw("</a></li>\n");
    }
    html.raw("</ol>\n</nav>\n");
}

fn pointers(html: &mut Html, verified: &VerifiedList) {
    let scheme = verified.list.content().scheme();
    if scheme.pointers().next().is_none() {
        return;
    }
    html.raw("<section aria-labelledby=\"pointers\">\n<h2 id=\"pointers\">Where lists are, and who seals them</h2>\n");
    for pointer in scheme.pointers() {
        self::pointer(html, pointer, verified);
    }
    html.raw("</section>\n");
}

fn pointer(html: &mut Html, pointer: &Pointer, verified: &VerifiedList) {
    let own_type = verified.list.lote_type();
    let mut types = pointer
        .qualifiers
        .iter()
        .filter_map(|q| q.lote_type.as_deref());
    let own = types.any(|seen| seen == own_type);
    html.raw("<article class=\"service\">\n<h3>");
    if own {
        html.raw("This list");
    } else {
        let seen = pointer
            .qualifiers
            .iter()
            .find_map(|q| q.lote_type.as_deref());
        match seen.and_then(Profile::of_type) {
            Some(profile) => html.raw(title(profile)),
            None => html.raw("Another list"),
        };
    }
    html.raw("</h3>\n<dl class=\"facts\">\n");
    if let Some(location) = &pointer.location {
        html.fact("Where", |h| {
            h.uri(location);
        });
    }
    for qualifier in &pointer.qualifiers {
        if let Some(lote_type) = &qualifier.lote_type {
            html.fact("Type", |h| {
                h.uri(lote_type);
            });
        }
        if !qualifier.scheme_operator_name.is_empty() {
            html.fact("Operator", |h| texts(h, &qualifier.scheme_operator_name));
        }
        if let Some(territory) = &qualifier.scheme_territory {
            html.fact("Territory", |h| {
                h.bdi(territory);
            });
        }
        if let Some(form) = &qualifier.mime_type {
            html.fact("Form", |h| {
                h.bdi(form);
            });
        }
    }
    html.fact("Sealed by", |h| {
        let objects = pointer.identities.iter().flat_map(|i| &i.certificates);
        h.lines(objects, |h, object| match cert::read(object) {
            Read::Good(c) | Read::Sloppy(c, _) => {
                h.bdi(&c.subject()).raw(" ");
                let sealed_this = verified.signer.as_ref().is_some_and(|s| s.der() == c.der());
                if own && sealed_this {
                    h.raw("<span class=\"tag\">sealed this instance</span> ");
                } else if own {
                    h.raw("<span class=\"tag\">announced</span> ");
                }
                h.code(&c.sha256_hex());
            }
            Read::Bad(why) => {
                h.raw("a certificate that cannot be read: ").text(&why);
            }
        });
    });
    html.raw("</dl>\n</article>\n");
}
