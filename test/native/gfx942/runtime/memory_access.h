#pragma once

// Memory instructions. `x` is exec, `known` the lanes whose addresses are defined, `instruction` what a fault names.

#include "runtime/wave.h"

namespace gfx942 {

void globalLoad(Wave &w, const Access &access, const Addresses &at, u64 known, u64 x);
void globalStore(Wave &w, const Access &access, const Addresses &at, u64 known, u64 x);
void globalAtomic(Wave &w, const Access &access, const Addresses &at, u32 data, u64 known, u64 x);
/// Offsets into a buffer resource of four scalar registers: loads past its end give 0, stores there do nothing.
void bufferLoad(Wave &w, const Access &access, const Offsets &at, u32 resource, u32 base, u64 known, u64 x);
void bufferStore(Wave &w, const Access &access, const Offsets &at, u32 resource, u32 base, u64 known, u64 x);
void scalarLoad(Wave &w, u32 instruction, u32 r, u32 dwords, u64 address, u64 known);
/// buffer_wbl2 and buffer_inv; below device scope they do nothing that is modelled.
void writeBack(Wave &w, u32 instruction, bool device);
void invalidate(Wave &w, u32 instruction, bool device);

void ldsRead(Wave &w, const Access &access, const Offsets &at, u32 offset, u64 known, u64 x);
void ldsReadPair(Wave &w, const Access &access, const Offsets &at, u32 first, u32 second, u64 known, u64 x);
void ldsWrite(Wave &w, const Access &access, const Offsets &at, u32 offset, u64 known, u64 x);
void ldsWritePair(Wave &w, const Access &access, const Offsets &at, u32 first, u32 second, u32 data, u64 known, u64 x);
void ldsAtomic(Wave &w, const Access &access, const Offsets &at, u32 offset, u32 data, u32 extra, u64 known, u64 x);

/// Exchange between lanes through the LDS crossbar: ds_bpermute, ds_permute, ds_swizzle.
void pullLanes(Wave &w, u32 instruction, u32 to, const Offsets &at, u64 known, u32 from, u64 x);
void pushLanes(Wave &w, u32 instruction, u32 to, const Offsets &at, u64 known, u32 from, u64 x);
void swizzleLanes(Wave &w, u32 instruction, u32 to, u32 from, u32 pattern, u64 x);

} // namespace gfx942
