"""A transformer as numbers: everything that its memory and its speed follow from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Matrix:
    """Matrices of one layer that are alike.

    Attributes
    ----------
    name
        As llama.cpp names it (``attn_q``, ``ffn_down``).
    n_in, n_out
        Its sides: a token goes in with the first and comes out with the second.
    count
        How many there are: one, or one for each expert.
    active
        How many of them a token goes through.
    """

    name: str
    n_in: int
    n_out: int
    count: int = 1
    active: int = 1

    @property
    def parameters(self) -> int:
        """Of all of them."""
        return self.n_in * self.n_out * self.count


@dataclass(frozen=True)
class Latent:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): keys and values as one short vector.

    Attributes
    ----------
    kv_rank
        Length of that vector, which the cache keeps.
    rope_dim
        The part of a key that carries the position, kept beside it, shared by all heads.
    nope_dim, value_dim
        The rest of a head's key, and its value.
    q_rank
        Length of the queries' own short vector; ``None`` where queries are made directly.
    """

    kv_rank: int
    rope_dim: int
    nope_dim: int
    value_dim: int
    q_rank: int | None


@dataclass(frozen=True)
class Experts:
    """A mixture of experts in place of one feed-forward network.

    Attributes
    ----------
    count, active
        How many there are, and how many a token goes through.
    width
        Of each.
    shared
        Experts that every token goes through besides.
    dense_layers
        Layers at the beginning that have an ordinary network.
    """

    count: int
    active: int
    width: int
    shared: int = 0
    dense_layers: int = 0


@dataclass(frozen=True)
class Architecture:
    """A model.

    Attributes
    ----------
    name
        For a person.
    layers, hidden, heads, kv_heads, head_dim, width, vocabulary
        Layers; length of a token's vector; attention heads, those of keys and values, and a head's length;
        width of the feed-forward network; tokens.
    tied
        The output matrix is the embedding.
    gated
        The feed-forward network has three matrices (SwiGLU, GeGLU) and not two.
    context
        Tokens that it was made for.
    window
        Tokens that a layer with a sliding window looks back; ``None`` without one.
    full_layers
        Layers that look back over everything; all without a window.
    positions
        Learned positions, as of BERT and GPT-2.
    bias
        The matrices of queries, keys and values have a bias.
    encoder
        It has no output matrix over the vocabulary, and no cache.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    width: int
    vocabulary: int
    tied: bool = False
    gated: bool = True
    context: int = 4096
    window: int | None = None
    full_layers: int | None = None
    latent: Latent | None = None
    experts: Experts | None = None
    positions: int = 0
    bias: bool = False
    encoder: bool = False

    def matrices(self, layer: int) -> Iterator[Matrix]:
        """The matrices of one layer."""
        yield from self._attention()
        experts = self.experts
        if experts is None or layer < experts.dense_layers:
            yield from self._network(self.width, "ffn", 1, 1)
            return
        yield Matrix("ffn_gate_inp", self.hidden, experts.count)
        yield from self._network(experts.width, "ffn", experts.count, experts.active)
        if experts.shared:
            yield from self._network(experts.width * experts.shared, "ffn_shared", 1, 1)

    def _attention(self) -> Iterator[Matrix]:
        if self.latent is None:
            for name, heads in (("attn_q", self.heads), ("attn_k", self.kv_heads), ("attn_v", self.kv_heads)):
                yield Matrix(name, self.hidden, heads * self.head_dim)
            yield Matrix("attn_output", self.heads * self.head_dim, self.hidden)
            return
        latent, key_dim = self.latent, self.latent.nope_dim + self.latent.rope_dim
        if latent.q_rank is None:
            yield Matrix("attn_q", self.hidden, self.heads * key_dim)
        else:
            yield Matrix("attn_q_a", self.hidden, latent.q_rank)
            yield Matrix("attn_q_b", latent.q_rank, self.heads * key_dim)
        yield Matrix("attn_kv_a", self.hidden, latent.kv_rank + latent.rope_dim)
        yield Matrix("attn_kv_b", latent.kv_rank, self.heads * (latent.nope_dim + latent.value_dim))
        yield Matrix("attn_output", self.heads * latent.value_dim, self.hidden)

    def _network(self, width: int, name: str, count: int, active: int) -> Iterator[Matrix]:
        if self.gated:
            yield Matrix(f"{name}_gate", self.hidden, width, count, active)
        yield Matrix(f"{name}_up", self.hidden, width, count, active)
        yield Matrix(f"{name}_down", width, self.hidden, count, active)

    def all_matrices(self) -> Iterator[Matrix]:
        """The matrices of all layers, in their order."""
        for layer in range(self.layers):
            yield from self.matrices(layer)

    @property
    def linear_parameters(self) -> int:
        """Parameters in the matrices of all layers: what 4-bit training quantises."""
        return sum(matrix.parameters for matrix in self.all_matrices())

    @property
    def active_parameters(self) -> int:
        """Parameters of layers and output that a token goes through."""
        through = sum(matrix.parameters // matrix.count * matrix.active for matrix in self.all_matrices())
        return through + (0 if self.encoder else self.vocabulary * self.hidden)

    @property
    def embedding_parameters(self) -> int:
        """Parameters of embedding, positions and output."""
        once = self.tied or self.encoder
        return (self.vocabulary * (1 if once else 2) + self.positions) * self.hidden

    @property
    def small_parameters(self) -> int:
        """Parameters of norms and biases."""
        norms = 2 * self.hidden * self.layers + self.hidden
        return norms + (self.heads + 2 * self.kv_heads) * self.head_dim * self.layers * self.bias

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.linear_parameters + self.embedding_parameters + self.small_parameters

    def describe(self) -> str:
        """One line for a person."""
        kind = (
            "latent attention"
            if self.latent
            else f"{self.heads} heads of {self.head_dim}"
            + (f", {self.kv_heads} of keys and values" if self.kv_heads != self.heads else "")
        )
        window = f", window of {self.window:,}" if self.window else ""
        experts = f", {self.experts.active} of {self.experts.count} experts" if self.experts else ""
        return f"{self.parameters / 1e9:.3g} B parameters, {self.layers} layers, {kind}{window}{experts}"


def cache_bytes(model: Architecture, tokens: int, element_bytes: float = 2.0) -> float:
    """Bytes of keys and values that a conversation of so many tokens keeps.

    A layer with a sliding window keeps no more than its window; latent attention keeps one short vector and
    the shared part of the keys; grouped queries keep one pair per group.
    """
    if model.encoder:
        return 0.0
    if model.latent is not None:
        per_token = model.latent.kv_rank + model.latent.rope_dim
    else:
        per_token = 2 * model.kv_heads * model.head_dim
    full = model.layers if model.window is None else (model.full_layers or 0)
    seen = full * tokens + (model.layers - full) * min(tokens, model.window or tokens)
    return seen * per_token * element_bytes
