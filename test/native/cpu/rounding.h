#pragma once

#include <string_view>

/// Whether an instruction set rounds the activations that meet bf16 weights to bf16.
inline bool roundsActivations(std::string_view set) { return set == "avx512bf16" || set == "amx"; }
