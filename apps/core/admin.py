"""Bases of the admin: who may see and change what, and how states, amounts and times are written there."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import NestedObjects
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models, router
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

from apps.core.scope import current_scope, organisation_of

NONE = "–"
# One meaning per colour, and a shape of its own for each (UI.md 2).
SHAPES = {
    "green": "check_circle",
    "outline": "rule",
    "amber": "schedule",
    "red": "error",
    "grey": "do_not_disturb_on",
    "blue": "sync",
}


def badge(colour: str, word: Any, *, icon: str = "", title: Any = "") -> SafeString:
    """A state: its colour, the shape that belongs to it, and always the word."""
    return format_html(
        '<span class="k-state k-{}" title="{}"><span class="material-symbols-outlined" aria-hidden="true">{}</span>'
        "<span>{}</span></span>",
        colour,
        title,
        icon or SHAPES[colour],
        word,
    )


def amount_text(amount: Decimal | None) -> str:
    """Two places at least, thousands separated as the reader's language does; a dash for nothing."""
    if amount is None:
        return NONE
    exponent = amount.as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    text = formats.number_format(abs(amount), decimal_pos=places, force_grouping=True)
    return f"\N{MINUS SIGN}{text}" if amount < 0 else text


def number_text(number: int) -> str:
    return formats.number_format(number, decimal_pos=0, force_grouping=True)


def day_text(day: date | None, *, year: bool = False) -> str:
    """`14 Nov`, with the year where it is not the present one."""
    if day is None:
        return NONE
    written = year or day.year != timezone.localdate().year
    return formats.date_format(day, "j M Y" if written else "j M")


def time_text(at: datetime | None) -> str:
    """The hour today, day and hour before, in the reader's zone."""
    if at is None:
        return NONE
    local = timezone.localtime(at)
    hour = formats.date_format(local, "H:i")
    return hour if local.date() == timezone.localdate() else f"{day_text(local.date())} {hour}"


def ago(at: datetime | None) -> str | SafeString:
    """How long ago, with the exact time on hover."""
    if at is None:
        return NONE
    exact = formats.date_format(timezone.localtime(at), "j M Y H:i:s")
    words = (
        _("just now")
        if (timezone.now() - at).total_seconds() < 60
        else _("%(time)s ago") % {"time": timesince(at, depth=1)}
    )
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, words)


