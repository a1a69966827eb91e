"""Text of requests against Python's own parser, whole and in pieces, and in RapidJSON's words."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_keras.export.serving.tf_serving import json_parsing, rapidjson
from ser_keras.export.serving.tf_serving.json_parsing import parse
from ser_keras.export.serving.tf_serving.status import ServingError

NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=40
)
DOCUMENTS = st.dictionaries(st.text(), VALUES)
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def refusal(text: bytes) -> str:
    with pytest.raises(ServingError) as refused:
        parse(text)
    return refused.value.message


@pytest.fixture(params=[1, 7, 2**16])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Sizes of pieces: at every comma, at some, and as served."""
    monkeypatch.setattr(json_parsing, "PIECE", request.param)
    return request.param


@pytest.mark.parametrize("size", [1, 7, 2**16])
@QUICK
@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_documents_are_read_as_python_reads_them(
    size: int, document: dict[str, Any], ascii_only: bool, indent: int | None
):
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_parsing, "PIECE", size)
        assert parse(text) == json.loads(text)
    assert rapidjson.loads(text) == json.loads(text)


@pytest.mark.parametrize("size", [1, 7])
@QUICK
@given(DOCUMENTS, st.data())
def test_a_document_with_a_mistake_is_refused_in_pieces_as_it_is_whole(
    size: int, document: dict[str, Any], data: st.DataObject
):
    text = json.dumps(document).encode()
    at = data.draw(st.integers(0, len(text)))
    mark = data.draw(
        st.sampled_from([b",", b"]", b"}", b"[", b"{", b'"', b":", b"1", b"\\", b" ,"])
    )
    text = text[:at] + mark + text[at + data.draw(st.integers(0, 1)) :]

    def read() -> object:
        try:
            return parse(text)
        except ServingError:
            return ServingError

    whole = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_parsing, "PIECE", size)
        assert read() == whole


@pytest.mark.usefixtures("piece")
def test_numbers_that_json_has_not_are_numbers():
    text = b'{"x": [1, NaN, -NaN, Inf, -Inf, Infinity, -Infinity, 1e-400], "y": {"z": NaN, "w": 2}}'
    answer = parse(text)
    first, *others, least = answer["x"]
    assert (first, least) == (1, 0.0)
    assert [math.isnan(value) for value in others] == [True, True] + [False] * 4
    assert others[2:] == [math.inf, -math.inf] * 2
    assert math.isnan(answer["y"]["z"])


@pytest.mark.usefixtures("piece")
def test_a_whole_number_beyond_64_bits_is_a_float_and_beyond_a_double_is_refused():
    for tolerated in ("", "NaN, "):  # which another parser reads
        values = f"{tolerated}{2**64}, {-(2**63)}, {2**64 - 1}"
        *_, beyond, least, most = parse(f'{{"x": [{values}]}}'.encode())["x"]
        assert (type(beyond), type(least), type(most)) == (float, int, int)
        assert (beyond, least, most) == (2.0**64, -(2**63), 2**64 - 1)
    assert "Number too big to be stored in double" in refusal(b'{"x": [NaN, 1' + b"0" * 400 + b"]}")


@pytest.mark.usefixtures("piece")
def test_the_last_of_members_with_one_name_counts_wherever_it_was_cut():
    text = b'{"a": [1, 2], "b": {"c": 1, "a": [3, 4]}, "a": [5, 6], "b": {"c": 2}, "d": 7}'
    assert parse(text) == json.loads(text)


@pytest.mark.usefixtures("piece")
def test_a_text_ends_at_its_first_nul_and_begins_behind_a_byte_order_mark():
    assert parse(b'\xef\xbb\xbf{"x": [1, 2]}\0{"y": 3}') == {"x": [1, 2]}
    assert "closing quotation mark" in refusal(b'{"x": "a\0b"}')


@pytest.mark.usefixtures("piece")
def test_text_that_is_not_utf_8_comes_back_as_it_was():
    value = parse(b'{"x": [1, "\xff\xfeA", 2]}')["x"][1]
    assert value.encode("utf-8", "surrogateescape") == b"\xff\xfeA"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "The document is empty"),
        (b"  \n", "The document is empty. at offset: 3"),
        (b"instances = 1", "Invalid value. at offset: 0"),
        (b'{"x": [1, 2}', "Missing a comma or ] after an array element. at offset: 11"),
        (b'{"x": [1, 2]', "Missing a comma or } after an object member. at offset: 12"),
        (b'{"x": 1} y', "The document root must not be followed by other values. at offset: 9"),
        (b'{"x": 1}{"x": 1}', "The document root must not be followed by other values."),
        (b'{"x" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"x": 1,}', "Missing a name for object member. at offset: 8"),
        (b"{x: 1}", "Missing a name for object member. at offset: 1"),
        (b'{"x": [1,]}', "Invalid value. at offset: 9"),
        (b'{"x": [,1]}', "Invalid value. at offset: 7"),
        (b'{"x": 1.}', "Miss fraction part in number."),
        (b'{"x": 1e}', "Miss exponent in number."),
        (b'{"x": 01}', "Missing a comma or } after an object member."),
        (b'{"x": "a}', "Missing a closing quotation mark in string."),
        (b'{"x": "\\q"}', "Invalid escape character in string."),
        (b'{"x": "\\u12g4"}', "Incorrect hex digit after \\u escape in string."),
        (b'{"x": "\x01"}', "Invalid encoding in string."),
        (b"[1, 2]", "Is not object"),
    ],
)
def test_mistakes_are_told_in_rapidjsons_words(text: bytes, message: str):
    assert message in refusal(text)


def test_depth_is_accepted_far_beyond_pythons_and_refused_in_the_end():
    def nested(levels: int) -> bytes:
        return b'{"x": [1, 2], "deep": ' + b"[" * levels + b"1, 2" + b"]" * levels + b"}"

    for levels in (100, 1_000, 5_000):
        assert parse(nested(levels))["x"] == [1, 2]
    for text in (nested(20_000), nested(100_000), b"[" * 100_000):
        assert "more than 10000 levels" in refusal(text)


def test_what_would_take_too_much_memory_is_refused_before_it_is_read():
    values = b"0," * json_parsing.MOST_VALUES
    assert "more than 4194304 values" in refusal(b'{"x": [' + values + b"0]}")
    lists = b"[0]," * json_parsing.MOST_CONTAINERS
    assert "more than 524288 lists and objects" in refusal(b'{"x": [' + lists + b"0]}")
    objects = b'{"b64":""},' * json_parsing.MOST_CONTAINERS
    assert "more than 524288 lists and objects" in refusal(b'{"x": [' + objects + b"0]}")
