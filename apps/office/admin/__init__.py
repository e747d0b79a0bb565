"""The admin of what needs several apps at once: clients, connectors, problems; and the site's navigation."""

from apps.office.admin import clients, connectors, problems, site, webhooks

__all__ = ["clients", "connectors", "problems", "site", "webhooks"]
