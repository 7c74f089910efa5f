"""Reading the file that W&B keeps of a run without a network."""

import json
import struct

from wandb.proto.wandb_internal_pb2 import Record

_BLOCK = 32768
_HEADER = struct.Struct("<IHB")
_FILE_HEADER_SIZE = 7
_FULL, _LAST = 1, 4


def read_records(path):
    """Return all records of a file, which is a log as LevelDB writes it."""
    content, position, parts, records = path.read_bytes(), _FILE_HEADER_SIZE, b"", []
    while position + _HEADER.size <= len(content):
        if _BLOCK - position % _BLOCK < _HEADER.size:
            position += _BLOCK - position % _BLOCK
            continue
        _, length, kind = _HEADER.unpack_from(content, position)
        position += _HEADER.size
        parts += content[position : position + length]
        position += length
        if kind in (_FULL, _LAST):
            records.append(Record.FromString(parts))
            parts = b""
    return records


def read_history(path):
    """Return the rows that were logged, each with its ``_step``."""
    rows = []
    for record in read_records(path):
        if record.HasField("history"):
            items = {
                item.key or "/".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }
            rows.append({"_step": record.history.step.num} | items)
    return rows
