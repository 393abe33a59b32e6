"""The identifiers of licenses on the hub, and the check of a stated license."""

from collections.abc import Mapping
from typing import Any

from videomae.errors import ConversionError, suggestion

# The keys of a card's metadata, and of config.yaml, that state the license.
KEYS = ("license", "license_name", "license_link")

# The identifier of all other licenses. The hub shows the license's name and link instead.
OTHER = "other"

# From huggingface/hub-docs, docs/hub/repositories-licenses.md (2024), and newer ones seen in cards.
# For a license that is missing here, users write `other`. The hub checks it again before a push.
IDENTIFIERS = tuple(
    """
        afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m
        bigscience-bloom-rail-1.0 bigscience-openrail-m bsd bsd-2-clause bsd-3-clause
        bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0
        cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0
        cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
        cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0
        epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl
        gpl gpl-2.0 gpl-3.0 grok2-community h-research intel-research isc lgpl lgpl-2.1 lgpl-3.0
        lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit mpl-2.0 ms-pl ncsa
        odbl odc-by ofl-1.1 openmdw-1.0 openrail openrail++ osl-3.0 other pddl postgresql unknown
        unlicense wtfpl zlib
    """.split()  # noqa: SIM905 (one a line they would fill a screen)
)


def check(stated: Mapping[str, Any]) -> None:
    """Raise `ConversionError` for an unknown license, or for `other` without its name and link.

    ``stated`` is a card's metadata, or its keys about the license; it may be empty.
    """
    license_ = stated.get("license")
    beside = [key for key in KEYS[1:] if key in stated]
    if license_ is not None and license_ not in IDENTIFIERS:
        raise ConversionError(
            f"license: {license_!r} is not an identifier of the hub"
            f"{suggestion(str(license_), IDENTIFIERS)}; for a license without one, write {OTHER} "
            "and give license_name and license_link too"
        )
    if license_ == OTHER and len(beside) < 2:
        raise ConversionError(
            f"license: {OTHER} needs both license_name and license_link, but "
            f"{beside[0] if beside else 'neither'} is given"
        )
    if license_ != OTHER and beside:
        raise ConversionError(f"{beside[0]}: this key needs `license: {OTHER}`; remove it")
