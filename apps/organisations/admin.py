"""Bureaus, their people and roles. Accounts of people are made by managers and changed by superusers only."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget

from apps.audit.admin import AuditedAdmin
from apps.core.admin import BureauAdmin, ReadOnlyInline, colleagues, organisations_where
from apps.organisations.actions import give_role, person_of, take_role
from apps.organisations.enums import Role
from apps.organisations.models import Membership, Organisation, User
from apps.organisations.second_factor import may_reset

admin.site.unregister(Group)  # roles stand in memberships


class PersonForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email",)
        field_classes: dict[str, Any] = {}


class NewPasswordForm(AdminPasswordChangeForm):
    """Django's writes the whole account: also that it is active, as it was read."""

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002 - Django's
        user: User = super().save(commit=False)
        if commit:
            user.save(update_fields=["password"])
        return user


class MembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role")
    autocomplete_fields = ()


@admin.register(Organisation)
class OrganisationAdmin(AuditedAdmin):
    list_display = ("name", "slug", "country", "time_zone", "night_hour")
    search_fields = ("name", "slug")
    fields = ("name", "slug", "country", "language", "time_zone", "night_hour")
    inlines = (MembershipInline,)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return bool(getattr(request.user, "is_superuser", False))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None or getattr(request.user, "is_superuser", False) else ("slug",)


class NewMemberForm(forms.ModelForm):  # type: ignore[type-arg] # its fields are made by the admin, inside a scope
    """People are called by their e-mail address: whether it has an account already is nobody's business."""

    email = forms.EmailField(label=_("E-mail"), widget=UnfoldAdminEmailInputWidget)
    name = forms.CharField(label=_("Name"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        organisation, email = values.get("organisation"), values.get("email", "")
        if organisation and Membership.objects.filter(organisation=organisation, user__email__iexact=email).exists():
            self.add_error("email", _("This person belongs to the bureau already: change the role there."))
        return values


@admin.register(Membership)
class MembershipAdmin(BureauAdmin):
    """Who belongs to the bureau, and as what. The rules stand in the actions; what they refuse is told."""

    list_display = ("user", "organisation", "role")
    list_filter = ("role",)
    list_select_related = ("user", "organisation")
    search_fields = ("user__email", "organisation__name")  # by name: in the list of people

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 - Django's
        if obj is None:
            kwargs["form"] = NewMemberForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("user", "organisation", "role") if obj else ("organisation", "email", "name", "role")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("user", "organisation") if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Never the first of the list, which is the owner."""
        found = organisations_where(request, "organisations.membership.add") or frozenset()
        only = {"organisation": next(iter(found))} if len(found) == 1 else {}
        return {"role": Role.ACCOUNTANT, **only, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        if not change:
            obj.user = person_of(form.cleaned_data["email"], form.cleaned_data["name"])
            obj.user.name = ""  # not saved: what this request tells of the person is the address
        member = give_role(organisation=obj.organisation, user=obj.user, role=obj.role, actor=request.user)
        obj.pk = member.pk
        if not change:
            told = _("Who has no account of Kontor yet needs a password: an administrator of Kontor sets it.")
            messages.info(request, told)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        take_role(membership=obj, actor=request.user)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._told(request, lambda: super(MembershipAdmin, self).changeform_view(request, *args, **kwargs))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._told(request, lambda: super(MembershipAdmin, self).delete_view(request, *args, **kwargs))

    def _told(self, request: HttpRequest, view: Callable[[], Any]) -> Any:
        try:
            return view()
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return redirect(request.path)


@admin.register(User)
class PersonAdmin(BureauAdmin, UserAdmin[User]):  # type: ignore[misc] # Unfold carries no types
    """A person may work for several bureaus, so one bureau's manager does not change the account."""

    form = UserChangeForm
    add_form = PersonForm
    change_password_form = NewPasswordForm
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """The page of an account tells more than the address."""
        return colleagues(User, organisations_where(request, "organisations.user.view"), known=True)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and not getattr(request.user, "is_superuser", False):
            return ((None, {"fields": ("email", "name", "language", "time_zone", "is_active", "is_staff")}),)
        return super().get_fieldsets(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return bool(getattr(request.user, "is_superuser", False))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return bool(getattr(request.user, "is_superuser", False))
