"""Whatever stands in the address bar, no page breaks, and what is wrong is named.

FUZZ_QUERIES is how many addresses are tried (5,000 for a long look), FUZZ_SEED where chance begins.
"""

import html
import os
from random import Random

import pytest
import time_machine

from reports import folding
from tests.dashboard.pages.test_query_counts import NOW, fill
from tests.fuzz import queries

pytestmark = pytest.mark.django_db
ADDRESSES = int(os.environ.get("FUZZ_QUERIES", "300"))
SEED = int(os.environ.get("FUZZ_SEED", "20260310"))


@pytest.mark.parametrize("who", ["admin", "viewer"])
def test_no_address_breaks_a_page_and_a_wrong_field_is_named(who, request):
    client = request.getfixturevalue(who)
    random = Random(f"{SEED} {who}")
    statuses: dict[int, int] = {}
    with time_machine.travel(NOW, tick=False):
        client.force_login(client.get("/data/").wsgi_request.user)  # a session of that day
        fill(20)
        folding.fold()
        for number in range(ADDRESSES // 2):
            address, names = queries.address(random)
            headers = {"HX-Request": "true"} if random.random() < 0.25 else {}
            where = f"seed {SEED}, {who}, {number}: {address[:500]}"
            try:
                answer = client.get(address, headers=headers)
                body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            except Exception as error:
                raise AssertionError(where) from error
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            assert answer.status_code in {200, 302, 400, 403, 404, 405, 410}, where
            text = html.unescape(body.decode("utf-8-sig"))
            if answer.status_code == 400 and names and address.count("=") < 100:
                assert any(f"{name}=" in text for name in names) or is_told(address, text), where
            if "Set-Cookie: a=b" in address:
                assert "a" not in answer.cookies, where
            if answer.status_code == 302:
                assert not answer.url.startswith(("//", "http", "javascript")), where
    # Neither all of it is refused nor nothing.
    assert statuses[200] > ADDRESSES / 10
    assert statuses[400] > ADDRESSES / 20


def is_told(address: str, text: str) -> bool:
    """Pages that keep a view name the page or the filter that cannot be kept; a broken name is named as it is."""
    if address.startswith(("/mail/new/", "/views/save/")):
        return "400" in text
    return any(f"{name}=" in text for name in ("q", "a", "\ufffd", "?"))
