"""Packed weights that no scheme explains: recognised by their container and its siblings, and left unexplained.

What stands here has the names of a scheme and shapes that it cannot have, or belongs to a writer that is not known.
"""

from typing import ClassVar

from ckptinspect.quant.base import FLOATS, SERVING, Explained, Setting, Unit, unknown

_INTEGERS = frozenset({"U8", "I8", "I16", "I32", "U32", "I64"})
_ANY = _INTEGERS | FLOATS
_BNB = ("absmax", "quant_map", "nested_absmax", "nested_quant_map", "quant_state")
# (container leaf, its dtypes, a sibling that must stand beside it, other siblings that serve it)
_SIGNATURES: tuple[tuple[str, frozenset[str], str, tuple[str, ...]], ...] = (
    ("qweight", _INTEGERS, "scales", ("qzeros", "g_idx", "act_global_scale")),
    ("qweight", _INTEGERS, "qzeros", ("g_idx",)),
    ("qweight", _INTEGERS, "wscales", ("wzeros", "wcscales", "wtscale", "smooth_factor")),
    ("weight_packed", _INTEGERS, "weight_scale", ()),
    ("weight_packed", _INTEGERS, "weight_shape", ()),
    ("weight_packed", _INTEGERS, "scale_packed", ("meta",)),
    *(
        ("weight", _ANY, f"weight{mark}{sibling}", tuple(f"weight{mark}{leaf}" for leaf in _BNB))
        for mark in "._"
        for sibling in ("absmax", "quant_map")
    ),
    ("", _ANY, "absmax", _BNB),
    ("weight", frozenset({"U8", "I8"}), "weight_scale", ()),
    ("weight", frozenset({"I8", "U8"}), "scale", ()),
    ("weight", frozenset({"U32"}), "scales", ("biases", "qbiases")),
    ("weight", frozenset({"I16"}), "tables2", ("scales", "tables")),
    ("", frozenset({"U8"}), "weight_scale", ()),
    ("blocks", frozenset({"U8"}), "scales", ()),
    ("W_q", _INTEGERS, "scale", ("zero",)),
    ("W_q", _INTEGERS, "meta", ()),
    ("weight._data", _INTEGERS, "weight._scale", ("weight._shift",)),
    ("weight._data._data", _INTEGERS, "weight._scale", ("weight._shift",)),
    ("codes", _INTEGERS, "codebooks", ("scales",)),
    ("trellis", _INTEGERS, "suh", ("svh", "su", "sv", "mcg", "mul1")),
    ("q_weight", _INTEGERS, "q_scale", ("q_scale_max", "q_groups", "q_invperm", "q_perm")),
    ("B", _INTEGERS, "s", ("workspace",)),
    ("indices", _INTEGERS, "perm", ("weight_scale", "weight_bias", "centroids.weight", "res_centroids.weight")),
    ("indices", _INTEGERS, "res_indices", ("centroids.weight", "res_centroids.weight", "perm")),
    ("dense_weights", _INTEGERS, "col_vals", ("row_offsets", "in_perm")),
    ("dense_weights", _INTEGERS, "row_offsets", ("in_perm",)),
    ("compressed", _ANY, "shape", ("bitmask", "row_offsets")),
    ("compressed", _ANY, "bitmask", ()),
    ("_weight_qdata", _INTEGERS, "_weight_scale", ("_weight_zero_point",)),
)


class Packed:
    """Weights in a container that is not their own size."""

    name: ClassVar[str] = "packed"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        for container, dtypes, sibling, others in _SIGNATURES:
            weights = [kind for kind in unit.leaves.get(container, ()) if kind.dtype.code in dtypes]
            if sibling not in unit.leaves or not weights:
                continue
            states = [leaf for leaf in unit.leaves if "quant_state" in leaf]
            own = {sibling, *others, *states} - SERVING
            reason = f"{container or 'a weight'} beside {sibling} is packed in no way that is known"
            return unknown(self.name, unit, weights, reason, own)
        return None
