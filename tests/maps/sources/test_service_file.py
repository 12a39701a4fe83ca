import pytest

from maps.sources.service_file import Scheme, load_service
from maps.sources.tile_address import quadkey, tile_address
from onboard.errors import InputError

XYZ = 'url = "https://{s}.x.org/{z}/{x}/{y}"\nlevels = "10-18"\nsubdomains = ["a", "b"]\n'
WMTS = 'levels = "10-18"\nscheme = "wmts"\n'


@pytest.fixture
def write(tmp_path):
    def file(text: str):
        (tmp_path / "map.toml").write_text(text)
        return tmp_path / "map.toml"

    return file


def test_what_is_not_said_is_polite(write, tmp_path):
    service = load_service(write(XYZ))
    assert (service.requests_per_s, service.parallel, service.tile_px) == (4.0, 2, 256)
    assert service.name == "map" and service.cache == tmp_path
    assert service.zooms == tuple(range(10, 19)) and service.scheme is Scheme.XYZ
    assert load_service(write(XYZ + 'cache = "kept"')).cache == tmp_path / "kept"
    assert service.sigma_m is None and load_service(write(XYZ + "sigma_m = 4")).sigma_m == 4.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('levels = "1"', "key 'url' is missing"),
        ('url = "https://x.org/{z}/{x}/{y}"', "key 'levels' is missing"),
        (XYZ + "rate = 3", "unknown key 'rate'"),
        (XYZ + "sigma_m = 0", "sigma_m is 0.0: give .* above 0 and up to 10"),
        (XYZ + "sigma_m = nan", "sigma_m is nan: give"),
        (XYZ.replace("{y}", "{yy}"), r"unknown placeholder \{yy\}; did you mean 'y'"),
        (XYZ.replace("/{y}", ""), r"needs \{z\}, \{x\} and \{y\}"),
        (XYZ.replace("https", "ftp"), "must begin with https"),
        (XYZ.replace("{s}.x.org", "me:pw@x.org"), "user and password"),
        (XYZ.replace("{s}.x.org", "{z}.x.org"), r"only \{s\} may stand in the host"),
        (XYZ.replace("{s}.", ""), "subdomains go together"),
        (XYZ.replace("{y}", "{y}?api_key=abc"), "holds a key as 'api_key'"),
        (XYZ.replace("{y}", "{y}?access_token=abc"), "holds a key as 'access_token'"),
        (XYZ.replace("{y}", "{y}?key={key}"), "key_env goes together"),
        (XYZ + 'key_env = "K"', "key_env goes together"),
        (XYZ.replace("10-18", "18-10"), "levels: '18-10'"),
        (XYZ.replace("10-18", "10-25"), "levels: '10-25'"),
        (XYZ.replace('"10-18"', '"all"'), "levels: 'all'"),
        (XYZ + "parallel = 9", "parallel: must lie between 0 and 8"),
        (XYZ + "requests_per_s = 0", "requests_per_s: must lie"),
        (XYZ + "requests_per_s = nan", "requests_per_s: must lie"),
        (XYZ + "tile_px = 300", "tile_px"),
        (XYZ + 'blank_sha256 = ["12"]', "blank_sha256"),
        (XYZ + 'date = "yesterday"', "date: is no date"),
        (XYZ + 'date = "2024-02-30"', "date: is no date"),
        (XYZ + 'contact = "a\\r\\nX-Evil: 1"', "contact: only plain"),
        (XYZ.replace("{y}", "{-y}") + 'scheme = "tms"', "counts from the south already"),
        (XYZ + 'scheme = "wms"', "not one of xyz, tms, wmts"),
        (WMTS + 'url = "https://x.org/wmts"', "needs layer and matrix_set"),
        (WMTS + 'url = "https://x.org/{TileMatrix}/{TileRow}"', r"needs \{tilecol\} too"),
        (
            WMTS + 'url = "https://x.org/wmts"\nlayer = "a"\nmatrix_set = "EPSG:4326"',
            "'EPSG:4326' is not known as Web Mercator",
        ),
        (
            WMTS + 'url = "https://x.org/w"\nlayer = "a"\nmatrix_set = "PM"\nmatrix = "0"',
            "names a level",
        ),
        (
            WMTS + 'url = "https://x.org/{Layer}/PM/{TileMatrix}/{TileRow}/{TileCol}"',
            "asks for layer",
        ),
    ],
)
def test_what_cannot_be_is_named(write, text, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        load_service(write(text))
    assert "map.toml" in str(caught.value) and "abc" not in str(caught.value).split("?")[0]


@pytest.mark.parametrize("name", ["PM", "PM_0_19", "WebMercatorQuad", "EPSG:900913"])
def test_names_of_web_mercator(write, name):
    load_service(write(f'{WMTS}url = "https://x.org/w"\nlayer = "a"\nmatrix_set = "{name}"'))


def test_a_matrix_set_that_the_person_vouches_for(write):
    text = WMTS + 'url = "https://x.org/w"\nlayer = "a"\nmatrix_set = "own"\nweb_mercator = true'
    assert load_service(write(text)).web_mercator


def test_addresses(write):
    service = load_service(write(XYZ))
    assert tile_address(service, 10, 5, 7, None) == "https://a.x.org/10/5/7"
    assert tile_address(service, 10, 6, 7, None) == "https://b.x.org/10/6/7"
    restful = load_service(
        write(
            WMTS + 'url = "https://x.org/{Layer}/{Style}/{TileMatrixSet}/{TileMatrix}/{TileRow}/'
            '{TileCol}.png"\nlayer = "or tho"\nmatrix_set = "GoogleMapsCompatible"'
        )
    )
    assert tile_address(restful, 10, 5, 7, None) == (
        "https://x.org/or%20tho/default/GoogleMapsCompatible/10/7/5.png"
    )


def test_the_quadkey_of_the_documentation():
    # learn.microsoft.com/bingmaps/articles/bing-maps-tile-system: tile (3, 5) at level 3.
    assert quadkey(3, 3, 5) == "213"
