import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.analysis.estimate.asked import Asked, devices_in, dtype_named
from ckptinspect.analysis.estimate.fits import OVERHEAD, Fit, fits_in, fits_section, largest
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.model import Checkpoint
from tests.checkpoints import llama_3_1_8b
from tests.decoders import decoder_of
from tests.estimating import checked, figures, real

# Beside weights and cache: the runtime, a chunk of 2,048 tokens that is 2 * 14336 wide in 16 bits, FP32 logits.
WORKING = 2048 * 2 * 14336 * 2 + 128256 * 4


def fit(checkpoint: Checkpoint, sizes: str, **asked: int) -> tuple[Fit, ...]:
    subject = Subject(checkpoint, Asked(devices=devices_in(sizes), **asked))  # type: ignore[arg-type]
    found = fits_in(subject)
    for estimate in fits_section(found, subject).estimates:
        checked(estimate)
    return found


def test_what_is_needed_is_weights_cache_and_what_works() -> None:
    (found,) = fit(llama_3_1_8b(), "24GB", context=8192)

    assert found.fits
    assert found.needed.value == 16_060_522_496 + 131_072 * 8192 + OVERHEAD + WORKING
    assert found.obstacle == ""


def test_the_longest_context_is_the_last_that_fits() -> None:
    (found,) = fit(llama_3_1_8b(), "24GB", context=8192)
    room = 24 * 10**9 - 16_060_522_496 - OVERHEAD - WORKING

    assert found.longest_context == room // 131_072 == 51_481
    # Eight thousand tokens each: their logits take room as well
    assert found.largest_batch == (room + 128256 * 4) // (131_072 * 8192 + 128256 * 4) == 6


def test_the_cache_is_in_the_way() -> None:
    (found,) = fit(llama_3_1_8b(), "24GB", context=131072)

    assert found.fits is False
    assert found.obstacle == "the cache takes 17.18 GB of each device, and 6.75 GB are left for it"
    assert (found.longest_context, found.largest_batch) == (51_481, 0)


def test_the_runtime_is_in_the_way_where_the_weights_alone_would_fit() -> None:
    (found,) = fit(llama_3_1_8b(), "17GB")

    assert found.fits is False
    assert found.obstacle == "the weights and 1.07 GB for the runtime take 17.13 GB of each device"


def test_the_weights_are_in_the_way() -> None:
    (found,) = fit(llama_3_1_8b(), "16GB")

    assert found.fits is False
    assert found.obstacle == "the weights alone take 16.06 GB of each device"
    assert (found.longest_context, found.largest_batch) == (0, 0)


def test_several_devices_divide_the_model() -> None:
    one, eight = fit(llama_3_1_8b(), "80GB,8x80GB", context=8192)
    vectors = 65 * 4096 * 2

    assert one.needed.value > eight.needed.value
    weights = (16_060_522_496 - vectors) // 8 + vectors
    assert eight.needed.value == weights + 131_072 // 8 * 8192 + OVERHEAD + WORKING


def test_more_devices_asked_for_than_there_are() -> None:
    eight, sixteen = fit(llama_3_1_8b(), "8x80GB,16x80GB", tensor=8, pipeline=2)

    assert (eight.fits, eight.obstacle) == (False, "--tp 8 and --pp 2 take 16 devices")
    assert sixteen.fits


def test_fewer_bits_fit_where_more_did_not() -> None:
    asked = Asked(devices=devices_in("16GB"), dtype=dtype_named("int4", ""), context=8192)
    (found,) = fits_in(Subject(llama_3_1_8b(), asked))

    assert found.fits


def test_no_context_is_longer_than_the_model_s() -> None:
    (found,) = fit(real("Llama-2-7b-hf"), "1TB")

    assert found.longest_context == 2048


def test_a_state_bounds_no_context() -> None:
    (found,) = fit(real("mamba-130m-hf"), "24GB")

    assert found.fits
    assert found.longest_context is None
    assert found.largest_batch is not None


def test_what_has_no_cache_fits_by_its_weights_alone() -> None:
    (found,) = fit(real("stable-diffusion-v1-5"), "8GB")

    assert found.fits
    assert found.needed.value == 1_066_235_307 * 4 + OVERHEAD
    assert (found.longest_context, found.largest_batch) == (None, None)


def test_what_is_not_known_is_no_answer() -> None:
    config = {"model_type": "novel", "sliding_window": 4096}
    small, large = fit(decoder_of(config, 2, hidden=64, queries=64, keys=64), "1GB,2GB")

    assert small.fits is False
    assert large.fits is None
    assert large.obstacle == "the config has sliding_window 4,096 and does not say which layers slide"


def test_an_adapter_fits_nowhere_for_certain_without_its_base() -> None:
    subject = Subject(real("lora-llama-3.1-8b-r16"), Asked(devices=devices_in("100MB,24GB,8x80GB")))
    small, one, eight = fits_in(subject)
    reason = "it is an adapter, and its base, which is not among the files, comes on top"

    assert (small.fits, one.fits, eight.fits) == (False, None, None)
    assert one.obstacle == eight.obstacle == reason
    assert (one.longest_context, one.largest_batch) == (None, None)
    assert all(reason in estimate.assumptions for estimate in fits_section((one,), subject).estimates)


def test_a_context_that_no_model_reads_is_worked_out_and_told() -> None:
    asked = Asked(context=10_000, devices=devices_in("1TB"))
    subject = Subject(real("Llama-2-7b-hf"), asked)
    (found,) = fits_in(subject)
    said = "10,000 tokens are more than the model reads: max_position_embeddings is 2,048"

    # 2 * 32 layers * 4096 * 2 bytes a token
    assert found.needed.value > 10_000 * 524_288
    assert said in fits_section((found,), subject).estimates[0].assumptions
    assert said in figures(real("Llama-2-7b-hf"), "kv", asked)["KV cache"].assumptions


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_the_largest_number_is_found(bound: int, most: int) -> None:
    assert largest(lambda number: number <= bound, most) == min(bound, most)


@pytest.mark.parametrize("name", ["gpt-oss-20b", "t5-small", "whisper-tiny", "bert-base-uncased", "weird-names"])
def test_every_checkpoint_has_an_answer(name: str) -> None:
    for found in fit(real(name), "1GB,24GB,4x80GiB"):
        assert (found.obstacle == "") == (found.fits is True)
