"""Prints a summary of a day's orders."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Order:
    product: str
    quantity: int
    price: int


def load_orders(path: Path) -> list[Order]:
    with path.open() as file:
        return [Order(**entry) for entry in json.load(file)]


def revenue(orders: list[Order]) -> int:
    return sum(order.price * order.quantity for order in orders)


def best_sellers(orders: list[Order], count: int = 3) -> list[tuple[str, int]]:
    sold = Counter()
    for order in orders:
        sold[order.product] += order.quantity
    return sold.most_common(count)


