//! The roles of a process put together into one application.

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;

use crate::client::Proxies;
use crate::edge::{self, Edge, Limits};
use crate::in_flight::{InFlight, Places};
use crate::metrics::Metrics;
use crate::operators::{Door, Operators};
use crate::pages::account::{self as account_pages, AccountPages};
use crate::pages::data;
use crate::rates::{Gates, Rates};
use crate::routes::folder::PublicFolder;
use crate::routes::health::{HealthState, Readiness};
use crate::routes::status::StatusLists;
use crate::routes::trust::Trust;
use crate::routes::{
    authzen, folder, health, operator, provider, status, trust, trust_validator, wsca, wsca_link,
};

/// What a process serves. A role that is absent has no routes.
#[derive(Debug, Default)]
pub struct App {
    /// What is accepted of a request.
    pub limits: Limits,
    /// How much of the WSCA is worked on at once.
    pub wsca_in_flight: InFlight,
    /// What `/metrics` shows.
    pub metrics: Option<Metrics>,
    /// What `/ready` asks.
    pub readiness: Vec<Arc<dyn Readiness>>,
    /// `/wsca`.
    pub wsca: Option<Arc<::wsca::Wsca>>,
    /// What a wallet provider in another process administers, on the link.
    pub link: Option<Arc<dyn ::wsca::WscaAdmin>>,
    /// Whether `/metrics` and `/operator` stand on a listener of their own.
    pub admin_apart: bool,
    /// `/wallet-provider`.
    pub provider: Option<Arc<wallet_provider::WalletProvider>>,
    /// `/account`: the pages on which users look after their accounts and wallets.
    pub accounts: Option<AccountPages>,
    /// `/v1/trust`, and what is compatible with others: `/trust`, `/evaluation`.
    pub trust: Option<Trust>,
    /// `/operator`, if there is anyone for it.
    pub operators: Option<Operators>,
    /// How often may be asked.
    pub rates: Rates,
    /// The proxies in front.
    pub proxies: Proxies,
    /// `/status`: the provider's status lists.
    pub status: Option<StatusLists>,
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

/// What is served on each of a process's listeners.
#[derive(Debug)]
pub struct Routers {
    /// For everyone.
    pub public: Router,
    /// For the operators, where [`App::admin_apart`] says so.
    pub admin: Option<Router>,
    /// For the wallet provider in another process: nothing but orders. Its listener
    /// must speak mutual TLS.
    pub link: Option<Router>,
}

/// Which routes are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Everyone,
    Operators,
    Both,
}

/// Whether requests are counted by address: those of strangers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Yes,
    No,
}

impl App {
    /// The applications of all listeners.
    pub fn into_routers(self) -> Routers {
        let link = self
            .link
            .clone()
            .map(|wsca| edge::around(wsca_link::routes(wsca), self.edge(Counted::No)));
        let admin = self.admin_apart.then(|| {
            let (router, _) = self.routes(Audience::Operators).split_for_parts();
            edge::around(router, self.edge(Counted::No))
        });
        Routers {
            public: self.into_router(),
            admin,
            link,
        }
    }

    /// The public application with its edge around it.
    pub fn into_router(self) -> Router {
        let (router, mut document) = self.routes(self.public()).split_for_parts();
        document.info.version = env!("CARGO_PKG_VERSION").into();
        let json = serde_json::to_value(&document).unwrap_or_default();
        let mut router = router.route(
            "/openapi.json",
            axum::routing::get(move || std::future::ready(axum::Json(json))),
        );
        if let Some(accounts) = self.accounts.clone() {
            router = router.merge(account_pages::routes(accounts));
        }
        for (path, folder) in self.folders.clone() {
            router = router.nest(&format!("/{path}"), folder::routes(folder));
        }
        let edge = self.edge(Counted::Yes);
        edge::around(router, edge)
    }

    fn edge(&self, counted: Counted) -> Edge {
        Edge {
            limits: self.limits,
            proxies: Arc::new(self.proxies.clone()),
            gates: (counted == Counted::Yes).then(|| Gates::new(self.rates)),
        }
    }

    fn public(&self) -> Audience {
        if self.admin_apart {
            Audience::Everyone
        } else {
            Audience::Both
        }
    }

    fn routes(&self, audience: Audience) -> OpenApiRouter {
        let health = HealthState {
            parts: Arc::new(self.readiness.clone()),
            metrics: self.metrics.clone(),
            lists: self.trust.as_ref().map(|trust| Arc::clone(&trust.service)),
            list_gauges: Arc::default(),
            provider: self.provider.clone(),
            certificate_gauges: Arc::default(),
        };
        let mut router = OpenApiRouter::with_openapi(Description::openapi())
            .merge(health::routes(health.clone()));
        if audience != Audience::Everyone {
            router = router.merge(health::metrics_routes(health));
            if let Some(operators) = &self.operators {
                let door = Door {
                    operators: operators.clone(),
                    gates: Gates::new(self.rates),
                };
                router = router.nest("/operator", operator::routes(door));
            }
        }
        if audience == Audience::Operators {
            return router;
        }
        if let Some(wsca) = &self.wsca {
            let places = Places::new(self.wsca_in_flight);
            router = router.nest("/wsca", wsca::routes(Arc::clone(wsca), places));
        }
        if let Some(provider) = &self.provider {
            router = router
                .nest("/wallet-provider", provider::routes(Arc::clone(provider)))
                .merge(data::routes());
            if let Some(lists) = &self.status {
                let routes = status::routes(Arc::clone(provider), lists.clone());
                router = router.nest("/status", routes);
            }
        }
        if let Some(trust) = &self.trust {
            router = router
                .nest("/v1/trust", trust::routes(trust.clone()))
                .merge(trust_validator::routes(trust.clone()))
                .merge(authzen::routes(trust.clone()));
        }
        router
    }

    /// The OpenAPI document of these roles.
    pub fn openapi(&self) -> Document {
        let mut document = self.routes(Audience::Both).into_openapi();
        document.info.version = env!("CARGO_PKG_VERSION").into();
        document
    }
}
