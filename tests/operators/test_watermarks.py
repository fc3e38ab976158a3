"""A tick is complete when every partition has said so."""

from hypothesis import given
from hypothesis import strategies as st

from operators.watermarks import Watermarks


def test_nothing_is_complete_before_each_partition_spoke() -> None:
    marks = Watermarks(["a", "b"])
    assert marks.through() is None
    marks.take("a", closed=100, end=True)
    assert marks.through() is None
    marks.take("b", closed=7, end=False)
    assert marks.through() == 6


def test_a_partition_that_ended_holds_nothing_back() -> None:
    marks = Watermarks(["a", "b"])
    marks.take("a", closed=3, end=True)
    marks.take("b", closed=50, end=False)
    assert marks.through() == 49


def test_when_all_ended_all_is_complete() -> None:
    marks = Watermarks(["a", "b"])
    marks.take("a", closed=90, end=True)
    marks.take("b", closed=50, end=True)
    assert marks.through() == 89


def test_no_partitions_complete_nothing_that_is() -> None:
    through = Watermarks([]).through()
    assert through is not None
    assert through < 0


STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 9)), max_size=30
)


@given(STEPS)
def test_it_is_the_least_of_the_open_ones_and_never_goes_back(
    steps: list[tuple[str, int, int]],
) -> None:
    marks = Watermarks("abc")
    closed: dict[str, int] = {}
    ended: set[str] = set()
    before = None
    for name, more, end in steps:
        if name in ended:
            continue
        closed[name] = closed.get(name, 0) + more
        ended |= {name} if end == 0 else set()
        marks.take(name, closed[name], end == 0)
        open_ones = set("abc") - ended
        through = marks.through()
        if open_ones <= set(closed):
            least = min((closed[n] for n in open_ones), default=max(closed.values()))
            assert through == least - 1
        else:
            assert through is None
        if open_ones and before is not None and through is not None:
            assert through >= before
        before = through
