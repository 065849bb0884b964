"""The one error that a user can mend: the command line makes one line of it, and hides no other."""

import pytest

from hlgan_lib import cli
from hlgan_lib.errors import HLError
from hlgan_lib.loop import TrainingDiverged


def fail_with(error: Exception, monkeypatch) -> None:
    """`hlgan info` ends with this error."""

    def fail(name):
        raise error

    monkeypatch.setattr("hlgan_lib.commands.info.about_preset", fail)


@pytest.mark.parametrize("kind", [HLError, TrainingDiverged])
def test_the_command_line_makes_one_line_of_it(kind, monkeypatch, capsys):
    fail_with(kind("size_lo must be 8\n   or more, got 4"), monkeypatch)
    assert cli.main(["info", "--preset", "quick"]) == 2
    assert capsys.readouterr().err == "hlgan: error: size_lo must be 8\\n   or more, got 4\n"


def test_a_plain_value_error_is_a_bug_and_keeps_its_traceback(monkeypatch, capsys):
    fail_with(ValueError("shapes do not match"), monkeypatch)
    with pytest.raises(ValueError, match="shapes do not match") as error:
        cli.main(["info", "--preset", "quick"])
    assert not isinstance(error.value, HLError)
    assert "hlgan: error" not in capsys.readouterr().err


def test_a_notebook_catches_it_as_a_value_error():
    with pytest.raises(ValueError, match="got 4"):
        raise HLError("size_lo must be 8 or more, got 4")


def test_whatever_a_name_or_a_stored_file_holds_the_message_is_one_printable_line():
    message = str(HLError("got \ud800 \x1b[31m\n in 人脸.png"))
    assert message == r"got \ud800 \x1b[31m\n in 人脸.png" and message.isprintable()
    assert str(HLError(message)) == message  # once is enough
