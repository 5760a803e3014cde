"""The audit over every known checkpoint: no error that is not true, and nothing said that was not looked at by hand."""

from pathlib import Path

import pytest

from ckptinspect.audit.base import Audited, Severity
from ckptinspect.audit.choice import chosen
from ckptinspect.audit.rules import RULES
from ckptinspect.audit.run import Options, audit_one

REAL = Path(__file__).parents[2] / "fixtures" / "real"
NAMES = sorted(path.stem for path in REAL.glob("*.snap"))
ALL = Options(chosen(RULES), debug=True)

# What is wrong with them, each looked at by hand; all others have nothing.
TRUE = {
    # 85,054 bytes of header, not filled up to a multiple of eight.
    "Llama-3.1-8B-Instruct.mlx-4bit": {("CK208", "warning")},
    # A fixture of all number formats, without a config.
    "all-dtypes": {("CK609", "info")},
    # Twelve causal masks of 1,024 x 1,024.
    "gpt2": {("CK706", "info")},
    # The adapter's weights without its config.
    "lora-llama-3.1-8b-r16": {("CK611", "warning")},
    "scalar-and-empty": {("CK609", "info")},
    # The bias of the first cross-attention.
    "t5-small": {("CK707", "info")},
    # The same weights in three precisions, without a config.
    "variants-side-by-side": {("CK609", "info"), ("CK704", "info")},
    # Names with escape codes.
    "weird-names": {("CK609", "info"), ("CK803", "warning")},
}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_of_a_known_checkpoint_but_what_is_true(name: str) -> None:
    result = audit_one(str(REAL / f"{name}.snap"), ALL)

    assert isinstance(result, Audited)
    assert {(f.rule, str(f.severity)) for f in result.findings} == TRUE.get(name, set())
    assert not [finding for finding in result.findings if finding.severity is Severity.ERROR]


QUANTIZED = sorted((REAL / "quantized").glob("*.snap"))
# MLX writes headers of any length, bitsandbytes and GPTQ mix bytes with words; the adapters were made from a config.
TRUE_OF_QUANTIZED = {"CK208", "CK610"}


@pytest.mark.parametrize("path", QUANTIZED, ids=lambda path: str(path.stem))
def test_what_quantization_libraries_write_has_no_error_and_no_warning_that_is_not_true(path: Path) -> None:
    result = audit_one(str(path), ALL)

    assert isinstance(result, Audited)
    assert {f.rule for f in result.findings if f.severity is not Severity.INFO} <= TRUE_OF_QUANTIZED
