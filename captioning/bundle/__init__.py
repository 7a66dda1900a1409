"""A trained model as a folder of JSON and arrays, without anything that can be run.

    <name>/  README.md  config.json  vocabulary.json  decoder.safetensors
             [encoder.safetensors]  [metrics.json]  [history.jsonl]
             [calibration.json  calibration.safetensors]

docs/bundle-format.md describes each file.  Reading a bundle needs no Keras, so pages can list the
models quickly; the arrays are read when a `Captioner` is loaded.
"""

from captioning.bundle.files import SCORES_BEGIN, SCORES_END, score_table
from captioning.bundle.listing import default_model, find_bundles
from captioning.bundle.reading import (
    Bundle,
    Publication,
    lent_encoder,
    read_bundle,
)
from captioning.bundle.writing import (
    add_scores,
    check_bundle_folder,
    is_reserved,
    keep_calibration,
    publish_bundle,
    rename_bundle,
    restore_models,
    unpublish_bundle,
    write_bundle,
    write_encoder,
)

__all__ = [
    "SCORES_BEGIN",
    "SCORES_END",
    "Bundle",
    "Publication",
    "add_scores",
    "check_bundle_folder",
    "default_model",
    "find_bundles",
    "is_reserved",
    "keep_calibration",
    "lent_encoder",
    "publish_bundle",
    "read_bundle",
    "rename_bundle",
    "restore_models",
    "score_table",
    "unpublish_bundle",
    "write_bundle",
    "write_encoder",
]
