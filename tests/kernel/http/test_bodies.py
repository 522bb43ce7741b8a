"""A body's limit is what still passes, by every way a server hands bodies on."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import EnvironBuilder

from kernel.http.application import AnyRequest

LIMIT = 1_000


def _request(size: int, *, is_announced: bool, is_terminated: bool = True) -> AnyRequest:
    environ = EnvironBuilder(method="POST").get_environ()
    environ["wsgi.input"] = io.BytesIO(b"x" * size)
    environ.pop("wsgi.input_terminated", None)
    if is_terminated:
        environ["wsgi.input_terminated"] = True
    if is_announced:
        environ["CONTENT_LENGTH"] = str(size)
    request = AnyRequest(environ)
    request.max_content_length = LIMIT
    return request


@pytest.mark.parametrize("is_announced", [True, False])
@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
def test_a_body_up_to_the_limit_is_read_whole(size: int, is_announced: bool) -> None:
    assert len(_request(size, is_announced=is_announced).get_data()) == size


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_of_the_limit_is_read_whole_piece_by_piece(is_announced: bool) -> None:
    request = _request(LIMIT, is_announced=is_announced)
    assert b"".join(iter(lambda: request.stream.read(300), b"")) == b"x" * LIMIT


@pytest.mark.parametrize("is_announced", [True, False])
def test_one_byte_more_is_too_large_and_no_part_is_taken_for_the_whole(is_announced: bool) -> None:
    with pytest.raises(RequestEntityTooLarge):
        _request(LIMIT + 1, is_announced=is_announced).get_data()


@given(size=st.integers(0, 3 * LIMIT), piece=st.integers(1, 2 * LIMIT))
def test_any_way_of_reading_gives_the_whole_or_refuses(size: int, piece: int) -> None:
    request, read = _request(size, is_announced=False), b""
    try:
        while part := request.stream.read(piece):
            read += part
    except RequestEntityTooLarge:
        assert size > LIMIT
    else:
        assert len(read) == size <= LIMIT


def test_where_the_server_ends_no_body_one_without_a_length_is_empty() -> None:
    assert _request(10, is_announced=False, is_terminated=False).get_data() == b""
