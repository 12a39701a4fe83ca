import io

import numpy as np
import pytest

from onboard.errors import InputError
from onboard.pack.array_file import read_npy_checked

NUMBERS = np.arange(24, dtype=np.float16).reshape(6, 4)


def npy(array: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    "array",
    [NUMBERS, NUMBERS.astype(np.int8), np.arange(5, dtype=np.int32), np.zeros((0, 4), np.uint8)],
    ids=["f2", "i1", "i4", "empty"],
)
def test_an_array_is_what_was_saved(tmp_path, array, mapped):
    (tmp_path / "a.npy").write_bytes(npy(array))
    read = read_npy_checked(tmp_path / "a.npy", array.dtype, array.shape, mapped)
    assert read.dtype == array.dtype and np.array_equal(read, array)
    assert not read.flags.writeable
    free = (None, *array.shape[1:])
    assert read_npy_checked(tmp_path / "a.npy", array.dtype, free).shape == array.shape


def header(text: bytes, numbers: bytes = b"", magic: bytes = b"\x93NUMPY\x01\x00") -> bytes:
    return magic + len(text).to_bytes(2, "little") + text + numbers


SAID = b"{'descr': '<f2', 'fortran_order': False, 'shape': (6, 4), }\n"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "does not begin"),
        (npy(NUMBERS)[:-1], "its length"),
        (npy(NUMBERS) + b"\0", "its length"),
        (npy(NUMBERS.astype("<f4")), "holds <f4"),
        (npy(NUMBERS.astype(">f2")), "holds >f2"),
        (npy(NUMBERS.T), "plain array"),
        (npy(NUMBERS[:5]), r"of \(5, 4\), expected"),
        (npy(NUMBERS.ravel()), r"of \(24,\), expected"),
        (npy(np.array([{}], dtype=object)), "plain array|holds"),
        (npy(np.zeros(6, [("a", "<f2")])), "plain array"),
        (header(SAID, bytes(48), b"\x93NUMPY\x02\x00"), "does not begin"),
        (header(SAID.replace(b"6, 4", b"6, 4, 999999999999999")), r"expected"),
        (header(SAID.replace(b"6", b"9" * 400)), "does not begin|plain array"),
        (header(SAID.replace(b"6", b"__import__('os')")), "plain array"),
        (header(b"(" * 200), "plain array"),
        (header(b"(" * 60_000), "does not begin"),
    ],
)
def test_what_is_not_the_expected_array_is_refused(tmp_path, data, sentence):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    for mapped in (False, True):
        with pytest.raises(InputError, match=sentence):
            read_npy_checked(path, "<f2", (6, 4), mapped)


def test_a_hand_written_header_is_read(tmp_path):
    (tmp_path / "a.npy").write_bytes(header(SAID, NUMBERS.tobytes()))
    assert np.array_equal(read_npy_checked(tmp_path / "a.npy", "<f2", (6, 4)), NUMBERS)
