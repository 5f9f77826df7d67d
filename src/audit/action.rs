//! The words of the audit: what was done, and to what.

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Action {
    Create,
    Update,
    Delete,
    Approve,
    Reject,
    Suspend,
    Activate,
    PaymentExecuted,
    PaymentDenied,
    AlertCreated,
    AlertResolved,
    SettingsChanged,
    PermissionGranted,
    PermissionRevoked,
    AuditLogExported,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 15] = [
        Action::Create,
        Action::Update,
        Action::Delete,
        Action::Approve,
        Action::Reject,
        Action::Suspend,
        Action::Activate,
        Action::PaymentExecuted,
        Action::PaymentDenied,
        Action::AlertCreated,
        Action::AlertResolved,
        Action::SettingsChanged,
        Action::PermissionGranted,
        Action::PermissionRevoked,
        Action::AuditLogExported,
    ];

    /// How it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Action::Create => "CREATE",
            Action::Update => "UPDATE",
            Action::Delete => "DELETE",
            Action::Approve => "APPROVE",
            Action::Reject => "REJECT",
            Action::Suspend => "SUSPEND",
            Action::Activate => "ACTIVATE",
            Action::PaymentExecuted => "PAYMENT_EXECUTED",
            Action::PaymentDenied => "PAYMENT_DENIED",
            Action::AlertCreated => "ALERT_CREATED",
            Action::AlertResolved => "ALERT_RESOLVED",
            Action::SettingsChanged => "SETTINGS_CHANGED",
            Action::PermissionGranted => "PERMISSION_GRANTED",
            Action::PermissionRevoked => "PERMISSION_REVOKED",
            Action::AuditLogExported => "AUDIT_LOG_EXPORTED",
        }
    }

    /// The action that is written `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.word() == word)
    }
}

/// What it was done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Resource {
    Agent,
    Wallet,
    Key,
    Policy,
    Shadow,
    Alert,
    Settings,
    Authorization,
    Payment,
    Session,
    BudgetRequest,
    ApprovalRequest,
    Webhook,
    Gateway,
    AuditLog,
    Counterparty,
    Sanctions,
}

impl Resource {
    /// All of them.
    pub const ALL: [Resource; 17] = [
        Resource::Agent,
        Resource::Wallet,
        Resource::Key,
        Resource::Policy,
        Resource::Shadow,
        Resource::Alert,
        Resource::Settings,
        Resource::Authorization,
        Resource::Payment,
        Resource::Session,
        Resource::BudgetRequest,
        Resource::ApprovalRequest,
        Resource::Webhook,
        Resource::Gateway,
        Resource::AuditLog,
        Resource::Counterparty,
        Resource::Sanctions,
    ];

    /// How it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Resource::Agent => "agent",
            Resource::Wallet => "wallet",
            Resource::Key => "api_key",
            Resource::Policy => "policy",
            Resource::Shadow => "policy_shadow",
            Resource::Alert => "alert",
            Resource::Settings => "settings",
            Resource::Authorization => "authorization",
            Resource::Payment => "payment",
            Resource::Session => "session",
            Resource::BudgetRequest => "budget_request",
            Resource::ApprovalRequest => "approval_request",
            Resource::Webhook => "webhook",
            Resource::Gateway => "gateway",
            Resource::AuditLog => "audit_log",
            Resource::Counterparty => "counterparty",
            Resource::Sanctions => "sanctions",
        }
    }

    /// The resource that is written `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Resource> {
        Resource::ALL.into_iter().find(|resource| resource.word() == word)
    }
}
