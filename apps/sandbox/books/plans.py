"""The countries whose books can be made."""

from collections.abc import Mapping

from apps.sandbox.books.plan import Plan
from apps.sandbox.books.plan_fi import FINLAND
from apps.sandbox.books.plan_no import NORWAY
from apps.sandbox.books.plan_se import SWEDEN

PLANS: Mapping[str, Plan] = {plan.country: plan for plan in (NORWAY, FINLAND, SWEDEN)}
