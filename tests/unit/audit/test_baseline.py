import pytest

from ckptinspect.audit.base import Audited, Finding, Severity
from ckptinspect.audit.baseline import parse_baseline, written_baseline
from ckptinspect.errors import RefError

ONE = Finding("CK301", Severity.ERROR, "1 of 2 shards", "model.safetensors.index.json")
OTHER = Finding("CK303", Severity.ERROR, "1 tensor", "model.safetensors.index.json", "\x1b[31mw")


def test_what_was_accepted_is_known_again_whatever_its_message() -> None:
    baseline = parse_baseline(written_baseline([Audited("./a", (ONE,))]), "accepted.json")
    changed = Finding("CK301", Severity.WARNING, "2 of 3 shards", "model.safetensors.index.json")

    assert baseline.applied(Audited("./a", (changed, OTHER))) == Audited("./a", (OTHER,), accepted=1)
    assert baseline.applied(Audited("./b", (ONE,), 3, 7)) == Audited("./b", (ONE,), 3, 7)


def test_the_same_findings_give_the_same_bytes() -> None:
    assert written_baseline([Audited("a", (ONE, OTHER))]) == written_baseline([Audited("a", (OTHER, ONE))])
    written = parse_baseline(written_baseline([Audited("a", (OTHER,))]), "x")
    assert written.applied(Audited("a", (OTHER,))) == Audited("a", (), accepted=1)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"{", "this is no baseline of accepted findings"),
        (b"[]", "this is no baseline of accepted findings"),
        (b'{"schema":"other/v1","accepted":[]}', "the baseline is of another version"),
    ],
)
def test_what_is_no_baseline_is_a_sentence(raw: bytes, what: str) -> None:
    with pytest.raises(RefError) as raised:
        parse_baseline(raw, "accepted.json")

    assert str(raised.value) == f"accepted.json: {what}; write it again with --write-baseline"
