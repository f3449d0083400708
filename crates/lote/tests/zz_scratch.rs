#![allow(clippy::unwrap_used)]
mod common;
use common::*;
use lote::publish::*;
use lote::*;
#[tokio::test]
async fn scratch() {
    let operator = operator().await;
    let succ = party(Subject{country:"EU",organization:OPERATOR,identifier:None,..Subject::default()}).await;
    let mut d = draft(Profile::PubEaa, &operator.certificate).await;
    let mut e = entity(); e.name="רשות ההסמכה \u{202e} <b>& Söhne".into(); 
    d.add_entity(&e).unwrap();
    let old = party(Subject{not_after:"20261001000000Z",..Subject::default()}).await;
    d.add_service(&e.name, &service(Profile::PubEaa, ServiceKind::Issuance, &old.certificate), issued()).unwrap();
    d.withdraw_entity(ENTITY, now()).unwrap();
    let mut p = draft(Profile::Pid, &operator.certificate).await;
    p.announce_signer(&succ.certificate).unwrap();
    for (name, d) in [("h", d), ("d", p)] {
        let chain=[operator.certificate.clone()];
        let text = seal(d.list(), &chain, &operator.key, issued()).await.unwrap();
        let v = Verifier{signers:Signers::Pinned(&chain),mode:Mode::Strict}.verify(text.as_bytes(), now()).unwrap();
        std::fs::write(format!("/tmp/I2/{name}.html"), page(&v,&Links{sealed:"list.jws",json:"list.json",archive:"archive/index.html",current: (name=="h").then_some("../index.html")})).unwrap();
        std::fs::write(format!("/tmp/I2/{name}-archive.html"), archive(&v,&[Instance::of(&v), Instance{sequence:0,..Instance::of(&v)}],"../index.html")).unwrap();
    }
}
