"""Headers that tell browsers what a page may do. Strict everywhere but under /admin/ (DESIGN 7)."""

from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

# Nothing of a bureau's office needs the machine's sensors or payment dialogues.
PERMISSIONS = ", ".join(
    f"{name}=()"
    for name in (
        "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation",
        "gyroscope", "magnetometer", "microphone", "midi", "payment", "publickey-credentials-get", "usb", "xr-spatial-tracking",
    )
)  # fmt: skip
# Alpine, on which Unfold is built, compiles expressions of the page; Unfold sets styles in attributes (STACK 6).
ADMIN = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}


class PolicyMiddleware(CSPMiddleware):
    """django-csp with the admin's exceptions by address, so that no view can forget or widen them."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return super().process_response(request, response)

    def get_policy_parts(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        report_only: bool = False,  # noqa: FBT001, FBT002 - csp's
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and request.path_info.startswith(reverse("admin:index")):
            parts.update = ADMIN
        return parts
