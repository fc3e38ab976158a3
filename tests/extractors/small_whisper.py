"""A model of Whisper's shape that hears nothing and says one sentence, in one language.

Its decoder adds up what stands for a token and for its place, and all else is zero. What stands
for place n is the token that is to come next, so it says them one after the other.
"""

import json
from pathlib import Path

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import Tokenizer, decoders, models

HEADS, WIDTH, VOCABULARY, MELS = 1, 64, 51_865, 80
PLACES, FRAMES = 448, 1_500


def whisper(folder: Path, words: list[str], language: str = "pt") -> None:
    """Write a model that says the words, each after a space, in that language."""
    folder.mkdir(parents=True)
    said = ["Ġ" + word for word in words]
    tokens = [*dict.fromkeys(said), *(f"x{n}" for n in range(50_257))][:50_256]
    tokens += [""]  # by which CTranslate2 knows that a model speaks many languages
    tokens += ["<|endoftext|>", "<|startoftranscript|>"]
    tokens += [f"<|{code}|>" for code in _LANGUAGE_CODES[:99]]
    tokens += [f"<|{name}|>" for name in ("translate", "transcribe", "startoflm", "startofprev")]
    tokens += ["<|nospeech|>", "<|notimestamps|>"]
    tokens += [f"<|{n * 0.02:.2f}|>" for n in range(VOCABULARY - len(tokens))]
    ids = {token: place for place, token in enumerate(tokens)}
    _tokenizer(folder / "tokenizer.json", ids)
    _weights(folder, tokens, [f"<|{language}|>", "", "", *said, "<|endoftext|>"], ids)


def _tokenizer(path: Path, ids: dict[str, int]) -> None:
    made = Tokenizer(models.WordLevel(ids, unk_token="x0"))
    made.decoder = decoders.ByteLevel()
    made.save(str(path))


def _weights(folder: Path, tokens: list[str], next_token: list[str], ids: dict[str, int]) -> None:
    spec = WhisperSpec(1, HEADS, 1, HEADS)
    of_token = np.zeros((VOCABULARY, WIDTH), np.float32)
    of_place = np.zeros((PLACES, WIDTH), np.float32)
    for place, token in enumerate(next_token):
        if token:
            column = next_token.index(token)
            of_token[ids[token], column] = 3.0
            of_place[place, column] = 100.0  # stands out over the token before it
    of_place[len(next_token) :, next_token.index("<|endoftext|>")] = 100.0
    encoder, decoder = spec.encoder, spec.decoder
    _set(encoder.conv1, (WIDTH, MELS, 3), WIDTH)
    _set(encoder.conv2, (WIDTH, WIDTH, 3), WIDTH)
    encoder.position_encodings.encodings = np.zeros((FRAMES, WIDTH), np.float32)
    decoder.embeddings.weight = of_token
    decoder.projection.weight = of_token
    decoder.position_encodings.encodings = of_place
    for tower in (encoder, decoder):
        _norm(tower.layer_norm)
        layer = tower.layer[0]
        _norm(layer.self_attention.layer_norm)
        _set(layer.self_attention.linear[0], (3 * WIDTH, WIDTH), 3 * WIDTH)
        _set(layer.self_attention.linear[1], (WIDTH, WIDTH), WIDTH)
        _norm(layer.ffn.layer_norm)
        _set(layer.ffn.linear_0, (4 * WIDTH, WIDTH), 4 * WIDTH)
        _set(layer.ffn.linear_1, (WIDTH, 4 * WIDTH), WIDTH)
    across = decoder.layer[0].attention
    _norm(across.layer_norm)
    _set(across.linear[0], (WIDTH, WIDTH), WIDTH)
    _set(across.linear[1], (2 * WIDTH, WIDTH), 2 * WIDTH)
    _set(across.linear[2], (WIDTH, WIDTH), WIDTH)
    spec.config.suppress_ids = spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [ids[f"<|{code}|>"] for code in _LANGUAGE_CODES[:99]]
    spec.config.alignment_heads = [(0, 0)]
    spec.register_vocabulary(tokens)
    spec.validate()
    spec.save(str(folder))
    assert json.loads((folder / "config.json").read_text())


def _set(part: object, shape: tuple[int, ...], bias: int) -> None:
    part.weight = np.zeros(shape, np.float32)  # type: ignore[attr-defined]
    part.bias = np.zeros(bias, np.float32)  # type: ignore[attr-defined]


def _norm(part: object) -> None:
    part.gamma = np.ones(WIDTH, np.float32)  # type: ignore[attr-defined]
    part.beta = np.zeros(WIDTH, np.float32)  # type: ignore[attr-defined]
