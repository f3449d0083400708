//! One entity on the page.

use super::html::Html;
use super::parts::{postal, texts, uris};
use super::service::service;
use crate::List;
use crate::model::Entity;

/// The section of the `number`th entity of a list.
pub(super) fn entity(html: &mut Html, number: usize, entity: &Entity, list: &List) {
    let id = format!("entity-{number}");
    let information = &entity.information;
    html.raw("<section class=\"entity\"")
        .attribute("aria-labelledby", &id)
        .raw(">\n<h3")
        .attribute("id", &id)
        .raw(">");
    match entity.name() {
        "" => html.raw("An entity without a name"),
        name => html.bdi(name),
    };
    html.raw("</h3>\n<dl class=\"facts\">\n");
    if information.name.len() > 1 {
        html.fact("Name", |h| texts(h, &information.name));
    }
    if !information.trade_name.is_empty() {
        html.fact("Registration and other names", |h| {
            texts(h, &information.trade_name);
        });
    }
    if let Some(address) = &information.address {
        html.fact("Address", |h| postal(h, &address.postal));
        html.fact("Contact", |h| uris(h, &address.electronic));
    }
    if !information.information_uri.is_empty() {
        html.fact("Information", |h| uris(h, &information.information_uri));
    }
    for extension in &information.extensions {
        html.fact("Extension", |h| {
            h.code(&extension.to_string());
        });
    }
    html.raw("</dl>\n");
    for listed in &entity.services {
        service(html, listed, list);
    }
    html.raw("</section>\n");
}
