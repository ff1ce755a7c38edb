"""Translates the disassembly of a gfx942 kernel to C++ that runs on a CPU."""
