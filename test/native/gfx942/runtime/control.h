#pragma once

#include "runtime/wave.h"

namespace gfx942 {

/// Counts an operation as in flight and its registers (count 0: a store) as not to be touched until it is waited for. A
/// load into registers that another in flight will write is right only behind one of the same counter, in order.
u32 issueVector(Wave &w, u32 instruction, u32 first, u32 count);
void issueLocal(Wave &w, u32 instruction, u32 first, u32 count);
void issueScalar(Wave &w, u32 first, u32 count);

// Called by translated code; see instructions.h.
u32 finish(Wave &w);
u32 barrier(Wave &w, u32 instruction, u32 next);
u32 sleep(Wave &w, u32 next);
bool conditionScc(const Wave &w, u32 instruction);
bool conditionVcc(const Wave &w, u32 instruction);
void putExec(Wave &w, u64 value, u64 known, u32 instruction);
void putExecHalf(Wave &w, u32 r, u32 value, u32 known, u32 instruction);
void copyToExec(Wave &w, u32 r);
void waitFor(Wave &w, u32 instruction, u32 vectorCount, u32 localCount);
[[noreturn]] void missingWait(const Wave &w, u32 first, u32 last);

/// Where the loaded image has what the code object has at `address`.
u64 codeAddress(const Wave &w, u64 address);

struct Hardware {
    u64 xcc, place, mode;
};
Hardware hardwareOf(const Wave &w);
u64 shaderClock(const Wave &w);
u64 realClock(const Wave &w);
void readClock(Wave &w, u32 instruction, u32 r, u64 ticks);

} // namespace gfx942
