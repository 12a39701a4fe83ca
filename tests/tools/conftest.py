import pytest

from tests.tools.small_area import SmallArea, make_small_area


@pytest.fixture(scope="session")
def small_area(tmp_path_factory: pytest.TempPathFactory) -> SmallArea:
    return make_small_area(tmp_path_factory.mktemp("area"))
