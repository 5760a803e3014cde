"""What a stored element is: a parameter of the model, or something else that has a name."""

from enum import StrEnum


class Meaning(StrEnum):
    """Every stored element has exactly one of these; the value is its line in the decomposition.

    That of the parameters is what packed weights hold more than they have elements.
    """

    PARAMETER = "packed weights, expanded"
    SCALE = "quantization scales and maps"
    LOW_RANK = "low-rank branches beside quantized weights"
    BUFFER = "buffers"
    TIED = "tied weights, stored again"
    COPY = "copies of embedding and head in the MTP layers"
    EMA = "EMA copy of the weights"
    FROZEN = "frozen tensors, saved with the adapter"
    UNUSED = "weights that the model class does not load"
    REPEATED = "tensors that stand in another shard too"
    PHANTOM = "biases of zeros that the quantizer wrote"
    UNEXPLAINED = "not explained"
