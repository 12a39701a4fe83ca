import pytest

from maps.imagery_date import is_imagery_date


@pytest.mark.parametrize("text", ["2024", "2024-10", "2024-10-30", "2024-02-29", "1999-12-31"])
def test_days_months_and_years_are_dates(text: str) -> None:
    assert is_imagery_date(text)


@pytest.mark.parametrize(
    "text",
    ["2024-13-45", "2024-13", "2024-00", "2024-02-30", "2023-02-29", "2024-10-00", "0000", "24",
     "2024-1-1", "20241030", "2024-10-", "2024\n", "2024-10-30T10:00", "",
     "\u0662\u0660\u0662\u0664"],
)  # fmt: skip
def test_what_the_calendar_lacks_is_none(text: str) -> None:
    assert not is_imagery_date(text)
