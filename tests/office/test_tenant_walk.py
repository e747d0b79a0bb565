"""Bureau A's people walk every address with ids of bureau B, and of a client of their own that they may not see."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import models
from django.test import RequestFactory
from django.utils import timezone

from apps.api.views import TokenThrottle
from apps.clients.models import ApiToken, Client, new_token, token_digest
from apps.core.admin import BureauAdmin
from apps.core.scope import ScopedManager, client_path, system_scope
from apps.ledger.models import Posting, Voucher
from apps.notifications.digest import digest_of, has_news
from apps.notifications.models import Mail, Problem, Webhook
from apps.onboarding.models import Batch, Line
from apps.organisations.enums import Role
from apps.organisations.models import Membership, Organisation, User
from tests.factories import MembershipFactory, UserFactory
from tests.office.bureau import make_bureau, signed_in
from tests.office.walk import Walk, routes
from tests.office.worlds import MAKERS, World

pytestmark = pytest.mark.django_db
ROLES = [role.value for role in Role]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(TokenThrottle, "rate", "100000/min")
    # the walk reads no contexts, and copying them takes most of its time
    monkeypatch.setattr("django.test.client.store_rendered_templates", lambda *_args, **_kwargs: None)


@pytest.fixture
def mine() -> World:
    return World(100_001, "Nordvik", "ZWALKA", "923609016", Decimal("11111.11")).build()


@pytest.fixture
def theirs() -> World:
    return World(900_001, "Sorvik", "ZWALKB", "974760673", Decimal("98765.43")).build()


@pytest.fixture
def unseen(mine: World) -> World:
    """A restricted client of bureau A for which only the first owner is named, who does not walk."""
    bureau = mine.rows[Organisation]
    return World(
        500_001, "Vestvik", "ZWALKH", "985952442", Decimal("87654.32"), organisation=bureau, restricted=True
    ).build()


def member(world: World, role: str) -> User:
    person: User = UserFactory()
    MembershipFactory(user=person, organisation=world.rows[Organisation], role=role)
    return person


def token_of(world: World) -> str:
    token = new_token()
    with system_scope("tests"):
        ApiToken.objects.create(
            organisation=world.rows[Organisation], name="walker", digest=token_digest(token), all_clients=True
        )
    return token


def walk_of(mine: World, theirs: World, role: str = "owner", **more: Any) -> Walk:
    person = member(mine, role)
    return Walk(lambda: signed_in(person), mine, theirs, token=token_of(mine), **more)


def told(walk: Walk) -> str:
    """A fault per line, so that all of them are read when there are some."""
    return "\n".join(walk.everything())


def test_an_owner_of_two_bureaus_sees_nothing_of_a_third(mine: World, theirs: World) -> None:
    second = make_bureau("vestvik", "991788964")
    person = member(mine, "owner")
    MembershipFactory(user=person, organisation=second.organisation, role="owner")
    walk = Walk(lambda: signed_in(person), mine, theirs, token=token_of(mine))

    assert told(walk) == ""
    assert walk.requests > 500


@pytest.mark.parametrize("role", ROLES)
def test_no_role_sees_a_client_it_is_not_named_for(mine: World, unseen: World, role: str) -> None:
    # An owner finds restricted clients by their number and may name himself: what of them is shown there has a test
    # of its own (tests/clients/test_reach.py).
    allowed = frozenset({"office:restricted", "office:restricted_name"} if role == "owner" else ())

    assert told(walk_of(mine, unseen, role, allowed=allowed)) == ""


def test_the_walk_itself_sees_what_it_may(mine: World) -> None:
    """The marks are really on the pages: in the list of every model, and where an owner walks his own rows."""
    walk = walk_of(mine, mine)

    for model in (model for model in MAKERS if model in admin.site._registry):
        before = len(walk.faults)
        walk.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/")
        assert len(walk.faults) == before + 1, model


def unscoped(monkeypatch: pytest.MonkeyPatch, chosen: type[models.Model], *, lists: bool = False) -> None:
    """Take the scope from one model. Other bureaus' rows are kept out of the admin's lists once more: `lists`, too."""
    scoped, listed = ScopedManager.get_queryset, BureauAdmin.get_queryset

    def open_door(manager: ScopedManager[Any]) -> Any:
        return models.Manager.get_queryset(manager) if manager.model is chosen else scoped(manager)

    def open_list(page: Any, request: Any) -> Any:
        return admin.ModelAdmin.get_queryset(page, request) if page.model is chosen else listed(page, request)

    monkeypatch.setattr(ScopedManager, "get_queryset", open_door)
    if lists:
        monkeypatch.setattr(BureauAdmin, "get_queryset", open_list)


# users are narrowed by their memberships
SCOPED = [model for model in MAKERS if model is not User and model in admin.site._registry]
OF_A_CLIENT = [model for model in SCOPED if client_path(model) is not None]


def name_of(model: type[models.Model]) -> str:
    return str(model._meta.label_lower)


@pytest.mark.parametrize("model", SCOPED, ids=name_of)
def test_a_model_that_shows_another_bureau_is_reported(
    monkeypatch: pytest.MonkeyPatch, mine: World, theirs: World, model: type[models.Model]
) -> None:
    walk = walk_of(mine, theirs)
    walk.lists(model)
    assert walk.faults == []

    unscoped(monkeypatch, model, lists=True)
    walk.seen.clear()
    walk.lists(model)

    assert any(" tells " in fault for fault in walk.faults)


@pytest.mark.parametrize("model", OF_A_CLIENT, ids=name_of)
def test_a_model_that_shows_an_unseen_client_is_reported(
    monkeypatch: pytest.MonkeyPatch, mine: World, unseen: World, model: type[models.Model]
) -> None:
    walk = walk_of(mine, unseen)
    pages = {f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}" for page in ("change", "history")}
    addresses = [route for route in routes() if route.name in pages]
    for route in addresses:
        walk.with_ids(route)
    assert walk.faults == []

    unscoped(monkeypatch, model)
    for route in addresses:
        walk.with_ids(route)

    assert {fault.split(" ")[0] for fault in walk.faults} >= pages


def test_the_whole_walk_fails_when_one_models_scope_is_gone(
    monkeypatch: pytest.MonkeyPatch, mine: World, theirs: World
) -> None:
    unscoped(monkeypatch, Voucher, lists=True)

    faults = walk_of(mine, theirs).everything()

    assert any(fault.startswith("GET /admin/ledger/voucher/") and " tells " in fault for fault in faults), faults
    assert all("/voucher/" in fault for fault in faults), faults


def test_an_api_that_forgets_its_bureau_is_reported(
    monkeypatch: pytest.MonkeyPatch, mine: World, theirs: World
) -> None:
    walk = walk_of(mine, theirs)
    monkeypatch.setattr("apps.api.tokens.Machine.clients", lambda _machine: Client._base_manager.all())

    for route in (route for route in routes() if route.is_api):
        (walk.with_ids if route.parameters else walk.without_ids)(route)

    assert any(fault.startswith("GET /api/v1/status ") for fault in walk.faults), walk.faults
    assert any(fault.startswith("api:client_status ") for fault in walk.faults), walk.faults


def test_a_model_that_was_not_walked_is_reported(monkeypatch: pytest.MonkeyPatch, mine: World, theirs: World) -> None:
    walk = walk_of(mine, theirs)
    monkeypatch.setitem(admin.site._registry, Posting, admin.ModelAdmin(Posting, admin.site))

    assert "admin:ledger_posting_change was not visited" in walk.unvisited()
    with pytest.raises(AssertionError, match=r"no row is made of \['ledger.Posting'\]"):
        World(1, "x", "x", "", Decimal(1)).build()


def test_an_api_path_that_was_not_walked_is_reported(mine: World, theirs: World) -> None:
    assert "api:client_status was not visited" in walk_of(mine, theirs).unvisited()


@pytest.mark.parametrize("base", [BureauAdmin, admin.ModelAdmin])
def test_a_model_of_others_would_be_for_superusers_only(mine: World, base: type[admin.ModelAdmin[Any]]) -> None:
    page = base(Session, admin.site)
    request = RequestFactory().get("/")

    for person, may in ((member(mine, "owner"), False), (UserFactory(is_superuser=True), True)):
        request.user = person
        assert page.has_module_permission(request) is may
        assert page.has_view_permission(request) is page.has_change_permission(request) is may
        assert page.has_add_permission(request) is page.has_delete_permission(request) is may


def test_models_of_others_are_for_superusers_only(mine: World) -> None:
    browser = signed_in(member(mine, "owner"))
    foreign = [model for model in admin.site._registry if not model.__module__.startswith("apps.")]

    for model in foreign:
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert browser.get(address).status_code == 403, address
        assert browser.get(f"{address}add/").status_code == 403, address


def test_permissions_of_django_open_nothing(mine: World) -> None:
    person = member(mine, "read_only")
    from django.contrib.auth.models import Permission

    person.user_permissions.set(Permission.objects.all())

    assert not person.has_perm("organisations.view_user")
    assert signed_in(person).get("/admin/organisations/user/").status_code == 403


@pytest.mark.parametrize("role", ["owner", "manager"])
def test_rows_of_the_bureau_tell_nothing_of_a_client_that_is_not_seen(mine: World, unseen: World, role: str) -> None:
    """Clients taken in together, and a cause that is shared: what is told of the one client is not of the other."""
    walk = walk_of(mine, unseen, role)
    with system_scope("tests"):
        shared = Problem.objects.get(client=None)
        batches = Batch.objects.filter(connector=None, organisation=mine.rows[Organisation])
        pages = [
            f"/admin/onboarding/{batch.pk}/{part}" for batch in batches for part in ("", "progress/", "report.csv")
        ]
        hidden = Line.objects.get(batch__in=batches, client=unseen.client, state="listed")
    pages += [
        f"/admin/notifications/problem/{shared.pk}/change/", "/admin/notifications/problem/", "/admin/", "/admin/bell/",
        f"/admin/onboarding/clients/{mine.rows[Organisation].pk}.csv", "/admin/onboarding/",
    ]  # fmt: skip

    told_of_mine = ""
    for address in pages:
        answer = walk.get(address)
        assert answer.status_code == 200, address
        told_of_mine += answer.content.decode()
    walk.post(f"/admin/onboarding/{hidden.batch_id}/start/", {"line": [str(hidden.pk)]})

    assert walk.faults == []
    assert told_of_mine.count(mine.text) > 5
    with system_scope("tests"):
        assert Line.objects.get(pk=hidden.pk).state == "listed"


@pytest.mark.parametrize("role", ["owner", "manager"])
def test_what_goes_with_a_row_of_mine_is_named_as_far_as_it_is_seen(mine: World, unseen: World, role: str) -> None:
    walk = walk_of(mine, unseen, role)

    for model in (Membership, Webhook):
        walk.rows_of_mine(model)
    page = walk.get(f"/admin/organisations/membership/{mine.pk}/delete/").content.decode()

    assert walk.faults == []
    assert mine.client.name in page
    assert "not shown to you" in page


def test_a_digest_tells_nothing_of_a_client_that_the_person_does_not_see(mine: World, unseen: World) -> None:
    person, long_ago = member(mine, "manager"), timezone.now() - timedelta(days=1)
    with system_scope("tests"):
        Problem.objects.filter(told_at__lte=long_ago).update(told_at=timezone.now())
        Client.objects.update(responsible=None)
        mail = Mail(user=person, organisation=mine.rows[Organisation], since=long_ago)
        digest = digest_of(mail)
        Problem.objects.exclude(client=unseen.client).delete()
        nothing = digest_of(mail), has_news(person, long_ago)

    assert digest is not None
    assert mine.text in digest.body
    assert [mark for mark in unseen.marks if mark in digest.subject + digest.body] == []
    assert nothing == (None, False)


def test_ids_of_another_bureau_in_bodies_of_office_forms_are_not_found(mine: World, theirs: World) -> None:
    browser = signed_in(member(mine, "owner"))
    client = f"/admin/clients/client/{mine.pk}/access"
    before = theirs.snapshot()

    named = browser.post(f"{client}/assign/", {"membership": theirs.pk, "kind": "named"})
    responsible = browser.post(f"{client}/responsible/", {"membership": theirs.pk})

    assert (named.status_code, responsible.status_code) == (404, 404)
    assert theirs.snapshot() == before


def test_every_client_row_is_walked_for_hidden_clients_too(mine: World, unseen: World) -> None:
    """Models of the bureau as a whole have no row in the world of one client; all others have."""
    assert {model for model in MAKERS if client_path(model) is None} == {
        model for model in MAKERS if model not in unseen.rows or unseen.rows[model].pk != unseen.pk
    }
