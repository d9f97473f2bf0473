"""`Llama`, the pocket teacher's network while it is trained; `export` writes it in Hugging Face's Llama format.

Written out here rather than taken from transformers because on two cores the training time is the budget:
projections are fused, and the vocabulary is projected only where there is something to learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The network's sizes, under the names of Hugging Face's Llama configuration."""

    vocab_size: int = 3072
    hidden_size: int = 256
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    intermediate_size: int = 640
    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads


class Llama(nn.Module):  # type: ignore[misc]
    """A causal transformer: RMS norm, rotary positions, SwiGLU, tied embeddings, no biases."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = nn.RMSNorm(shape.hidden_size, eps=shape.rms_norm_eps)
        cos, sin = rotary(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        nn.init.normal_(self.embed.weight, std=0.02)

    def forward(self, tokens: Tensor, chats: Tensor, learnt: Tensor) -> Tensor:
        """Logits (n, vocabulary) after the n flat positions in `learnt` of tokens (rows, length).

        chats: (rows, length), which chat of its row a token belongs to; a token sees its own chat only.
        """
        hidden = self.embed(tokens)
        length = tokens.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        seen = (chats[:, None, :, None] == chats[:, None, None, :]).tril()
        hidden_by = torch.zeros(seen.shape).masked_fill_(~seen, float("-inf"))
        for layer in self.layers:
            hidden = layer(hidden, cos, sin, hidden_by)
        picked = hidden.reshape(-1, hidden.shape[-1]).index_select(0, learnt)
        return functional.linear(self.norm(picked), self.embed.weight)

    def state_for_transformers(self) -> dict[str, Tensor]:
        """The weights under the names LlamaForCausalLM uses; the tied output head is left out, as there."""
        state = {"model.embed_tokens.weight": self.embed.weight, "model.norm.weight": self.norm.weight}
        for index, layer in enumerate(self.layers):
            state.update({f"model.layers.{index}.{name}": weight for name, weight in layer.named_for_transformers()})
        return {name: weight.detach().clone().contiguous() for name, weight in state.items()}


class Layer(nn.Module):  # type: ignore[misc]
    """One block: attention, then the gated feed-forward, each behind a norm and added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, inner = shape.hidden_size, shape.intermediate_size
        self.attention_norm = nn.RMSNorm(width, eps=shape.rms_norm_eps)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.feed_norm = nn.RMSNorm(width, eps=shape.rms_norm_eps)
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        for matrix in (self.qkv, self.gate_up):
            nn.init.normal_(matrix.weight, std=width**-0.5 * 0.5)
        for matrix in (self.out, self.down):
            nn.init.normal_(matrix.weight, std=0.02 / (2 * shape.num_hidden_layers) ** 0.5)

    def forward(self, hidden: Tensor, cos: Tensor, sin: Tensor, hidden_by: Tensor) -> Tensor:
        rows, length, width = hidden.shape
        heads = self.qkv(self.attention_norm(hidden)).view(rows, length, 3, -1, self.shape.head_dim)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        query, key = rotate(query, cos, sin).to(value.dtype), rotate(key, cos, sin).to(value.dtype)
        # Spelt out: for rows this short it compiles to code half again as fast as the fused kernel on a CPU.
        likeness = (query @ key.transpose(-1, -2)).float() * self.shape.head_dim**-0.5 + hidden_by
        mixed = likeness.softmax(-1).to(value.dtype) @ value
        hidden = hidden + self.out(mixed.transpose(1, 2).reshape(rows, length, width))
        gate, up = self.gate_up(self.feed_norm(hidden)).chunk(2, dim=-1)
        return hidden + self.down(functional.silu(gate) * up)

    def named_for_transformers(self) -> list[tuple[str, Tensor]]:
        query, key, value = self.qkv.weight.chunk(3)
        gate, up = self.gate_up.weight.chunk(2)
        return [
            ("input_layernorm.weight", self.attention_norm.weight),
            ("self_attn.q_proj.weight", query),
            ("self_attn.k_proj.weight", key),
            ("self_attn.v_proj.weight", value),
            ("self_attn.o_proj.weight", self.out.weight),
            ("post_attention_layernorm.weight", self.feed_norm.weight),
            ("mlp.gate_proj.weight", gate),
            ("mlp.up_proj.weight", up),
            ("mlp.down_proj.weight", self.down.weight),
        ]


def rotary(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (positions, head_dim), in the half-split layout of Llama's Hugging Face port."""
    halves = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
    angles = torch.outer(torch.arange(shape.max_position_embeddings).float(), shape.rope_theta**-halves)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat([-right, left], dim=-1) * sin
