import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from maps.in_order import in_order


def test_results_come_in_order_whichever_is_ready_first():
    def slow_first(i):
        time.sleep(0.02 if i % 3 == 0 else 0.0)
        return i * i

    with ThreadPoolExecutor(4) as pool:
        assert list(in_order(pool, slow_first, range(20), 5)) == [i * i for i in range(20)]
        assert list(in_order(pool, slow_first, [], 5)) == []


def test_items_are_drawn_no_further_than_asked():
    drawn = []

    def items():
        for i in range(10):
            drawn.append(i)
            yield i

    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, abs, items(), ahead=2)
        assert next(results) == 0
        assert drawn == [0, 1, 2]


def test_an_error_comes_at_its_turn():
    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, lambda i: 1 // (2 - i), range(5), ahead=3)
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(ZeroDivisionError):
            next(results)