def seconds_text(seconds: float) -> str:
    """`40 s`, `3 min`, `1 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return _("%(seconds)d s") % {"seconds": whole}
    if whole < 3600:
        return _("%(minutes)d min") % {"minutes": round(whole / 60)}
    return _("%(hours)d h %(minutes)d min") % {"hours": whole // 3600, "minutes": whole % 3600 // 60}


def amount_cell(amount: Decimal | None) -> SafeString:
    return format_html('<span class="k-num k-cell">{}</span>', amount_text(amount))


class Rights:
    """Permissions by role, from the one table in organisations.rights, instead of Django's per model.

    What the table does not name nobody may; models of others are for superusers only.
    """

    model: Any

    def allows(self, request: HttpRequest, action: str, row: models.Model | None) -> bool:
        may = getattr(request.user, "may", None)
        if may is None:
            return False
        if not self.model.__module__.startswith("apps."):
            return bool(request.user.is_active and request.user.is_superuser)
        known = row is not None and row.pk is not None and hasattr(type(row), "TENANT_PATH")
        organisation = organisation_of(row) if known and row is not None else None
        return bool(may(f"{self.model._meta.label_lower}.{action}", organisation))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "view", None)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "view", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - an inline gets its parent
        return self.allows(request, "add", None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "delete", obj)


class BureauAdmin(Rights, ModelAdmin):
    """Lists narrow themselves to what the reader sees: every query runs through the scoped manager."""

    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False
    list_filter_submit = True
    list_filter_sheet = True
    compressed_fields = True
    warn_unsaved_form = True
    big_table = False  # the pages are not counted

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Who works for several bureaus may have the right to this list in some of them only."""
        found: models.QuerySet[Any] = super().get_queryset(request)
        path = getattr(self.model, "TENANT_PATH", None)
        chosen = organisations_where(request, f"{self.model._meta.label_lower}.view")
        return found if path is None or chosen is None else found.filter(**{f"{path}__in": chosen})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ARG002, FBT001 - Django's
        """Of a row that was there only what changed in the form is written, and one that is gone is not made again.

        The rest was read before the row was locked: writing it would undo what a guarded action has done since.
        """
        columns = self.columns_changed(form) if change else None
        if columns:
            rows = type(obj)._base_manager.select_for_update(of=("self",), no_key=True)
            get_object_or_404(rows, pk=obj.pk)
        obj.save(update_fields=columns)

    def columns_changed(self, form: Any) -> set[str]:
        """Which columns the form writes; an admin that sets others itself names them."""
        fields = form.instance._meta.concrete_fields
        changed = {field.name for field in fields} & set(form.changed_data)
        return changed | {field.name for field in fields if changed and getattr(field, "auto_now", False)}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {name: found for name, found in super().get_actions(request).items() if name != "delete_selected"}

    def response_action(self, request: HttpRequest, queryset: Any) -> Any:
        """A chosen row that the reader does not see is not passed over in silence."""
        chosen = set(request.POST.getlist(ACTION_CHECKBOX_NAME))
        if chosen and request.POST.get("select_across", "0") == "0":
            try:
                seen = self.get_queryset(request).filter(pk__in=chosen).count()
            except (ValueError, ValidationError):
                seen = 0
            if seen < len(chosen):
                raise Http404
        return super().response_action(request, queryset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with the rows. Django collects it past every scope, so what the reader does not see is not named."""
        collector = NestedObjects(using=router.db_for_write(self.model), origin=objs)
        collector.collect(objs)
        held: dict[type[models.Model], set[models.Model]] = collector.model_objs  # type: ignore[assignment] # stubs: str
        seen = _seen_of({*collector.protected, *(row for found in held.values() for row in found)})
        refused = {
            model._meta.verbose_name
            for model, found in held.items()
            if self.admin_site.is_registered(model)
            for page in [self.admin_site.get_model_admin(model)]
            if not all(page.has_delete_permission(request, row) for row in found)
        }

        def told(row: models.Model) -> str:
            return f"{capfirst(row._meta.verbose_name)}: {row if row in seen else _('not shown to you')}"

        counts = {model._meta.verbose_name_plural: len(found) for model, found in held.items()}
        return collector.nested(told), counts, refused, [told(row) for row in collector.protected]

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> Any:  # noqa: ARG002 - Django's signature
        raise Http404

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Paginator[Any]:
        found: Paginator[Any]
        if self.big_table:
            found = InfinitePaginator(*args, **kwargs)
        else:
            found = super().get_paginator(request, *args, **kwargs)
        return found

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choices are the reader's own: of bureaus where he may do this, and people of the same bureaus."""
        related = db_field.remote_field.model
        if related is get_user_model():
            label = self.model._meta.label_lower
            added, changed = (organisations_where(request, f"{label}.{action}") for action in ("add", "change"))
            kwargs["queryset"] = colleagues(related, None if added is None or changed is None else added | changed)
        elif "queryset" not in kwargs:
            kwargs["queryset"] = self._choices(request, related)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", self._choices(request, db_field.remote_field.model))
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _choices(self, request: HttpRequest, related: type[models.Model]) -> models.QuerySet[Any]:
        found: models.QuerySet[Any] = related._default_manager.all()
        path = getattr(related, "TENANT_PATH", None)
        label = self.model._meta.label_lower
        added = organisations_where(request, f"{label}.add")
        changed = organisations_where(request, f"{label}.change")
        if path is None or added is None or changed is None:
            return found
        return found.filter(**{f"{path}__in": added | changed})


def _seen_of(rows: Iterable[models.Model]) -> set[models.Model]:
    """Read again through the scoped managers. Rows that belong to no bureau are not among them."""
    keys: dict[type[models.Model], list[Any]] = {}
    for row in rows:
        if hasattr(type(row), "TENANT_PATH"):
            keys.setdefault(type(row), []).append(row.pk)
    return {row for model, pks in keys.items() for row in model._default_manager.filter(pk__in=pks)}


def organisations_where(request: HttpRequest, right: str) -> frozenset[int] | None:
    """Where the reader has the right; None for a superuser: everywhere."""
    user: Any = request.user
    if user.is_superuser:
        return None
    return frozenset(one for one in user.roles() if user.may(right, one))


class ReadOnlyInline(Rights, TabularInline):
    """Rows of something that people read and never change here."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False


def colleagues(users: Any, organisations: frozenset[int] | None = None, *, known: bool = False) -> models.QuerySet[Any]:
    """Users who are members of these organisations, by default of those in scope; all of them for a superuser.

    `known`: without those of whom the reader may know nothing but the address.
    """
    scope = current_scope()
    if organisations is None:
        organisations = scope.organisations if scope is not None else None
    if organisations is None:
        found: models.QuerySet[Any] = users.objects.all()
        return found
    narrowed: models.QuerySet[Any] = users.objects.filter(membership__organisation__in=organisations).distinct()
    nameless = scope.reach.nameless if known and scope is not None and scope.reach is not None else ()
    return narrowed.exclude(pk__in=nameless)
