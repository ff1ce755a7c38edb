#include "kernels/arithmetic.h"
#include "kernels/arithmetic_names.h"

uint32_t arithmeticOperations() { return operationCount; }
const char *arithmeticName(uint32_t operation) { return operations[operation].name; }
bool arithmeticIsExact(uint32_t operation) { return operations[operation].exactness == Exactness::bits; }
uint64_t expectedArithmetic(uint32_t operation, uint64_t a, uint64_t b, uint64_t c) {
    return evaluate(operation, a, b, c);
}
