"""Bureaus, their people and roles. Accounts of people are made by managers and changed by superusers only."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.audit.admin import AuditedAdmin
from apps.core.admin import BureauAdmin, ReadOnlyInline, colleagues
from apps.organisations.actions import may_reset
from apps.organisations.models import Membership, Organisation, User

admin.site.unregister(Group)  # roles stand in memberships


class PersonForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email",)
        field_classes: dict[str, Any] = {}


class MembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role")
    autocomplete_fields = ()


@admin.register(Organisation)
class OrganisationAdmin(AuditedAdmin):
    level_change = "manage"
    list_display = ("name", "slug", "country", "time_zone", "night_hour")
    search_fields = ("name", "slug")
    fields = ("name", "slug", "country", "language", "time_zone", "night_hour")
    inlines = (MembershipInline,)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return bool(getattr(request.user, "is_superuser", False))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None or getattr(request.user, "is_superuser", False) else ("slug",)


@admin.register(Membership)
class MembershipAdmin(AuditedAdmin):
    level_add = level_change = level_delete = "manage"
    list_display = ("user", "organisation", "role")
    list_filter = ("role",)
    list_select_related = ("user", "organisation")
    search_fields = ("user__email", "user__name", "organisation__name")
    fields = ("user", "organisation", "role")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("user", "organisation") if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "organisation":
            managed = [row.pk for row in Organisation.objects.all() if _manages(request, row.pk)]
            kwargs["queryset"] = Organisation.objects.filter(pk__in=managed)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def _manages(request: HttpRequest, organisation_id: int) -> bool:
    return isinstance(request.user, User) and request.user.may("manage", organisation_id)


@admin.register(User)
class PersonAdmin(BureauAdmin, UserAdmin[User]):
    """A person may work for several bureaus, so one bureau's manager does not change the account."""

    form = UserChangeForm
    add_form = PersonForm
    change_password_form = AdminPasswordChangeForm
    level_view = "manage"
    ordering = ("email",)
    list_display = ("email", "name", "language", "is_staff", "is_active")
    list_filter = ("is_staff", "is_active", "language")
    search_fields = ("email", "name")
    filter_horizontal = ()
    readonly_fields = ("last_login", "joined_at")
    fieldsets = (
        (None, {"fields": ("email", "name", "language", "time_zone")}),
        (_("Access"), {"fields": ("password", "is_active", "is_staff", "is_superuser", "last_login", "joined_at")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "name", "language", "time_zone", "is_staff", "password1", "password2")}),
    )

    actions_detail = ("reset_second_factor",)

    @action(description=_("Reset two-factor sign-in"), url_path="second-factor", permissions=("reset_factor",))
    def reset_second_factor(self, request: HttpRequest, object_id: int) -> HttpResponse:  # noqa: ARG002 - Unfold's signature
        return redirect("people:factor_reset", object_id)

    def has_reset_factor_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        person = self.get_queryset(request).filter(pk=object_id).first()
        return person is not None and may_reset(request.user, person)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:  # noqa: ARG002 - Django's signature
        return colleagues(User)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and not getattr(request.user, "is_superuser", False):
            return ((None, {"fields": ("email", "name", "language", "time_zone", "is_active", "is_staff")}),)
        return super().get_fieldsets(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return bool(getattr(request.user, "is_superuser", False))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return bool(getattr(request.user, "is_superuser", False))
