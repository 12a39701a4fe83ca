"""Batches of a data set's pictures, read ahead by other processes while the network trains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
from torch.utils.data import DataLoader, Dataset

from export.datasets.augmentation import Augmentation
from export.datasets.pair_batches import PairBatch, Pairs, read_pairs
from export.datasets.retrieval_set import Size, TrainingSet
from export.samplers.exclusive import Batch
from onboard.errors import InputError

PREFETCHED = 2  # batches of each reader


class _Batches(Dataset["PairBatch | InputError"]):
    """Batch n of the rest of an epoch; its augmentation is that of its step. An error is handed
    over as it is: raised in a reader, it would arrive as a traceback."""

    def __init__(
        self,
        found: TrainingSet,
        pairs: Pairs,
        batches: Sequence[Batch],
        sizes: tuple[Size, Size],
        augmentation: Augmentation,
        seed: tuple[int, int, int],
    ) -> None:
        self._found, self._pairs, self._batches = found, pairs, batches
        self._sizes, self._augmentation, self._seed = sizes, augmentation, seed

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, n: int) -> PairBatch | InputError:
        cv2.setNumThreads(1)
        run_seed, rank, first_step = self._seed
        seed = (run_seed, rank, first_step + n)
        try:
            return read_pairs(
                self._found, self._pairs, self._batches[n], self._sizes, self._augmentation, seed
            )
        except InputError as e:
            return e


def pair_loader(
    found: TrainingSet,
    pairs: Pairs,
    batches: Sequence[Batch],
    sizes: tuple[Size, Size],
    augmentation: Augmentation,
    seed: tuple[int, int, int],
    readers: int,
) -> Iterator[PairBatch]:
    """The batches in their order. seed: the run's, the process's number, and the first batch's
    step. readers: processes that read, 0 for none but this.

    Raises InputError: a picture that is absent or broken.
    """
    held = _Batches(found, pairs, batches, sizes, augmentation, seed)
    loader: Iterable[PairBatch | InputError] = (held[n] for n in range(len(held)))
    if readers:
        loader = DataLoader(
            held,
            batch_size=None,
            num_workers=readers,
            prefetch_factor=PREFETCHED,
            multiprocessing_context="spawn",  # a forked child would inherit OpenCV's dead threads
        )
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        yield batch
