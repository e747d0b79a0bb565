"""Pages of the two-factor sign-in: set up, enter a code, look after it, reset it for somebody."""

from typing import Any
from urllib.parse import quote

import segno
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django_otp import login as otp_login

from apps.core.admin import colleagues
from apps.organisations import second_factor
from apps.organisations.forms import CodeForm
from apps.organisations.models import SecondFactor, User
from apps.organisations.second_factor import Entered

ISSUER = "Kontor"
BEGUN = "kontor_begun_factor"  # in the session: the key that it was shown


@never_cache
@sensitive_post_parameters("code")
def factor(request: HttpRequest) -> HttpResponse:
    """Set up where there is none, else what can be done with it."""
    user = _staff(request)
    held = second_factor.factor_of(user)
    if held is None:
        return _set_up(request, user)
    if not _is_verified(user):
        return redirect("people:factor_enter")
    return _look_after(request, user, held)


@never_cache
@sensitive_post_parameters("code")
def factor_enter(request: HttpRequest) -> HttpResponse:
    """The second step of signing in."""
    user = _staff(request)
    held = second_factor.factor_of(user)
    if held is None or _is_verified(user):
        return redirect(_next(request))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        entered = second_factor.enter(user=user, code=form.cleaned_data["code"])
        if entered in (Entered.RIGHT, Entered.RECOVERY):
            _verified(request, held)
            if entered is Entered.RECOVERY:
                _tell_left(request, held)
            return redirect(_next(request))
        form.add_error("code", _refusal(held, entered))
    return _page(request, "organisations/factor_enter.html", _("Enter the code"), form=form, next=_next(request))


@never_cache
def factor_reset(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody's telephone is lost: asked first, then done."""
    person = get_object_or_404(colleagues(User, known=True), pk=pk)
    if not second_factor.may_reset(request.user, person):
        raise PermissionDenied
    held = second_factor.factor_of(person) is not None
    if request.method == "POST":
        second_factor.remove(user=person, actor=request.user)
        messages.success(request, _("The two-factor sign-in of %(person)s was reset.") % {"person": person})
        return redirect("admin:organisations_user_change", person.pk)
    return _page(request, "organisations/factor_reset.html", _("Reset two-factor sign-in"), person=person, held=held)


def _set_up(request: HttpRequest, user: User) -> HttpResponse:
    begun = second_factor.begin(user=user, begun=request.session.get(BEGUN))
    request.session[BEGUN] = begun.pk
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        entered, codes = second_factor.confirm(user=user, begun=begun.pk, code=form.cleaned_data["code"])
        if entered is Entered.RIGHT:
            del request.session[BEGUN]
            begun.refresh_from_db()
            _verified(request, begun)
            return _codes_page(request, codes)
        form.add_error("code", _refusal(begun, entered))
    return _page(
        request, "organisations/factor_set_up.html", _("Set up two-factor sign-in"), form=form, next=_next(request),
        picture=qr_code(user, begun), key=begun.shown_key, required=settings.KONTOR_TWO_FACTOR,
    )  # fmt: skip


def _look_after(request: HttpRequest, user: User, held: SecondFactor) -> HttpResponse:
    """New recovery codes, or another app: both ask for a code once more."""
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        entered = second_factor.enter(user=user, code=form.cleaned_data["code"])
        if entered not in (Entered.RIGHT, Entered.RECOVERY):
            form.add_error("code", _refusal(held, entered))
        elif "remove" in request.POST:
            second_factor.remove(user=user, actor=user)
            user.refresh_from_db()
            update_session_auth_hash(request, user)  # this one session goes on: it has just entered a code
            messages.success(request, _("The app was removed. Set up the new one now."))
            return redirect("people:factor")
        else:
            return _codes_page(request, second_factor.new_codes(user=user))
    return _page(
        request, "organisations/factor.html", _("Two-factor sign-in"), form=form, held=held,
        left=held.recovery_codes.count(),
    )  # fmt: skip


def qr_code(user: User, begun: SecondFactor) -> SafeString:
    """The key as authenticator apps read it, drawn here: it is shown to nobody else's server."""
    digits, period = str(begun.DIGITS), str(begun.PERIOD)
    asked = urlencode({"secret": begun.shown_key, "issuer": ISSUER, "digits": digits, "period": period})
    label = quote(f"{ISSUER}:{user.email}")
    picture = segno.make(f"otpauth://totp/{label}?{asked}", error="m", micro=False)
    drawn = picture.svg_inline(border=4, omitsize=True, dark="#000", light="#fff", svgclass=None, lineclass=None)
    return mark_safe(drawn)  # noqa: S308 - made by the library from paths; no text of anybody stands in it


def _staff(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User) or not admin.site.has_permission(request):
        raise PermissionDenied
    return user


def _is_verified(user: Any) -> bool:
    return bool(user.is_verified())  # put there by django-otp's middleware


def _verified(request: HttpRequest, held: SecondFactor) -> None:
    """From now on the session may see the pages: it gets another key, so that one seen earlier opens nothing."""
    request.session.cycle_key()
    otp_login(request, held)


def _refusal(factor: SecondFactor, entered: Entered) -> str:
    until = second_factor.locked_until(factor)
    seconds = 1 if until is None else max(1, round((until - timezone.now()).total_seconds()))
    wait = ngettext("Wait %(count)d second.", "Wait %(count)d seconds.", seconds) % {"count": seconds}
    if entered is Entered.TOO_SOON:
        return _("Too many wrong codes; this one was not looked at.") + " " + wait
    wrong = _("This code is not right. Check that the clock of your telephone is right, and take the next code.")
    return f"{wrong} {wait}"


def _tell_left(request: HttpRequest, held: SecondFactor) -> None:
    left = held.recovery_codes.count()
    told = ngettext(
        "You used a recovery code; %(count)d is left.", "You used a recovery code; %(count)d are left.", left
    )
    messages.warning(request, told % {"count": left})


def _next(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure()):
        return wanted
    return reverse("admin:index")


def _codes_page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return _page(
        request, "organisations/factor_codes.html", _("Keep these recovery codes"), codes=codes, next=_next(request)
    )


def _page(request: HttpRequest, template: str, title: Any, **context: Any) -> TemplateResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), "title": title, **context})
