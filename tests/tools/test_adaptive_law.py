"""docs/domains.md says of the adaptive law what is stored; what it claims holds of the numbers."""

from hlgan_lib.health import Z_IGNORED

TOOL = "adaptive_law"


def test_the_page_holds_the_stored_tables_and_no_others(tool, stored):
    page = tool.PAGE.read_text("utf-8")
    for mark, table in tool.TABLES.items():
        assert f"<!-- {mark}:begin -->\n{table(stored)}\n<!-- {mark}:end -->" in page


def test_the_page_says_how_long_they_were_trained(tool, stored):
    images = tool.H2L.h2l_steps * tool.H2L.batch
    assert f"{images:,} images" in tool.PAGE.read_text("utf-8")
    for one in stored.values():
        assert all(row["images"] == images for laws in one.values() for row in laws.values())


def test_every_row_says_its_seeds(tool, stored):
    for camera in tool.CAMERAS:
        n = len(tool.of_seeds(stored, camera, "adaptive"))
        assert f"| {camera} | adaptive | {n} |" in tool.law_table(stored)
        assert n == len([1 for one in stored.values() if "adaptive" in one.get(camera, {})])


def test_light_and_colour_are_found_beyond_the_control_and_noise_is_not(tool, stored):
    page = " ".join(tool.PAGE.read_text("utf-8").split())

    def slope(camera, number, of, which="learned"):
        return stored["0"][camera]["adaptive"][which][number][of]

    found = [("auto", "exposure", "light"), ("webcam", "warmth", "warmth")]
    for camera, number, of in [*found, ("webcam", "tint", "tint")]:
        learned, true = slope(camera, number, of), slope(camera, number, of, "true")
        assert f"{learned:.2f}" in page and f"{true:.2f}" in page
        assert abs(learned - true) < 0.2 < abs(true)
    light, warmth = slope("shipped", "exposure", "light"), slope("shipped", "warmth", "warmth")
    assert f"gives {light:.2f} for exposure and, wrongly, {warmth:.2f} for warmth" in page
    assert abs(light) < 0.1
    for number in ("shot noise", "read noise", "blur"):
        learned = slope("auto", number, "light")
        assert abs(learned - slope("auto", number, "light", "true")) > 0.3
        assert abs(learned - slope("shipped", number, "light")) < 0.25
    for one in stored.values():
        assert all(laws["adaptive"]["z_spread"] > Z_IGNORED for laws in one.values())


def test_the_restorer_is_not_helped(tool, stored):
    page = " ".join(tool.PAGE.read_text("utf-8").split())
    first = stored["0"]
    gain = {k: laws["adaptive"]["psnr"] - laws["plain"]["psnr"] for k, laws in first.items()}
    assert f"{-gain['webcam']:.2f} dB worse under `webcam`" in page
    assert f"{-gain['auto']:.2f} dB worse under `auto`" in page
    assert f"{gain['shipped']:.2f} dB better under the shipped camera" in page
    for camera in ("auto", "webcam"):
        told = [100 * first[camera][law]["told_apart"][0] for law in ("adaptive", "plain")]
        assert told[0] < told[1] and f"{told[0]:.0f} against {told[1]:.0f} %" in page
