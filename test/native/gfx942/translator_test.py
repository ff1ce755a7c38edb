"""Unit tests of the translator's parser and of its refusals; isa_check's teeth on a bad build."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from translator.disassembly import TranslationError, parse, split_operands, tool  # noqa: E402
from translator.emitter import split_blocks, translate_all  # noqa: E402
from translator.operands import parse_operand  # noqa: E402

KERNEL = Path(__file__).parents[3] / "native" / "kernel" / "monokernel.cpp"


def listing(*lines):
    """A disassembly of 4-byte instructions from address 0 on."""
    return parse("".join(f"\t{text} // {4 * i:012X}: {word:08X}\n" for i, (text, word) in enumerate(lines)))


class Parser(unittest.TestCase):
    def test_modifiers_are_split_from_operands(self):
        self.assertEqual(
            split_operands("v[2:5], v[0:1], off offset:-16 sc0 nt"),
            (("v[2:5]", "v[0:1]", "off"), {"offset": "-16", "sc0": "", "nt": ""}),
        )
        self.assertEqual(
            split_operands("v1, -|v2|, v3 quad_perm:[1,0,3,2] row_mask:0xf bank_mask:0xf"),
            (("v1", "-|v2|", "v3"), {"quad_perm": "[1,0,3,2]", "row_mask": "0xf", "bank_mask": "0xf"}),
        )

    def test_operands(self):
        self.assertEqual(list(parse_operand("a[3:4]").registers), [259, 260])
        self.assertEqual(list(parse_operand("vcc").registers), [512 + 106, 512 + 107])
        self.assertEqual(parse_operand("0.5").bits("f"), 0x3F000000)
        self.assertEqual(parse_operand("0.5").bits("d"), 0x3FE0000000000000)
        self.assertEqual(parse_operand("-4").bits("q"), 0xFFFFFFFFFFFFFFFC)
        with self.assertRaisesRegex(TranslationError, "unknown operand ttmp3"):
            parse_operand("ttmp3")

    def test_unknown_text_is_refused(self):
        with self.assertRaisesRegex(TranslationError, "not an instruction"):
            parse("\t<unknown> // 000000000000: 12345678\n")


class Refusals(unittest.TestCase):
    def refuses(self, text, reason):
        with self.assertRaisesRegex(TranslationError, reason):
            translate_all(listing((text, 0), ("s_endpgm", 0xBF810000)))

    def test_each_names_the_instruction(self):
        self.refuses("v_frobnicate_b32 v0, v1", "v_frobnicate_b32 v0, v1: unsupported instruction")
        self.refuses("flat_load_dword v0, v[2:3]", "flat_load_dword")
        self.refuses("scratch_load_dword v0, off", "scratch_load_dword")
        self.refuses("s_setpc_b64 s[2:3]", "jump to a computed address")
        self.refuses("v_mul_u32_u24_e64 v0, v1, v2 clamp", "clamp on an integer result")
        self.refuses("v_mfma_f32_16x16x16_bf16 v[0:3], v[4:5], v[6:7], v[0:3] cbsz:1", "matrix instruction with cbsz")
        self.refuses("s_getreg_b32 s0, hwreg(HW_REG_LDS_ALLOC)", "unsupported hardware register")

    def test_all_of_them_are_named_at_once(self):
        self.refuses("v_one v0", "v_one")
        with self.assertRaisesRegex(TranslationError, "(?s)v_one.*v_two"):
            translate_all(listing(("v_one v0", 0), ("v_two v0", 0)))


class Blocks(unittest.TestCase):
    def test_blocks_start_at_targets_and_memory_accesses(self):
        instructions = listing(
            ("v_mov_b32_e32 v0, 0", 0),
            ("ds_write_b32 v0, v0", 0),
            ("s_cbranch_scc0 65533", 0xBF84FFFD),  # back to the first
            ("s_endpgm", 0xBF810000),
        )
        blocks, _, _ = split_blocks(instructions, translate_all(instructions))
        self.assertEqual([block.first for block in blocks], [0, 1, 3])


class Checker(unittest.TestCase):
    def finds(self, text, changed, fault):
        """The checker finds `fault` in a kernel whose device layer has `changed` for `text`."""
        with tempfile.TemporaryDirectory() as folder:
            kernel = Path(folder) / "native" / "kernel"
            shutil.copytree(KERNEL.parent, kernel)
            layer = kernel / "device_gfx942.h"
            source = layer.read_text()
            self.assertIn(text, source)
            layer.write_text(source.replace(text, changed))
            bad = os.path.join(folder, "bad.co")
            subprocess.run(
                [tool("clang++"), "-x", "hip", "--offload-arch=gfx942", "--offload-device-only", "-nogpuinc", "-nogpulib",
                 "-nostdinc", "-mcode-object-version=5", "--no-gpu-bundle-output", "-std=c++20", "-O3", "-fno-exceptions",
                 "-fno-rtti", "-fuse-cuid=none", "-w", "-o", bad, str(kernel / KERNEL.name)],
                check=True,
            )  # fmt: skip
            checker = Path(__file__).with_name("isa_check.py")
            result = subprocess.run([sys.executable, str(checker), bad], capture_output=True, text=True)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertRegex(result.stdout, fault)

    def test_weights_that_go_through_the_caches_do_not_pass(self):
        self.finds(", off nt", ", off", "FAIL mk_weights.*all nt")

    def test_a_tile_that_is_not_waited_for_does_not_pass(self):
        for registers in ('={" registers "}"', '={a[220:222]}"'):
            wait = f'"s_waitcnt vmcnt(%d)" : "{registers}'
            self.finds(wait % 8, wait % 9, "FAIL the tile in flight: [1-9].*without a wait")


if __name__ == "__main__":
    unittest.main()
