from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from apps.notifications.actions import looked
from apps.office.bell import bell_of
from apps.office.views.page import allowed
from apps.organisations.models import Organisation
from apps.sync.deadman import watch_now_and_then


@require_GET
def bell(request: HttpRequest) -> JsonResponse:
    user = allowed(request, "view", None)
    watch_now_and_then()
    return JsonResponse(bell_of(user), headers={"Cache-Control": "no-store"})


@require_POST
def looked_at(request: HttpRequest) -> HttpResponse:
    """The person opened the bell: nothing that it shows is unread any more."""
    user = allowed(request, "view", None)
    for organisation in Organisation.objects.all():
        looked(organisation_id=organisation.pk, user=user)
    return HttpResponse(status=204)
