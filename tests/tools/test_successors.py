"""docs/successors.md holds the stored tables; what it says of them is so."""

TOOL = "successors"


def test_the_page_holds_the_stored_tables(tool, stored):
    page = tool.PAGE.read_text("utf-8")
    for mark, table in tool.TABLES.items():
        between = page.split(f"<!-- {mark}:begin -->\n")[1].split(f"<!-- {mark}:end -->")[0]
        assert between.strip() == table(stored).strip(), "python tools/results/successors.py"


def test_every_planned_row_is_in_a_table_and_what_was_not_run_is_named(tool, stored):
    assert set(tool.ROWS) == {*tool.RESTORERS, *tool.DEGRADATIONS}
    tables = {tool.RESTORERS: tool.restorer_table, tool.DEGRADATIONS: tool.degradation_table}
    for names, table in tables.items():
        rows, _, missing = table(stored).partition("Not run: ")
        for name in names:
            label = "learned camera" if (name, names) == ("pixel only", tool.DEGRADATIONS) else name
            said = rows if name in stored["scores"] else missing
            assert label in said or name in said, name


def test_a_row_differs_from_its_neighbour_in_what_it_is_named_after(tool):
    for name in tool.RESTORERS:
        assert tool.ROWS[name].pairs == "learned camera"
    for name in tool.DEGRADATIONS:
        row = tool.ROWS[name]
        assert row.stage == "l2h" and row.changes == tool.PIXEL
    lengths = {row.changes.get("flow_steps", tool.CFG.l2h_steps) for row in tool.ROWS.values()}
    assert lengths == {tool.CFG.l2h_steps, tool.EVEN_UPDATES}


def test_what_is_said_of_the_numbers_is_so(stored):
    psnr = {name: on["camera"]["psnr"] for name, on in stored["scores"].items()}
    learned, bilinear = psnr["pixel only"], psnr["bilinear"]
    assert 0.4 < learned["value"] - bilinear["value"] < 0.6
    assert learned["ci"][0] < bilinear["ci"][1] < learned["value"], "their intervals just touch"
    far = {k: on["frechet_lite0"]["value"] for k, on in stored["degradations"].items()}
    assert far["learned camera"] < far["bilinear"] < far["DSGAN"]
    assert stored["degradations"]["DSGAN"]["diversity"]["total"] < 1e-6, "always the same one"
    assert abs(psnr["PDM"]["value"] - bilinear["value"]) < 0.1
    spreads = {k: on["diversity"]["total"] for k, on in stored["degradations"].items()}
    assert 0.05 < spreads["PDM"] / spreads["learned camera"] < 0.15
    flow = stored["flow"]["flow"]
    assert flow["explained"] < 0.02, "it does not draw yet"
    assert abs(flow["psnr_mean"]["value"] - flow["psnr_one"]["value"]) < 0.05
