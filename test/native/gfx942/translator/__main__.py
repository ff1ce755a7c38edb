"""python3 -m translator CODE_OBJECT OUT_FOLDER NAME [PARTS]: writes NAME.0.cpp ... NAME.tables.cpp."""

import sys
from pathlib import Path

from .disassembly import TranslationError, descriptor, disassemble
from .emitter import emit


def image_hash(data):
    """64-bit FNV-1a of the file, so that a test cannot run the translation of another object."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def write_changed(file, text):
    """A file that stays as it is need not be compiled again."""
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


def main(code_object, folder, name, parts="2"):
    instructions = disassemble(code_object)
    files = emit(instructions, descriptor(code_object), image_hash(Path(code_object).read_bytes()), name, int(parts))
    Path(folder).mkdir(parents=True, exist_ok=True)
    for part, text in enumerate(files):
        suffix = "tables" if part == int(parts) else part
        write_changed(Path(folder) / f"{name}.{suffix}.cpp", text)
    mnemonics = {instruction.mnemonic for instruction in instructions}
    print(f"{name}: {len(instructions)} instructions, {len(mnemonics)} mnemonics")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except TranslationError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
