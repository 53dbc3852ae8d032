"""What became of attempts, added up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overnight.core.tallies import BUCKETS, MOST_FINGERPRINTS, OTHERS, Ending, Key, tallied

ENDINGS = st.lists(
    st.builds(
        Ending,
        st.floats(0, 10_000),
        st.builds(Key, st.sampled_from("ab"), st.just(""), st.just(""), st.sampled_from(["completed", "failed"])),
        st.floats(0, 20_000),
    )
)


@given(ENDINGS, st.sampled_from([60, 3600]))
def test_nothing_is_left_out_and_nothing_counts_twice(endings: list[Ending], span: int) -> None:
    found = tallied(endings, span)
    assert sum(tally.n for tally in found.values()) == len(endings)
    for (at, key), tally in found.items():
        mine = [one for one in endings if one.key == key and at <= one.at < at + span]
        assert at % span == 0
        assert (tally.n, tally.longest) == (len(mine), max(one.seconds for one in mine))
        assert abs(tally.seconds - sum(one.seconds for one in mine)) < 1e-6 * max(1.0, tally.seconds)
        assert sum(tally.buckets) == tally.n


def test_durations_are_sorted_into_classes_with_their_ends() -> None:
    key = Key("", "", "", "completed")
    ((_, tally),) = tallied([Ending(0, key, seconds) for seconds in (0.0, 0.01, 0.02, 9999.0)], 60).items()
    assert tally.buckets == [2, 1, *[0] * (len(BUCKETS) - 2), 1]


def test_fingerprints_that_are_too_many_are_one() -> None:
    keys = [Key("", "", "", "failed", "unknown", f"print {n}") for n in range(MOST_FINGERPRINTS + 7)]
    found = {key.fingerprint: tally.n for (_, key), tally in tallied([Ending(0, key, 1) for key in keys], 60).items()}
    assert len(found) == MOST_FINGERPRINTS + 1
    assert found[OTHERS] == 7
