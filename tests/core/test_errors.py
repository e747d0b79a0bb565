from django.test import RequestFactory
from django.views.debug import ExceptionReporter

KEY = "a-key-that-somebody-typed"


def test_tracebacks_show_places_without_values() -> None:
    key = KEY
    request = RequestFactory().post("/admin/", {"api_key": key})
    try:
        raise ValueError("it failed")
    except ValueError as error:
        reporter = ExceptionReporter(request, type(error), error, error.__traceback__)

    for shown in (reporter.get_traceback_text(), reporter.get_traceback_html()):
        assert "test_tracebacks_show_places_without_values" in shown
        assert "it failed" in shown
        assert "api_key" in shown
        assert KEY not in shown
