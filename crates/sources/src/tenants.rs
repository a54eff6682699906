//! Whose account it is.

use common::registrations::Registrations;

/// Tells to which tenant an account belongs.
pub trait Tenants {
    /// The tenant of an account that is registered within an endpoint; `None` where it is not, and the
    /// endpoint's tenant holds.
    fn tenant_of(&self, endpoint: &str, account: &str) -> Option<&str>;
}

impl Tenants for Registrations {
    fn tenant_of(&self, endpoint: &str, account: &str) -> Option<&str> {
        self.account(endpoint, account).map(|registration| registration.tenant.as_str())
    }
}
