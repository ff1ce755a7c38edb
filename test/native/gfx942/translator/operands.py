"""Operands of an instruction and how they read in C++: as 64 lanes of a type, or as a scalar."""

import re
import struct
from dataclasses import dataclass, replace

from .disassembly import TranslationError

SPECIAL = {
    "flat_scratch": 102, "flat_scratch_lo": 102, "flat_scratch_hi": 103,
    "xnack_mask": 104, "xnack_mask_lo": 104, "xnack_mask_hi": 105,
    "vcc": 106, "vcc_lo": 106, "vcc_hi": 107, "m0": 124,
    "exec": 126, "exec_lo": 126, "exec_hi": 127,
}  # fmt: skip
FLOATS = {"0.5", "-0.5", "1.0", "-1.0", "2.0", "-2.0", "4.0", "-4.0", "0.15915494", "0.15915494309189532"}
VECTOR_WORDS = 512
WIDE = "qld"


@dataclass(frozen=True)
class Operand:
    """kind: v (vector or accumulation register, these from 256 up), s (scalar register), c (constant), o (off)."""

    text: str
    kind: str
    register: int = 0
    count: int = 1
    constant: str = ""
    negative: bool = False
    absolute: bool = False
    select: str = ""
    extend: bool = False

    @property
    def registers(self):
        """Numbers in the pending set: vector registers as they are, scalar ones above them."""
        base = self.register + (VECTOR_WORDS if self.kind == "s" else 0)
        return range(base, base + self.count) if self.kind in "vs" else range(0)

    def scalar(self, kind):
        """A C++ scalar: u and i of 32 bits, q and l of 64."""
        if self.kind == "c":
            value = self.bits(kind)
            return f"{value:#x}{'ull' if kind in WIDE else 'u'}"
        if self.kind != "s":
            raise TranslationError(f"scalar operand expected: {self.text}")
        word = f"pairAt(w, {self.register})" if kind in WIDE else f"w.s[{self.register}]"
        return {"i": f"i32({word})", "l": f"i64({word})"}.get(kind, word)

    def scalar_defined(self, kind):
        if self.kind == "c":
            return "~u64(0)" if kind in WIDE else "~0u"
        return f"definedPair(w, {self.register})" if kind in WIDE else f"w.scalarDefined[{self.register}]"

    def bits(self, kind):
        """The constant's bits as an operand of `kind` (h: 16 bits, d: f64, q and l: 64-bit integers)."""
        text = self.constant
        if text in FLOATS:
            if kind == "h":
                return struct.unpack("<H", struct.pack("<e", float(text)))[0]
            if kind == "d":
                return struct.unpack("<Q", struct.pack("<d", float(text)))[0]
            return struct.unpack("<I", struct.pack("<f", float(text)))[0]
        value = int(text, 0)
        if kind == "d":
            inline = not text.startswith("0x") and -16 <= value <= 64
            return value & 0xFFFFFFFFFFFFFFFF if inline else (value << 32) & 0xFFFFFFFFFFFFFFFF
        if kind in WIDE:
            return value & 0xFFFFFFFFFFFFFFFF
        return value & 0xFFFFFFFF

    def lanes(self, kind, word=0):
        """64 lanes of `kind`: u i f (32 bits), q l d (64 bits), h (a float from 16 bits), m (a scalar bit mask).
        `word` picks a later dword of a register group."""
        if kind == "m":
            return self.scalar("q")
        if kind in WIDE:
            raw = self.wide_lanes(kind)
        elif self.kind == "v":
            raw = f"v(w, {self.register + word})"
        elif self.kind == "s":
            raw = f"splat(w.s[{self.register + word}])"
        elif self.kind == "c":
            raw = f"splat({self.bits(kind):#x}u)"
        else:
            raise TranslationError(f"cannot read operand {self.text}")
        if self.select and self.select != "DWORD":
            raw = f"part{'Signed' if self.extend else ''}({raw}, {select_shift(self.select)}, {select_width(self.select)})"
        cast = {"u": "", "i": "integer", "f": "real", "q": "", "l": "integer64", "d": "real64", "h": "half"}[kind]
        value = f"{cast}({raw})" if cast else raw
        if kind in "fdh":
            value = f"absolute({value})" if self.absolute else value
            value = f"(-{value})" if self.negative else value
        elif self.negative or self.absolute:
            raise TranslationError(f"sign modifier on an integer operand: {self.text}")
        return value

    def wide_lanes(self, kind):
        if self.kind == "v":
            return f"wide(v(w, {self.register}), v(w, {self.register + 1}))"
        if self.kind == "s":
            return f"splat64(pairAt(w, {self.register}))"
        return f"splat64({self.bits(kind):#x}ull)"

    def defined(self, kind, word=0):
        """A 64-bit mask of the lanes whose value is defined."""
        if self.kind == "c":
            return "~0ull"
        wide = kind in WIDE
        if self.kind == "v":
            low = f"w.defined[{self.register + word}]"
            return f"({low} & w.defined[{self.register + 1}])" if wide else low
        if kind == "m":
            return f"definedPair(w, {self.register})"
        if wide:
            return f"(allLanes(w.scalarDefined[{self.register}]) & allLanes(w.scalarDefined[{self.register + 1}]))"
        return f"allLanes(w.scalarDefined[{self.register + word}])"

    def high_half(self):
        return replace(self, select="WORD_1")


def select_shift(select):
    return {"BYTE_0": 0, "BYTE_1": 8, "BYTE_2": 16, "BYTE_3": 24, "WORD_0": 0, "WORD_1": 16}[select]


def select_width(select):
    return 8 if select.startswith("BYTE") else 16


def parse_operand(text):
    body, negative, absolute, extend = text, False, False, False
    if re.match(r"^-[vsa|\[]", body):
        negative, body = True, body[1:]
    if body.startswith("|"):
        absolute, body = True, body.strip("|")
    if body.startswith("sext("):
        extend, body = True, body[5:-1]
    signs = {"negative": negative, "absolute": absolute, "extend": extend}
    match = re.fullmatch(r"([vsa])(?:(\d+)|\[(\d+)(?::(\d+))?\])", body)
    if match:
        first = int(match[2] or match[3])
        count = int(match[4]) - first + 1 if match[4] else 1
        accumulation = 256 if match[1] == "a" else 0
        return Operand(text, "s" if match[1] == "s" else "v", first + accumulation, count, **signs)
    if body in SPECIAL:
        count = 2 if body in ("vcc", "exec", "flat_scratch", "xnack_mask") else 1
        return Operand(text, "s", SPECIAL[body], count, **signs)
    if body in FLOATS or re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", body):
        return Operand(text, "c", constant=body, count=0, **signs)
    if body == "off":
        return Operand(text, "o", count=0)
    raise TranslationError(f"unknown operand {text}")
