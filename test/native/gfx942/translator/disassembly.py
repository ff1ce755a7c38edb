"""Reads a gfx942 code object: instructions from llvm-objdump, the kernel descriptor and resources from the ELF itself."""

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

VERSIONS = ("19", "22", "21", "20", "")
INSTRUCTION = re.compile(r"^\s+([a-z]\w+)\s*(.*?)\s*//\s*([0-9A-F]+):((?: [0-9A-F]{8})+)")
SYMBOL = re.compile(r"^([0-9a-f]+) <(.+)>:$")
FLAGS = frozenset(
    "sc0 sc1 nt gds offen idxen lds clamp row_mirror row_half_mirror op_sel glc slc".split()
)


class TranslationError(Exception):
    """The object uses something that the translator does not know; the message names it."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: `operands` in the disassembler's spelling, `modifiers` by name (flags map to "")."""

    index: int
    address: int
    mnemonic: str
    text: str
    operands: tuple
    modifiers: dict = field(hash=False)
    words: tuple = ()
    region: str = ""

    @property
    def size(self):
        return 4 * len(self.words)

    @property
    def branch_target(self):
        """Address that a SOPP branch goes to: a signed count of dwords after the instruction."""
        offset = self.words[0] & 0xFFFF
        return self.address + 4 + 4 * (offset - 0x10000 if offset & 0x8000 else offset)


@dataclass(frozen=True)
class KernelDescriptor:
    """What the launch hardware sets up (amdhsa kernel descriptor, 64 bytes; LLVM AMDGPU usage guide)."""

    name: str
    static_lds: int
    scratch: int
    kernarg: int
    vector_registers: int
    accumulation_offset: int
    kernarg_register: int
    workgroup_register: int


def tool(name):
    """Path of an LLVM tool of any supported version; None without one."""
    for version in VERSIONS:
        path = shutil.which(f"{name}-{version}" if version else name)
        if path:
            return path
    return None


def run(name, *arguments):
    path = tool(name)
    if path is None:
        raise TranslationError(f"{name} not found: install llvm-19")
    result = subprocess.run([path, *map(str, arguments)], check=False, capture_output=True, text=True)
    if result.returncode != 0:
        raise TranslationError(result.stderr.strip())
    return result.stdout


def split_operands(text):
    """Splits at commas outside brackets; the last piece may end in modifiers, split off at blanks outside brackets."""
    pieces, depth, start = [], 0, 0
    for position, char in enumerate(text):
        depth += (char in "[(") - (char in "])")
        if depth == 0 and char in ", ":
            pieces.append(text[start:position])
            start = position + 1
    pieces.append(text[start:])
    operands, modifiers = [], {}
    for piece in filter(None, (piece.strip() for piece in pieces)):
        name, colon, value = piece.partition(":")
        if piece in FLAGS:
            modifiers[piece] = ""
        elif colon and re.fullmatch(r"[a-z_]\w*", name):
            modifiers[name] = value
        else:
            operands.append(piece)
    return tuple(operands), modifiers


def parse(text):
    """Instructions of a disassembly listing, without the padding after the last one."""
    instructions, region = [], ""
    for line in text.splitlines():
        symbol = SYMBOL.match(line)
        if symbol:
            region = symbol[2]
            continue
        match = INSTRUCTION.match(line)
        if match:
            operands, modifiers = split_operands(match[2])
            words = tuple(int(word, 16) for word in match[4].split())
            instructions.append(
                Instruction(len(instructions), int(match[3], 16), match[1], f"{match[1]} {match[2]}".strip(), operands,
                            modifiers, words, region)
            )
        elif re.match(r"^\s+\S.*//\s*[0-9A-F]+:", line):
            raise TranslationError(f"not an instruction: {line.strip()}")
    while instructions and instructions[-1].mnemonic == "s_nop":
        instructions.pop()
    return instructions


def disassemble(code_object):
    return parse(run("llvm-objdump", "-d", code_object))


def sections(image):
    offset, size, count, names = struct.unpack_from("<Q10xHHH", image, 0x28)
    headers = [struct.unpack_from("<IIQQQQIIQQ", image, offset + i * size) for i in range(count)]
    return headers, headers[names][4]


def read_string(image, offset):
    return image[offset : image.index(b"\0", offset)].decode()


def symbols(image):
    """(name, address) of every symbol in the symbol tables."""
    headers, _ = sections(image)
    for header in headers:
        if header[1] in (2, 11):
            strings = headers[header[6]][4]
            for entry in range(header[4], header[4] + header[5], 24):
                name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", image, entry)
                yield read_string(image, strings + name), value


def bytes_at(image, address, size):
    headers, _ = sections(image)
    for _, kind, flags, start, offset, length, *_ in headers:
        if flags & 2 and kind != 8 and start <= address and address + size <= start + length:
            return image[offset + address - start : offset + address - start + size]
    raise TranslationError(f"no section holds address {address:#x}")


def descriptor(code_object):
    """The one kernel's descriptor; refuses set-ups that the runtime does not make."""
    image = Path(code_object).read_bytes()
    found = sorted({(name, address) for name, address in symbols(image) if name.endswith(".kd")})
    if len(found) != 1:
        raise TranslationError(f"{code_object}: one kernel expected, found {[name for name, _ in found]}")
    name, address = found[0]
    lds, scratch, kernarg, _, _, rsrc3, rsrc1, rsrc2, properties = struct.unpack(
        "<IIIIq20xIIIH", bytes_at(image, address, 58)
    )
    # User SGPRs in their fixed order: each enabled pair or quad moves the next one up.
    position, kernarg_register = 0, -1
    for bit, width in enumerate((4, 2, 2, 2, 2, 2, 1)):
        if properties >> bit & 1:
            if bit == 3:
                kernarg_register = position
            elif bit != 0:
                raise TranslationError(f"{name}: user SGPR {bit} is enabled; only the kernarg pointer is set up")
            position += width
    user = rsrc2 >> 1 & 0x1F
    if not rsrc2 >> 7 & 1 or rsrc2 >> 8 & 3 or rsrc2 >> 11 & 3:
        raise TranslationError(f"{name}: launched with workgroup id x and work item id x only")
    mode = rsrc1 >> 12 & 0xFF
    if mode != 0xF0:
        raise TranslationError(f"{name}: rounds to nearest and keeps denormals, or is not translated (float mode {mode:#x})")
    return KernelDescriptor(name[:-3], lds, scratch, kernarg, ((rsrc1 & 0x3F) + 1) * 8, ((rsrc3 & 0x3F) + 1) * 4,
                            kernarg_register, user)


def resources(code_object):
    """The compiler's own account of the kernel, from the metadata note: numbers and strings by key."""
    notes = run("llvm-readelf", "-n", code_object)
    found = dict(re.findall(r"\.(\w+):\s+(\S+)", notes))
    target = re.search(r"amdhsa\.target:\s+(\S+)", notes)
    found["target"] = target[1] if target else ""
    return found
