"""Recognises files of a repository that a loader would read beside the four published ones.

`from_pretrained`, pipelines and adapters' libraries look for files by name at the top of a
repository: an adapter beside the weights changes what is computed, another processor's config
changes the pixels. In folders they look only where a caller names the folder.
"""

import re
from collections.abc import Iterable

# Any JSON may be a config, an index of shards, or what a tokenizer or a processor reads; any Python
# file may be the code that a config names.
READ = re.compile(
    r"(?i).*\.(json|py|jinja|safetensors|bin|pt|pth|pkl|pickle|ckpt|h5|keras|msgpack|npz|gguf|onnx|"
    r"mlmodel|tflite|model|index|data-\d+-of-\d+|ya?ml)"
    r"|vocab\.txt|merges\.txt|checkpoint"
)


def loadable(names: Iterable[str]) -> list[str]:
    """Return the names that loaders look for, sorted."""
    return sorted(name for name in names if "/" not in name and READ.fullmatch(name))
