//! Everybody who could call.

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
    pub(crate) const ALL: [Self; 13] = [
        Self::Owner,
        Self::StaleOwner,
        Self::Stranger,
        Self::Support,
        Self::Compliance,
        Self::Finance,
        Self::Admin,
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
        matches!(self, Self::Owner | Self::StaleOwner)
    }

    pub(crate) fn is_person(self) -> bool {
        !self.is_service() && !matches!(self, Self::Machine | Self::Nobody)
    }
}
