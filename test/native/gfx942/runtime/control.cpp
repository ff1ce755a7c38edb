#include "runtime/control.h"

#include "runtime/launch.h"
#include "runtime/store_queue.h"

namespace gfx942 {

namespace {

void setPending(Wave &w, u32 first, u32 count, bool pending) {
    for (u32 r = first; r < first + count; r++) {
        const u64 bit = 1ull << (r % 64);
        w.pending[r / 64] = pending ? w.pending[r / 64] | bit : w.pending[r / 64] & ~bit;
    }
}

void retire(Wave &w, InFlight &queue) {
    const InFlight::Entry done = queue.pop();
    setPending(w, done.first, done.count, false);
    for (u32 i = 0; i < queue.size() && done.count != 0; i++) {
        const InFlight::Entry &later = queue.at(i);
        if (later.first < done.first + done.count && done.first < later.first + later.count) {
            setPending(w, later.first, later.count, true);
        }
    }
    if (&queue == &w.vector && done.count == 0) {
        const auto stored = [&](const DelayedStore &store) { return store.number == done.number; };
        applyStores(w, w.delayed, stored);
        applyStores(w, w.sent, stored);
    }
}

} // namespace

u32 InFlight::push(uint16_t first, uint16_t count) {
    ring_[(head_ + size_) % ring_.size()] = {first, count, next_};
    size_++;
    return next_++;
}

InFlight::Entry InFlight::pop() {
    const Entry oldest = ring_[head_];
    head_ = static_cast<u32>((head_ + 1) % ring_.size());
    size_--;
    return oldest;
}

namespace {

/// Registers of [first, first + count) that an operation of another counter will write.
void checkOrder(const Wave &w, const InFlight &queue, u32 instruction, u32 first, u32 count) {
    for (u32 r = first; r < first + count; r++) {
        bool inQueue = !(w.pending[r / 64] >> (r % 64) & 1);
        for (u32 i = 0; i < queue.size() && !inQueue; i++) {
            inQueue = queue.at(i).first <= r && r < queue.at(i).first + queue.at(i).count;
        }
        if (!inQueue) {
            missingWait(w, instruction, instruction + 1);
        }
    }
}

} // namespace

u32 issueVector(Wave &w, u32 instruction, u32 first, u32 count) {
    checkOrder(w, w.vector, instruction, first, count);
    // The counter holds 63; the hardware waits for the oldest operation before it issues one more.
    if (w.vector.size() == 63) {
        retire(w, w.vector);
    }
    setPending(w, first, count, true);
    return w.vector.push(static_cast<uint16_t>(first), static_cast<uint16_t>(count));
}

void issueLocal(Wave &w, u32 instruction, u32 first, u32 count) {
    checkOrder(w, w.local, instruction, first, count);
    if (w.local.size() == 15) {
        retire(w, w.local);
    }
    setPending(w, first, count, true);
    w.local.push(static_cast<uint16_t>(first), static_cast<uint16_t>(count));
}

void issueScalar(Wave &w, u32 first, u32 count) {
    if (w.scalar.size() == 63) {
        retire(w, w.scalar);
    }
    setPending(w, vectorWords + first, count, true);
    w.scalar.push(static_cast<uint16_t>(vectorWords + first), static_cast<uint16_t>(count));
}

void waitFor(Wave &w, u32 instruction, u32 vectorCount, u32 localCount) {
    if (w.launch->patch(instruction) == Patch::removed) {
        return;
    }
    while (w.vector.size() > vectorCount) {
        retire(w, w.vector);
    }
    while (w.local.size() > localCount) {
        retire(w, w.local);
    }
    // Scalar loads return in any order: only a wait for all of them says anything.
    while (localCount == 0 && w.scalar.size() > 0) {
        retire(w, w.scalar);
    }
}

void missingWait(const Wave &w, u32 first, u32 last) {
    std::string names;
    for (u32 r = 0; r < 640; r++) {
        if (w.pending[r / 64] >> (r % 64) & 1) {
            const u32 number = r < 256 ? r : r < vectorWords ? r - 256 : r - vectorWords;
            names += (r < 256 ? " v" : r < vectorWords ? " a" : " s") + std::to_string(number);
        }
    }
    const std::string end = w.launch->kernel.instructions[last - 1].text;
    fail(w, FaultKind::missingWait, first, "here or before '" + end + "' uses a register of a load in flight:" + names);
}

u32 finish(Wave &w) {
    w.state = WaveState::finished; // its stores may still be under way
    return w.block;
}

u32 barrier(Wave &w, u32 instruction, u32 next) {
    if (w.launch->patch(instruction) == Patch::removed) {
        return next;
    }
    for (u32 i = 0; i < w.local.size(); i++) {
        if (w.local.at(i).count == 0) {
            fail(w, FaultKind::missingWait, instruction, "barrier while LDS stores are in flight");
        }
    }
    w.state = WaveState::atBarrier;
    return next;
}

u32 sleep(Wave &w, u32 next) {
    if (w.launch->hasPolled(w)) { // else there is nothing that it would wait for
        w.state = WaveState::asleep;
    }
    return next;
}

bool conditionScc(const Wave &w, u32 instruction) {
    if (!w.sccDefined) {
        fail(w, FaultKind::undefinedValue, instruction, "branch on an undefined condition");
    }
    return w.scc != 0;
}

bool conditionVcc(const Wave &w, u32 instruction) {
    const u64 value = w.s[vccRegister] | static_cast<u64>(w.s[vccRegister + 1]) << 32;
    const u64 known = w.scalarDefined[vccRegister] | static_cast<u64>(w.scalarDefined[vccRegister + 1]) << 32;
    if ((value & known) == 0 && known != ~0ull) {
        fail(w, FaultKind::undefinedValue, instruction, "branch on an undefined vcc");
    }
    return value != 0;
}

void putExec(Wave &w, u64 value, u64 known, u32 instruction) {
    putExecHalf(w, execRegister, static_cast<u32>(value), static_cast<u32>(known), instruction);
    putExecHalf(w, execRegister + 1, static_cast<u32>(value >> 32), static_cast<u32>(known >> 32), instruction);
}

void putExecHalf(Wave &w, u32 r, u32 value, u32 known, u32 instruction) {
    if (known != ~0u) {
        fail(w, FaultKind::undefinedValue, instruction, "exec from an undefined condition");
    }
    w.s[r] = value;
}

void copyToExec(Wave &w, u32 r) {
    w.s[execRegister] = w.s[r];
    w.s[execRegister + 1] = w.s[r + 1];
}

u64 codeAddress(const Wave &w, u64 address) { return w.launch->codeBase + address; }

Hardware hardwareOf(const Wave &w) {
    const u32 group = w.group->number;
    // Workgroups go round the eight XCDs; HW_ID: wave, SIMD, compute unit and shader engine inside one.
    return {.xcc = group % dies,
            .place = (w.index & 3) << 4 | (group / 8 % 10) << 8 | (group / 80 % 4) << 13,
            .mode = 0xf0};
}

u64 shaderClock(const Wave &w) { return w.launch->ticks() * 21; }
u64 realClock(const Wave &w) { return w.launch->ticks(); }

void readClock(Wave &w, u32, u32 r, u64 ticks) {
    w.s[r] = static_cast<u32>(ticks);
    w.s[r + 1] = static_cast<u32>(ticks >> 32);
    w.scalarDefined[r] = w.scalarDefined[r + 1] = ~0u;
    issueScalar(w, r, 2);
}

} // namespace gfx942
