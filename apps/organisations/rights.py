"""Who may do what: one table of model, action and the least that a person must be, and the roles that are so much.

Which rows a person sees at all is another question, answered by the tenant scope (`core.scope.Reach`): an accountant's
assigned clients, an auditor's named clients and years, restricted clients for named people.
"""

from apps.organisations.enums import Role

OWN = frozenset({Role.OWNER})
MANAGE = OWN | {Role.MANAGER}
WORK = MANAGE | {Role.ACCOUNTANT}
REVIEW = WORK | {Role.REVIEWER}
READ = REVIEW | {Role.READ_ONLY}
VIEW = READ | {Role.AUDITOR}
NOBODY: frozenset[Role] = frozenset()

# What pages ask for that belong to no single model.
LEVELS = {"own": OWN, "manage": MANAGE, "work": WORK, "review": REVIEW, "read": READ, "view": VIEW}

# An action that is not named here nobody may do, superusers neither.
RIGHTS: dict[str, dict[str, frozenset[Role]]] = {
    # The bureau
    "organisations.organisation": {"view": VIEW, "change": MANAGE},
    "organisations.membership": {"view": REVIEW, "add": MANAGE, "change": MANAGE, "delete": MANAGE},
    "organisations.user": {"view": MANAGE},
    "audit.auditline": {"view": REVIEW},
    # Clients
    "clients.client": {
        "view": VIEW, "add": MANAGE, "change": MANAGE,
        "synchronize": WORK, "recalculate": WORK, "connect": WORK,
        "export": MANAGE, "number": MANAGE, "open_books": MANAGE, "assign": MANAGE, "find_restricted": OWN,
    },
    "clients.apitoken": {"view": MANAGE, "add": MANAGE, "change": MANAGE},
    # Integrations
    "connectors.connector": {"view": REVIEW, "add": MANAGE, "change": WORK, "share": MANAGE},
    "connectors.connection": {
        "view": READ, "activate": WORK, "confirm": WORK, "examine": WORK, "accept_form": WORK, "give_up": MANAGE,
    },
    "connectors.exchange": {"view": REVIEW},
    "flows.feed": {"view": READ, "change": WORK},
    "sync.run": {"view": READ},
    "notifications.problem": {"view": READ, "again": WORK, "release": WORK, "mute": WORK},
    "notifications.webhook": {"view": MANAGE, "add": MANAGE, "change": MANAGE, "delete": MANAGE},
    "onboarding.batch": {"view": MANAGE, "add": MANAGE, "change": MANAGE},
    # Books: nobody changes them by hand
    "ledger.fiscalyear": {"view": VIEW},
    "ledger.account": {"view": VIEW},
    "ledger.voucher": {"view": VIEW},
    "ledger.voucherversion": {"view": VIEW},
    "ledger.posting": {"view": VIEW},
    "ledger.balance": {"view": VIEW},
    "ledger.finding": {"view": READ},
    "ledger.proof": {"view": READ},
    "ledger.ledgerfile": {"view": READ, "upload": WORK},
}  # fmt: skip

# From the least to the most; nobody gives a role above his own.
RANKS = (Role.AUDITOR, Role.READ_ONLY, Role.REVIEWER, Role.ACCOUNTANT, Role.MANAGER, Role.OWNER)


def roles_with(right: str) -> frozenset[Role]:
    """`right` is `app.model.action`, or one of LEVELS."""
    model, _, action = right.rpartition(".")
    return RIGHTS.get(model, {}).get(action, NOBODY) if model else LEVELS.get(right, NOBODY)


def rank(role: str | None) -> int:
    """The higher, the more; -1 for none."""
    return RANKS.index(Role(role)) if role else -1
