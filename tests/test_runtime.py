"""The machine: a device by its name, threads given back, signals that ask a training to end."""

import io
import os
import signal
import sys
from threading import Thread

import pytest
import torch

from hlgan_lib.errors import HLError
from hlgan_lib.runtime import (
    ASK,
    hardware,
    one_thread,
    pick_device,
    speech_may_fail,
    stop_signals,
)


@pytest.fixture
def with_cuda(monkeypatch):
    """with_cuda(n): a machine of n CUDA devices, as torch would tell of it."""

    def pretend(n: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: n > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Made-up 9000")

    return pretend


@pytest.mark.parametrize(("n", "device"), [(0, "cpu"), (1, "cuda"), (2, "cuda")])
def test_without_a_name_a_cuda_device_is_preferred(n, device, with_cuda):
    with_cuda(n)
    assert pick_device(None) == device


def test_a_named_device_must_be_there(with_cuda):
    with_cuda(2)
    for name in ("cpu", "cuda", "cuda:0", "cuda:1"):
        assert pick_device(name) == pick_device(torch.device(name)) == name
    with pytest.raises(HLError, match="one of cpu, cuda, cuda:0, cuda:1 on .* got 'cuda:2'"):
        pick_device("cuda:2")
    with_cuda(0)
    assert pick_device("cpu") == "cpu"
    for name in ("cuda", "mps", ""):
        with pytest.raises(HLError, match=f"one of cpu on this machine, got '{name}'"):
            pick_device(name)


def test_the_hardware_is_the_card_or_the_cores(with_cuda, monkeypatch):
    with_cuda(1)
    assert hardware() == "Made-up 9000"
    with_cuda(0)
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert hardware().startswith("6 CPU cores, ")


def test_threads_are_given_back_even_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(KeyError), one_thread():
            assert torch.get_num_threads() == 1
            raise KeyError
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", ASK)
def test_a_signal_sets_the_flag_and_a_second_ctrl_c_quits(name, capfd):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with stop_signals() as stop:
        assert not stop() and stop.signal is None and stop.exit_code == 0
        signal.raise_signal(number)
        assert stop() and stop.signal == number and stop.exit_code == 128 + number
        assert "finishing this update, then saving" in capfd.readouterr().err
        if name != "SIGINT":
            signal.raise_signal(number)  # a cluster says it every second
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(number) is before


def test_a_handler_never_raises_where_nobody_listens(monkeypatch):
    def closed(*_):
        raise BrokenPipeError

    with stop_signals() as stop:
        monkeypatch.setattr(os, "write", closed)
        signal.raise_signal(signal.SIGINT)
    assert stop.exit_code == 130


def test_nohup_keeps_its_promise():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_speech_may_fail_and_only_that(capsys):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    real = sys.stdout
    sys.stdout = Closed()
    try:
        with speech_may_fail():
            print("unheard")
            print("heard", file=sys.stderr)
        with pytest.raises(BrokenPipeError):
            print("unheard")
    finally:
        sys.stdout = real
    assert capsys.readouterr().err == "heard\n"


def test_handlers_come_back_after_an_error():
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(n) for n in numbers]
    with pytest.raises(KeyError), stop_signals():
        assert [signal.getsignal(n) for n in numbers] != before
        raise KeyError
    assert [signal.getsignal(n) for n in numbers] == before


def test_signals_are_left_alone_in_other_threads():
    heard = []

    def listen():
        with stop_signals() as stop:
            heard.append(stop())

    thread = Thread(target=listen)
    thread.start()
    thread.join()
    assert heard == [False]
