"""Results of an evaluation but for the time that it took."""

from typing import Any


def without_seconds(value: Any) -> Any:
    match value:
        case dict():
            return {key: without_seconds(each) for key, each in value.items() if not key.startswith("seconds")}
        case list():
            return [without_seconds(each) for each in value]
        case _:
            return value
