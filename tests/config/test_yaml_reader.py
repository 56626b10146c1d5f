from __future__ import annotations

import re
from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lstm_stock.config import yaml_reader as yaml_text
from lstm_stock.config.yaml_reader import YamlFault, quoted, read_yaml
from lstm_stock.config.yaml_writer import write_yaml


@pytest.fixture(params=["libyaml", "pure Python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers that PyYAML may come with."""
    if request.param == "pure Python":
        monkeypatch.setattr(yaml_text, "_LOADER", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("this PyYAML has no libyaml")


def test_scalars_stay_text_and_keys_have_lines(loader: None) -> None:
    document = read_yaml("# first\na: {b: 1e-3, c: [ON, 'null',\n  0700]}\nd: 2010-01-01\n")
    assert document.data == {"a": {"b": "1e-3", "c": ["ON", "null", "0700"]}, "d": "2010-01-01"}
    assert document.lines == {
        ("a",): 2,
        ("a", "b"): 2,
        ("a", "c"): 2,
        ("a", "c", 0): 2,
        ("a", "c", 1): 2,
        ("a", "c", 2): 3,
        ("d",): 4,
    }
    assert document.faults == []


@pytest.mark.parametrize(
    "text",
    [
        "ON",
        "off",
        "Yes",
        "n",
        "TRUE",
        "NULL",
        "1_000",
        "0x1F",
        "010",
        "1:30",
        ".inf",
        "1e5",
        "2010-01-01",
        "=",
    ],
)
def test_no_type_is_guessed_for_a_scalar(loader: None, text: str) -> None:
    assert read_yaml(f"key: {text}").data == {"key": text}


def test_null_and_empty_values_are_none_unless_quoted(loader: None) -> None:
    document = read_yaml("a: null\nb: ~\nc:\nd: ''\ne: 'null'\nf: \"~\"\n")
    assert document.data == {"a": None, "b": None, "c": None, "d": "", "e": "null", "f": "~"}
    assert document.empty == {("c",)}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeff", "---\n...\n"])
def test_an_empty_text_gives_no_data(loader: None, text: str) -> None:
    document = read_yaml(text)
    assert (document.data, document.faults) == (None, [])


def test_duplicate_keys_are_faults_and_the_first_counts(loader: None) -> None:
    document = read_yaml("a: 1\nb: {c: 1,\n  c: 2}\na: 3\na: 4\n")
    assert document.data == {"a": "1", "b": {"c": "1"}}
    assert sorted(document.faults, key=lambda fault: fault.line) == [
        YamlFault(3, 0, ("b", "c"), "given twice, first on line 2"),
        YamlFault(4, 0, ("a",), "given twice, first on line 1"),
        YamlFault(5, 0, ("a",), "given twice, first on line 1"),
    ]


def test_aliases_are_expanded(loader: None) -> None:
    document = read_yaml("a: &wide [128, 64]\nb: *wide\n")
    assert document.data == {"a": ["128", "64"], "b": ["128", "64"]}


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a:\n\tb: 1", 2, 1, "expected a key or a value, got a tab (indent with spaces)"),
        ("a: @b", 1, 4, "expected a key or a value, got `@` (quote text that begins with it)"),
        ("a: %b", 1, 4, "expected a key or a value, got `%` (quote text that begins with it)"),
        ("a: 1\n---\nb: 2", 2, 1, "expected a single document in the stream (from line 1), "),
        ("a: !!int 3", 1, 4, "the tag '!!int' is not supported; leave it out, each key has its own type"),
        ("a: !!str 3", 1, 4, "the tag '!!str' is not supported; leave it out, each key has its own type"),
        ("<<: {a: 1}", 1, 1, "merge keys (`<<`) are not supported; write the keys out"),
        ("? [a]\n: 1", 1, 3, "a key must be a plain word"),
        ("a: 1\nb\x00: 2", 2, 2, "the character '\\x00' is not allowed in YAML; is this a text file?"),
        ("a: '\ud800'", 1, 5, "the character '\\ud800' is not allowed in YAML; is this a text file?"),
    ],
)
def test_syntax_errors_have_line_and_column(
    loader: None, text: str, line: int, column: int, message: str
) -> None:
    document = read_yaml(text)
    (fault,) = document.faults
    assert (fault.line, fault.column, fault.key) == (line, column, ())
    assert fault.message.startswith(message)
    assert not document.readable


@pytest.mark.parametrize(
    ("text", "line", "column", "pattern"),
    [
        (
            "a: 1\nb: [1, 2\nc: 3",
            3,
            2,
            r"while parsing a flow sequence \(from line 2\), .*expected ',' or ']'",
        ),
        ("a: 1\nb: [1, 2\n", 3, 1, r"while parsing a flow sequence \(from line 2\), .*expected ',' or ']'"),
        ("a: 1\nb: {c: 1]", 2, 9, "while parsing a flow mapping, .*expected ',' or '}'"),
        ("a: ]", 1, 4, "while parsing a block node, .*expected (the )?node content"),
        (
            "a: 'b\nc: 1",
            2,
            5,
            r"while scanning a quoted scalar \(from line 1\), found unexpected end of stream",
        ),
        ("a: *b", 1, 4, "found undefined alias"),
    ],
)
def test_rare_syntax_errors_have_the_words_of_the_parser(
    loader: None, text: str, line: int, column: int, pattern: str
) -> None:
    (fault,) = read_yaml(text).faults
    assert (fault.line, fault.column) == (line, column)
    assert re.match(pattern, fault.message)


@pytest.mark.parametrize("text", ["a: b: c", "a\nb: 1", "a: 1\n  b: 2", "a:1\nb: 2", "a: 1\n   b: 2\n"])
def test_a_misplaced_colon_is_explained(loader: None, text: str) -> None:
    (fault,) = read_yaml(text).faults
    assert fault.message.startswith("`:` is not allowed here: expected one `key: value` a line")


@pytest.mark.parametrize(
    "text", ["window:\n  look_back: 5\n horizon: 3\n", "a: 1\n- b\n", "a: 'b' c\n", "a: [1]]"]
)
def test_wrong_indentation_is_explained(loader: None, text: str) -> None:
    (fault,) = read_yaml(text).faults
    assert "expected the next key" in fault.message
    assert "indented like those above it" in fault.message


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"\xef\xbb\xbfa: \xc3\xa9", {"a": "é"}),
        ("a: é".encode("utf-16"), {"a": "é"}),
        (b"\xfe\xff" + "a: é".encode("utf-16-be"), {"a": "é"}),
        (b"a: 1\r\nb: 2\r\n", {"a": "1", "b": "2"}),
    ],
)
def test_bytes_with_a_byte_order_mark_and_windows_lines_are_read(raw: bytes, data: dict[str, str]) -> None:
    assert read_yaml(raw).data == data


