"""Sets that keep one folder of pictures a place: the folder's name is the label."""

from __future__ import annotations

from pathlib import Path

from export.datasets.folders import pictures, subfolders
from export.datasets.retrieval_set import Item, Size, TrainingSet, View, same_label
from onboard.errors import InputError


def items_by_id(folder: Path, layout: str) -> tuple[Item, ...]:
    """Every picture of <folder>/<id>/, labelled with its id, in the order of ids and names.

    Raises InputError: no such folder, an id that is no number, an id without pictures.
    """
    items: list[Item] = []
    for place in subfolders(folder, layout):
        if not (place.name.isascii() and place.name.isdigit()):
            raise InputError(f"{place}: the folder's name is no id; expected is {layout}")
        items += [Item(picture, place.name) for picture in pictures(place, layout)]
    return tuple(items)


def training_by_label(
    name: str,
    views: tuple[View, View],
    size: Size,
    queries: tuple[Item, ...],
    gallery: tuple[Item, ...],
) -> TrainingSet:
    """Pairs of equal labels; views: the queries' and the gallery's.

    Raises InputError: a query whose label the gallery lacks.
    """
    positives = same_label(queries, gallery)
    for item, own in zip(queries, positives, strict=True):
        if not own:
            raise InputError(
                f"{item.picture}: there is no {views[1].value} picture of {item.label} to pair it "
                "with; get the data set again"
            )
    return TrainingSet(name, *views, size, size, queries, gallery, positives)
