"""What the masker hides, and in which disguises."""

from urllib.parse import quote

import pytest

from apps.connectors.sdk.masking import MASK, Masker

SECRET = 'ab:c/d+e="f g'


@pytest.mark.parametrize("form", [SECRET, quote(SECRET, safe=""), "ab:c%2Fd%2Be%3D%22f+g", 'ab:c/d+e=\\"f g'])
def test_a_known_secret_is_hidden_however_it_is_written(form: str) -> None:
    masker = Masker([], [SECRET])
    assert masker.text(f"<{form}>") == f"<{MASK}>"
    assert masker.body(f"<{form}>".encode()) == f"<{MASK}>".encode()


@pytest.mark.parametrize(
    ("body", "hidden"),
    [
        (b'\n {"value": {"token": "t0k3n"}}', b'{"value": {"token": "***"}}'),
        (b'{"value": {"token": "t0k', b'{"value": {"token": "***"'),
        (b'jsonp({"token" : "t0\\"k3n", "id": 1})', b'jsonp({"token" : "***", "id": 1})'),
        (b"\xff\xfe no text", b"\xff\xfe no text"),
        (b'{"token": "of another place"}', b'{"token": "of another place"}'),
    ],
)
def test_a_secret_path_is_hidden_in_whole_json_and_its_name_in_anything_else(body: bytes, hidden: bytes) -> None:
    assert Masker(["json:value.token"]).body(body) == hidden


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it_behind() -> None:
    for values in (["canary-1", "canary-1-and-more"], ["canary-1-and-more", "canary-1"]):
        assert Masker([], values).text("<canary-1-and-more> <canary-1>") == f"<{MASK}> <{MASK}>"


def test_of_many_tokens_the_newest_and_what_was_entered_stay_hidden() -> None:
    masker = Masker([], ["entered-secret"])
    for number in range(1000):
        masker.know(f"token-{number:06}", "the-same-again")
    text = "entered-secret token-000999 token-000950 the-same-again"
    assert masker.text(text) == " ".join([MASK] * 4)
    assert len(masker.forms) < 200


def test_what_a_request_proves_itself_with_is_hidden_where_the_answer_repeats_it() -> None:
    masker = Masker(["header:x-mac"])
    masker.sending({"Authorization": "Basic MDpzZXNzaW9uLXRva2Vu", "X-Mac": "0123456789abcdef", "Accept": "text/html"})

    assert masker.text("you sent Basic MDpzZXNzaW9uLXRva2Vu and 0123456789abcdef") == "you sent *** and ***"
    assert masker.text("sent MDpzZXNzaW9uLXRva2Vu, text/html") == "sent ***, text/html"
    masker.know("a-token-just-issued")
    assert masker.text("MDpzZXNzaW9uLXRva2Vu a-token-just-issued") == "*** ***"
    masker.sending({"X-Mac": "fedcba9876543210"})
    assert masker.text("fedcba9876543210 a-token-just-issued") == "*** ***"
    assert len(masker.forms) <= 4  # what earlier requests sent is not searched for any more