@pytest.mark.parametrize(
    ("raw", "place", "message"),
    [
        (b"a: 1\nb: \xe9", (2, 4), "byte 0xe9 is not UTF-8 text; save the file as UTF-8"),
        (b"\xff\xfea", (1, 3), "byte 0x61 is not UTF-16 text; save the file as UTF-8"),
        (b"\x89PNG\r\n\x1a\n", (1, 1), "byte 0x89 is not UTF-8 text; save the file as UTF-8"),
        (b"PK\x03\x04\x00", (1, 3), "the character '\\x03' is not allowed in YAML; is this a text file?"),
    ],
)
def test_bytes_that_are_not_text_are_reported(raw: bytes, place: tuple[int, int], message: str) -> None:
    assert read_yaml(raw).faults == [YamlFault(*place, (), message)]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_at_once(loader: None, opening: str) -> None:
    (fault,) = read_yaml(opening * 20_000).faults
    assert fault.message in (
        "nested more than 16 deep; a config needs four levels",
        "a key must be a plain word",
    )


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_deep_nesting_that_is_closed_is_refused(loader: None, opening: str) -> None:
    closing = {"[": "]", "{a: ": "}"}[opening]
    for depth in (17, 1_500, 100_000):
        (fault,) = read_yaml(f"a: {opening * depth}{closing * depth}").faults
        assert fault.message == "nested more than 16 deep; a config needs four levels"


