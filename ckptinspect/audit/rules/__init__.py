"""The registry: every rule, in the order of the codes, which go by hundreds."""

from ckptinspect.audit.base import Rule
from ckptinspect.audit.rules.adapter_rank_unlike_config import AdapterRankUnlikeConfig
from ckptinspect.audit.rules.adapter_unlike_base import AdapterUnlikeBase
from ckptinspect.audit.rules.adapter_without_base import AdapterWithoutBase
from ckptinspect.audit.rules.adapter_without_config import AdapterWithoutConfig
from ckptinspect.audit.rules.buffers_stored import BuffersStored
from ckptinspect.audit.rules.config_missing import ConfigMissing
from ckptinspect.audit.rules.config_without_quantization import ConfigWithoutQuantization
from ckptinspect.audit.rules.content_unlike_hub import ContentUnlikeHub
from ckptinspect.audit.rules.control_characters import ControlCharacters
from ckptinspect.audit.rules.dtype_not_in_config import DtypeNotInConfig
from ckptinspect.audit.rules.dtype_unlike_config import DtypeUnlikeConfig
from ckptinspect.audit.rules.duplicate_names import DuplicateNames
from ckptinspect.audit.rules.ema_stored import EmaStored
from ckptinspect.audit.rules.embedding_copied import EmbeddingCopied
from ckptinspect.audit.rules.empty_file import EmptyFile
from ckptinspect.audit.rules.empty_tensors import EmptyTensors
from ckptinspect.audit.rules.float32_leftovers import Float32Leftovers
from ckptinspect.audit.rules.float64_weights import Float64Weights
from ckptinspect.audit.rules.head_missing import HeadMissing
from ckptinspect.audit.rules.header_not_kept_whole import HeaderNotKeptWhole
from ckptinspect.audit.rules.hole_in_data import HoleInData
from ckptinspect.audit.rules.hub_count_unlike import HubCountUnlike
from ckptinspect.audit.rules.identical_files import IdenticalFiles
from ckptinspect.audit.rules.incredible_size import IncredibleSize
from ckptinspect.audit.rules.index_missing import IndexMissing
from ckptinspect.audit.rules.invalid_header import InvalidHeader
from ckptinspect.audit.rules.layer_missing import LayerMissing
from ckptinspect.audit.rules.layers_unlike_config import LayersUnlikeConfig
from ckptinspect.audit.rules.lfs_pointer import LfsPointer
from ckptinspect.audit.rules.missing_format import MissingFormat
from ckptinspect.audit.rules.missing_shard import MissingShard
from ckptinspect.audit.rules.non_standard_padding import NonStandardPadding
from ckptinspect.audit.rules.not_safetensors import NotSafetensors
from ckptinspect.audit.rules.orphaned_scales import OrphanedScales
from ckptinspect.audit.rules.overlapping_tensors import OverlappingTensors
from ckptinspect.audit.rules.oversized_header import OversizedHeader
from ckptinspect.audit.rules.path_escape import PathEscape
from ckptinspect.audit.rules.phantom_biases import PhantomBiases
from ckptinspect.audit.rules.pickle_files import PickleFiles
from ckptinspect.audit.rules.private_metadata import PrivateMetadata
from ckptinspect.audit.rules.quantization_unlike_config import QuantizationUnlikeConfig
from ckptinspect.audit.rules.quantized_without_config import QuantizedWithoutConfig
from ckptinspect.audit.rules.remote_code import RemoteCode
from ckptinspect.audit.rules.scales_missing import ScalesMissing
from ckptinspect.audit.rules.second_weight_set import SecondWeightSet
from ckptinspect.audit.rules.several_formats import SeveralFormats
from ckptinspect.audit.rules.several_precisions import SeveralPrecisions
from ckptinspect.audit.rules.shapes_unlike_config import ShapesUnlikeConfig
from ckptinspect.audit.rules.size_mismatch import SizeMismatch
from ckptinspect.audit.rules.stale_index import StaleIndex
from ckptinspect.audit.rules.tensor_absent import TensorAbsent
from ckptinspect.audit.rules.tensor_in_two_shards import TensorInTwoShards
from ckptinspect.audit.rules.tensor_misplaced import TensorMisplaced
from ckptinspect.audit.rules.tensor_not_indexed import TensorNotIndexed
from ckptinspect.audit.rules.tie_disputed import TieDisputed
from ckptinspect.audit.rules.tied_head_stored import TiedHeadStored
from ckptinspect.audit.rules.trailing_bytes import TrailingBytes
from ckptinspect.audit.rules.training_state import TrainingState
from ckptinspect.audit.rules.truncated_file import TruncatedFile
from ckptinspect.audit.rules.unaligned_data import UnalignedData
from ckptinspect.audit.rules.unconventional_name import UnconventionalName
from ckptinspect.audit.rules.unexplained_weights import UnexplainedWeights
from ckptinspect.audit.rules.unindexed_file import UnindexedFile
from ckptinspect.audit.rules.unknown_dtype import UnknownDtype
from ckptinspect.audit.rules.unread_file import UnreadFile
from ckptinspect.audit.rules.unreadable_config import UnreadableConfig
from ckptinspect.audit.rules.unreadable_index import UnreadableIndex
from ckptinspect.audit.rules.unused_weights import UnusedWeights
from ckptinspect.audit.rules.vocabulary_padded import VocabularyPadded
from ckptinspect.audit.rules.vocabulary_short import VocabularyShort
from ckptinspect.audit.rules.wrapped_names import WrappedNames
from ckptinspect.audit.rules.wrong_total_parameters import WrongTotalParameters
from ckptinspect.audit.rules.wrong_total_size import WrongTotalSize
from ckptinspect.audit.rules.zero_header import ZeroHeader

