"""Ways to damage a file: its bytes, the values in its JSON, the tensors of its checkpoint."""

import functools
import io
import json
import random
import struct
import zipfile

import torch

# What is put in the place of a value: other types, and numbers at the ends of their range.
ODD = [None, True, "", "a", "\ud800", "\n\x1b[31m", [], {}, [1], {"a": 1}, 0, -1, 1, 2**31, 10**30]
ODD += [0.5, -0.0, 1e308, float("inf"), float("nan"), "1", "9" * 5000]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with one to three damages, of its structure where it has one that is known."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        structured = rng.random() < 0.6
        kind = _kind_of(data)
        data = kind(data, rng) if structured and kind else rng.choice(BYTES)(data, rng)
    return data


def _kind_of(data: bytes):
    if data[:2] == b"PK":
        return _zip_mutated
    if data[:1] in b"{[" and data:
        return _json_mutated
    if data[8:9] == b"{":
        return _safetensors_mutated
    return None


# ---- bytes ---------------------------------------------------------------------------------------
def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 64, 512)))


def _flip(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    i = rng.randrange(len(data))
    return data[:i] + bytes([data[i] ^ (1 << rng.randrange(8))]) + data[i + 1 :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _remove(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    filler = rng.choice((b"\0", b"\xff", rng.randbytes(1)))
    return data[:start] + filler * (end - start) + data[end:]


def _insert(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.choice((data[start:end], rng.randbytes(end - start))) + data[start:]


def _replace(data: bytes, rng: random.Random) -> bytes:
    return rng.choice(
        (b"", b"\0", b"{}", b"[]", b"null", b"PK\3\4", b"[" * 5000, rng.randbytes(300))
    )


BYTES = [_flip, _flip, _flip, _cut, _remove, _overwrite, _insert, _replace]


# ---- values --------------------------------------------------------------------------------------
def change_values(value, rng: random.Random, odd=ODD):
    """A nested value with one place of it replaced, removed or added to."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        what = rng.random()
        if what < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if what < 0.25:
            return value | {rng.choice(("x", "", "\ud800", "\n", 7, key)): rng.choice(odd)}
        return value | {key: change_values(value[key], rng, odd)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        i = rng.randrange(len(value))
        return [*value[:i], change_values(value[i], rng, odd), *value[i + 1 :]]
    if isinstance(value, str) and value[:1] in "{[" and value and rng.random() < 0.8:
        try:
            return json.dumps(change_values(json.loads(value), rng, odd))
        except (ValueError, RecursionError):
            return value
    return rng.choice(odd)


def _json_mutated(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines()
    i = rng.randrange(len(lines))
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):  # a line each: a log
        try:
            lines[i] = json.dumps(change_values(json.loads(lines[i]), rng)).encode()
        except (ValueError, RecursionError):
            lines.insert(i, rng.choice(lines))
        return b"\n".join(lines) + b"\n"
    return json.dumps(change_values(whole, rng), indent=1).encode()


def _safetensors_mutated(data: bytes, rng: random.Random) -> bytes:
    """The head changed, and its length with it."""
    (n,) = struct.unpack("<Q", data[:8])
    try:
        head = json.loads(data[8 : 8 + n])
    except (ValueError, RecursionError):
        return _flip(data, rng)
    kinds = ["F64", "F16", "BF16", "I8", "U64", "BOOL", "F8_E4M3", "F4", "C64"]
    text = json.dumps(change_values(head, rng, [*ODD, *kinds])).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + n :]


def _zip_mutated(data: bytes, rng: random.Random) -> bytes:
    """An archive packed anew with one of its files damaged or gone; a checkpoint's tensors."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {info.filename: archive.read(info) for info in archive.infolist()}
    except Exception:
        return _flip(data, rng)
    if any(name.endswith("data.pkl") for name in files) and rng.random() < 0.8:
        return _checkpoint_mutated(data, rng)
    if not files:
        return _flip(data, rng)
    name = rng.choice(list(files))
    what = rng.random()
    if what < 0.2:
        del files[name]
    elif what < 0.4 and files[name].startswith(b"\x93NUMPY"):
        files[name] = _npy_mutated(files[name], rng)
    else:
        files[name] = rng.choice(BYTES)(files[name], rng)
    packed, kind = io.BytesIO(), rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(packed, "w") as archive:
        for own, content in files.items():
            # A ZipInfo of its own has no clock in it: the same number is the same file.
            archive.writestr(zipfile.ZipInfo(own), content, kind)
    return packed.getvalue()


def _npy_mutated(data: bytes, rng: random.Random) -> bytes:
    """Another shape or type in the head of an array, of the same length."""
    n = struct.unpack("<H", data[8:10])[0]
    head = data[10 : 10 + n].decode("latin1")
    old, new = rng.choice(
        (
            ("|u1", rng.choice(("<f8", "|b1", "|O", "<U9", "|S3", "|V2"))),
            ("(", rng.choice(("(9999999999, ", "(-1, ", "(0, ", "(("))),
            ("False", rng.choice(("True", "None", "1"))),
            ("shape", rng.choice(("shap", "descr"))),
        )
    )
    text = head.replace(old, new, 1).rstrip().ljust(n - 1)[: n - 1] + "\n"
    return data[:10] + text.encode("latin1") + data[10 + n :]


@functools.lru_cache(maxsize=8)
def _state_of(data: bytes) -> dict | None:
    """What a checkpoint holds, read once: its mutants are made of it, and never change it."""
    try:
        return dict(torch.load(io.BytesIO(data), weights_only=True))
    except Exception:
        return None


def _checkpoint_mutated(data: bytes, rng: random.Random) -> bytes:
    state = _state_of(data)
    if state is None:
        return _flip(data, rng)
    odd = [v for v in ODD if v != "9" * 5000]
    odd += [torch.zeros(0), torch.ones(3), torch.full((2, 3), 7), torch.tensor(float("nan"))]
    odd += [torch.zeros(1).expand(10**9), torch.zeros(16, dtype=torch.uint8), torch.tensor(1j)]
    packed = io.BytesIO()
    torch.save(change_values(state, rng, odd), packed)
    return packed.getvalue()
