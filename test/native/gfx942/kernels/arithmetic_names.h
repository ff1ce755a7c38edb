#pragma once

// arithmetic.h as the tests see it: they are compiled by any compiler, arithmetic.h only by clang.

#include <cstdint>

uint32_t arithmeticOperations();
const char *arithmeticName(uint32_t operation);
bool arithmeticIsExact(uint32_t operation);
uint64_t expectedArithmetic(uint32_t operation, uint64_t a, uint64_t b, uint64_t c);
