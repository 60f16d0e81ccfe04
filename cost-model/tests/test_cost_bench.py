"""The benchmark runs and counts; how long things take is not a test's to say."""

import pytest

from nottermost_cost.bench import run_bench


@pytest.mark.slow
def test_the_benchmark_measures_everything() -> None:
    """An estimate through the command, samples, and an import that finds what was written; each has its reference."""
    said: list[str] = []
    figures = run_bench(said.append, rows=2_000)
    assert len(figures) == 4
    assert len(said) == 2
    for figure in figures:
        assert figure.value > 0
        assert figure.ratio
        assert figure.reference
        assert figure.aim
