#pragma once

// What a global access needs to be right: addresses inside an allocation and aligned, and for loads data that the
// workgroup's caches are sure to have.

#include "runtime/device_memory.h"
#include "runtime/wave.h"

namespace gfx942 {

/// The access as patched: without its scope bits when a test took them away.
Access scoped(const Wave &w, Access access);

/// Fails unless the address of every lane in `x` is known.
void checkKnown(const Wave &w, u32 instruction, u64 known, u64 x);

/// Fails unless every lane's element lies in an allocation of the device, aligned to its size or 4.
void checkAddresses(const Wave &w, const Access &access, const Addresses &at, u32 bytes, u64 x);
/// The same for stores, which may also go to the mailboxes of connected devices. True when some lane's does.
bool checkStoreAddresses(const Wave &w, const Access &access, const Addresses &at, u32 bytes, u64 x);

/// Fails for an access to an address that lies in no allocation of the device.
[[noreturn]] void failOutside(const Wave &w, u32 instruction, u64 address);

/// Fails unless a load must see the last store to this dword: device scope on both sides, or a write-back after the
/// store and an invalidation after that; for what another device stored, system scope.
void checkCoherent(const Wave &w, const Access &access, u64 address, const Shadow &shadow);

/// One bit a dword of a range that is not plain: is it defined? Checks that the load sees the last stores.
u32 inspectLoad(const Wave &w, const Access &access, u64 address, u32 bytes);

} // namespace gfx942
