"""What every test has: one torch thread (same results everywhere), no preset from outside."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("HLGAN_PRESET", None)
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from torch.optim.optimizer import register_optimizer_step_pre_hook  # noqa: E402
from torch.utils import backend_registration  # noqa: E402

torch.set_num_threads(1)

# It is read for its doctests too, and torch below 2.9 lacks what it is written with.
collect_ignore = ["far_device.py"]
if hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
    collect_ignore = []

# The same examples each time, and no folder of them left behind.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("same")

# More than about a second on an idle core each: left out by --fast. A test finds each of them.
LONG = frozenset(
    """
    analysis/card
    analysis/test_blur.py
    analysis/test_camera_law.py
    analysis/test_camera_validation.py
    analysis/test_validation.py
    analysis/test_z_directions.py
    commands/test_train.py
    commands/test_study.py
    faults/test_overwriting.py
    faults/test_streams.py
    faults/test_user_paths.py
    notebook/test_own_photo.py
    prepare/test_audit.py
    prepare/test_audit_page.py
    reliability/test_calibration.py
    study/test_scoring.py
    test_access.py
    tools/test_equations.py
    viz/test_card.py
    test_a2_is_never_used
    test_a_measured_jpeg_codes_as_measured_and_lets_gradients_through
    test_a_mistake_ends_with_one_line_and_writes_nothing
    test_a_mistake_is_one_plain_line_on_every_terminal
    test_a_picture_has_the_same_trust_in_any_company
    test_a_stored_run_is_found_by_cell_and_seed
    test_all_are_drawn_in_time_with_a_manifest_that_says_of_what
    test_all_json_is_written_by_one_function
    test_blank_fails_right_passes_and_each_usual_mistake_fails_with_its_hint
    test_causes_find_what_the_camera_was_told_to_do
    test_d_has_spectral_norm_on_every_layer_and_no_batch_norm
    test_degrade_keeps_names_folders_and_noise
    test_distance_of_small_pictures_rises_with_each_step_of_damage
    test_each_suspect_lacks_its_one_thing
    test_effective_kernel_recovers_a_gaussian_from_pictures
    test_energy_distance_is_least_where_the_laws_agree
    test_every_training_of_the_grid_makes_an_update
    test_figures_of_an_installed_library_are_drawn_from_any_results
    test_finished_runs_are_scored_once_and_gaps_are_closed
    test_frechet_is_that_of_torchmetrics_on_the_same_module
    test_grain_alone_has_no_direction
    test_heads_are_compared_before_anything_is_read
    test_how_nearly_the_jpeg_is_measured
    test_interval_of_the_share_covers_the_truth_about_as_often_as_it_says
    test_key_of_a_stored_run_equals_the_run_s_wherever_the_folder_lies
    test_large_pictures_that_are_refused_are_not_decoded
    test_loss_is_alpha_pixel_and_beta_gan
    test_made_checkpoint_round_trips
    test_matrix_shows_the_stored_faces_of_what_was_run
    test_more_noise_makes_more_noise
    test_no_library_function_is_pasted
    test_noise_on_the_input_lowers_the_trust_in_the_shipped_networks
    test_other_checkpoints_are_refused
    test_paper_inception_gives_the_pooled_features_of_torchvisions_network
    test_probe_kernel_of_known_filters
    test_residual_of_the_camera_holds_at_least_its_random_part
    test_shot_noise_grows_with_the_light_and_read_noise_does_not
    test_the_command_writes_bench_json_and_a_table
    test_the_directions_that_matter_are_found_and_no_more
    test_the_faces_of_a_photograph_with_their_trust_by_the_shipped_weights
    test_the_house_itself_holds
    test_the_same_names_in_any_order_find_themselves
    test_the_stored_parameters_fit_the_stored_pairs
    test_they_are_degradations_by_name
    test_training_curves_draw_every_run_and_describe_themselves
    test_twenty_faces_are_about_as_many_times_further_apart_as_they_are_fewer
    test_upscale_with_trust_writes_the_table_and_names_the_doubtful
    test_vgg_maps_are_those_before_the_last_pool
    test_warning_is_the_chance_that_a_failure_is_trusted_less
    test_what_cannot_be_an_answer_never_stops_the_notebook
    """.split()
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast",
        action="store_true",
        help="leave out what trains, starts a Python or takes long",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    long = item.get_closest_marker("slow") or item.get_closest_marker("browser")
    file = item.path.relative_to(Path(__file__).parent)
    known_by = {getattr(item, "originalname", item.name), file.as_posix(), file.parent.as_posix()}
    long = long or not LONG.isdisjoint(known_by)
    if long and item.config.getoption("--fast"):
        pytest.skip("takes long")


@pytest.fixture(autouse=True, scope="session")
def fast(request):
    """With --fast a test ends where it takes a training step or starts a Python: no list."""
    if not request.config.getoption("--fast"):
        yield
        return

    start = subprocess.Popen.__init__

    def start_no_python(self, args, *rest, **more):
        command = args if isinstance(args, (str, Path)) else args[0]
        if Path(command).parent == Path(sys.executable).parent:
            pytest.skip("starts a Python of its own")
        start(self, args, *rest, **more)

    def take_no_step(*_):
        pytest.skip("trains")

    hook = register_optimizer_step_pre_hook(take_no_step)
    subprocess.Popen.__init__ = start_no_python
    yield
    subprocess.Popen.__init__ = start
    hook.remove()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch, request):
    """A cache of features for each test, made when it is used."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    monkeypatch.setenv("HLGAN_CACHE", str(tmp_path_factory.getbasetemp() / "cache" / name))


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
