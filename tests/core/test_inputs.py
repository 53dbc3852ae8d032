from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core import inputs
from overnight.core.errors import UsageError
from overnight.core.inputs import InputList, Parsed
from overnight.core.placeholders import columns
from overnight.core.task import MAX_INPUT_BYTES


def parsed(line: str) -> Parsed:
    words = line.split()
    end = inputs.cut(words)
    return inputs.parse([w.encode() for w in words[:end]], [w.encode() for w in words[end:]])


def all_inputs(line: str) -> list[bytes]:
    lists = parsed(line).lists
    return list(inputs.combine([one.words for one in lists], [one.paired for one in lists]))


def test_inputs_before_and_after_the_command_mean_the_same() -> None:
    assert parsed("a b -- convert {} -x") == parsed("-- convert {} -x ::: a b")
    assert parsed("::: a b -- convert {} -x") == parsed("-- convert {} -x ::: a b")


def test_only_the_first_double_dash_begins_the_command() -> None:
    assert parsed("a -- git checkout -- ::: --").command == (b"git", b"checkout", b"--")
    assert all_inputs("a -- git checkout -- ::: --") == [b"a\0--"]


def test_without_a_double_dash_there_is_no_command() -> None:
    assert parsed("a b") == Parsed((InputList(words=(b"a", b"b")),), None)
    assert parsed("") == Parsed((), None)


def test_a_command_without_inputs_has_no_lists() -> None:
    assert parsed("-- make all") == Parsed((), (b"make", b"all"))


def test_several_lists_give_all_combinations_the_last_turning_fastest() -> None:
    assert all_inputs("-- x ::: a b ::: 1 2") == [b"a\x001", b"a\x002", b"b\x001", b"b\x002"]


def test_plus_pairs_a_list_with_the_one_before() -> None:
    assert all_inputs("-- x ::: a b :::+ 1 2 ::: z") == [b"a\x001\0z", b"b\x002\0z"]


def test_pairs_of_different_length_are_refused() -> None:
    with pytest.raises(UsageError, match="2 and 1 inputs"):
        all_inputs("-- x ::: a b :::+ 1")


def test_a_pair_with_nothing_before_it_is_refused() -> None:
    with pytest.raises(UsageError, match="there is none"):
        parsed("-- x :::+ a")


def test_a_double_dash_without_a_command_is_refused() -> None:
    with pytest.raises(UsageError, match="no command"):
        parsed("a -- ::: b")


def test_an_empty_list_gives_no_inputs() -> None:
    assert all_inputs("-- x :::") == []
    assert all_inputs("-- x ::: a :::") == []


def test_each_file_of_four_colons_is_a_list_and_files_of_a_join_the_words() -> None:
    assert parsed("-- x :::: f g").lists == (InputList(files=(b"f",)), InputList(files=(b"g",)))
    assert inputs.parse([b"a"], list_files=[b"f", b"g"]).lists == (InputList(words=(b"a",), files=(b"f", b"g")),)


def test_list_files_are_split_exactly() -> None:
    assert inputs.split(b"a b\n\n c\r\n\xff") == [b"a b", b" c\r", b"\xff"]
    assert inputs.split(b"a\nb\0c\0", nul=True) == [b"a\nb", b"c"]


@pytest.mark.parametrize("nul", [False, True])
@pytest.mark.parametrize("size", range(1, 9))
def test_wherever_the_pieces_of_a_list_end_it_holds_the_same(size: int, *, nul: bool) -> None:
    content = b"a b\n\n c\r\n\0\xff\0long line" * 3
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    assert [one for some in inputs.split_each(pieces, nul=nul) for one in some] == inputs.split(content, nul=nul)


def test_a_line_that_has_no_end_is_refused_before_all_of_it_is_there() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100_000

    with pytest.raises(UsageError, match=r"the input that begins with 'xxxx.* bytes long and the limit is"):
        list(inputs.split_each(endless()))


@pytest.mark.parametrize("bad", [b"", b"a\0b", b"x" * (MAX_INPUT_BYTES + 1)])
def test_what_no_program_could_take_is_refused_with_a_hint(bad: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        inputs.check(bad)
    assert caught.value.hint
    assert len(caught.value.message) < 200


def test_the_longest_input_is_taken() -> None:
    assert inputs.check(b"x" * MAX_INPUT_BYTES)


def test_repeats_are_counted_and_the_first_one_keeps_its_place() -> None:
    assert inputs.distinct([b"b", b"a", b"b", b"b"]) == ([b"b", b"a"], 2)


@given(st.lists(st.lists(st.binary().filter(lambda b: b"\0" not in b), min_size=1, max_size=4), min_size=2, max_size=3))
def test_columns_come_back_as_they_went_in(lists: list[list[bytes]]) -> None:
    rows = [tuple(row.split(b"\0")) for row in inputs.combine(lists, [False] * len(lists))]
    assert len(rows) == len(lists[0]) * len(lists[1]) * (len(lists[2]) if len(lists) > 2 else 1)
    assert rows[0] == tuple(one[0] for one in lists)
    assert rows[-1] == tuple(one[-1] for one in lists)


def test_several_inputs_in_one_are_its_columns_and_the_rest_comes_last() -> None:
    assert inputs.rows([b"a", b"b", b"c"], 2) == [b"a\0b", b"c"]
    assert inputs.rows([b"a", b"b"], 5) == [b"a\0b"]
    assert inputs.rows([], 2) == []


def test_long_inputs_make_shorter_rows() -> None:
    """What goes into one command has to fit there."""
    half = b"x" * (MAX_INPUT_BYTES // 2)
    assert [len(columns(row)) for row in inputs.rows([half] * 3, 10)] == [1, 1, 1]
    assert [len(columns(row)) for row in inputs.rows([half[1:]] * 3, 10)] == [2, 1]


def test_a_row_without_a_column_that_the_command_names_is_refused() -> None:
    with pytest.raises(UsageError, match=r"3 inputs do not make rows of 2: one has 1, and the command names \{2\}"):
        inputs.rows([b"a", b"b", b"c"], 2, [b"diff", b"{1}", b"{2}"])
    assert inputs.rows([b"a", b"b", b"c"], 2, [b"cat", b"{1}"]) == [b"a\0b", b"c"]
    assert len(inputs.rows([b"a", b"b", b"c", b"d"], 2, [b"grep", b"x{3}", b"{2}"])) == 2
