"""A lasting store over several builds: what is made again, and what comes out."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from shapely.geometry import box

from maps.build import BuildRequest, build_pack
from maps.cells.run_here import run_here
from maps.cells.store import CellStore, Step
from maps.cells.update import end_update
from maps.cut import CutRequest, cut_pack
from maps.provenance import Provenance
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.geodesy import pixel_to_latlon
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from tests.maps.small_imagery import texture, write_xyz
from tests.maps.test_build import same_files

LEVEL, X0, Y0 = (
    14,
    6080,
    4000,
)  # a corner of four cells of level 9: 6080 = 190 * 32, 4000 = 125 * 32


@pytest.fixture(scope="module")
def bundle():
    return load_bundle()


@pytest.fixture
def described(monkeypatch):
    """Counts the tiles that the network describes for the store."""
    counted = []

    class Counting(Describer):
        def descriptors(self, pictures):
            counted.append(len(pictures))
            return super().descriptors(pictures)

    monkeypatch.setattr("maps.cells.recipe.Describer", Counting)
    return counted


def build(bundle, inputs, out, **options):
    options = {"levels": (LEVEL,), "name": "a", "replace": True, **options}
    return build_pack(BuildRequest(tuple(inputs), out, **options), bundle)


def west_and_east(folder):
    """Two inputs: on the cells west of the border, and on those east of it."""
    west = write_xyz(folder / "w", texture(512, 512), LEVEL, X0 - 3, Y0 - 1)
    east = write_xyz(folder / "e", texture(512, 768, seed=2), LEVEL, X0, Y0 - 1)
    return west, east


def test_nothing_is_done_twice(tmp_path, bundle, described):
    west, east = west_and_east(tmp_path)
    store = str(tmp_path / "s")
    first = build(bundle, [west, east], tmp_path / "a.pack", store=store)
    assert first.cells_done == 4 and first.cells_there == 0 and sum(described) == first.tiles
    described.clear()
    again = build(bundle, [west, east], tmp_path / "b.pack", store=store)
    assert not described and again.cells_done == 0 and again.cells_there == 4
    assert again.bare_tiles_per_s is None and again.tiles == first.tiles
    assert same_files(tmp_path / "a.pack", tmp_path / "b.pack")
    build(bundle, [west, east], tmp_path / "c.pack")
    assert same_files(tmp_path / "a.pack", tmp_path / "c.pack")


def test_an_input_on_top_redoes_only_the_cells_it_touches(tmp_path, bundle, described):
    west, east = west_and_east(tmp_path)
    store = str(tmp_path / "s")
    build(bundle, [west, east], None, store=store)
    top = write_xyz(tmp_path / "top", texture(256, 256, seed=3), LEVEL, X0 + 2, Y0)
    described.clear()
    done = build(bundle, [west, east, top], tmp_path / "a.pack", store=store)
    # The cell with the new tile, and the one whose tiles reach over the border into it.
    assert done.cells_done == 2 and done.cells_there == 2
    assert 0 < sum(described) < done.tiles
    build(bundle, [west, east, top], tmp_path / "b.pack")
    assert same_files(tmp_path / "a.pack", tmp_path / "b.pack")
    corner = write_xyz(tmp_path / "corner", texture(256, 256, seed=4), LEVEL, X0, Y0)
    described.clear()
    done = build(bundle, [west, east, top, corner], tmp_path / "c.pack", store=store)
    # It lies in the corner of its cell, where all four meet.
    assert done.cells_done == 4 and done.cells_there == 0
    build(bundle, [west, east, top, corner], tmp_path / "d.pack")
    assert same_files(tmp_path / "c.pack", tmp_path / "d.pack")


def test_a_changed_input_redoes_only_what_its_tiles_touch(tmp_path, bundle, described):
    west, east = west_and_east(tmp_path)
    store = f"memory://{tmp_path.name}"
    build(bundle, [west, east], None, store=store)
    write_xyz(west, texture(256, 256, seed=5), LEVEL, X0 - 3, Y0 - 1)
    described.clear()
    done = build(bundle, [west, east], tmp_path / "a.pack", store=store)
    assert done.cells_done == 1 and done.cells_there == 3
    assert 0 < sum(described) < done.tiles / 2
    build(bundle, [west, east], tmp_path / "b.pack")
    assert same_files(tmp_path / "a.pack", tmp_path / "b.pack")


def test_an_input_touched_but_not_changed_is_not_described_again(tmp_path, bundle, described):
    west, east = west_and_east(tmp_path)
    store = str(tmp_path / "s")
    build(bundle, [west, east], None, store=store)
    for file in west.rglob("*.png"):
        os.utime(file, ns=(1, 1))
    described.clear()
    done = build(bundle, [west, east], None, store=store)
    assert not described and done.cells_done == 2


def test_a_removed_input_goes_when_asked_and_is_named_otherwise(tmp_path, bundle, described):
    west, east = west_and_east(tmp_path)
    store = str(tmp_path / "s")
    build(bundle, [west, east], None, store=store)
    before = CellStore(store).cells()
    with pytest.raises(InputError, match="holds imagery of e, which"):
        build(bundle, [west], tmp_path / "a.pack", store=store)
    assert CellStore(store).cells() == before and CellStore(store).header().finished
    described.clear()
    done = build(bundle, [west], tmp_path / "a.pack", store=store, drop=True)
    assert done.cells_gone == 2 and len(CellStore(store).cells()) == 2
    assert sum(described) == done.tiles  # all of these cells reach over the border
    build(bundle, [west], tmp_path / "b.pack")
    assert same_files(tmp_path / "a.pack", tmp_path / "b.pack")


def test_cells_at_the_border_of_removed_imagery_keep_their_share(tmp_path, bundle):
    """West of the remaining imagery, tiles that lie half on it stay, the imagery goes."""
    west, east = west_and_east(tmp_path)
    store = str(tmp_path / "s")
    build(bundle, [west, east], None, store=store)
    build(bundle, [east], tmp_path / "a.pack", store=store, drop=True)
    build(bundle, [east], tmp_path / "b.pack")
    assert same_files(tmp_path / "a.pack", tmp_path / "b.pack")
    table = MapPack.open(tmp_path / "a.pack").tiles(LEVEL)
    assert table.cols.min() == 2 * X0 - 1


@pytest.mark.parametrize(("levels", "said"), [((LEVEL - 1, LEVEL), "13, 14"), ((13,), "13")])
def test_a_store_of_other_levels_is_refused(tmp_path, bundle, levels, said):
    west, _ = west_and_east(tmp_path)
    store = str(tmp_path / "s")
    build(bundle, [west], None, store=store)
    with pytest.raises(InputError, match=f"store of levels 14, this build is of {said}"):
        build(bundle, [west], None, store=store, levels=levels)


def test_a_store_of_another_model_is_refused(tmp_path, bundle):
    west, _ = west_and_east(tmp_path)
    store = CellStore(str(tmp_path / "s"))
    build(bundle, [west], None, store=store.url)
    text = (tmp_path / "s" / "store.json").read_text()
    (tmp_path / "s" / "store.json").write_text(text.replace(bundle.sha256, "0" * 64))
    with pytest.raises(InputError, match=r"store of model .* \(000000000000\), this build"):
        build(bundle, [west], None, store=store.url)


def test_a_stopped_update_is_said_by_the_store_and_goes_on(tmp_path, bundle, monkeypatch):
    west, east = west_and_east(tmp_path)
    store = str(tmp_path / "s")

    class Stopping(Describer):
        def descriptors(self, pictures):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("maps.cells.recipe.Describer", Stopping)
        with pytest.raises(KeyboardInterrupt):
            build(bundle, [west, east], None, store=store)
    assert not CellStore(store).header().finished
    build(bundle, [west, east], tmp_path / "a.pack", store=store)
    assert CellStore(store).header().finished
    build(bundle, [west, east], tmp_path / "b.pack")
    assert same_files(tmp_path / "a.pack", tmp_path / "b.pack")


def test_a_pack_that_was_stopped_takes_the_new_word_on_its_imagery(tmp_path, bundle, monkeypatch):
    west, _ = west_and_east(tmp_path)
    words = {"store": str(tmp_path / "s"), "provenance": Provenance(attributions=("before",))}

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("maps.cells.assemble.write_shard", stop)
        with pytest.raises(KeyboardInterrupt):
            build(bundle, [west], tmp_path / "a.pack", **words)
    words["provenance"] = Provenance(attributions=("after",))
    for name in ("a.pack", "b.pack"):
        build(bundle, [west], tmp_path / name, **words)
    assert same_files(tmp_path / "a.pack", tmp_path / "b.pack")


def test_a_new_word_on_the_maps_error_describes_nothing_again(tmp_path, bundle, described):
    west, east = west_and_east(tmp_path)
    store = str(tmp_path / "s")
    before = build(bundle, [west, east], tmp_path / "a.pack", store=store)
    assert MapPack.open(tmp_path / "a.pack").manifest.map_sigma_m == 3.0
    described.clear()
    words = {"store": store, "provenance": Provenance(sigmas_m=(0.2, 8.0))}
    done = build(bundle, [west, east], tmp_path / "b.pack", **words)
    assert not described and done.cells_there == 4 and done.tiles == before.tiles
    # A cut may show the good imagery alone, but nobody knows.
    cut_pack(CutRequest(store, tmp_path / "c.pack", box(-180.0, -85.0, 180.0, 85.0)))
    for name in ("b.pack", "c.pack"):
        assert MapPack.open(tmp_path / name).manifest.map_sigma_m == 8.0
    build(bundle, [west, east], tmp_path / "d.pack", store=store)
    assert same_files(tmp_path / "a.pack", tmp_path / "d.pack")


def test_an_existing_pack_is_refused_before_any_work(tmp_path, bundle):
    west, _ = west_and_east(tmp_path)
    (tmp_path / "a.pack").mkdir()
    with pytest.raises(InputError, match="exists already"):
        build(bundle, [west], tmp_path / "a.pack", store=str(tmp_path / "s"), replace=False)
    assert not (tmp_path / "s").exists()


def test_one_of_two_inputs_of_the_same_name_does_not_go_unasked(tmp_path, bundle):
    """OpenDroneMap calls all its orthophotos the same."""
    west, east = west_and_east(tmp_path)
    store = str(tmp_path / "s")
    named = {"store": store, "provenance": Provenance(names=("odm_orthophoto",))}
    build(bundle, [west, east], None, **named)
    with pytest.raises(InputError, match="holds imagery of odm_orthophoto, which"):
        build(bundle, [east], None, **named)


def test_an_input_changed_while_a_build_is_at_work_makes_no_pack(tmp_path, bundle, monkeypatch):
    west, east = west_and_east(tmp_path)

    def change_then_run(*said):
        tally = run_here(*said)
        write_xyz(west, texture(256, 256, seed=5), LEVEL, X0 - 3, Y0 - 1)
        return tally

    monkeypatch.setattr("maps.build.run_here", change_then_run)
    for store in (None, str(tmp_path / "s")):
        with pytest.raises(InputError, match="an input was changed while the build was at work"):
            build(bundle, [west, east], tmp_path / "a.pack", store=store)
        assert not (tmp_path / "a.pack").exists()


def test_holes_in_the_area_are_said(tmp_path, bundle, capsys):
    """Two far tiles have the bounding box of all between."""
    write_xyz(tmp_path / "h", texture(256, 256), LEVEL, X0, Y0)
    write_xyz(tmp_path / "h", texture(256, 256), LEVEL, X0 + 3, Y0 + 3)
    south, east_deg = pixel_to_latlon((X0 + 4) * 256 - 1, (Y0 + 4) * 256 - 1, LEVEL)
    north, west_deg = pixel_to_latlon(X0 * 256 + 1, Y0 * 256 + 1, LEVEL)
    area = ",".join(str(float(side)) for side in (west_deg, south, east_deg, north))
    build(bundle, [tmp_path / "h"], tmp_path / "a.pack", area=area)
    assert "the pack's imagery reaches 12% of the area" in capsys.readouterr().err


def test_two_builds_at_once_on_an_object_store_do_no_harm(tmp_path, bundle):
    west, east = west_and_east(tmp_path)
    store = f"memory://{tmp_path.name}"
    with ThreadPoolExecutor(2) as pool:
        made = [
            pool.submit(build, bundle, [west, east], tmp_path / name, store=store)
            for name in ("a.pack", "b.pack")
        ]
        assert len({future.result().tiles for future in made}) == 1
    build(bundle, [west, east], tmp_path / "c.pack")
    assert same_files(tmp_path / "a.pack", tmp_path / "c.pack")
    assert same_files(tmp_path / "b.pack", tmp_path / "c.pack")


@pytest.mark.parametrize("step", list(Step))
def test_what_another_build_put_meanwhile_ends_in_no_pack(tmp_path, bundle, monkeypatch, step):
    """A worker of a stopped build may end its task when the next build is almost done."""
    west, east = west_and_east(tmp_path)
    url, other = str(tmp_path / "s"), CellStore(str(tmp_path / "other"))
    build(bundle, [west], None, store=other.url)
    store = CellStore(url)

    def late(*args):
        for cell in other.cells():
            mark = other.mark(cell, step)
            if mark is not None:
                held = [other.local(cell, f, tmp_path) for f in mark.files]
                store.put(cell, step, "another", held, dict(mark.counts), mark.edges)
        return end_update(*args)

    monkeypatch.setattr("maps.build.end_update", late)
    with pytest.raises(InputError, match="was written by another build meanwhile"):
        build(bundle, [west, east], tmp_path / "a.pack", store=url)
    assert not store.header().finished and not (tmp_path / "a.pack").exists()
    monkeypatch.undo()
    build(bundle, [west, east], tmp_path / "a.pack", store=url)
    build(bundle, [west, east], tmp_path / "b.pack")
    assert same_files(tmp_path / "a.pack", tmp_path / "b.pack")
