//! The index of a list's instances.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::html::Html;
use super::parts::{hex, scheme_name};
use crate::VerifiedList;

/// One instance of a list, as the archive's index has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its LoTESequenceNumber.
    pub sequence: u64,
    /// Its ListIssueDateTime.
    pub issued: Timestamp,
    /// Its NextUpdate; none for a closed list.
    pub next_update: Option<Timestamp>,
    /// How many entities it has.
    pub entities: usize,
    /// SHA-256 of the sealed list, in hex.
    pub sha256: String,
}

impl Instance {
    /// The entry of a list.
    pub fn of(verified: &VerifiedList) -> Self {
        Self {
            sequence: verified.list.sequence(),
            issued: verified.list.issued(),
            next_update: verified.list.next_update(),
            entities: verified.list.content().entities().len(),
            sha256: hex(&verified.sha256),
        }
    }
}

/// The page that lists all instances of a list, the newest first; `current` is the
/// newest, and `home` leads to its page. The instances are beside the page, as
/// `<sequence>.html`, `.jws` and `.json`.
pub fn archive(current: &VerifiedList, instances: &[Instance], home: &str) -> String {
    let name = scheme_name(current.list.content());
    let mut newest_first: Vec<&Instance> = instances.iter().collect();
    newest_first.sort_by_key(|instance| std::cmp::Reverse(instance.sequence));
    let mut html = Html::begin(&format!("{name}, all instances"));
    html.raw("<header class=\"top\"><div>\n<p class=\"kind\">All instances</p>\n<h1>")
        .bdi(&name)
        .raw("</h1>\n<nav aria-label=\"The list\"><ul class=\"forms\">\n<li><a")
        .attribute("href", home)
        .raw(">The current instance</a></li>\n</ul></nav>\n</div></header>\n");
    html.raw("<main id=\"content\">\n<div class=\"wide\">\n<table>\n<caption>Instances of this list, the newest first</caption>\n<thead><tr>");
    html.raw("<th scope=\"col\">No.</th><th scope=\"col\">Issued</th><th scope=\"col\">Next update by</th><th scope=\"col\">Entities</th><th scope=\"col\">Files</th><th scope=\"col\">SHA-256 of the sealed list</th>");
    html.raw("</tr></thead>\n<tbody>\n");
    for instance in newest_first {
        row(
            &mut html,
            instance,
            instance.sequence == current.list.sequence(),
        );
    }
    html.raw("</tbody>\n</table>\n</div>\n</main>\n");
    html.end()
}

fn row(html: &mut Html, instance: &Instance, current: bool) {
    let sequence = instance.sequence.to_string();
    html.raw("<tr><th scope=\"row\"><a")
        .attribute("href", &format!("{sequence}.html"))
        .raw(">")
        .text(&sequence)
        .raw("</a>");
    if current {
        html.raw(" <span class=\"tag good\">current</span>");
    }
    html.raw("</th><td>").time(instance.issued).raw("</td><td>");
    match instance.next_update {
        Some(next) => html.time(next),
        None => html.raw("none: closed"),
    };
    html.raw("</td><td>")
        .text(&instance.entities.to_string())
        .raw("</td><td>");
    for (what, ending) in [("sealed", "jws"), ("JSON", "json")] {
        html.raw("<a")
            .attribute("href", &format!("{sequence}.{ending}"))
            .raw(">")
            .raw(what)
            .raw("</a> ");
    }
    html.raw("</td><td>")
        .code(&instance.sha256)
        .raw("</td></tr>\n");
}
