"""The paper's recipe on made sets: what is there is composed, what is missing is said."""

import pytest

from hlgan_lib import cli
from hlgan_lib.data.npz import check_npz, load_npz
from hlgan_lib.errors import HLError
from hlgan_lib.prepare.paper import prepare_paper


def test_what_is_there_is_composed_beside_the_papers_counts(
    celeba, vggface2, wider, tmp_path, capsys
):
    out = tmp_path / "paper"
    argv = ["prepare", "paper", "--celeba", str(celeba), "--vggface2", str(vggface2)]
    argv += ["--wider", str(wider), "--n-held-out", "2", "--out", str(out)]
    assert cli.main(argv) == 0
    said = capsys.readouterr().out
    hi = load_npz(out / "hi.npz")
    assert hi.size == (64, 64) and check_npz(out / "hi.npz")
    n_celeba = sum(name.startswith("celeba/") for name in hi.names)
    n_vgg = sum(name.startswith("vggface2/n0000") for name in hi.names)
    assert (n_celeba, n_celeba + n_vgg) == (6, len(hi)) and n_vgg in (12, 13)
    lo, test = load_npz(out / "lo.npz"), load_npz(out / "lo-test.npz")
    assert lo.size == test.size == (16, 16) and len(test) == 2
    photographs = [{n.partition("#")[0] for n in part.names} for part in (lo, test)]
    assert not photographs[0] & photographs[1]
    table = [line.split() for line in said.splitlines()]
    assert ["hi", "celeba", "6", "60,000"] in table
    assert ["hi", "aflw", "missing", "not", "stated"] in table
    assert ["hi", "together", f"{len(hi)}", "182,866"] in table
    assert ["lo-test", "together", "2", "3,000"] in table
    assert "missing: aflw, ls3dw" in said and "of any pose" in said

    # Run again, no part is made anew, and the sets are the same.
    before = (out / "hi.npz").read_bytes()
    assert cli.main(argv) == 0
    assert "was there already" in capsys.readouterr().out
    assert (out / "hi.npz").read_bytes() == before


def test_without_a_source_it_says_which_there_could_be(tmp_path):
    with pytest.raises(HLError, match="needs at least one of --celeba, --aflw, .*--wider"):
        prepare_paper({"celeba": None}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_source_is_looked_at_before_the_first_is_read(celeba, tmp_path):
    out, lost = tmp_path / "out", tmp_path / "lost"
    with pytest.raises(HLError, match="--wider: .*lost must be a folder, .*, got nothing there"):
        prepare_paper({"celeba": celeba, "wider": lost}, out)
    with pytest.raises(HLError, match="--wider: .* must hold wider_face_split"):
        prepare_paper({"celeba": celeba, "wider": celeba}, out)
    assert not list(out.rglob("*.npz"))
