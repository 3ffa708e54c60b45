//! The node's web server: for now, whether it lives and is ready.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clinic::Clinic;

/// A bound web server that does not serve yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds the address.
    ///
    /// # Errors
    /// When it is taken or not one of this machine's.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address that it is bound to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `end` is cancelled and the requests under way are answered.
    ///
    /// # Errors
    /// When the system takes the socket away.
    pub async fn serve(self, clinic: Arc<Clinic>, end: CancellationToken) -> std::io::Result<()> {
        let routes = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(clinic);
        axum::serve(self.listener, routes)
            .with_graceful_shutdown(end.cancelled_owned())
            .await
    }
}

/// Ready to take writes: a store that is read-only, for example on a full disk, is not.
async fn ready(State(clinic): State<Arc<Clinic>>) -> (StatusCode, String) {
    match clinic.trouble() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")),
    }
}
