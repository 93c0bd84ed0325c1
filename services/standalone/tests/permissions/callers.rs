//! Everybody who could call.

use common_auth::Role;

/// In the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A customer: whose wallet, ticket, transaction or session it is.
    Owner,
    /// The same with a second factor, who gave it an hour ago.
    StaleOwner,
    /// Another customer.
    Stranger,
    Support,
    Compliance,
    Finance,
    Admin,
    /// The owner, who has a role of staff besides: the things are their own.
    OwningSupport,
    OwningCompliance,
    OwningFinance,
    OwningAdmin,
    /// With an API key of the owner's that has every scope.
    Machine,
    /// Without a token.
    Nobody,
    WalletService,
    TransactionService,
    AdminService,
    /// With a token for `/internal/v1` in a name that no permission names.
    OtherService,
}

impl Caller {
    pub(crate) const ALL: [Self; 17] = [
        Self::Owner,
        Self::StaleOwner,
        Self::Stranger,
        Self::Support,
        Self::Compliance,
        Self::Finance,
        Self::Admin,
        Self::OwningSupport,
        Self::OwningCompliance,
        Self::OwningFinance,
        Self::OwningAdmin,
        Self::Machine,
        Self::Nobody,
        Self::WalletService,
        Self::TransactionService,
        Self::AdminService,
        Self::OtherService,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::StaleOwner => "owner-stale",
            Self::Stranger => "stranger",
            Self::Support => "support",
            Self::Compliance => "compliance",
            Self::Finance => "finance",
            Self::Admin => "admin",
            Self::OwningSupport => "owner-support",
            Self::OwningCompliance => "owner-compliance",
            Self::OwningFinance => "owner-finance",
            Self::OwningAdmin => "owner-admin",
            Self::Machine => "machine",
            Self::Nobody => "nobody",
            Self::WalletService => "wallet-service",
            Self::TransactionService => "transaction-service",
            Self::AdminService => "admin-service",
            Self::OtherService => "other-service",
        }
    }

    pub(crate) fn is_service(self) -> bool {
        matches!(
            self,
            Self::WalletService | Self::TransactionService | Self::AdminService | Self::OtherService
        )
    }

    /// Whose the things are that paths name.
    pub(crate) fn is_owner(self) -> bool {
        matches!(self, Self::Owner | Self::StaleOwner) || self.is_owning_staff()
    }

    pub(crate) fn is_owning_staff(self) -> bool {
        matches!(self, Self::OwningSupport | Self::OwningCompliance | Self::OwningFinance | Self::OwningAdmin)
    }

    /// Of who works here.
    pub(crate) fn role(self) -> Option<Role> {
        match self {
            Self::Support | Self::OwningSupport => Some(Role::Support),
            Self::Compliance | Self::OwningCompliance => Some(Role::Compliance),
            Self::Finance | Self::OwningFinance => Some(Role::Finance),
            Self::Admin | Self::OwningAdmin => Some(Role::Admin),
            _ => None,
        }
    }

    pub(crate) fn is_person(self) -> bool {
        !self.is_service() && !matches!(self, Self::Machine | Self::Nobody)
    }
}