RULES: tuple[Rule, ...] = (
    TruncatedFile(),
    LfsPointer(),
    ZeroHeader(),
    EmptyFile(),
    NotSafetensors(),
    TrailingBytes(),
    UnreadFile(),
    ContentUnlikeHub(),
    InvalidHeader(),
    OverlappingTensors(),
    HoleInData(),
    SizeMismatch(),
    DuplicateNames(),
    OversizedHeader(),
    NonStandardPadding(),
    UnalignedData(),
    MissingFormat(),
    HeaderNotKeptWhole(),
    EmptyTensors(),
    MissingShard(),
    StaleIndex(),
    TensorAbsent(),
    TensorMisplaced(),
    TensorNotIndexed(),
    TensorInTwoShards(),
    WrongTotalSize(),
    WrongTotalParameters(),
    UnreadableIndex(),
    IndexMissing(),
    UnindexedFile(),
    UnknownDtype(),
    DtypeUnlikeConfig(),
    Float32Leftovers(),
    Float64Weights(),
    DtypeNotInConfig(),
    QuantizedWithoutConfig(),
    ConfigWithoutQuantization(),
    ScalesMissing(),
    OrphanedScales(),
    UnexplainedWeights(),
    QuantizationUnlikeConfig(),
    PhantomBiases(),
    VocabularyShort(),
    VocabularyPadded(),
    LayerMissing(),
    LayersUnlikeConfig(),
    ShapesUnlikeConfig(),
    UnreadableConfig(),
    HeadMissing(),
    TieDisputed(),
    ConfigMissing(),
    AdapterWithoutBase(),
    AdapterWithoutConfig(),
    AdapterRankUnlikeConfig(),
    AdapterUnlikeBase(),
    TiedHeadStored(),
    SecondWeightSet(),
    SeveralFormats(),
    SeveralPrecisions(),
    EmaStored(),
    BuffersStored(),
    UnusedWeights(),
    EmbeddingCopied(),
    IdenticalFiles(),
    PickleFiles(),
    PathEscape(),
    ControlCharacters(),
    IncredibleSize(),
    PrivateMetadata(),
    RemoteCode(),
    TrainingState(),
    WrappedNames(),
    HubCountUnlike(),
    UnconventionalName(),
)

GROUPS = {
    "CK1": "Files",
    "CK2": "Headers",
    "CK3": "Indexes",
    "CK4": "Number formats",
    "CK5": "Quantization",
    "CK6": "Configs and adapters",
    "CK7": "Duplicates",
    "CK8": "Security",
    "CK9": "Packaging",
}
"""What the hundreds are about."""
