from __future__ import annotations

import os
from typing import Any

import pytest

from lstm_stock.readback import Date, Number, Saved, Text, Time, ZonedTime, parse_json, read_file


class Facts(Saved):
    number: Number = 0.0
    text: Text = ""
    date: Date = "2024-01-02"
    time: Time = "2024-01-02"
    zoned: ZonedTime = "2024-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"number": NaN}', "`number`: Input should be a finite number"),
        ('{"number": 1e999}', "`number`: Input should be a finite number"),
        ('{"number": 1e31}', "`number`: Input should be less than or equal to"),
        (f'{{"number": {"9" * 400}}}', "`number`: Input should be"),
        ('{"number": "1"}', "`number`: Input should be a valid number"),
        ('{"number": true}', "`number`: Input should be a valid number"),
        ('{"text": "\\u001b[31m"}', "`text`: Value error, it has control characters"),
        ('{"date": "2024-13-01"}', "`date`: Value error"),
        ('{"date": 20240102}', "`date`: Input should be a valid string"),
        ('{"time": "yesterday"}', "`time`: Value error"),
        ('{"zoned": "2024-01-02T03:04:05"}', "`zoned`: Value error, it has no time zone"),
        ('{"more": 1}', "`more`: Extra inputs are not permitted"),
        ("[" * 100_000 + "]" * 100_000, "Invalid JSON: recursion limit exceeded"),
        ("{", "Invalid JSON: EOF"),
        ("[]", "Input should be an object"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(content, complaint):
    with pytest.raises(ValueError) as caught:
        parse_json(Facts, content.encode())
    assert str(caught.value).startswith(complaint)


def test_json_comes_back_as_it_is():
    facts = Facts(number=-0.1, text="né", date="2024-02-29")
    assert parse_json(Facts, facts.model_dump_json().encode()) == facts
    assert parse_json(dict[str, Any], b'{"a": [1, null]}') == {"a": [1, None]}


def test_only_a_regular_file_of_bounded_size_is_read(tmp_path):
    good, large, pipe = (tmp_path / name for name in ("good", "large", "pipe"))
    good.write_bytes(b"12345")
    assert read_file(good, 5) == b"12345"
    with large.open("wb") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(OSError, match="it has 1099511627776 bytes, more than 1000"):
        read_file(large, 1000)
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path, 5)
    with pytest.raises(OSError, match="File name too long"):
        read_file(tmp_path / ("x" * 300), 5)
    with pytest.raises(OSError, match="null"):
        read_file(tmp_path / "a\0b", 5)
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        for path in (pipe, "/dev/zero"):
            with pytest.raises(OSError, match="it is a pipe or a device"):
                read_file(path, 5)
