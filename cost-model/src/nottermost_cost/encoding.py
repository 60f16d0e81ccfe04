"""What a command answers to `--json`."""

import msgspec


def encode_json(answer: object) -> bytes:
    """One object that ends with a newline; decimals are numbers with every digit."""
    return msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(answer), indent=1) + b"\n"
