import pytest

from ckptinspect.analysis.estimate.asked import devices_in, dtype_named, positive, stage
from ckptinspect.analysis.estimate.recipes import recipe_named
from ckptinspect.analysis.estimate.sections import chosen
from ckptinspect.errors import RefError


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("bf16", "BF16"),
        ("bfloat16", "BF16"),
        ("FP16", "F16"),
        ("float32", "F32"),
        ("fp8", "F8_E4M3"),
        ("F8_E5M2", "F8_E5M2"),
    ],
)
def test_number_formats_go_by_all_their_names(text: str, code: str) -> None:
    assert dtype_named(text, "--dtype").code == code


def test_four_bit_integers_have_no_dtype_of_the_format() -> None:
    assert (dtype_named("int4", "").code, dtype_named("nf4", "").bits) == ("INT4", 4)


@pytest.mark.parametrize("text", ["bf17", "", "bool", "F8_E8M0", "\x1b[31m"])
def test_what_is_no_number_format_is_refused(text: str) -> None:
    with pytest.raises(RefError) as raised:
        dtype_named(text, "--dtype")
    assert str(raised.value).startswith("--dtype: '")
    assert str(raised.value).endswith(
        "is no number format; write bf16, fp16, fp32, fp8, int8, int4 or a code of `ckptinspect dtypes`"
    )


def test_sizes_are_what_they_say() -> None:
    found = devices_in("24GB, 80gib,8x80GB,1.5T,512M")

    assert [(device.count, device.nbytes) for device in found] == [
        (1, 24 * 10**9),
        (1, 80 * 2**30),
        (8, 80 * 10**9),
        (1, 1_500_000_000_000),
        (1, 512 * 10**6),
    ]
    assert devices_in("1.1GB")[0].nbytes == 1_100_000_000


@pytest.mark.parametrize(
    "text", ["", "24", "GB", "24GB,", "-1GB", "0GB", "0x80GB", "8 x 80GB", "1e9GB", "24GBB", "9" * 40 + "GB"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(RefError, match="--fits"):
        devices_in(text)


def test_counts_stay_within_reason() -> None:
    assert positive(1, "--tp") == 1
    with pytest.raises(RefError, match=r"--tp: 0 is too small; write 1 or more"):
        positive(0, "--tp")
    most = (
        r"--context: 10,000,000,000,000 is more than the 1,000,000,000,000 that anything is worked out for; write less"
    )
    with pytest.raises(RefError, match=most):
        positive(10**13, "--context")


def test_choices_name_what_there_is() -> None:
    assert stage(3) == 3
    with pytest.raises(RefError, match="--zero: 4 is no stage of ZeRO; choose one of 0, 1, 2, 3"):
        stage(4)
    assert recipe_named("adafactor").factored
    with pytest.raises(RefError, match="--recipe: no recipe 'adam'; choose one of adam-mixed, "):
        recipe_named("adam")
    with pytest.raises(RefError, match="--only: no section 'memory'; choose from parameters, loading, kv, training"):
        chosen("kv,memory")
