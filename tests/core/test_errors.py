from django.test import RequestFactory
from django.views.debug import ExceptionReporter

KEY = "a typed key".title()  # unlike what stands here: the lines of the source are shown


def test_tracebacks_show_places_without_values() -> None:
    key = KEY
    request = RequestFactory().post("/admin/", {"api_key": key})
    try:
        int("no number")
    except ValueError as error:
        reporter = ExceptionReporter(request, type(error), error, error.__traceback__)

    for shown in (reporter.get_traceback_text(), reporter.get_traceback_html()):
        assert "test_tracebacks_show_places_without_values" in shown
        assert "no number" in shown
        assert "api_key" in shown
        assert KEY not in shown
