"""Kernels are compiled once, after installing."""

import pytest

from flows.warm import main


def test_what_was_compiled_is_not_compiled_again(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    capsys.readouterr()
    main()
    assert capsys.readouterr().err == ""