@pytest.mark.parametrize("text", ["a: &a [*a]", "&a {b: *a}", "a: &a [&b [*a], *b]"])
def test_aliases_of_themselves_are_refused(loader: None, text: str) -> None:
    (fault,) = read_yaml(text).faults
    assert fault.message == "nested more than 16 deep; a config needs four levels"


def test_a_long_chain_of_aliases_is_refused(loader: None) -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 1_500))
    (fault,) = read_yaml(chain).faults
    assert fault.message == "nested more than 16 deep; a config needs four levels"


def test_an_alias_bomb_is_refused_at_once(loader: None) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    (fault,) = read_yaml(bomb).faults
    assert fault.message == "more than 5000 values; a config needs a hundred"


@pytest.mark.parametrize("text", ['a: "\\UFFFFFFFF"', "%YAML 1." + "1" * 5000 + "\n---\na: 1"])
def test_huge_numbers_in_escapes_and_directives_are_faults(loader: None, text: str) -> None:
    (fault,) = read_yaml(text).faults
    assert fault.message


def test_quoted_text_is_short_and_printable() -> None:
    assert quoted("a\x1b[31m\nb") == r"'a\x1b[31m\nb'"
    assert quoted("x" * 100) == "'" + "x" * 37 + "...'"


def test_yaml_is_written_as_expected() -> None:
    tree = {
        "a": {"when": date(2010, 1, 1), "never": None, "rate": 1e-05, "share": 0.5, "none": []},
        "words": ("AAPL", "ON", "null", "1E5", "^GSPC", "BRK-B", ""),
        "n": 3,
    }
    assert write_yaml(tree) == (
        "a:\n  when: 2010-01-01\n  never: null\n  rate: 1.0e-05\n  share: 0.5\n  none: []\n"
        'words: [AAPL, "ON", "null", "1E5", "^GSPC", BRK-B, ""]\nn: 3\n'
    )


def test_a_long_list_is_written_one_item_per_line() -> None:
    tickers = [f"TICKER{i}" for i in range(30)]
    text = write_yaml({"data": {"tickers": tickers}})
    assert text.splitlines()[:3] == ["data:", "  tickers:", "    - TICKER0"]
    assert read_yaml(text).data == {"data": {"tickers": tickers}}


words = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.lists(words, max_size=5))
def test_any_text_round_trips(items: list[str]) -> None:
    assert read_yaml(write_yaml({"items": items})).data == {"items": items}


@given(words)
def test_other_yaml_readers_read_text_as_text(text: str) -> None:
    assert yaml.safe_load(write_yaml({"items": [text]})) == {"items": [text]}


@given(st.text(max_size=200) | st.text("abc:-?[]{}&*!|>'\"%@`#, \n\t~<.\\", max_size=60))
def test_any_text_is_read_or_has_faults(text: str) -> None:
    document = read_yaml(text)
    assert document.readable or document.faults


@given(st.text("ab:-?[]{}&*!|>'\"%@`#, \n\t~<.\\U0x", max_size=60))
def test_the_two_parsers_agree_on_what_can_be_read(text: str) -> None:
    fast = read_yaml(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_text, "_LOADER", yaml.SafeLoader)
        slow = read_yaml(text)
    if fast.readable and slow.readable:
        assert fast == slow


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_have_faults(raw: bytes) -> None:
    document = read_yaml(raw)
    assert document.readable or document.faults
