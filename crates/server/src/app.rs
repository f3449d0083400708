//! The roles of a process put together into one application.

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;

use crate::edge::{self, Limits};
use crate::metrics::Metrics;
use crate::routes::folder::PublicFolder;
use crate::routes::health::{HealthState, Readiness};
use crate::routes::operator::OperatorToken;
use crate::routes::trust::Trust;
use crate::routes::{folder, health, operator, provider, trust, wsca};

/// What a process serves. A role that is absent has no routes.
#[derive(Debug, Default)]
pub struct App {
    /// What is accepted of a request.
    pub limits: Limits,
    /// What `/metrics` shows.
    pub metrics: Option<Metrics>,
    /// What `/ready` asks.
    pub readiness: Vec<Arc<dyn Readiness>>,
    /// `/wsca`.
    pub wsca: Option<Arc<::wsca::Wsca>>,
    /// `/wallet-provider`.
    pub provider: Option<Arc<wallet_provider::WalletProvider>>,
    /// `/trust`.
    pub trust: Option<Trust>,
    /// `/operator`, if there is a token for it.
    pub operator: Option<OperatorToken>,
    /// Public files: the first part of the address, and the folder.
    pub folders: Vec<(&'static str, PublicFolder)>,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Claviger",
    description = "Wallet provider, remote WSCA and trust lists of a European Digital Identity Wallet",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Description;

impl App {
    /// The application with its edge around it.
    pub fn into_router(self) -> Router {
        let (router, mut document) = self.routes().split_for_parts();
        document.info.version = env!("CARGO_PKG_VERSION").into();
        let json = serde_json::to_value(&document).unwrap_or_default();
        let mut router = router.route(
            "/openapi.json",
            axum::routing::get(move || std::future::ready(axum::Json(json))),
        );
        for (path, folder) in self.folders.clone() {
            router = router.nest(&format!("/{path}"), folder::routes(folder));
        }
        edge::around(router, self.limits)
    }

    fn routes(&self) -> OpenApiRouter {
        let mut router = OpenApiRouter::with_openapi(Description::openapi()).merge(health::routes(
            HealthState {
                parts: Arc::new(self.readiness.clone()),
                metrics: self.metrics.clone(),
            },
        ));
        if let Some(wsca) = &self.wsca {
            router = router.nest("/wsca", wsca::routes(Arc::clone(wsca)));
        }
        if let Some(provider) = &self.provider {
            router = router.nest("/wallet-provider", provider::routes(Arc::clone(provider)));
            if let Some(token) = &self.operator {
                let routes = operator::routes(Arc::clone(provider), token.clone());
                router = router.nest("/operator", routes);
            }
        }
        if let Some(trust) = &self.trust {
            router = router.nest("/trust", trust::routes(trust.clone()));
        }
        router
    }

    /// The OpenAPI document of these roles.
    pub fn openapi(&self) -> Document {
        let mut document = self.routes().into_openapi();
        document.info.version = env!("CARGO_PKG_VERSION").into();
        document
    }
}
