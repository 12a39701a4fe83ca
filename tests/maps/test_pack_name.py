from pathlib import Path

import pytest

from maps.pack_name import pack_name
from onboard.errors import InputError


def test_the_folder_gives_the_name_where_nobody_did():
    assert pack_name(None, Path("maps/area.pack")) == "area"
    assert pack_name("Z\u00fcrich", Path("a.pack")) == "Z\u00fcrich"


@pytest.mark.parametrize("said", ["", " ", "a\nb", "a\x1b[2J", "a\u202eb", "n" * 201, "\udce9"])
def test_a_name_that_does_not_show_as_it_is(said):
    with pytest.raises(InputError, match="--name") as refused:
        pack_name(said, Path("a.pack"))
    assert str(refused.value).isprintable()
