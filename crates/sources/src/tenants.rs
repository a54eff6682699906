//! Whose account it is, and what it is called.

use common::registrations::Registrations;

/// Tells to which tenant an account belongs.
pub trait Tenants {
    /// The tenant of an account that is registered within an endpoint; `None` where it is not, and the
    /// endpoint's tenant holds.
    fn tenant_of(&self, endpoint: &str, account: &str) -> Option<&str>;

    /// The name that its operator gave to an account that is registered, in its metadata, under [`NAME`].
    fn name_of(&self, _endpoint: &str, _account: &str) -> Option<&str> {
        None
    }
}

/// The metadata of a registered account that has its name, for platforms that send none.
pub const NAME: &str = "name";

impl Tenants for Registrations {
    fn tenant_of(&self, endpoint: &str, account: &str) -> Option<&str> {
        self.account(endpoint, account).map(|registration| registration.tenant.as_str())
    }

    fn name_of(&self, endpoint: &str, account: &str) -> Option<&str> {
        self.account(endpoint, account)?.metadata.get(NAME).map(String::as_str)
    }
}
