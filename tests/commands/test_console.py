"""Tables and names as the commands print them."""

import warnings

from hlgan_lib.commands.console import plain_messages, some, table


def test_a_table_has_aligned_columns_and_leaves_out_what_is_not_there(capsys):
    table({"psnr": {"value": 19.61234, "n": 600}, "fid": {"value": None, "n": 40}}, "a title")
    assert capsys.readouterr().out.splitlines() == [
        "a title",
        "      value  n",
        "psnr  19.61  600",
        "fid          40",
    ]


def test_some_names_stand_for_many():
    assert some([]) == ""
    assert some(["a", "b"]) == ": a, b"
    assert some(["a", "b", "c"], n=2) == ": a, b, ..."


def test_warnings_are_plain_lines(capsys):
    with plain_messages(), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("too few pictures", stacklevel=1)
    assert "hlgan: warning: too few pictures\n" in capsys.readouterr().err
