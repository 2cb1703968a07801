"""Reads what tests/library/logs.rs wrote with TensorBoard's own reader and compares every scalar; needs `tensorboard`.

cargo test logs:: && python tests/tensorboard/check.py target/tmp/logs
"""

import json
import sys
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

folder = Path(sys.argv[1])
epochs = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
sizes = {name: 0 for name in ("scalars", "histograms", "images")}
events = EventAccumulator(str(folder / "run"), size_guidance=sizes)
events.Reload()
tags = events.Tags()

names = [name for name in epochs[0] if name != "epoch"]
assert set(names) | {"own"} == set(tags["scalars"]), tags["scalars"]
compared = 0
for name in names:
    found = events.Scalars(name)
    assert [event.step for event in found] == [epoch["epoch"] for epoch in epochs], name
    for event, epoch in zip(found, epochs):
        assert np.float32(event.value).tobytes() == np.float32(epoch[name]).tobytes(), (name, event, epoch)
        compared += 1
assert [(event.step, event.value) for event in events.Scalars("own")] == [(7, 0.25)]

for tag in tags["histograms"]:
    for event in events.Histograms(tag):
        histogram = event.histogram_value
        assert sum(histogram.bucket) == histogram.num > 0, tag
        assert list(histogram.bucket_limit) == sorted(histogram.bucket_limit), tag
        assert histogram.min <= histogram.max == histogram.bucket_limit[-1], tag
for tag in tags["images"]:
    for event in events.Images(tag):
        assert event.encoded_image_string.startswith(b"\x89PNG") and event.width > 0, tag
print(f"{compared} scalars equal; {len(tags['histograms'])} histograms; {len(tags['images'])} tags with images")
